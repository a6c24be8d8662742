// Tiers 1 and 2 of tests/data/conformance_valid.json: result shapes and values.
#include "ein/Sublists.h"
#include "tests/conformance/Oracles.h"
#include "tests/conformance/Support.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

using namespace ein;
using namespace ein::test;
using nlohmann::json;

namespace {

/// numpy's names of dtypes that we have: all but its long double and what is made of it.
std::optional<DType> dtypeOf(const std::string &name) {
  static const std::map<std::string, DType> names = {
      {"float32", DType::F32},   {"float64", DType::F64},     {"float16", DType::F16}, {"bfloat16", DType::BF16},
      {"complex64", DType::C64}, {"complex128", DType::C128}, {"int8", DType::I8},     {"int16", DType::I16},
      {"int32", DType::I32},     {"int64", DType::I64},       {"uint8", DType::U8},    {"uint16", DType::U16},
      {"uint32", DType::U32},    {"uint64", DType::U64},      {"bool", DType::Bool}};
  auto known = names.find(name);
  return known == names.end() ? std::nullopt : std::optional(known->second);
}

/// The dtypes of a case: f32 and f64 where it names none or means Python's numbers, all where it means pairs of them.
std::vector<DType> dtypesOf(const json &entry) {
  json list = entry.value("dtype", json("object"));
  if (!list.is_array()) list = json::array({list});
  std::string spelt; // a name that came apart into letters
  for (const json &name : list) spelt += name.get<std::string>();
  if (auto whole = dtypeOf(spelt)) return {*whole};
  std::vector<DType> result;
  for (const json &name : list)
    if (auto dtype = dtypeOf(name)) result.push_back(*dtype);
  if (spelt.find("all pairs") != std::string::npos)
    for (size_t t = 0; t < kDTypes.size(); ++t) result.push_back(static_cast<DType>(t));
  return result.empty() ? std::vector<DType>{DType::F32, DType::F64} : result;
}

/// A line of the file, in one of its spellings.
struct Entry {
  std::string id, expression;
  std::vector<std::vector<int64_t>> shapes;
  std::vector<std::string> layouts; ///< one per operand; empty: row-major
  std::vector<int64_t> out;
  DType dtype, second; ///< of the first operand and of every other one: they differ where the case is about pairs
  CompileOptions options;
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

/// Where a case allows several dtypes, they take turns. A case that is also written with integers, words or
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
                dtypes[entries.size() % dtypes.size()],
                dtypes[entries.size() % dtypes.size()],
                {}};
    if (line.contains("dtype") && line["dtype"].dump().find("all pairs") != std::string::npos)
      entry.second = dtypes[(entries.size() * 7 + 3) % dtypes.size()];
    entry.options.scatter = line.contains("extension");
    // No operand says how long i is; a Program does.
    if (entry.expression == "->ii")
      entry.expression =
          "index i = 5, j = i\nin x: " + std::string(name(entry.dtype)) + "\nY[i,j] = if i == j then x else 0\nout Y";
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
    c.types.emplace_back(o % 2 ? entry.second : entry.dtype, entry.shapes[o],
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
  std::set<DType> dtypes;
  for (const Entry &entry : entries()) dtypes.insert(entry.dtype);
  EXPECT_EQ(dtypes.size(), kDTypes.size());
}

} // namespace
