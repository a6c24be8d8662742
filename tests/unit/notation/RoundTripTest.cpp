// Printing and parsing are inverse: the printed Program binds to the same types and prints the same.
#include "tests/unit/notation/Helpers.h"

#include <cmath>
#include <limits>

namespace ein {
namespace {

void expectRoundTrip(std::string_view text, std::string_view operands) {
  auto first = parseAndBind(text, test::types(operands));
  ASSERT_TRUE(first) << first.error().render();
  auto ok = verify(*first);
  EXPECT_TRUE(ok) << ok.error().message;
  std::string once = print(*first);
  auto second = programFromText(once, test::types(operands));
  ASSERT_TRUE(second) << second.error().render();
  EXPECT_EQ(print(*second), once);
  for (size_t i = 0; i < first->outputs.size(); ++i)
    EXPECT_EQ(first->typeOf(first->outputs[i]), second->typeOf(second->outputs[i]));

  // Both compute the same.
  std::vector<ReferenceTensor> values;
  for (const TensorType &type : test::types(operands)) values.push_back(test::noise(type, 7 + values.size()));
  auto a = interpret(*first, values), b = interpret(*second, values);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].values, b[i].values) << once;
}

TEST(RoundTripTest, EinsumStrings) {
  const char *rows[][2] = {
      {"ij,jk->ik", "f32[2,3] f32[3,4]"},
      {"...i,i...->...", "f64[2,1,3] f64[3,5]"},
      {"ii->i", "f32[3,3]"},
      {"aba,b->a", "f32[3,2,3] f32[1]"},
      {"ii,i", "f32[1,1] f32[4]"},
      {"", "f32[]"},
      {",->", "f64[] f64[]"},
      {"ij->", "f32[0,3]"},
      {"αβ,βγ", "f32[2,3] f32[3,4]"},
      {"a,ab,abc->ca", "f32[2] f32[2,3] f32[2,3,4]"},
  };
  for (auto &row : rows) expectRoundTrip(row[0], row[1]);
}

TEST(RoundTripTest, Programs) {
  const char *rows[][2] = {
      {"in D: f32[i,j]\nindex k = i\nM[i,j] = min(D, min[k](D[i,k] + D[k,j]))\nT = where(i < j and not j == k or k > "
       "1, -1.5e-7 * D, -(-3 + i))\nout M, T",
       "f32[3,3]"},
      {"in X: f64[t,c]\nS = softmax[c | c <= t](X / 3); L = log(sum[c](exp(X - max[c](X)))) + max[c](X)\nout L, "
       "S[c,t], X",
       "f64[4,5]"},
      {"in A: f64[a,b]\nE = einsum(\"a i, b i -> a b\", A, A)\nF[b,a] = E * 2\nout F", "f64[3,3]"},
      {"in A: f64[a,a], B: f64[a,u]\nR = A + B[a,0]\nout R", "f64[3,3] f64[3,1]"},
      {"index i = 4\nY[i] = -(1 - (2 - i)) / (3 / (i + 1)) - -2\nout Y", ""},
      {"in s: f64\nR = max(-inf, min(inf, s)); Z = (1 + (2 + s)) + 3 * (4 * s)\nout R, Z", "f64[]"},
  };
  for (auto &row : rows) expectRoundTrip(row[0], row[1]);
}

TEST(RoundTripTest, Literals) {
  for (double value : {0.1, 1.0 / 3, 1e300, 5e-324, 123456789.0, 0.0, -2.5, 1e16,
                       std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
    Program p;
    p.tensors.push_back({"R", DType::F64, {}});
    p.assignments.push_back({0, p.map(Fn::Sub, {p.literal(value), p.literal(value)})});
    p.outputs = {0};
    auto again = programFromText(print(p), {});
    ASSERT_TRUE(again) << again.error().render();
    EXPECT_EQ(print(*again), print(p));
    const Expr &left = again->exprs[again->exprs[again->assignments[0].value].args[0]];
    double parsed = left.kind == Expr::Kind::Map ? -again->exprs[left.args[0]].literal : left.literal;
    EXPECT_EQ(parsed, value);
  }
}

} // namespace
} // namespace ein
