// The text that `einc path` prints.
#include "tests/unit/paths/Problems.h"
#include "tests/unit/paths/Programs.h"

using namespace ein;
using namespace ein::test;

namespace {

TEST(PathReport, Table) {
  ContractionProblem p = problemOf("ab,bc,cd->ad", {{'a', 10}, {'b', 100}, {'c', 5}, {'d', 50}});
  EXPECT_EQ(findPath(p, PathStrategy::Optimal, 1000).str(p),
            "contraction: ab,bc,cd->ad\n"
            "  order:                 optimal, proved optimal\n"
            "  naive scaling:         4\n"
            "  optimised scaling:     3\n"
            "  naive FLOP count:      7.500e+05\n"
            "  optimised FLOP count:  1.500e+04\n"
            "  theoretical speed-up:  50\n"
            "  largest intermediate:  5.000e+02 elements, 2.000e+03 bytes\n"
            "  scaling  current                   remaining\n"
            "        3  ab,bc->ac                 cd,ac->ad\n"
            "        3  ac,cd->ad                 ad->ad\n");
}

TEST(PathReport, LongNamesAreSetApartAndColumnsCountCodePoints) {
  ContractionProblem p = problemOf("ab,bc->ac", {});
  p.names = {"α", "β", "c"};
  EXPECT_EQ(p.str(), "αβ,βc->αc");
  EXPECT_NE(findPath(p, PathStrategy::Auto, 1).str(p).find("αβ,βc->αc                 αc->αc\n"), std::string::npos);
  p.names = {"row", "β", "c"};
  EXPECT_EQ(p.str(), "row β, β c -> row c");
}

TEST(PathReport, LongPathsAreCut) {
  std::mt19937 random(1);
  ContractionProblem p = chain(500, random);
  std::string text = findPath(p, PathStrategy::Auto, 100).str(p);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 30);
  EXPECT_NE(text.find("contraction: (500 operands) -> i0 i500\n"), std::string::npos) << text;
  EXPECT_NE(text.find("      ...  (479 steps)\n"), std::string::npos) << text;
}

TEST(PathReport, FlatProgram) {
  FlatProgram f = flat(bound("ij,jk,kl->il", {"f64[10,100]", "f64[100,5]", "f64[5,50]"}));
  ASSERT_EQ(f.contractions.size(), 1u);
  EXPECT_EQ(f.contractions[0].expression, "ij,jk,kl->il");
  std::string text = f.str();
  EXPECT_EQ(text.substr(text.find("\nindex ")),
            "\nindex i = 10, j = 100, k = 5, l = 50\n"
            "in op0: f64[i,j], op1: f64[j,k], op2: f64[k,l]\n"
            "t0[i,k]: f64 = sum[j](op0[i,j] * op1[j,k])\n"
            "result[i,l]: f64 = sum[k](t0[i,k] * op2[k,l])\n"
            "out result\n"
            "\n"
            "memory: operands 14000, results 4000, workspace 448 bytes at its peak\n"
            "  t0: f64[10,5] at 0, 400 bytes\n");
}

} // namespace
