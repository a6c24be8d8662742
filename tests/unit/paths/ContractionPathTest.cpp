// Laws of contraction paths, the exact search against brute force, and the size of problems searched in time.
#include "tests/unit/paths/Problems.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>

using namespace ein;
using namespace ein::test;

namespace {

constexpr double kNoLimit = 1e6;

/// What every path must be, whoever found it; recounts its costs from the definition.
void checkLaws(const ContractionProblem &p, const ContractionPath &path) {
  size_t n = p.operands.size();
  ASSERT_EQ(path.steps.size(), n == 1 ? 1 : n - 1);
  std::vector<std::vector<uint32_t>> nodes = p.operands;
  std::vector<bool> used(2 * n + 1);
  double total = 0, largest = 0;
  for (size_t s = 0; s < path.steps.size(); ++s) {
    const PathStep &step = path.steps[s];
    std::vector<int32_t> now{step.left};
    if (n > 1) now.push_back(step.right);
    std::set<uint32_t> all;
    for (int32_t node : now) {
      ASSERT_GE(node, 0);
      ASSERT_LT(node, int32_t(nodes.size()));
      ASSERT_FALSE(used[node]) << "node " << node << " is consumed twice";
      used[node] = true;
      all.insert(nodes[node].begin(), nodes[node].end());
    }
    std::set<uint32_t> needed(p.output.begin(), p.output.end());
    for (size_t other = 0; other < nodes.size(); ++other)
      if (!used[other]) needed.insert(nodes[other].begin(), nodes[other].end());
    std::set<uint32_t> expected;
    std::set_intersection(all.begin(), all.end(), needed.begin(), needed.end(),
                          std::inserter(expected, expected.end()));
    ASSERT_EQ(std::set<uint32_t>(step.result.begin(), step.result.end()), expected);
    ASSERT_EQ(step.result.size(), expected.size());
    double flops = all.size() > expected.size() ? 2 : 1, size = 1;
    for (uint32_t i : all) flops *= double(p.extents[i]);
    for (uint32_t i : expected) size *= double(p.extents[i]);
    EXPECT_DOUBLE_EQ(step.flops, flops);
    EXPECT_DOUBLE_EQ(step.resultSize, size);
    total += flops;
    largest = std::max(largest, size);
    nodes.push_back(step.result);
  }
  EXPECT_EQ(path.steps.back().result, p.output);
  EXPECT_DOUBLE_EQ(path.optimisedFlops, total);
  EXPECT_DOUBLE_EQ(path.largestIntermediate, largest);
}

/// The cheapest of all binary trees, by trying each.
double bruteForce(const ContractionProblem &p, const std::vector<std::vector<uint32_t>> &live) {
  if (live.size() == 1) return 0;
  double best = std::numeric_limits<double>::infinity();
  for (size_t a = 0; a < live.size(); ++a)
    for (size_t b = a + 1; b < live.size(); ++b) {
      std::set<uint32_t> all(live[a].begin(), live[a].end()), needed(p.output.begin(), p.output.end());
      all.insert(live[b].begin(), live[b].end());
      std::vector<std::vector<uint32_t>> next;
      for (size_t other = 0; other < live.size(); ++other)
        if (other != a && other != b) {
          next.push_back(live[other]);
          needed.insert(live[other].begin(), live[other].end());
        }
      next.emplace_back();
      double flops = 1;
      for (uint32_t i : all) {
        flops *= double(p.extents[i]);
        if (needed.count(i)) next.back().push_back(i);
      }
      if (next.back().size() < all.size()) flops *= 2;
      best = std::min(best, flops + bruteForce(p, next));
    }
  return best;
}

double milliseconds(const auto &work) {
  auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

TEST(ContractionPath, OneOperandIsOneStep) {
  ContractionProblem p = problemOf("ijk->ki", {{'i', 2}, {'j', 3}, {'k', 4}});
  ContractionPath path = findPath(p, PathStrategy::Auto, 100);
  checkLaws(p, path);
  EXPECT_EQ(path.steps[0].right, -1);
  EXPECT_EQ(path.strategy, "trivial");
  EXPECT_TRUE(path.provedOptimal);
  EXPECT_EQ(path.optimisedFlops, 48);
}

TEST(ContractionPath, TwoOperandsAreOneStep) {
  ContractionProblem p = problemOf("ij,jk->ki", {}, 4);
  ContractionPath path = findPath(p, PathStrategy::Greedy, 100);
  checkLaws(p, path);
  EXPECT_EQ(path.strategy, "trivial");
  EXPECT_EQ(path.naiveFlops, 128);
  EXPECT_EQ(path.optimisedFlops, 128);
}

TEST(ContractionPath, MatrixChainOrderFollowsTheExtents) {
  ContractionProblem p = problemOf("ab,bc,cd->ad", {{'a', 10}, {'b', 100}, {'c', 5}, {'d', 50}});
  ContractionPath path = optimalPath(p, kNoLimit);
  checkLaws(p, path);
  EXPECT_EQ(path.steps[0].left, 0);
  EXPECT_EQ(path.steps[0].right, 1);
  EXPECT_EQ(path.optimisedFlops, 2 * (10 * 100 * 5 + 10 * 5 * 50));
  EXPECT_EQ(path.naiveFlops, 3.0 * 10 * 100 * 5 * 50);

  p = problemOf("ab,bc,cd->ad", {{'a', 50}, {'b', 5}, {'c', 100}, {'d', 10}});
  path = optimalPath(p, kNoLimit);
  EXPECT_EQ(path.steps[0].left, 1);
  EXPECT_EQ(path.steps[0].right, 2);
}

TEST(ContractionPath, TextbookChainOfSix) {
  // Cormen et al., 15.2: 15125 multiplications.
  ContractionProblem p =
      problemOf("ab,bc,cd,de,ef,fg->ag", {{'a', 30}, {'b', 35}, {'c', 15}, {'d', 5}, {'e', 10}, {'f', 20}, {'g', 25}});
  EXPECT_EQ(optimalPath(p, kNoLimit).optimisedFlops, 2 * 15125);
}

TEST(ContractionPath, OuterProductFirstWhereItIsCheapest) {
  // Two short vectors against a large tensor: multiply them out, then contract once.
  ContractionProblem p = problemOf("a,b,abc->c", {{'a', 2}, {'b', 2}, {'c', 1000}});
  ContractionPath path = optimalPath(p, kNoLimit);
  checkLaws(p, path);
  EXPECT_EQ(path.optimisedFlops, 4 + 2 * 4 * 1000);
}

/// The layout of the first intermediate, as a string of index names.
std::string firstLayout(std::string_view text, const std::map<char, int64_t> &extents) {
  const ContractionProblem p = problemOf(text, extents);
  std::string names;
  const ContractionPath path = optimalPath(p, kNoLimit);
  for (uint32_t i : path.steps[0].result) names += p.names[i];
  return names;
}

TEST(ContractionPath, AnIntermediateHasOneLayoutHoweverTheTextIsSpelt) {
  const std::map<char, int64_t> extents = {{'a', 40}, {'f', 50}, {'j', 5}, {'t', 6}, {'c', 7}};
  EXPECT_EQ(firstLayout("afj,tj,cj->aftc", extents), "jtc");
  EXPECT_EQ(firstLayout("cj,tj,afj->aftc", extents), "jtc");
  EXPECT_EQ(firstLayout("tj,afj,cj->aftc", extents), "jtc");
  // In the order of the output, what it has not in between.
  EXPECT_EQ(firstLayout("ij,jk,kl->il", {{'i', 2}, {'j', 90}, {'k', 9}, {'l', 90}}), "ik");
  EXPECT_EQ(firstLayout("kl,jk,ij->il", {{'i', 2}, {'j', 90}, {'k', 9}, {'l', 90}}), "ik");
  EXPECT_EQ(firstLayout("kl,jk,ij->il", {{'i', 90}, {'j', 9}, {'k', 90}, {'l', 2}}), "jl");
}

TEST(ContractionPath, IntermediatesSuitABatchedGemm) {
  // Batch b, then the left's i, then the right's k.
  ContractionProblem p = problemOf("bij,bjk,bkl->bil", {{'b', 3}, {'i', 2}, {'j', 9}, {'k', 2}, {'l', 9}});
  ContractionPath path = optimalPath(p, kNoLimit);
  ASSERT_EQ(path.steps[0].left, 0);
  ASSERT_EQ(path.steps[0].right, 1);
  std::vector<uint32_t> expected{0, 1, 3};
  EXPECT_EQ(path.steps[0].result, expected);
}

TEST(ContractionPath, OptimalIsBruteForce) {
  for (uint32_t seed = 0; seed < 400; ++seed) {
    std::mt19937 random(seed);
    ContractionProblem p = randomProblem(2 + seed % 5, random);
    ContractionPath path = optimalPath(p, kNoLimit);
    checkLaws(p, path);
    EXPECT_TRUE(path.provedOptimal);
    EXPECT_DOUBLE_EQ(path.optimisedFlops, bruteForce(p, p.operands)) << "seed " << seed << ": " << p.str();
    if (HasFailure()) return;
  }
}

TEST(ContractionPath, GreedyKeepsTheLawsAndIsNeverBetter) {
  for (uint32_t seed = 0; seed < 400; ++seed) {
    std::mt19937 random(seed);
    ContractionProblem p = randomProblem(1 + seed % 9, random);
    ContractionPath greedy = greedyPath(p, kNoLimit);
    checkLaws(p, greedy);
    EXPECT_GE(greedy.optimisedFlops * (1 + 1e-12), optimalPath(p, kNoLimit).optimisedFlops) << "seed " << seed;
    if (HasFailure()) return;
  }
}

TEST(ContractionPath, TwelveOperandsInTenMilliseconds) {
  std::mt19937 random(1);
  ContractionProblem ring = chain(12, random);
  ring.operands.front().front() = ring.operands.back().back();
  ring.output.clear();
  for (const ContractionProblem &p : {chain(12, random), ring, clique(12, random), randomProblem(12, random)}) {
    ContractionPath path;
    double best = 1e9;
    for (int i = 0; i < 5; ++i) best = std::min(best, milliseconds([&] { path = optimalPath(p, kNoLimit); }));
    checkLaws(p, path);
    EXPECT_TRUE(path.provedOptimal);
    RecordProperty("ms", std::to_string(best));
#ifdef NDEBUG
    EXPECT_LT(best, 10) << p.str();
#endif
  }
}

TEST(ContractionPath, SixteenOperandsArePractical) {
  std::mt19937 random(2);
  ContractionProblem p = clique(16, random);
  ContractionPath path = optimalPath(p, kNoLimit);
  checkLaws(p, path);
  EXPECT_TRUE(path.provedOptimal);
  EXPECT_LE(path.optimisedFlops, greedyPath(p, kNoLimit).optimisedFlops);
}

TEST(ContractionPath, SpentBudgetFallsBackToGreedy) {
  std::mt19937 random(3);
  ContractionProblem p = clique(16, random);
  ContractionPath path = findPath(p, PathStrategy::Optimal, 1);
  checkLaws(p, path);
  EXPECT_FALSE(path.provedOptimal);
  EXPECT_EQ(path.strategy, "greedy");
  EXPECT_LT(path.searchMs, 250);
}

TEST(ContractionPath, AutoIsExactForFewAndGreedyForMany) {
  std::mt19937 random(4);
  EXPECT_EQ(findPath(chain(12, random), PathStrategy::Auto, kNoLimit).strategy, "optimal");
  EXPECT_EQ(findPath(chain(40, random), PathStrategy::Auto, kNoLimit).strategy, "greedy");
  EXPECT_EQ(findPath(chain(40, random), PathStrategy::Optimal, kNoLimit).strategy, "greedy");
}

TEST(ContractionPath, GreedyOnThousands) {
  std::mt19937 random(5);
  ContractionProblem star; // one index that all operands share
  star.output = {addIndex(star, 3)};
  for (size_t i = 0; i < 4096; ++i) star.operands.push_back({0, addIndex(star, 2)});
  ContractionProblem apart; // nothing shared at all
  for (size_t i = 0; i < 1000; ++i) apart.operands.push_back({addIndex(apart, 2)});
  for (const ContractionProblem &p : {chain(1000, random), chain(4096, random), star, apart}) {
    ContractionPath path = greedyPath(p, kNoLimit);
    ASSERT_EQ(path.steps.size(), p.operands.size() - 1);
    EXPECT_EQ(path.steps.back().result, p.output);
#ifdef NDEBUG
    EXPECT_LT(path.searchMs, 1000);
#endif
  }
  // A chain needs no more than a matrix product per step.
  EXPECT_LE(greedyPath(chain(1000, random), kNoLimit).optimisedFlops, 999 * 2 * 9 * 9 * 9);
}

TEST(ContractionPath, HugeCostsStayFinite) {
  ContractionProblem p;
  p.operands.resize(40);
  for (auto &operand : p.operands)
    for (int i = 0; i < 3; ++i) p.output.push_back(addIndex(p, int64_t(1) << 40)), operand.push_back(p.output.back());
  for (PathStrategy strategy : {PathStrategy::Auto, PathStrategy::Optimal, PathStrategy::Greedy}) {
    ContractionPath path = findPath(p, strategy, 100);
    ASSERT_EQ(path.steps.size(), 39u);
    EXPECT_TRUE(std::isfinite(path.optimisedFlops));
    EXPECT_TRUE(std::isfinite(path.naiveFlops));
    EXPECT_FALSE(path.provedOptimal);
  }
}

TEST(ContractionPath, EmptyExtentsCostNothingButKeepTheLaws) {
  ContractionProblem p = problemOf("ab,bc,cd,de->ae", {{'b', 0}}, 3);
  for (PathStrategy strategy : {PathStrategy::Optimal, PathStrategy::Greedy}) {
    ContractionPath path = findPath(p, strategy, 100);
    checkLaws(p, path);
    EXPECT_EQ(path.naiveFlops, 0);
  }
}

TEST(ContractionPath, SameInputSamePath) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    ContractionProblem p = randomProblem(9, random);
    EXPECT_EQ(findPath(p, PathStrategy::Auto, kNoLimit).str(p), findPath(p, PathStrategy::Auto, kNoLimit).str(p));
  }
}

} // namespace
