// Contractions around the edges of register tiles and cache blocks, in every order of indices, with integers: exact.
#include "tests/conformance/Oracles.h"
#include "tests/conformance/Random.h"
#include "tests/conformance/Support.h"

#include <set>

using namespace ein;
using namespace ein::test;

namespace {

constexpr uint64_t kCases = 300;
/// A product of this many is left to smaller cases.
constexpr double kMostProducts = 6e7;

/// One contraction; all its choices come from the seed.
class GemmGenerator {
public:
  explicit GemmGenerator(uint64_t seed) : random(seed) { c.seed = seed; }

  Case make() {
    do {
      extents.clear();
      batch = random.oneIn(3) ? group({2, 3, 5}, false) : "";
      rows = group(kSides, true);
      cols = group(kSides, true);
      depth = group(random.oneIn(4) ? kDeep : kSides, true);
    } while (products() > kMostProducts);
    c.options = randomOptions(random);
    c.data = Data::Integers;
    c.stages = {"plan"};
    DType dtype = randomDType(random);
    if (dtype == DType::Bool) dtype = DType::F32; // no contraction of linalg
    c.text = term(batch + rows + depth, dtype) + "," + term(batch + depth + cols, dtype) + "->" +
             shuffled(batch + rows + cols);
    return c;
  }

private:
  inline static const std::vector<int64_t> kSides = {1, 3, 5, 8, 15, 16, 17, 31, 32, 48, 97, 130, 300};
  inline static const std::vector<int64_t> kDeep = {700, 1100, 30000};
  Random random;
  Case c;
  std::string batch, rows, cols, depth;
  std::vector<int64_t> extents;

  /// The labels of a group: one, or a small one beside it so that the group is walked by two loops.
  std::string group(const std::vector<int64_t> &choices, bool maySplit) {
    std::string labels = label(random.of(choices));
    if (maySplit && random.oneIn(4)) labels += label(2 + random.below(3));
    return labels;
  }

  std::string label(int64_t extent) {
    extents.push_back(extent);
    return std::string(1, static_cast<char>('a' + extents.size() - 1));
  }

  double products() const {
    double product = 1;
    for (int64_t extent : extents) product *= static_cast<double>(extent);
    return product;
  }

  std::string shuffled(const std::string &labels) {
    std::vector<char> order(labels.begin(), labels.end());
    if (!random.oneIn(3)) random.shuffle(order);
    return {order.begin(), order.end()};
  }

  std::string term(const std::string &labels, DType dtype) {
    std::string text = shuffled(labels);
    std::vector<int64_t> shape;
    for (char label : text) shape.push_back(extents[label - 'a']);
    c.types.emplace_back(dtype, shape,
                         random.oneIn(4) ? randomStrides(random, shape, false) : TensorType(dtype, shape).strides);
    return text;
  }
};

/// What follows `before` in the plans of a printed module, up to a space, comma or semicolon: "rows=" gives "gather".
void collect(const std::string &plans, const std::string &before, std::set<std::string> &found) {
  for (size_t at = 0; (at = plans.find(before, at)) != std::string::npos;) {
    at += before.size();
    found.insert(plans.substr(at, plans.find_first_of(" ,;", at) - at));
  }
}

class RandomGemm : public ::testing::TestWithParam<uint64_t> {
public:
  /// All of them together are to reach every way of packing and of splitting.
  static void TearDownTestSuite() {
    if (plans.size() != kCases) return;
    std::set<std::string> rows, cols, splits;
    for (const std::string &plan : plans) {
      collect(plan, "packing rows=", rows);
      collect(plan, " cols=", cols);
      collect(plan, "; split ", splits);
    }
    for (const char *packing : {"none", "rows", "transpose", "gather"}) {
      EXPECT_TRUE(rows.contains(packing)) << "no rows with packing " << packing;
      EXPECT_TRUE(cols.contains(packing)) << "no cols with packing " << packing;
    }
    for (const char *split : {"serial", "batch", "rows", "cols", "depth"})
      EXPECT_TRUE(splits.contains(split)) << "no split of " << split;
  }

protected:
  inline static std::vector<std::string> plans;
};

TEST_P(RandomGemm, Exact) {
  const Case c = GemmGenerator(GetParam()).make();
  auto execution = Execution::prepare(c);
  ASSERT_TRUE(execution) << failure(c, execution.error().render()).message();
  auto ok = execution->run();
  ASSERT_TRUE(ok) << failure(c, ok.error().render()).message();
  for (const auto &[stage, text] : execution->stages) plans.push_back(text);
  EXPECT_TRUE(agreesAtSamples(*execution, 1e9));
}

INSTANTIATE_TEST_SUITE_P(Seed, RandomGemm, ::testing::Range<uint64_t>(1, kCases + 1),
                         ::testing::PrintToStringParamName());

} // namespace
