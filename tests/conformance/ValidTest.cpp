// Tiers 1 and 2 of tests/data/conformance_valid.json: result shapes and values.
#include "ein/Sublists.h"
#include "tests/conformance/Oracles.h"
#include "tests/conformance/Support.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace ein;
using namespace ein::test;
using nlohmann::json;

namespace {

/// The dtypes of a case that are built: both where it names none.
std::vector<DType> dtypesOf(const json &entry) {
  if (!entry.contains("dtype")) return {DType::F32, DType::F64};
  const json &dtype = entry["dtype"];
  std::vector<DType> result;
  if (dtype == json({"f", "l", "o", "a", "t", "3", "2"})) return {DType::F32};
  for (const json &name : dtype.is_array() ? dtype : json::array({dtype})) {
    if (name == "object") return {DType::F32, DType::F64}; // Python's numbers: about labels, not about values
    if (name == "float32") result.push_back(DType::F32);
    if (name == "float64") result.push_back(DType::F64);
  }
  return result;
}

/// A line of the file, in one of its spellings.
struct Entry {
  std::string id, expression;
  std::vector<std::vector<int64_t>> shapes;
  std::vector<std::string> layouts; ///< one per operand; empty: row-major
  std::vector<int64_t> out;
  std::optional<DType> dtype;
  CompileOptions options;
  std::string dtypeName; ///< as the file has it
};

void PrintTo(const Entry &entry, std::ostream *out) { *out << entry.id << " " << entry.expression; }

Sublist sublist(const json &labels) {
  Sublist result;
  for (const json &label : labels) result.push_back(label.is_string() ? kEllipsis : label.get<int64_t>());
  return result;
}

std::string braced(const json &labels) {
  std::string result;
  for (const json &label : labels) result += "{" + label.get<std::string>() + "}";
  return result;
}

/// The integer sublists of a case as text.
std::string fromSublists(const json &entry) {
  std::vector<Sublist> operands;
  for (const json &labels : entry["sublists"]) operands.push_back(sublist(labels));
  std::optional<Sublist> output;
  if (!entry["out_sublist"].is_null()) output = sublist(entry["out_sublist"]);
  return sublistText(operands, output).value();
}

/// Labels that are words, in braces.
std::string fromNames(const json &entry) {
  std::string text;
  for (const json &labels : entry["named_labels"]) text += (text.empty() ? "" : ",") + braced(labels);
  return entry.contains("named_output") ? text + "->" + braced(entry["named_output"]) : text;
}

/// Where a case allows both dtypes, every other one takes f64. A case that is also written with integers, words or
/// in einops' way runs once more in each of these.
std::vector<Entry> readEntries() {
  std::ifstream file(EIN_TEST_DATA "/conformance_valid.json");
  std::vector<Entry> entries;
  for (const json &line : json::parse(file, nullptr, false)) {
    if (line["tier"] == 3) continue;
    const std::vector<DType> dtypes = dtypesOf(line);
    Entry entry{line["id"],
                line["expr"],
                line["shapes"],
                line.value("layout", std::vector<std::string>()),
                line["out"],
                std::nullopt,
                {},
                line.contains("dtype") ? line["dtype"].dump() : ""};
    if (!dtypes.empty()) entry.dtype = dtypes[entries.size() % dtypes.size()];
    entry.options.scatter = line.contains("extension");
    // No operand says how long i is; a Program does.
    if (entry.expression == "->ii")
      entry.expression =
          "index i = 5, j = i\nin x: " + std::string(name(*entry.dtype)) + "\nY[i,j] = if i == j then x else 0\nout Y";
    entries.push_back(entry);
    auto again = [&](const char *suffix, std::string text) {
      entries.push_back(entry);
      entries.back().id += suffix;
      entries.back().expression = std::move(text);
    };
    if (line.contains("sublists")) again("_sublists", fromSublists(line));
    if (line.contains("named_labels")) again("_names", fromNames(line));
    if (line.contains("einops_pattern")) {
      again("_einops", line["einops_pattern"]);
      entries.back().options.labels = LabelStyle::Names;
    }
  }
  return entries;
}

const std::vector<Entry> &entries() {
  static const std::vector<Entry> all = readEntries();
  return all;
}

/// "3,1,1".
std::vector<int64_t> numbers(const std::string &text) {
  std::vector<int64_t> result;
  std::stringstream stream(text);
  for (std::string number; std::getline(stream, number, ',');) result.push_back(std::stoll(number));
  return result;
}

/// A row-major tensor with the given steps between elements of every dimension, or of the last one only.
std::vector<int64_t> stepped(const std::vector<int64_t> &shape, bool everyDimension) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    const int64_t step = everyDimension || d + 1 == shape.size() ? 2 : 1;
    strides[d] = stride * step;
    stride *= shape[d] * step;
  }
  return strides;
}

/// The layouts of ecosystem.md, section 3.2.
std::vector<int64_t> stridesOf(const std::string &layout, const std::vector<int64_t> &shape) {
  if (layout == "noncontig") return stepped(shape, false);
  if (layout == "step2") return stepped(shape, true);
  if (layout.starts_with("S:") || layout.starts_with("strides:")) return numbers(layout.substr(layout.find(':') + 1));
  std::vector<int64_t> strides = TensorType(DType::F32, shape).strides;
  if (layout == "F" || layout == "T") {
    strides = TensorType(DType::F32, {shape.rbegin(), shape.rend()}).strides;
    std::reverse(strides.begin(), strides.end());
  }
  return strides;
}

Case caseOf(const Entry &entry) {
  Case c;
  c.text = entry.expression;
  c.options = entry.options;
  c.seed = std::stoull(entry.id.substr(1));
  for (size_t o = 0; o < entry.shapes.size(); ++o)
    c.types.emplace_back(*entry.dtype, entry.shapes[o],
                         stridesOf(entry.layouts.empty() ? "C" : entry.layouts[o], entry.shapes[o]));
  return c;
}

/// Points that the interpreter is asked to visit; it takes about 20 ns for each.
constexpr double kInterpreted = 3e6;

::testing::AssertionResult agrees(const Execution &execution) {
  if (points(execution.program) <= kInterpreted) return agreesWithInterpreter(execution);
  return execution.operands.size() <= 2 ? agreesAtSamples(execution, 1e7) : agreesWithPairwise(execution);
}

class Valid : public ::testing::TestWithParam<Entry> {};

TEST_P(Valid, ShapeAndValues) {
  const Entry &entry = GetParam();
  if (!entry.dtype) GTEST_SKIP() << "needs one of the dtypes " << entry.dtypeName << "; f32 and f64 are built";
  const Case c = caseOf(entry);
  auto execution = Execution::prepare(c);
  ASSERT_TRUE(execution) << execution.error().render();
  EXPECT_EQ(execution->program.typeOf(execution->program.outputs[0]).shape, entry.out);
  auto ok = execution->run();
  ASSERT_TRUE(ok) << failure(c, ok.error().render()).message();
  EXPECT_EQ(execution->results[0].view.type.shape, entry.out);
  EXPECT_TRUE(agrees(*execution));
}

INSTANTIATE_TEST_SUITE_P(Tiers1And2, Valid, ::testing::ValuesIn(entries()),
                         [](const ::testing::TestParamInfo<Entry> &info) { return info.param.id; });

TEST(ValidFile, HoldsTheCases) {
  EXPECT_EQ(entries().size(), 1580u);
  EXPECT_EQ(std::count_if(entries().begin(), entries().end(), [](const Entry &e) { return !e.dtype; }), 57);
}

} // namespace
