// Orders that the caller gives, the deadline of the search, and nests without intermediates.
#include "tests/unit/paths/Problems.h"
#include "tests/unit/paths/Programs.h"

#include <chrono>

using namespace ein;
using namespace ein::test;

namespace {

using Order = std::vector<std::vector<int64_t>>;

TEST(GivenPath, WhatIsAnOrder) {
  EXPECT_EQ(checkOrder({{0, 1}, {0, 1}}, 3), std::nullopt);
  EXPECT_EQ(checkOrder({{2, 0, 1}}, 3), std::nullopt);
  EXPECT_EQ(checkOrder({{1}, {1, 0}}, 2), std::nullopt);
  EXPECT_EQ(checkOrder({{0}}, 1), std::nullopt);
  EXPECT_EQ(checkOrder({{0, 1}}, 3), "the order leaves 2 operands uncontracted");
  EXPECT_EQ(checkOrder({{0, 1}, {0, 2}}, 3), "step 1 of the order takes operand 2 of 2");
  EXPECT_EQ(checkOrder({{0, 0}}, 2), "step 0 of the order takes an operand twice");
  EXPECT_EQ(checkOrder({{}}, 1), "step 0 of the order takes no operand");
}

/// The operands of each step of a given path.
std::vector<std::pair<int32_t, int32_t>> stepsOf(const ContractionProblem &p, const Order &order) {
  std::vector<std::pair<int32_t, int32_t>> steps;
  for (const PathStep &step : givenPath(p, order).steps) steps.emplace_back(step.left, step.right);
  return steps;
}

TEST(GivenPath, PositionsAreThoseInWhatIsLeft) {
  using Steps = std::vector<std::pair<int32_t, int32_t>>;
  ContractionProblem p = problemOf("ab,bc,cd,de->ae", {}, 3);
  EXPECT_EQ(stepsOf(p, {{0, 1}, {0, 1}, {0, 1}}), (Steps{{0, 1}, {2, 3}, {4, 5}}));
  EXPECT_EQ(stepsOf(p, {{3, 2}, {1, 2}, {0, 1}}), (Steps{{2, 3}, {1, 4}, {0, 5}}));
  EXPECT_EQ(stepsOf(p, {{0}, {0, 1}, {0, 1}, {0, 1}}), (Steps{{1, 2}, {0, 3}, {5, 4}}));
  // Three at once are done in pairs.
  EXPECT_EQ(stepsOf(p, {{1, 2, 3}, {0, 1}}), (Steps{{1, 2}, {4, 3}, {0, 5}}));
  EXPECT_EQ(givenPath(p, {{0, 1, 2, 3}}).strategy, "given");
}

TEST(GivenPath, IsWhatFlatteningDoes) {
  Program p = bound("ij,jk,kl->il", {"f64[2,3]", "f64[3,4]", "f64[4,5]"});
  CompileOptions options;
  options.order = {{1, 2}, {0, 1}};
  EXPECT_EQ(assignments(flat(p, options).program), "t0[j,l] = sum[k](op1[j,k] * op2[k,l])\n"
                                                   "result[i,l] = sum[j](op0[i,j] * t0[j,l])\n");
  options.order = {{0, 1}, {0, 1}};
  EXPECT_EQ(assignments(flat(p, options).program), "t0[i,k] = sum[j](op0[i,j] * op1[j,k])\n"
                                                   "result[i,l] = sum[k](t0[i,k] * op2[k,l])\n");
}

TEST(FusedPath, HasNoIntermediates) {
  Program p = bound("ij,jk,kl,m->il", {"f64[2,3]", "f64[3,4]", "f64[4,5]", "f64[6]"});
  CompileOptions options;
  options.path = PathStrategy::Fused;
  FlatProgram f = flat(p, options);
  EXPECT_EQ(f.workspaceBytes, 0);
  EXPECT_EQ(assignments(f.program), "result[i,l] = sum[j,k,m](op0[i,j] * op1[j,k] * op2[k,l] * op3[m])\n");
}

TEST(GreedyPath, KeepsItsDeadline) {
  // As dense as 64 KiB of text and rank 64 allow, and far beyond it.
  std::mt19937 random(1);
  for (size_t perOperand : {8, 64}) {
    ContractionProblem p;
    for (size_t i = 0; i < 1024; ++i) addIndex(p, 2);
    for (size_t o = 0; o < 4096; ++o) {
      std::set<uint32_t> indices;
      while (indices.size() < perOperand) indices.insert(random() % 1024);
      p.operands.emplace_back(indices.begin(), indices.end());
    }
    auto start = std::chrono::steady_clock::now();
    ContractionPath path = findPath(p, PathStrategy::Auto, 100);
    double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    EXPECT_EQ(path.steps.size(), p.operands.size() - 1);
#ifdef NDEBUG
    EXPECT_LT(ms, 800) << perOperand << " indices per operand";
#endif
  }
}

TEST(Limits, NestsOfMorePointsThan63BitsCount) {
  // Each tensor fits; the loops over all three indices do not.
  Program p =
      bound("ij,jk,ik->", {"f32[2097152,2097152]{0,0}", "f32[2097152,4194304]{0,0}", "f32[2097152,4194304]{0,0}"});
  CompileOptions options;
  options.path = PathStrategy::Fused;
  auto f = flatten(p, options);
  ASSERT_FALSE(f);
  EXPECT_EQ(f.error().code, ErrorCode::Limit);
  EXPECT_NE(f.error().message.find("more points than 63 bits count"), std::string::npos) << f.error().message;
}

} // namespace
