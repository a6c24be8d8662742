// The reference interpreter, against values worked out by hand or by direct loops.
#include "tests/unit/notation/Helpers.h"

#include <cmath>
#include <limits>

namespace ein {
namespace {

using test::noise;
using test::tensor;
using test::types;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<ReferenceTensor> run(std::string_view text, std::string_view operands,
                                 std::vector<ReferenceTensor> values) {
  auto p = parseAndBind(text, types(operands));
  if (!p) {
    ADD_FAILURE() << p.error().render();
    return {{}};
  }
  return interpret(*p, values);
}

TEST(InterpreterTest, EinsumsByHand) {
  auto matrix = tensor({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(run("ij,jk->ik", "f32[2,3] f32[3,2]", {matrix, tensor({3, 2}, {1, 0, 0, 1, 1, 1})})[0].values,
            (std::vector<double>{4, 5, 10, 11}));
  EXPECT_EQ(run("ij->ji", "f32[2,3]", {matrix})[0].values, (std::vector<double>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(run("ii", "f32[2,2]", {tensor({2, 2}, {1, 2, 3, 4})})[0].values, (std::vector<double>{5}));
  EXPECT_EQ(run("ii->i", "f32[2,2]", {tensor({2, 2}, {1, kInfinity, NAN, 4})})[0].values, (std::vector<double>{1, 4}));
  EXPECT_EQ(run("i,i->i", "f32[1] f32[3]", {tensor({1}, {2}), tensor({3}, {1, 2, 3})})[0].values,
            (std::vector<double>{2, 4, 6}));
  EXPECT_EQ(run("i,i->", "f32[1] f32[3]", {tensor({1}, {2}), tensor({3}, {1, 2, 3})})[0].values,
            (std::vector<double>{12}));
  EXPECT_EQ(run("...i->...", "f32[2,3]", {matrix})[0].values, (std::vector<double>{6, 15}));
  EXPECT_EQ(run("i,j", "f32[2] f32[2]", {tensor({2}, {1, 2}), tensor({2}, {3, 4})})[0].values,
            (std::vector<double>{3, 4, 6, 8}));
  EXPECT_EQ(run(",->", "f32[] f32[]", {tensor({}, {3}), tensor({}, {4})})[0].values, (std::vector<double>{12}));
  EXPECT_EQ(run("ij,jk->ik", "f32[2,0] f32[0,1]", {tensor({2, 0}, {}), tensor({0, 1}, {})})[0].values,
            (std::vector<double>{0, 0}));
}

TEST(InterpreterTest, ScatterWritesTheDiagonalAndZeros) {
  CompileOptions options;
  options.scatter = true;
  auto p = parseAndBind("ij->iji", types("f64[2,2]"), options);
  ASSERT_TRUE(p) << p.error().render();
  EXPECT_EQ(interpret(*p, std::vector{tensor({2, 2}, {1, 2, kInfinity, 4})})[0].values,
            (std::vector<double>{1, 0, 2, 0, 0, kInfinity, 0, 4}));
}

TEST(InterpreterTest, FunctionsAndReductions) {
  auto value = [](std::string expression) {
    return run("in x: f64, A: f64[i], E: f64[z]\nR = " + expression + "\nout R", "f64[] f64[3] f64[0]",
               {tensor({}, {2}), tensor({3}, {3, 1, 2}), tensor({0}, {})})[0]
        .values;
  };
  using V = std::vector<double>;
  EXPECT_EQ(value("1 + x * 3 - 4 / x"), V{5});
  EXPECT_EQ(value("-x - -3"), V{1});
  EXPECT_EQ(value("log(exp(x)) + sqrt(x * x) + tanh(0)"), V{4});
  EXPECT_EQ(value("max(x, 3) * min(x, 3)"), V{6});
  EXPECT_EQ(value("abs(-x) * 100 + floor(-x / 4) * 10 + sign(-x) + sign(x) + sign(0)"), V{190});
  EXPECT_EQ(value("relu(x) * 10 + relu(-x)"), V{20});
  EXPECT_EQ(value("clamp(A, 1.5, x)"), (V{2, 1.5, 2}));
  EXPECT_EQ(value("rsqrt(x * x) + sigmoid(0)"), V{1});
  EXPECT_TRUE(std::isnan(value("sign(inf - inf)")[0]));
  EXPECT_EQ(value("where(x == 2 and not x < 1 or x != 2, 1, 0)"), V{1});
  EXPECT_EQ(value("if x > 2 then 1 else if x >= 2 then 2 else 3"), V{2});
  EXPECT_EQ(value("i * A"), (V{0, 1, 4}));
  EXPECT_EQ(value("sum[i | i > 0](A) + 10 * max[i | i > 0](A) + 100 * min[i](A)"), V{123});
  EXPECT_EQ(value("sum[z](E)"), V{0});
  EXPECT_EQ(value("max[z](E)"), V{-kInfinity});
  EXPECT_EQ(value("min[i | i > 7](A)"), V{kInfinity});
  EXPECT_EQ(value("A / max[i](A) - sum[i](A)"), (V{-5, 1.0 / 3 - 6, 2.0 / 3 - 6}));
  EXPECT_TRUE(std::isnan(value("max[i](where(i == 1, inf - inf, A))")[0]));
}

TEST(InterpreterTest, SoftmaxWithGuard) {
  auto rows = run("in S: f64[q,k]\nP = softmax[k | k < q](S)\nout P", "f64[3,2]",
                  {tensor({3, 2}, {7, 8, 1e4, -1e4, 0, std::log(3)})})[0]
                  .values;
  // Row 0 allows nothing, row 1 only k = 0, row 2 everything.
  EXPECT_EQ(rows[0], 0);
  EXPECT_EQ(rows[1], 0);
  EXPECT_EQ(rows[2], 1);
  EXPECT_EQ(rows[3], 0);
  EXPECT_NEAR(rows[4], 0.25, 1e-15);
  EXPECT_NEAR(rows[5], 0.75, 1e-15);
}

TEST(InterpreterTest, SoftmaxOverTwoIndices) {
  auto all = run("in S: f64[q,k]\nP[k,q] = softmax[q,k](S)\nout P", "f64[2,2]",
                 {tensor({2, 2}, {0, std::log(2), std::log(3), std::log(4)})})[0]
                 .values;
  const double expected[] = {0.1, 0.3, 0.2, 0.4};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(all[i], expected[i], 1e-15);
}

TEST(InterpreterTest, CausalAttentionAgainstDirectLoops) {
  const int Q = 5, K = 5, D = 4, E = 3;
  auto operands = types("f64[5,4] f64[5,4] f64[5,3]");
  std::vector<ReferenceTensor> v = {noise(operands[0], 1), noise(operands[1], 2), noise(operands[2], 3)};
  const char *spellings[] = {
      "S = einsum(\"q d, k d -> q k\", Q, K) * 0.5; P = softmax[k | k <= q](S); O[q,e] = sum[k](P * V)",
      "S = sum[d](Q * K) / 2; P = softmax[k](if k <= q then S else -inf); O = einsum(\"qk,ke->qe\", P, V)",
      ("S = sum[d](Q * K) * 0.5; L = sum[k | k <= q](exp(S - max[k | k <= q](S)));"
       "O[q,e] = sum[k | k <= q](exp(S - max[k | k <= q](S)) * V) / L"),
  };
  for (const char *spelling : spellings) {
    auto p =
        parseAndBind(std::string("in Q: f64[q,d], K: f64[k,d], V: f64[k,e]\n") + spelling + "\nout O[q,e]", operands);
    ASSERT_TRUE(p) << p.error().render();
    ASSERT_TRUE(verify(*p));
    auto o = interpret(*p, v)[0];
    for (int q = 0; q < Q; ++q)
      for (int e = 0; e < E; ++e) {
        double total = 0, weighted = 0;
        for (int k = 0; k < K && k <= q; ++k) {
          double s = 0;
          for (int d = 0; d < D; ++d) s += v[0].values[q * D + d] * v[1].values[k * D + d] / 2;
          total += std::exp(s);
          weighted += std::exp(s) * v[2].values[k * E + e];
        }
        EXPECT_NEAR(o.values[q * E + e], weighted / total, 1e-14) << spelling;
      }
  }
}

TEST(InterpreterTest, MagnitudeBoundsTheResult) {
  auto p = parseAndBind("in A: f64[i]\nR = sum[i](A * -2) - 3\nout R", types("f64[3]"));
  ASSERT_TRUE(p);
  std::vector<ReferenceTensor> v = {tensor({3}, {1, -2, 3})};
  EXPECT_EQ(interpret(*p, v)[0].values[0], -7);
  EXPECT_EQ(interpretMagnitude(*p, v)[0].values[0], 15);
}

TEST(InterpreterTest, ReadsAnyStrides) {
  float data[] = {0, 1, 2, 3, 4, 5};
  EXPECT_EQ(readReference(TensorView(data, {2, 3})).values, (std::vector<double>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(readReference({data, TensorType(DType::F32, {3, 2}, {1, 3})}).values,
            (std::vector<double>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(readReference({data + 5, TensorType(DType::F32, {2, 2}, {-3, -1})}).values,
            (std::vector<double>{5, 4, 2, 1}));
  EXPECT_EQ(readReference({data, TensorType(DType::F32, {2, 2}, {0, 1})}).values, (std::vector<double>{0, 1, 0, 1}));
  EXPECT_EQ(readReference({data, TensorType(DType::F32, {2, 0})}).values.size(), 0u);
  EXPECT_EQ(readReference({data + 4, TensorType(DType::F32, {}, {})}).values, (std::vector<double>{4}));
  double wide[] = {0.5};
  EXPECT_EQ(readReference(TensorView(wide, {1})).values[0], 0.5);
}

} // namespace
} // namespace ein
