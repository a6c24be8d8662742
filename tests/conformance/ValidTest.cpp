// Tier 1 of tests/data/conformance_valid.json where dtype is float: result shapes and values.
#include "tests/conformance/Oracles.h"
#include "tests/conformance/Support.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace ein;
using namespace ein::test;
using nlohmann::json;

namespace {

/// Cases that a later issue makes work, and why they do not yet.
struct Skipped {
  const char *id;
  const char *reason;
};
constexpr Skipped kSkipped[] = {
    {"V1634", "repeated output index (scatter to the diagonal)"},
    {"V1636", "repeated output index (scatter to the diagonal)"},
    {"V1637", "repeated output index (scatter to the diagonal)"},
    {"V1638", "repeated output index (scatter to the diagonal)"},
    {"V1839", "repeated output index that no operand has"},
    {"V1885", "repeated output index (scatter to the diagonal)"},
};

/// Null for a case that is to run.
const Skipped *findSkipped(const std::string &id) {
  auto at = std::find_if(std::begin(kSkipped), std::end(kSkipped), [&](const Skipped &s) { return id == s.id; });
  return at == std::end(kSkipped) ? nullptr : at;
}

/// The dtypes of a case that are built: both where it names none.
std::vector<DType> dtypesOf(const json &entry) {
  if (!entry.contains("dtype")) return {DType::F32, DType::F64};
  const json &dtype = entry["dtype"];
  std::vector<DType> result;
  for (const json &name : dtype.is_array() ? dtype : json::array({dtype})) {
    if (name == "float32") result.push_back(DType::F32);
    if (name == "float64") result.push_back(DType::F64);
  }
  return result;
}

/// A line of the file, with `expr` for integer sublists and named labels.
struct Entry {
  std::string id, expression;
  std::vector<std::vector<int64_t>> shapes;
  std::vector<std::string> layouts; ///< one per operand; empty: row-major
  std::vector<int64_t> out;
  DType dtype;
};

void PrintTo(const Entry &entry, std::ostream *out) { *out << entry.id << " " << entry.expression; }

/// Where a case allows both dtypes, every other one takes f64.
std::vector<Entry> readEntries() {
  std::ifstream file(EIN_TEST_DATA "/conformance_valid.json");
  std::vector<Entry> entries;
  for (const json &entry : json::parse(file, nullptr, false)) {
    const std::vector<DType> dtypes = dtypesOf(entry);
    if (entry["tier"] != 1 || dtypes.empty()) continue;
    entries.push_back({entry["id"], entry["expr"], entry["shapes"], entry.value("layout", std::vector<std::string>()),
                       entry["out"], dtypes[entries.size() % dtypes.size()]});
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
  c.seed = std::stoull(entry.id.substr(1));
  for (size_t o = 0; o < entry.shapes.size(); ++o)
    c.types.emplace_back(entry.dtype, entry.shapes[o],
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
  if (const Skipped *skipped = findSkipped(entry.id)) GTEST_SKIP() << skipped->reason;
  const Case c = caseOf(entry);
  auto execution = Execution::prepare(c);
  ASSERT_TRUE(execution) << execution.error().render();
  EXPECT_EQ(execution->program.typeOf(execution->program.outputs[0]).shape, entry.out);
  auto ok = execution->run();
  ASSERT_TRUE(ok) << failure(c, ok.error().render()).message();
  EXPECT_EQ(execution->results[0].view.type.shape, entry.out);
  EXPECT_TRUE(agrees(*execution));
}

INSTANTIATE_TEST_SUITE_P(Tier1, Valid, ::testing::ValuesIn(entries()),
                         [](const ::testing::TestParamInfo<Entry> &info) { return info.param.id; });

TEST(ValidFile, HoldsTheCases) { EXPECT_EQ(entries().size(), 736u); }

/// An entry whose case is gone, or works, is to be deleted.
TEST(ValidFile, SkipsOnlyWhatIsRefused) {
  for (const Skipped &skipped : kSkipped) {
    auto entry = std::find_if(entries().begin(), entries().end(), [&](const Entry &e) { return e.id == skipped.id; });
    ASSERT_NE(entry, entries().end()) << skipped.id << " is no case";
    EXPECT_FALSE(Execution::prepare(caseOf(*entry))) << skipped.id << " works: " << skipped.reason;
  }
}

} // namespace
