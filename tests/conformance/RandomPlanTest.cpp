// Plans from outside: whatever a text says, the kernel computes the same. Candidates as they are, and with numbers
// changed at random: taken or left out.
#include "ein/Compile.h"
#include "tests/conformance/Random.h"
#include "tests/conformance/Support.h"

#include <sstream>

using namespace ein;
using namespace ein::test;

namespace {

constexpr uint64_t kCases = 120;

struct Expression {
  const char *text, *types;
};
const Expression kExpressions[] = {
    {"ik,kj->ij", "f32[100,77] f32[77,53]"},       {"ik,kj->ij", "f32[33,300] f32[300,64]"},
    {"ik,jk->ij", "f64[60,130] f64[48,130]"},      {"ki,kj->ji", "f32[96,64] f32[96,40]"},
    {"bik,bkj->bij", "f64[3,50,40] f64[3,40,32]"}, {"bqhd,bkhd->bhqk", "f32[2,32,3,16] f32[2,48,3,16]"},
    {"adb,cd->cba", "f32[16,24,32] f32[20,24]"},   {"acd,dbc->ab", "f32[40,6,16] f32[16,24,6]"},
    {"ik,kj->ij", "f32[12,30000] f32[30000,32]"},
};

std::vector<PlanCandidate> candidatesOf(const Case &c) {
  CompileRequest request{c.text, c.types, c.options, {}, 60};
  auto result = compile(request);
  EXPECT_TRUE(result) << failure(c, result.error().render()).message();
  return result ? result->candidates : std::vector<PlanCandidate>();
}

/// The plan with one or two of its numbers replaced by another: close, a power of two, or absurd.
std::string mutated(const std::string &plan, Random &random) {
  std::vector<std::string> words;
  std::istringstream stream(plan);
  for (std::string word; stream >> word;) words.push_back(word);
  for (int64_t changes = 1 + random.below(2); changes > 0; --changes) {
    std::string &word = random.oneIn(20) ? words.front() : words[3 + random.below(std::ssize(words) - 3)];
    const int64_t number = random.oneIn(10)  ? random.of<int64_t>({-1, 300, INT64_MIN, INT64_MAX, int64_t(1) << 40})
                           : random.oneIn(2) ? random.below(5)
                                             : int64_t(1) << random.below(7);
    word = word.substr(0, word.find('=')) + "=" + std::to_string(number);
  }
  std::string text;
  for (const std::string &word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

class RandomPlan : public ::testing::TestWithParam<uint64_t> {
public:
  static void TearDownTestSuite() {
    if (taken + leftOut != kCases) return;
    EXPECT_GE(taken, kCases / 3);
    EXPECT_GE(leftOut, kCases / 10);
  }

protected:
  inline static uint64_t taken = 0, leftOut = 0;
};

TEST_P(RandomPlan, Exact) {
  Random random(GetParam());
  const Expression &expression = kExpressions[GetParam() % std::size(kExpressions)];
  Case c;
  c.text = expression.text;
  c.types = types(expression.types);
  c.options.threads = static_cast<int>(1 + random.below(2));
  c.seed = GetParam();
  c.data = Data::Integers;
  c.stages = {"plan"};
  const std::vector<PlanCandidate> candidates = candidatesOf(c);
  ASSERT_GE(candidates.size(), 10u);
  std::string plan = random.of(candidates).plan;
  if (!random.oneIn(3) && plan.find("kind=contraction") != plan.npos) plan = mutated(plan, random);
  c.options.plans = {plan};

  auto execution = Execution::prepare(c);
  ASSERT_TRUE(execution) << failure(c, execution.error().render()).message();
  auto ok = execution->run();
  ASSERT_TRUE(ok) << failure(c, ok.error().render()).message();
  const std::string &text = execution->stages.at(0).second;
  const bool isTaken = text.find("; tuned") != std::string::npos;
  EXPECT_NE(isTaken, text.find("tuned plan left out: ") != std::string::npos) << text;
  ++(isTaken ? taken : leftOut);
  EXPECT_TRUE(agreesWithInterpreter(*execution));
}

INSTANTIATE_TEST_SUITE_P(Seed, RandomPlan, ::testing::Range<uint64_t>(1, kCases + 1),
                         ::testing::PrintToStringParamName());

} // namespace
