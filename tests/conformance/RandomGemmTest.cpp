// Contractions around the edges of register tiles and cache blocks, in every order of indices, with integers: exact.
#include "tests/conformance/Generators.h"
#include "tests/conformance/Oracles.h"

#include <set>

using namespace ein;
using namespace ein::test;

namespace {

constexpr uint64_t kCases = 300;

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
  const Case c = randomContraction(GetParam());
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
