// Semirings: each against sums by hand, what is special about infinity, NaN and nothing, and the kernel they get.
#include "compiler/IndexNotation/Interpreter.h"
#include "tests/conformance/Support.h"

#include <cmath>
#include <functional>
#include <limits>

using namespace ein;
using namespace ein::test;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();

Case caseOf(Semiring semiring, const std::string &text, std::string_view operands) {
  Case c;
  c.text = text;
  c.types = types(operands);
  c.options.semiring = semiring;
  c.options.threads = 1;
  return c;
}

/// The one element of a "k,k->" in f64.
double combine(Semiring semiring, const std::vector<double> &a, const std::vector<double> &b) {
  const std::string size = std::to_string(a.size());
  auto execution = Execution::prepare(caseOf(semiring, "k,k->", "f64[" + size + "] f64[" + size + "]"));
  EXPECT_TRUE(execution);
  if (!execution) return kNaN;
  std::copy(a.begin(), a.end(), static_cast<double *>(execution->operands[0].view.data));
  std::copy(b.begin(), b.end(), static_cast<double *>(execution->operands[1].view.data));
  auto ok = execution->run();
  EXPECT_TRUE(ok) << ok.error().render();
  EXPECT_TRUE(agreesWithInterpreter(*execution));
  return *static_cast<const double *>(execution->results[0].view.data);
}

TEST(Semiring, CombinesAsItsNameSays) {
  const std::vector<double> a{1, -2, 3}, b{-4, -5, 0.5};
  EXPECT_EQ(combine(Semiring::PlusTimes, a, b), 7.5);
  EXPECT_EQ(combine(Semiring::MinPlus, a, b), -7);
  EXPECT_EQ(combine(Semiring::MaxPlus, a, b), 3.5);
  EXPECT_EQ(combine(Semiring::MaxTimes, a, b), 10);
  EXPECT_EQ(combine(Semiring::OrAnd, a, b), 1);
  EXPECT_EQ(combine(Semiring::OrAnd, {0, 2, -0.0}, {3, 0, 1}), 0);
  EXPECT_NEAR(combine(Semiring::LogAddExpPlus, a, b), std::log(std::exp(-3) + std::exp(-7) + std::exp(3.5)), 1e-15);
}

TEST(Semiring, OverNothingIsItsIdentity) {
  EXPECT_EQ(combine(Semiring::MinPlus, {}, {}), kInf);
  EXPECT_EQ(combine(Semiring::MaxPlus, {}, {}), -kInf);
  EXPECT_EQ(combine(Semiring::MaxTimes, {}, {}), -kInf);
  EXPECT_EQ(combine(Semiring::OrAnd, {}, {}), 0);
  EXPECT_EQ(combine(Semiring::LogAddExpPlus, {}, {}), -kInf);
}

TEST(Semiring, OverNothingOneOperandDoesNotMatter) {
  for (Semiring semiring : {Semiring::MinPlus, Semiring::MaxTimes, Semiring::LogAddExpPlus}) {
    Case c = caseOf(semiring, "ij,jk,k->i", "f64[2,0] f64[0,3] f64[3]");
    c.options.order = {{0, 1}, {0, 1}};
    auto execution = Execution::prepare(c);
    ASSERT_TRUE(execution);
    for (double x : {0.0, kInf, -kInf, kNaN}) {
      std::fill_n(static_cast<double *>(execution->operands[2].view.data), 3, x);
      ASSERT_TRUE(execution->run());
      EXPECT_TRUE(agreesWithInterpreter(*execution)) << x;
    }
  }
}

/// Of every dtype what is allowed is right, and the rest is refused: complex numbers have no order, bool is for or-and,
/// and lse is no integer.
TEST(Semiring, OfEveryDType) {
  for (size_t t = 0; t < kDTypes.size(); ++t)
    for (Semiring semiring :
         {Semiring::MinPlus, Semiring::MaxPlus, Semiring::MaxTimes, Semiring::OrAnd, Semiring::LogAddExpPlus}) {
      const auto dtype = static_cast<DType>(t);
      const std::string type(name(dtype));
      Case c = caseOf(semiring, "ik,kj->ij", type + "[37,41] " + type + "[41,53]");
      c.data = semiring == Semiring::LogAddExpPlus ? Data::Fractions : Data::Integers;
      const bool allowed = dtype == DType::Bool ? semiring == Semiring::OrAnd
                           : isComplex(dtype)   ? false
                                                : isFloat(dtype) || semiring != Semiring::LogAddExpPlus;
      if (allowed)
        EXPECT_TRUE(computesAsInterpreted(c)) << type << " " << name(semiring);
      else
        EXPECT_FALSE(Execution::prepare(c)) << type << " " << name(semiring);
    }
}

TEST(Semiring, InfinityAndNaN) {
  EXPECT_EQ(combine(Semiring::MaxPlus, {-kInf, 1}, {2, 3}), 4);
  EXPECT_EQ(combine(Semiring::MinPlus, {kInf, kInf}, {2, 3}), kInf);
  EXPECT_TRUE(std::isnan(combine(Semiring::MaxPlus, {kNaN, 1}, {2, 3})));
  EXPECT_TRUE(std::isnan(combine(Semiring::MinPlus, {1, kNaN}, {2, 3})));
  EXPECT_TRUE(std::isnan(combine(Semiring::MaxPlus, {-kInf, 1}, {kInf, 3})));
  EXPECT_EQ(combine(Semiring::OrAnd, {0, kNaN}, {1, 1}), 1) << "NaN is not 0";
  EXPECT_EQ(combine(Semiring::LogAddExpPlus, {-kInf, 1}, {2, 3}), 4);
  EXPECT_EQ(combine(Semiring::LogAddExpPlus, {-kInf, -kInf}, {2, 3}), -kInf);
  EXPECT_EQ(combine(Semiring::LogAddExpPlus, {kInf, 1}, {2, 3}), kInf);
  EXPECT_TRUE(std::isnan(combine(Semiring::LogAddExpPlus, {kNaN, 1}, {2, 3})));
  EXPECT_NEAR(combine(Semiring::LogAddExpPlus, {1000, 1000}, {0, 0}), 1000 + std::log(2), 1e-12) << "no overflow";
}

