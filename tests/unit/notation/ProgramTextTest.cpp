// What Program texts mean.
#include "tests/unit/notation/Helpers.h"

namespace ein {
namespace {

using test::assignment;
using test::printed;
using test::types;

TEST(ProgramTextTest, AttentionPrintsInFull) {
  const char *text = "in Q: f32[b,q,h,d], K: f32[b,k,h,d], V: f32[b,k,h,e]\n"
                     "S = einsum(\"b q h d, b k h d -> b h q k\", Q, K) * 0.125   # scores\n"
                     "P = softmax[k | k <= q](S)\n"
                     "O[b,q,h,e] = sum[k](P * V)\n"
                     "out O\n";
  EXPECT_EQ(printed(text, "f32[2,5,3,4] f32[2,6,3,4] f32[2,6,3,7]"),
            "index b = 2, q = 5, h = 3, d = 4, k = 6, e = 7\n"
            "in Q: f32[b,q,h,d], K: f32[b,k,h,d], V: f32[b,k,h,e]\n"
            "S[b,h,q,k]: f32 = sum[d](Q[b,q,h,d] * K[b,k,h,d]) * 0.125\n"
            "P[b,h,q,k]: f32 = softmax[k | k <= q](S[b,h,q,k])\n"
            "O[b,q,h,e]: f32 = sum[k](P[b,h,q,k] * V[b,k,h,e])\n"
            "out O\n");
}

TEST(ProgramTextTest, Expressions) {
  struct Row {
    const char *value, *expected;
  };
  // Over A: f32[i,j], B: f32[j,i], s: f32, one: f32[u], indices i = j = 3, u = 1.
  const Row rows[] = {
      // Precedence and associativity.
      {"A + s * 2 - 1", "[i,j]: f32 = A[i,j] + s * 2 - 1"},
      {"(A + s) * 2", "[i,j]: f32 = (A[i,j] + s) * 2"},
      {"A - (s - 1)", "[i,j]: f32 = A[i,j] - (s - 1)"},
      {"s / (s / 2) / 4", ": f32 = s / (s / 2) / 4"},
      {"-s * -2", ": f32 = -s * -2"},
      {"-(s * 2) - -s", ": f32 = -(s * 2) - -s"},
      {"-(-s)", ": f32 = -(-s)"},
      {"if s < 1 then 2 else s", ": f32 = where(s < 1, 2, s)"},
      {"where(not s < 1 and s != 2 or s >= 7, 1, 0)", ": f32 = where(not s < 1 and s != 2 or s >= 7, 1, 0)"},
      {"where(not (s < 1 and (s == 2 or s > 7)), 1, 0)", ": f32 = where(not (s < 1 and (s == 2 or s > 7)), 1, 0)"},
      {"if s < 1 then 1 else if s < 2 then 2 else 3", ": f32 = where(s < 1, 1, where(s < 2, 2, 3))"},
      // Numbers.
      {"s * 1e3 + .5 + 2. + 1.5E-3 - inf", ": f32 = s * 1000 + 0.5 + 2 + 0.0015 - inf"},
      {"s * 0.08838834764", ": f32 = s * 0.08838834764"},
      // Functions, and max and min as function or reduction.
      {"exp(log(sqrt(tanh(s))))", ": f32 = exp(log(sqrt(tanh(s))))"},
      {"max(s, min[i,j](A))", ": f32 = max(s, min[i,j](A[i,j]))"},
      {"max[j](A) + min(s, 2)", "[i]: f32 = max[j](A[i,j]) + min(s, 2)"},
      // Alignment by name, in order of first appearance; index values come after subscripts.
      {"where(j <= i and k > 1, A, 0)", "[i,j,k]: f32 = where(j <= i and k > 1, A[i,j], 0)"},
      {"k + j - i * A", "[i,j,k]: f32 = k + j - i * A[i,j]"},
      {"B + A", "[j,i]: f32 = B[j,i] + A[i,j]"},
      {"i * A - j", "[i,j]: f32 = i * A[i,j] - j"},
      // Accesses: renaming, diagonals, extent 1.
      {"A[j,i] + A", "[j,i]: f32 = A[j,i] + A[i,j]"},
      {"A[i,i]", "[i]: f32 = A[i,i]"},
      {"one[0] + A", "[i,j]: f32 = one[0] + A[i,j]"},
      {"one + s", "[u]: f32 = one[u] + s"},
      // Guards and softmax.
      {"sum[j | j < i and A > 0](A)", "[i]: f32 = sum[j | j < i and A[i,j] > 0](A[i,j])"},
      {"sum[j | i < j](B[j,j])", "[i]: f32 = sum[j | i < j](B[j,j])"},
      {"softmax[i,j](A)", "[i,j]: f32 = softmax[i,j](A[i,j])"},
      {"softmax[i](softmax[i](A))", "[i,j]: f32 = softmax[i](softmax[i](A[i,j]))"},
      // A bound index is another than one of its name around it.
      {"A[i,j] * sum[j](B)", "[i,j]: f32 = A[i,j] * sum[j0](B[j0,i])"},
      {"sum[j](exp(A - max[j | j > i](A)))", "[i]: f32 = sum[j](exp(A[i,j] - max[j0 | j0 > i](A[i,j0])))"},
      {"sum[j](A * sum[j](A * max[j](A)))", "[i]: f32 = sum[j](A[i,j] * sum[j1](A[i,j1] * max[j0](A[i,j0])))"},
      {"A - max[j](A) - min[j](A)", "[i,j]: f32 = A[i,j] - max[j0](A[i,j0]) - min[j0](A[i,j0])"},
      {"sum[j](A) * sum[j](A)", "[i]: f32 = sum[j](A[i,j]) * sum[j](A[i,j])"},
      {"sum[j](softmax[j](A) * A)", "[i]: f32 = sum[j](softmax[j](A[i,j]) * A[i,j])"},
      {"softmax[j](A - einsum(\"ij->i\", A))", "[i,j]: f32 = softmax[j](A[i,j] - sum[j0](A[i,j0]))"},
      // einsum: letters or names, local labels, ellipsis, implicit output, its own result order.
      {"einsum(\"ij,jl->li\", A, B)", "[l,i]: f32 = sum[j](A[i,j] * B[j,l])"},
      {"einsum(\"ii\", A)", ": f32 = sum[i](A[i,i])"},
      {"einsum(\"...,->...\", A, s)", "[i,j]: f32 = A[i,j] * s"},
      {"einsum(\"...x->...\", A)", "[i]: f32 = sum[x](A[i,x])"},
      {"einsum(\"ba\", A)", "[a,b]: f32 = A[b,a]"},
      {"einsum(\"ij,...->j...\", A, s)", "[j]: f32 = sum[i](A[i,j] * s)"},
  };
  for (const Row &row : rows) {
    std::string text =
        std::string("in A: f32[i,j], B: f32[j,i], s: f32, one: f32[u]\nindex k = 2\nR = ") + row.value + "\nout R";
    EXPECT_EQ(assignment(text, "f32[3,3] f32[3,3] f32[] f32[1]"), std::string("R") + row.expected) << row.value;
  }
}

TEST(ProgramTextTest, IndexDeclarations) {
  EXPECT_EQ(printed("index r = 4, k = n * r, u = n\nin X: f32[n]\nY[n,r] = X * r; Z[k] = k; W[u] = X[u]\nout Y, Z, W",
                    "f32[3]"),
            "index r = 4, k = 12, u = 3, n = 3\n"
            "in X: f32[n]\n"
            "Y[n,r]: f32 = X[n] * r\nZ[k]: f32 = k\nW[u]: f32 = X[u]\n"
            "out Y, Z, W\n");
  // Declarations may refer to later ones.
  EXPECT_EQ(assignment("index a = b * 2, b = c, c = n\nin X: f32[n]\nY[a] = a\nout Y", "f32[3]"), "Y[a]: f32 = a");
  // An index without an extent gets the one of the first axis it stands for.
  EXPECT_EQ(assignment("in X: f32[n]\nindex m\nY[n,m] = X[m] * X\nout Y", "f32[3]"), "Y[n,m]: f32 = X[m] * X[n]");
}

TEST(ProgramTextTest, LinesAndComments) {
  const char *text = "# a comment\n\nprogram twice\r\nin X: f32[n] # operands\nY = X \\\n  * 2; Z = Y + 1;\n;out Z\n";
  EXPECT_EQ(printed(text, "f32[3]"), "index n = 3\nin X: f32[n]\nY[n]: f32 = X[n] * 2\nZ[n]: f32 = Y[n] + 1\nout Z\n");
}

TEST(ProgramTextTest, ResultOrders) {
  // The order an output lists reaches back into the definition and its readers.
  EXPECT_EQ(printed("in X: f32[i,j]\nY = X * 2\nZ = Y + 1\nout Z, Y[j,i]", "f32[2,3]"),
            "index i = 2, j = 3\nin X: f32[i,j]\nY[j,i]: f32 = X[i,j] * 2\nZ[i,j]: f32 = Y[j,i] + 1\nout Z, Y\n");
  // An operand that is an output is copied; so is a diagonal.
  EXPECT_EQ(printed("in X: f32[i,j], unused: f32\nout X[j,i]", "f32[2,3] f32[]"),
            "index i = 2, j = 3\nin X: f32[i,j], unused: f32\nX_out0[j,i]: f32 = X[i,j]\nout X_out0\n");
  EXPECT_EQ(assignment("in X: f32[i,i]\nout X", "f32[3,3]"), "X_out0[i]: f32 = X[i,i]");
}

TEST(ProgramTextTest, DTypesFollowOperands) {
  EXPECT_EQ(assignment("in X: f64[i]\nY = i + 1; Z = X * Y\nout Z", "f64[3]", 1), "Z[i]: f64 = X[i] * Y[i]");
  EXPECT_EQ(assignment("index i = 3\nY: f32 = i\nout Y: f32", ""), "Y[i]: f32 = i");
  EXPECT_EQ(assignment("index i = 3\nY = i\nout Y", ""), "Y[i]: f64 = i");
}

TEST(ProgramTextTest, EinsumLabelsOfTheOutputBecomeIndices) {
  const char *text = "in A: f64[a,i,b], B: f64[b,j,e]\n"
                     "E = einsum(\"a i b, c i d, b j e, d j f -> a c e f\", A, A, B, B)\n"
                     "out E[a,c,e,f]";
  EXPECT_EQ(assignment(text, "f64[2,3,4] f64[4,5,6]"),
            "E[a,c,e,f]: f64 = sum[i,b,d,j](A[a,i,b] * A[c,i,d] * B[b,j,e] * B[d,j,f])");
  // A local label gives way to a name that is declared later, and to an equal label of another extent.
  EXPECT_EQ(printed("in A: f32[i,j], B: f32[j,i]\nx = einsum(\"il->i\", A); y = einsum(\"lj->j\", A); l = x * y\nout l",
                    "f32[2,3] f32[3,2]"),
            "index i = 2, j = 3, l1 = 3, l0 = 2\nin A: f32[i,j], B: f32[j,i]\n"
            "x[i]: f32 = sum[l1](A[i,l1])\ny[j]: f32 = sum[l0](A[l0,j])\nl[i,j]: f32 = x[i] * y[j]\nout l\n");
}

TEST(ProgramTextTest, LongAndDeepTextsAreFineOrRefused) {
  auto bind = [](const std::string &value) {
    return parseAndBind("in s: f32\nR = " + value + "\nout R", types("f32[]"));
  };
  std::string chain = "s";
  for (int i = 0; i < 4000; ++i) chain += " + s";
  auto p = bind(chain);
  ASSERT_TRUE(p) << p.error().render();
  EXPECT_EQ(print(*p, p->assignments[0].value), chain);
  EXPECT_EQ(interpret(*p, std::vector<ReferenceTensor>{{{}, {1}}})[0].values[0], 4001);

  EXPECT_TRUE(bind(std::string(255, '(') + "s" + std::string(255, ')')));
  EXPECT_EQ(bind(std::string(256, '(') + "s" + std::string(256, ')')).error().code, ErrorCode::Limit);
  for (const char *nest : {"(", "-(", "exp(", "sum[s](", "if "}) {
    std::string deep;
    while (deep.size() < 60000) deep += nest;
    auto refused = bind(deep + "s");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::Limit) << refused.error().message;
  }
  EXPECT_EQ(bind(chain + chain.substr(1)).error().code, ErrorCode::Limit);
  EXPECT_EQ(bind(std::string(70000, ' ') + "s").error().code, ErrorCode::Limit);
}

} // namespace
} // namespace ein
