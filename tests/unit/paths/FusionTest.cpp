// When one nest over all indices is taken for an n-ary contraction, and when pairs are.
#include "compiler/Paths/Fusion.h"
#include "tests/unit/paths/Problems.h"
#include "tests/unit/paths/Programs.h"

#include <gtest/gtest.h>

using namespace ein;
using namespace ein::test;

namespace {

FusionChoice choiceFor(std::string_view text, const std::map<char, int64_t> &extents, double memoryLimit = 0) {
  const ContractionProblem p = problemOf(text, extents);
  return chooseFusion(p, findPath(p, PathStrategy::Optimal, 1e6), memoryLimit);
}

TEST(Fusion, ProductsWithoutGainFromPairsAreOneNest) {
  const std::map<char, int64_t> large = {{'i', 2000}, {'j', 2000}};
  EXPECT_TRUE(choiceFor("ij,ij,ij->", large).fused) << "pairs would store a matrix";
  EXPECT_TRUE(choiceFor("ij,ij,ij->i", large).fused);
  EXPECT_TRUE(choiceFor("ij,ij,ij->ij", large).fused);
  EXPECT_TRUE(
      choiceFor("xyzi,xyzj,xyzk,ijk->xyz", {{'x', 64}, {'y', 64}, {'z', 64}, {'i', 16}, {'j', 16}, {'k', 16}}).fused)
      << "the intermediate has 67 million elements";
}

TEST(Fusion, PairsThatSaveWorkStayPairs) {
  EXPECT_FALSE(choiceFor("ij,jk,kl->il", {{'i', 100}, {'j', 100}, {'k', 100}, {'l', 100}}).fused);
  EXPECT_FALSE(choiceFor("ij,ij,jk->ik", {{'i', 1000}, {'j', 1000}, {'k', 500}}).fused) << "a GEMM after a product";
}

TEST(Fusion, TwoOperandsAreNoChoice) {
  const FusionChoice choice = choiceFor("ij,jk->ik", {{'i', 9}, {'j', 9}, {'k', 9}});
  EXPECT_FALSE(choice.fused);
  EXPECT_EQ(choice.pairwiseCycles, 0);
}

TEST(Fusion, AMemoryLimitMayBuyTimeWithMemory) {
  const std::map<char, int64_t> extents = {{'x', 32}, {'y', 32}, {'z', 32}, {'i', 4}, {'j', 4}, {'k', 4}};
  const FusionChoice free = choiceFor("xyzi,xyzj,xyzk,ijk->xyz", extents);
  ASSERT_FALSE(free.fused) << free.str();
  EXPECT_TRUE(choiceFor("xyzi,xyzj,xyzk,ijk->xyz", extents, free.intermediateBytes / 2).fused);
  EXPECT_FALSE(choiceFor("xyzi,xyzj,xyzk,ijk->xyz", extents, free.intermediateBytes * 2).fused);
}

TEST(Fusion, PrintsBothPredictions) {
  const std::string text = choiceFor("ij,ij,ij->", {{'i', 2000}, {'j', 2000}}).str();
  for (const char *part : {"one nest: ", "in pairs: ", "bytes of intermediates", "; one nest"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

} // namespace
