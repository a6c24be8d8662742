// Adjoints of Programs: their text, their values against finite differences, and what has none.
#include "tests/unit/adjoints/Gradients.h"
#include "tests/unit/notation/Helpers.h"

namespace ein {
namespace {

using namespace test;

std::string adjointOf(std::string_view text, std::string_view operands, std::vector<size_t> which) {
  auto adjoint = adjointText(text, types(operands), which, {});
  return adjoint ? *adjoint : adjoint.error().render();
}

TEST(ProgramAdjoint, OfAttentionIsTheTextbookForm) {
  EXPECT_EQ(adjointOf("in Q: f32[q,d], K: f32[k,d], V: f32[k,e]\n"
                      "S = sum[d](Q * K) * 0.5\nP = softmax[k | k <= q](S)\nO[q,e] = sum[k](P * V)\nout O",
                      "f32[3,4] f32[5,4] f32[5,2]", {0, 1, 2}),
            "index q = 3, d = 4, k = 5, e = 2\n"
            "in Q: f32[q,d], K: f32[k,d], V: f32[k,e], O_bar: f32[q,e]\n"
            "S[q,k]: f32 = sum[d](Q[q,d] * K[k,d]) * 0.5\n"
            "P_lse[q]: f32 = lse[k | k <= q](S[q,k])\n"
            "P_ref[q]: f32 = where(P_lse[q] > -inf, P_lse[q], 0)\n"
            "P[q,k]: f32 = where(k <= q, exp(S[q,k] - P_ref[q]), 0)\n"
            "P_bar[q,k]: f32 = sum[e](O_bar[q,e] * V[k,e])\n"
            "D[q]: f32 = sum[k](P_bar[q,k] * P[q,k])\n"
            "S_bar[q,k]: f32 = P[q,k] * (P_bar[q,k] - D[q])\n"
            "Q_bar[q,d]: f32 = sum[k](S_bar[q,k] * 0.5 * K[k,d])\n"
            "K_bar[k,d]: f32 = sum[q](S_bar[q,k] * 0.5 * Q[q,d])\n"
            "V_bar[k,e]: f32 = sum[q](O_bar[q,e] * P[q,k])\n"
            "out Q_bar, K_bar, V_bar\n");
}

TEST(ProgramAdjoint, OfPointwiseFunctions) {
  const char *const functions[] = {
      "A + 2 * B",
      "A - B * A",
      "-A * B",
      "A / (2 + B)",
      "B / (2 + A * A)",
      "exp(A * B)",
      "exp2(A) * B",
      "log(2 + A * B)",
      "sqrt(2 + A) * B",
      "rsqrt(2 + A * B)",
      "tanh(3 * A) * B",
      "sigmoid(A * B)",
      "erf(A + B)",
      "gelu(2 * A) * B",
      "silu(2 * A - B)",
      "relu(A) * B",
      "sin(A) * cos(B)",
      "abs(A * B)",
      "floor(3 * A) * B",
      "sign(A) * B",
      "max(A, B)",
      "min(A, B * B)",
      "clamp(A, -0.5, 0.25) * B",
      "A ^ 0 * B",
      "A ^ 1 * B",
      "A ^ 2 * B",
      "A ^ 3 - B ^ 5",
      "(2 + A) ^ -2 * B",
      "(2 + A) ^ 1.5 * B",
      "(2 + A) ^ B",
      "2 ^ A",
      "(A + 7) % 3 + B",
      "9 % (2 + A)",
      "(5 * A) // 2 + A",
      "if A > B then A * A else B * A",
      "if not (A > B) then A * A else B * A",
      "if i <= j then exp(A) else 0",
      "where(A > 0, log(A), 0) * B",
      "cast(A, f64) * B",
      "cast(A * 100, i32) * B",
      "rand(3, i, j) * A",
      "A * (i + 2 * j)",
      "A * A * A + A",
      "B",
      "2 * B[k]",
  };
  for (const char *f : functions) {
    const std::string line = std::string(f) == "2 * B[k]" ? "index k = 4\nY = 2 * B[k]" : std::string("Y = ") + f;
    EXPECT_TRUE(gradientsMatch("in A: f64[i,j], B: f64[j]\n" + line + "\nout Y", types("f64[3,4] f64[4]")));
  }
}

TEST(ProgramAdjoint, OfReductions) {
  const char *const values[] = {
      "sum[j](A * B)",
      "sum[i,j](A * B)",
      "sum[j | j <= i](A * B)",
      "sum[j](B)",
      "A * sum[j](A * B)",
      "sum[j](A * sum[i](A))",
      "prod[j](A)",
      "prod[i,j](1 + A * B)",
      "prod[j | j != i](A) * sum[j](B)",
      "max[j](A * B)",
      "max[i,j](A)",
      "min[i,j](A * B)",
      "min[j | j > 0](A)",
      "mean[j](A * B)",
      "mean[j | j <= i](A)",
      "var[j](A)",
      "var[i,j](A * B)",
      "lse[j](A * 3)",
      "lse[i,j](A * B)",
      "lse[j | j <= i](A) * sum[j](B)",
      "softmax[j](A * B) * B",
      "softmax[i,j](A) * B",
      "softmax[j | j <= i](3 * A) * B",
      "softmax[j](A, sink = sum[j0](A[i,j0])) * B",
      "sum[j](softmax[j](A + B) * A)",
      "log(sum[j](exp(A - max[j](A)))) + max[j](A)",
      "lse[j](A) + sum[j](softmax[j](A) * B)",
      "exp(A - lse[j](A)) * B",
      "max[j](softmax[j](A))",
      "top[j->s](A * B)",
      "top[j->s | j != 1](A) * (s + 1)",
      "einsum(\"ij,j->i\", A, B)",
      "einsum(\"ij,j->i\", A, B, over = max_plus)",
      "einsum(\"ij,j->\", A, B, over = min_plus)",
      "einsum(\"ij,j->i\", A, B, over = lse_plus)",
  };
  for (const char *value : values)
    EXPECT_TRUE(gradientsMatch("index s = 2, j0 = 4\nin A: f64[i,j], B: f64[j]\nY = " + std::string(value) + "\nout Y",
                               types("f64[3,4] f64[4]")));
}

TEST(ProgramAdjoint, OfAccesses) {
  struct Row {
    const char *text, *operands;
  };
  const Row rows[] = {
      {"in X: f64[i,i], Y: f64[i]\nZ = X * Y\nout Z", "f64[3,3] f64[3]"},
      {"in X: f64[i,j]\nindex j = i\nZ[i,j] = X[i,j] * X[j,i] + X[i,i]\nout Z", "f64[3,3]"},
      {"in X: f64[i,j]\nindex k = i\nZ[i,k] = sum[j](X * X[k,j])\nout Z", "f64[3,2]"},
      {"in X: f64[i,j], D: f64[j,k]\nindex k = j, j = i\nM[i,k] = min(X[i,k], min[j](X[i,j] + D))\nout M",
       "f64[3,3] f64[3,3]"},
      {"in X: f64[i]\nY[i,j] = X[i] * X[j]\nindex j = i\nZ[i] = sum[j](Y * Y[j,i])\nout Z", "f64[3]"},
      {"in X: f64[v,c], t: i32[n] below(v)\nY[n,c] = X[t,c] * X[t,c]\nout Y", "f64[4,2] i32[5]"},
      {"in X: f64[v,c], t: i32[n] below(v)\nZ[v,c] = exp(X)\nY[n] = sum[c](Z[t, c])\nout Y", "f64[4,2] i32[5]"},
      {"in X: f64[i]\nY[i] = if i >= 1 then X[i - 1] * X[i] else X[i]\nout Y", "f64[5]"},
      {"in X: f64[p,s], t: i32[n] below(p)\nindex s = 3, k = n * 3\nY[k] = X[t[k // 3], k % 3] * k\nout Y",
       "f64[4,3] i32[2]"},
      {"in X: f64[i,j]\nY[i] = X[i, argmax[j0](X[i,j0])]\nindex j0 = j\nout Y", "f64[3,4]"},
      {"in X: f64[b,(g r)]\nindex r = 2\nY[b,g] = sum[r](X * X)\nout Y", "f64[3,6]"},
      {"in X: f64[i,o]\nindex o = 1\nY[i] = X[i,0] * X[i,0]\nout Y", "f64[3,1]"},
      {"in X: f64[i], U: f64[j]\nT = X * 2\nY[i] = T * T + T\nZ = sum[i](Y) * sum[i](T)\nout Z, Y, T", "f64[3] f64[2]"},
      {"in s: f64, X: f64[i]\nY = s * X\nout Y", "f64[] f64[3]"},
      {"in X: f64[i,j]\nout X", "f64[3,0]"},
      {"in X: c128[i], Y: c128[i]\nZ = conj(X * Y) - X * X\nW = sum[i](Z * conj(Z))\nout Z, W", "c128[3] c128[3]"},
      {"in X: f64[i], n: i64[i], c: bool[i]\nY = where(c, X * n, exp(X))\nout Y", "f64[5] i64[5] bool[5]"},
  };
  for (const Row &row : rows) EXPECT_TRUE(gradientsMatch(row.text, types(row.operands)));
}

/// Where a row is masked whole, or a derivative does not exist, gradients are 0 and not NaN.
TEST(ProgramAdjoint, IsZeroWhereNothingCounts) {
  const char *const programs[] = {
      "in S: f64[q,k], V: f64[k]\nY[q] = sum[k](softmax[k | k < q](S) * V)\nout Y",
      "in S: f64[q,k], V: f64[k]\nT = if k < q then S else -inf\nY[q] = sum[k](softmax[k](T) * V)\nout Y",
      "in S: f64[q,k], V: f64[k]\nL = lse[k | k < q](S)\nY[q] = (if L > -inf then L else 0) + sum[k](V)\nout Y",
      "in S: f64[q,k], V: f64[k]\nY = if q > 3 then log(S * 0) * V else S * V\nout Y",
      "in S: f64[q,k], V: f64[k]\nT = log(S - S)\nY = if q > 3 then T * V else S * V\nout Y",
      "in S: f64[q,k], V: f64[k]\nY[q] = prod[k](S - S[0,k]) + sum[k](V)\nout Y",
  };
  for (const char *text : programs) EXPECT_TRUE(gradientsMatch(text, types("f64[3,4] f64[4]")));
}

TEST(ProgramAdjoint, TiesAreDocumented) {
  auto gradientAt = [](const char *text, std::vector<double> x) {
    const std::vector<TensorType> operands = {TensorType(DType::F64, {int64_t(x.size())})};
    auto p = parseAndBind(text, operands);
    EXPECT_TRUE(p) << p.error().render();
    auto adjoint = adjointText(text, operands, std::vector<size_t>{0}, {});
    EXPECT_TRUE(adjoint) << adjoint.error().render();
    const TensorType result = p->typeOf(p->outputs[0]);
    auto backward = parseAndBind(*adjoint, std::vector<TensorType>{operands[0], result});
    EXPECT_TRUE(backward) << backward.error().render();
    const ReferenceTensor ones = tensor(result.shape, std::vector<double>(size_t(result.numElements()), 1));
    return interpret(*backward, std::vector<ReferenceTensor>{tensor({int64_t(x.size())}, x), ones})[0].values;
  };
  EXPECT_EQ(gradientAt("in X: f64[i]\nY = max[i](X)\nout Y", {1, 3, 3, 2}), (std::vector<double>{0, 1, 0, 0}));
  EXPECT_EQ(gradientAt("in X: f64[i]\nY = min[i](X)\nout Y", {1, 3, 1, 2}), (std::vector<double>{1, 0, 0, 0}));
  EXPECT_EQ(gradientAt("in X: f64[i]\nY = relu(X)\nout Y", {0, 1, -1}), (std::vector<double>{0, 1, 0}));
  EXPECT_EQ(gradientAt("in X: f64[i]\nY = max(X, X)\nout Y", {0, 1}), (std::vector<double>{1, 1}));
  EXPECT_EQ(gradientAt("in X: f64[i]\nY = abs(X)\nout Y", {0, 2, -2}), (std::vector<double>{0, 1, -1}));
}

TEST(ProgramAdjoint, Refusals) {
  struct Row {
    const char *text, *operands;
    size_t which;
    const char *rule, *message, *place, *help;
  };
  const Row rows[] = {
      {"in X: f32[i], n: i32[i]\nY = X * n\nout Y", "f32[3] i32[3]", 1, "E19", "not differentiable: 'n' is i32", "n",
       "operands of floats"},
      {"in X: f32[i]\nY = argmax[i](X)\nout Y", "f32[3]", 0, "E19", "not differentiable: the result 'Y' is i32",
       "argmax[i](X)", "results of floats"},
      {"in X: f32[i]\nY = X * argmax[i](X)\nout Y", "f32[3]", 0, "E19", "not differentiable: argmax", "argmax[i](X)",
       "operand"},
      {"index s = 2\nin X: f32[i]\nY = cast(argtop[i->s](X), f32)\nout Y", "f32[3]", 0, "E19",
       "not differentiable: argtop", "argtop[i->s](X)", "operand"},
      {"in X: f32[i]\nY = X\nout Y", "f32[3]", 1, "", "the Program has no operand 1", "", "from 0 to 0"},
      {"in X: f32[i]\nY = Z\nout Y", "f32[3]", 0, "E01", "unknown name 'Z'", "Z", ""},
  };
  for (const Row &row : rows) {
    auto adjoint = adjointText(row.text, types(row.operands), std::vector<size_t>{row.which}, {});
    ASSERT_FALSE(adjoint) << row.text << "\n" << *adjoint;
    const Error &e = adjoint.error();
    EXPECT_EQ(e.rule, row.rule) << e.render();
    EXPECT_EQ(e.message, row.message) << e.render();
    EXPECT_NE(e.help.find(row.help), std::string::npos) << e.render();
    if (!*row.place) continue;
    ASSERT_FALSE(e.labels.empty()) << e.render();
    EXPECT_EQ(e.text.substr(e.labels[0].span.begin, e.labels[0].span.end - e.labels[0].span.begin), row.place);
  }
  EXPECT_EQ(adjointText("i->i", types("f32[3]"), std::vector<size_t>{}, {}).error().code, ErrorCode::OperandCount);
}

TEST(ProgramAdjoint, RefusesWhatIsTooLong) {
  std::string text = "in X: f64[i]\nY = X";
  for (int n = 0; n < 3000; ++n) text += " * sin(X)";
  auto adjoint = adjointText(text + "\nout Y", types("f64[3]"), std::vector<size_t>{0}, {});
  ASSERT_FALSE(adjoint);
  EXPECT_EQ(adjoint.error().code, ErrorCode::Limit);
}

/// Of einsum strings with several operands, and over other semirings.
TEST(ProgramAdjoint, OfEinsumStrings) {
  EXPECT_EQ(adjointOf("ik,kj->ij", "f32[2,3] f32[3,4]", {0, 1}),
            "index i = 2, k = 3, j = 4\n"
            "in op0: f32[i,k], op1: f32[k,j], result_bar: f32[i,j]\n"
            "op0_bar[i,k]: f32 = sum[j](result_bar[i,j] * op1[k,j])\n"
            "op1_bar[k,j]: f32 = sum[i](result_bar[i,j] * op0[i,k])\n"
            "out op0_bar, op1_bar\n");
  CompileOptions options;
  options.semiring = Semiring::MinPlus;
  auto adjoint = adjointText("ik,kj->ij", types("f32[2,3] f32[3,4]"), std::vector<size_t>{0}, options);
  ASSERT_TRUE(adjoint) << adjoint.error().render();
  EXPECT_NE(adjoint->find("argmin[k]"), std::string::npos) << *adjoint;
  options.semiring = Semiring::OrAnd;
  EXPECT_EQ(adjointText("ik,kj->ij", types("f32[2,3] f32[3,4]"), std::vector<size_t>{0}, options).error().rule, "E20");
}

} // namespace
} // namespace ein
