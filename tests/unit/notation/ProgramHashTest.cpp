// The hash of a Program: the same for every spelling, another for another computation.
#include "compiler/IndexNotation/ProgramHash.h"
#include "tests/unit/notation/Helpers.h"

#include <set>

namespace ein {
namespace {

std::string hashOf(const std::string &text, const char *operands) {
  auto p = parseAndBind(text, test::types(operands));
  if (!p) {
    ADD_FAILURE() << p.error().render();
    return "";
  }
  return programHash(*p);
}

constexpr const char *kTypes = "f32[2,5,4] f32[2,7,4] f32[2,7,3]";

TEST(ProgramHashTest, SpellingsOfOneProgram) {
  const char *const spellings[] = {
      "in Q: f32[b,q,d], K: f32[b,k,d], V: f32[b,k,e]\nS = sum[d](Q * K) * 0.5\nP = softmax[k | k <= q](S)\n"
      "O[b,q,e] = sum[k](P * V)\nout O",
      // Other names and another order of declarations.
      "in keys: f32[n,s,c], x: f32[n,t,c], y: f32[n,t,v]\nindex t, s\nA = sum[c](keys * x) * 0.5\n"
      "out R\nW = softmax[t | t <= s](A); R[n,s,v] = sum[t](W * y)",
      // One expression; operands and comparison swapped.
      "in Q: f32[b,q,d], K: f32[b,k,d], V: f32[b,k,e]\nO[b,q,e] = sum[k](V * softmax[k | q >= k](0.5 * sum[d](K * "
      "Q)))\nout O",
      // More lets, with indices renamed where they are used.
      "in Q: f32[b,q,d], K: f32[b,k,d], V: f32[b,k,e]\nindex k2 = k\nh = 0.5\nT[q,b,k] = einsum(\"b q d, b k d -> b q "
      "k\", Q, K)\n"
      "S[b,q,k2] = T[q,b,k2] * h\nP = softmax[k2 | k2 <= q](S)\nO[b,q,e] = sum[k](P[b,q,k] * V)\nout O",
  };
  std::set<std::string> hashes;
  for (const char *text : spellings) hashes.insert(hashOf(text, kTypes));
  EXPECT_EQ(hashes.size(), 1u);
  EXPECT_EQ(hashes.begin()->size(), 32u);
}

TEST(ProgramHashTest, SpellingsOfExpressions) {
  const char *const pairs[][2] = {
      {"A + (B - C)", "B - C + A"},
      {"-A + B", "B - A"},
      {"A * B * C", "C * (B * A)"},
      {"max(A, max(B, C))", "max(max(C, A), B)"},
      {"sum[i,j](A * B)", "sum[j,i](B * A)"},
      {"sum[i](sum[j](A) / B)", "sum[j](sum[i](A[j,i]) / B[j,i])"},
      {"where(A == B and C > 0, A, B)", "where(0 < C and B == A, A, B)"},
      {"exp(A + B) * exp(A + B)", "exp(B + A) * exp(A + B)"},
  };
  for (const auto &[left, right] : pairs) {
    const std::string head = "in A: f32[i,j], B: f32[i,j], C: f32[i,j]\nY = ";
    EXPECT_EQ(hashOf(head + left + "\nout Y", "f32[3,3] f32[3,3] f32[3,3]"),
              hashOf(head + right + "\nout Y", "f32[3,3] f32[3,3] f32[3,3]"))
        << left << " and " << right;
  }
}

TEST(ProgramHashTest, OtherProgramsDiffer) {
  const char *const expressions[] = {"A + B",
                                     "A - B",
                                     "B - A",
                                     "A * B",
                                     "A / B",
                                     "B / A",
                                     "max(A, B)",
                                     "min(A, B)",
                                     "A * 2",
                                     "A * 3",
                                     "A + i",
                                     "A + j",

                                     "sum[i](A)",
                                     "sum[j](A)",
                                     "max[j](A)",
                                     "sum[j | j < i](A)",
                                     "sum[j | j <= i](A)",
                                     "softmax[j](A)",
                                     "softmax[i](A)",
                                     "cast(A, f64)",
                                     "cast(A, f16)",
                                     "softmax[j](A, sink = 1)",
                                     "argmax[j](A)",
                                     "argmin[j](A)",
                                     "A[(i + 1) % 3, j]",
                                     "A[i, (j + 1) % 3]",
                                     "A ^ 2",
                                     "2 ^ A",
                                     "rand(i, j)",
                                     "sum[i,j](A * B)",
                                     "sum[i,j](A * B[j,i])",
                                     "sum[j](A * softmax[j](A))",
                                     "sum[j](A) * softmax[j](A)"};
  std::set<std::string> hashes;
  for (const char *e : expressions) {
    const std::string text = std::string("in A: f32[i,j], B: f32[i,j]\nY = ") + e + "\nout Y";
    EXPECT_TRUE(hashes.insert(hashOf(text, "f32[3,3] f32[3,3]")).second) << e;
  }
  for (const char *statement : {"Y[i,j] = A[j,i]", "Y[i,j] = rand(j, i)", "Y[i,j] = A + j - i", "Y[i,j] = A + i - j"})
    EXPECT_TRUE(
        hashes.insert(hashOf(std::string("in A: f32[i,j], B: f32[i,j]\n") + statement + "\nout Y", "f32[3,3] f32[3,3]"))
            .second)
        << statement;
  for (const char *rest :
       {"out Y[j,i]", "out Y: f64", "out Y\nrequire onepass(Y)", "out Y\nrequire nostore(Y)", "out Y\nstore Y"})
    EXPECT_TRUE(
        hashes.insert(hashOf(std::string("in A: f32[i,j], B: f32[i,j]\nY = A + B\n") + rest, "f32[3,3] f32[3,3]"))
            .second)
        << rest;
  EXPECT_TRUE(hashes.insert(hashOf("in A: f32[i,j], B: f32[i,j]\nY = A + B\nout Y", "f32[3,4] f32[3,4]")).second);
}

TEST(ProgramHashTest, LongChainsTakeLittleTime) {
  // Each let reads the one before it in two ways: looked through, they would double at each step.
  std::string text = "in X0: f32[i,j]\n";
  for (int n = 0; n < 60; ++n)
    text += "X" + std::to_string(n + 1) + "[i,j] = X" + std::to_string(n) + " * X" + std::to_string(n) + "[j,i]\n";
  EXPECT_EQ(hashOf(text + "out X60", "f32[3,3]").size(), 32u);
  std::string sum = "A";
  for (int n = 0; n < 4000; ++n) sum += " + A";
  EXPECT_EQ(hashOf("in A: f32[i]\nY = " + sum + "\nout Y", "f32[3]").size(), 32u);
}

} // namespace
} // namespace ein