TEST(Semiring, NaNStaysInTheTiledKernel) {
  for (size_t at : {size_t(0), size_t(31), size_t(63)}) {
    auto execution = Execution::prepare(caseOf(Semiring::MaxPlus, "ik,kj->ij", "f32[32,64] f32[64,48]"));
    ASSERT_TRUE(execution);
    static_cast<float *>(execution->operands[0].view.data)[5 * 64 + at] = std::numeric_limits<float>::quiet_NaN();
    ASSERT_TRUE(execution->run());
    EXPECT_TRUE(agreesWithInterpreter(*execution));
    EXPECT_TRUE(std::isnan(static_cast<const float *>(execution->results[0].view.data)[5 * 48 + 7]));
  }
}

/// Edges of tiles and blocks, transposed operands, and a depth that two threads split.
TEST(Semiring, MatricesAreTiled) {
  const std::pair<const char *, const char *> cases[] = {{"ik,kj->ij", "f32[33,300] f32[300,65]"},
                                                         {"ki,jk->ji", "f64[70,37] f64[45,70]"},
                                                         {"bik,bkj->bij", "f32[3,20,17] f32[3,17,40]"},
                                                         {"ik,kj->ij", "f32[10,7000] f32[7000,32]"}};
  for (Semiring semiring : {Semiring::MinPlus, Semiring::MaxPlus, Semiring::MaxTimes, Semiring::OrAnd})
    for (const auto &[text, operands] : cases)
      for (int threads : {1, 2}) {
        Case c = caseOf(semiring, text, operands);
        c.options.threads = threads;
        c.data = Data::Integers;
        c.stages = {"plan"};
        auto execution = Execution::prepare(c);
        ASSERT_TRUE(execution);
        ASSERT_TRUE(execution->run());
        EXPECT_TRUE(agreesWithInterpreter(*execution));
        const std::string &plan = execution->stages.at(0).second;
        EXPECT_NE(plan.find("kind = \"contraction\""), std::string::npos) << text;
        if (threads == 2 && text == cases[3].first && operands == cases[3].second)
          EXPECT_NE(plan.find("split depth"), std::string::npos) << plan;
      }
}

TEST(Semiring, ProgramsInTheirNaturalFormAreTiled) {
  for (const char *body :
       {"max[k](A + B)", "min[k](A + B)", "max[k](A * B)", "min[k](max(A, B))", "sum[k](abs(A - B))"}) {
    Case c;
    c.text = std::string("in A: f32[i,k], B: f32[k,j]\nY[i,j] = ") + body + "\nout Y";
    c.types = types("f32[33,70] f32[70,65]");
    c.data = Data::Integers;
    c.stages = {"plan"};
    auto execution = Execution::prepare(c);
    ASSERT_TRUE(execution);
    ASSERT_TRUE(execution->run());
    EXPECT_TRUE(agreesWithInterpreter(*execution));
    EXPECT_NE(execution->stages.at(0).second.find("kind = \"contraction\""), std::string::npos) << body;
  }
}

TEST(Semiring, ChainsAreTakenInPairs) {
  for (Semiring semiring : {Semiring::MinPlus, Semiring::MaxPlus, Semiring::MaxTimes, Semiring::OrAnd}) {
    Case c = caseOf(semiring, "ij,jk,kl,lm->mi", "f64[9,10] f64[10,11] f64[11,12] f64[12,7]");
    c.options.path = PathStrategy::Optimal;
    c.data = Data::Integers;
    c.stages = {"path"};
    auto execution = Execution::prepare(c);
    ASSERT_TRUE(execution);
    ASSERT_TRUE(execution->run());
    EXPECT_TRUE(agreesWithInterpreter(*execution));
    EXPECT_EQ(execution->stages.at(0).second.find("[j,k,l]"), std::string::npos) << "one nest";
  }
}

/// Sums that leave 32 bits wrap as they are written where no pairs are made.
TEST(Semiring, WrappingSumsInOneNest) {
  for (Semiring semiring : {Semiring::MinPlus, Semiring::MaxPlus, Semiring::MaxTimes}) {
    Case c = caseOf(semiring, "ij,jk,kl->il", "i32[5,17] i32[17,9] i32[9,20]");
    c.options.path = PathStrategy::Fused;
    auto execution = Execution::prepare(c);
    ASSERT_TRUE(execution);
    for (const einc::HostTensor &operand : execution->operands)
      for (int64_t i = 0; i < operand.view.type.numElements(); ++i)
        static_cast<int32_t *>(operand.view.data)[i] = int32_t(uint32_t(i) * 2654435761u);
    ASSERT_TRUE(execution->run());
    EXPECT_TRUE(agreesWithInterpreter(*execution));
  }
}

TEST(Semiring, RefusedWhereItMeansNothing) {
  Case c = caseOf(Semiring::MaxPlus, "in A: f32[i]\nout A", "f32[3]");
  auto program = Execution::prepare(c);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, ErrorCode::Unsupported);
  c = caseOf(Semiring::MaxPlus, "i->", "f32[3]");
  c.options.beta = 1;
  auto scaled = Execution::prepare(c);
  ASSERT_FALSE(scaled);
  EXPECT_EQ(scaled.error().message, "alpha and beta scale sums, but the semiring is max-plus");
}

} // namespace
