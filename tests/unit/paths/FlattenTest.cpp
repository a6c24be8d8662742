// What flattening makes of Programs, as text, and that it keeps their meaning.
#include "tests/unit/paths/Programs.h"

#include <limits>

using namespace ein;
using namespace ein::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string flatText(const std::string &text, const std::vector<std::string> &types) {
  FlatProgram f = flat(bound(text, types));
  checkFlatForm(f.program);
  return assignments(f.program);
}

TEST(Flatten, ContractionsBecomePairwise) {
  EXPECT_EQ(flatText("ij,jk,kl->il", {"f32[2,90]", "f32[90,3]", "f32[3,50]"}),
            "t0[i,k] = sum[j](op0[i,j] * op1[j,k])\n"
            "result[i,l] = sum[k](t0[i,k] * op2[k,l])\n");
}

TEST(Flatten, WhatIsFlatStays) {
  for (const char *text : {"ij->ji", "ij->", "ii->i", "ii->"}) {
    Program p = bound(text, {"f64[3,3]"});
    EXPECT_EQ(assignments(flat(p).program), assignments(p));
  }
  Program p = bound("ij,jk->ki", {"f32[2,3]", "f32[3,4]"});
  EXPECT_EQ(assignments(flat(p).program), assignments(p));
  p = bound("i,j,k->kji", {"f32[2]", "f32[3]", "f32[4]"});
  EXPECT_EQ(assignments(flat(p).program), assignments(p));
}

TEST(Flatten, OneSidedIndicesAreSummedFirst) {
  EXPECT_EQ(flatText("ija,jkb->ik", {"f32[2,3,4]", "f32[3,4,5]"}), "t0[i,j] = sum[a](op0[i,j,a])\n"
                                                                   "t1[j,k] = sum[b](op1[j,k,b])\n"
                                                                   "result[i,k] = sum[j](t0[i,j] * t1[j,k])\n");
}

TEST(Flatten, DiagonalsStayWithTheirFirstUse) {
  EXPECT_EQ(flatText("iij,jk,k->i", {"f32[2,2,90]", "f32[90,300]", "f32[300]"}),
            "t0[j] = sum[k](op1[j,k] * op2[k])\n"
            "result[i] = sum[j](op0[i,i,j] * t0[j])\n");
}

TEST(Flatten, ConstantsComeOutOfASum) {
  EXPECT_EQ(flatText("in A: f32[i,k], B: f32[k,j]\nC[i,j] = sum[k](-A * B * 3 / 2)\nout C\n", {"f32[2,3]", "f32[3,4]"}),
            "t0[i,j] = sum[k](A[i,k] * B[k,j])\n"
            "C[i,j] = t0[i,j] * -1.5\n");
}

TEST(Flatten, DivisorsWithoutTheSummedIndexComeOutOfASum) {
  EXPECT_EQ(flatText("in A: f32[i,k], B: f32[k,j], l: f32[i]\nC[i,j] = sum[k](A * B / l)\nout C\n",
                     {"f32[2,3]", "f32[3,4]", "f32[2]"}),
            "t0[i,j] = sum[k](A[i,k] * B[k,j])\n"
            "C[i,j] = t0[i,j] / l[i]\n");
}

TEST(Flatten, PointwiseFactorsAreStoredWhereAGemmGainsByIt) {
  EXPECT_EQ(flatText("in A: f32[i,k], B: f32[k,j]\nC[i,j] = sum[k](exp(A) * B)\nout C\n", {"f32[2,3]", "f32[3,4]"}),
            "t0[i,k] = exp(A[i,k])\n"
            "C[i,j] = sum[k](t0[i,k] * B[k,j])\n");
  // The factor has all the indices: nothing to gain.
  EXPECT_EQ(flatText("in A: f32[i,k], B: f32[k]\nC[i] = sum[k](exp(A) * B)\nout C\n", {"f32[2,3]", "f32[3]"}),
            "C[i] = sum[k](exp(A[i,k]) * B[k])\n");
}

TEST(Flatten, NestedReductionsAreStored) {
  EXPECT_EQ(
      flatText("in A: f32[i,k], B: f32[j,k]\nC[i] = 1 + max[k](A - min[j](B) * 2)\nout C\n", {"f32[2,3]", "f32[4,3]"}),
      "t0[k] = min[j](B[j,k])\n"
      "t1[i] = max[k](A[i,k] - t0[k] * 2)\n"
      "C[i] = 1 + t1[i]\n");
}

TEST(Flatten, GuardsBecomeIdentities) {
  EXPECT_EQ(flatText("in A: f32[i,k]\nC[i] = max[k | k <= i](A)\nout C\n", {"f32[2,3]"}),
            "C[i] = max[k](where(k <= i, A[i,k], -inf))\n");
  EXPECT_EQ(flatText("in A: f32[i,k]\nC[i] = sum[k | k <= i](A)\nout C\n", {"f32[2,3]"}),
            "C[i] = sum[k](where(k <= i, A[i,k], 0))\n");
}

TEST(Flatten, Softmax) {
  EXPECT_EQ(flatText("in A: f32[i,k]\nP[k,i] = softmax[k | k <= i](A)\nout P\n", {"f32[2,3]"}),
            "t0[i] = max[k](where(k <= i, A[i,k], -inf))\n"
            "t1[i] = where(t0[i] == -inf, 0, t0[i])\n"
            "t2[i] = sum[k](where(k <= i, exp(A[i,k] - t1[i]), 0))\n"
            "P[k,i] = where(k <= i and t2[i] != 0, exp(A[i,k] - t1[i]) / t2[i], 0)\n");
}

const char *kAttention = "in Q: f64[b,q,d], K: f64[b,k,d], V: f64[b,k,e]\n"
                         "S = sum[d](Q * K) * 0.125\n"
                         "P = softmax[k | k <= q](S)\n"
                         "O[b,q,e] = sum[k](P * V)\n"
                         "out O\n";

TEST(Flatten, AttentionKeepsItsGemms) {
  CompileOptions options;
  options.fuse = false;
  std::string text = assignments(flat(bound(kAttention, {"f64[2,3,4]", "f64[2,5,4]", "f64[2,5,6]"}), options).program);
  EXPECT_NE(text.find("= sum[d](Q[b,q,d] * K[b,k,d])\n"), std::string::npos) << text;
  EXPECT_NE(text.find("O[b,q,e] = sum[k](P[b,q,k] * V[b,k,e])\n"), std::string::npos) << text;
}

TEST(Flatten, EmptyListIsAssigned) {
  const FlatProgram f = flat(bound("index s = 0\nin A: f32[b,x]\nT = top[x->s](A)\nout T\n", {"f32[3,5]"}));
  EXPECT_TRUE(verify(f.program)) << print(f.program);
}

TEST(Flatten, NewNamesAvoidTheUsers) {
  EXPECT_EQ(flatText("in t0: f32[t1,k]\nt2[t1] = 1 + sum[k](t0)\nout t2\n", {"f32[2,3]"}), "t3[t1] = sum[k](t0[t1,k])\n"
                                                                                           "t2[t1] = 1 + t3[t1]\n");
}

TEST(Flatten, ASharedExpressionIsLoweredOnce) {
  Program p = bound("ij->i", {"f64[2,3]"});
  ExprId sum = p.assignments[0].value;
  p.tensors.push_back({"twice", DType::F64, p.tensors[p.assignments[0].result].axes});
  p.tensors.push_back({"same", DType::F64, p.tensors[p.assignments[0].result].axes});
  p.assignments.push_back({static_cast<TensorId>(p.tensors.size() - 2), p.map(Fn::Add, {sum, sum})});
  p.assignments.push_back({static_cast<TensorId>(p.tensors.size() - 1), sum});
  p.outputs.push_back(p.assignments[1].result);
  p.outputs.push_back(p.assignments[2].result);
  EXPECT_EQ(assignments(flat(p).program), "result[i] = sum[j](op0[i,j])\n"
                                          "twice[i] = result[i] + result[i]\n"
                                          "same[i] = result[i]\n");
}

TEST(Flatten, ThousandsOfOperands) {
  std::vector<TensorType> types;
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    types.push_back(TensorType::parse("f32[2,2]").value());
    // Letters alternate, so that neighbours share one.
    text += std::string(i ? "," : "") + char('a' + i % 26) + char('a' + (i + 1) % 26);
  }
  Expected<Program> p = parseAndBind(text + "->", types);
  ASSERT_TRUE(p) << p.error().render();
  FlatProgram f = flat(*p);
  EXPECT_EQ(f.program.assignments.size(), 999u);
  checkFlatForm(f.program);
}

// Meaning.

TEST(FlattenMeaning, Programs) {
  struct Case {
    const char *text;
    std::vector<std::string> types;
  };
  const Case cases[] = {
      {kAttention, {"f64[2,3,4]", "f64[2,5,4]", "f64[2,5,6]"}},
      {kAttention, {"f64[2,3,4]", "f64[2,0,4]", "f64[2,0,6]"}},
      {"in A: f64[i,j,k], B: f64[k], C: f64[k,l]\nR[i,l] = sum[j,k](exp(A) * B * C / (1 + B * B))\nout R\n",
       {"f64[2,3,4]", "f64[4]", "f64[4,3]"}},
      {"in A: f64[i,k], B: f64[k,j]\nR[i,j] = sum[k | k < i or j == 0](A * B) - max[k](A * B)\nout R\n",
       {"f64[4,3]", "f64[3,4]"}},
      {"in A: f64[i,k], B: f64[k,j]\nM[i] = max[k](A)\nR[i,j] = sum[k](exp(A - M) * B) / sum[k](exp(A - M))\nout R\n",
       {"f64[4,3]", "f64[3,4]"}},
      {"in A: f64[i,k]\nP = softmax[k](A)\nL = softmax[i,k | i != k](3 * P)\nR[k,i] = sum[k](P) * L\nout R, P\n",
       {"f64[4,3]"}},
      {"in A: f64[i,k]\nR[i] = min[k | k > i](A) + sum[k](k * A * 0)\nout R\n", {"f64[4,3]"}},
      {"in A: f64[i,k], c: f64[]\nR[i] = sum[k](c * A * A * 2)\nout R\n", {"f64[4,3]", "f64[]"}},
      {"in A: f64[i,k], B: f64[k,j]\nR[i,j] = sum[k](-(A * i) / (3 * B))\nout R\n", {"f64[4,3]", "f64[3,2]"}},
  };
  for (const Case &c : cases) {
    SCOPED_TRACE(c.text);
    std::mt19937 random(1);
    Program p = bound(c.text, c.types);
    if (HasFailure()) return;
    checkMeaning(p, randomOperands(p, random));
  }
}

/// 1 to 5 operands of up to 4 indices; some diagonals, some extents 1 that broadcast, some extents 0.
TEST(FlattenMeaning, RandomEinsums) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const std::string letters = "abcde";
    std::vector<int64_t> extents;
    for (size_t i = 0; i < letters.size(); ++i) extents.push_back(random() % 12 == 0 ? 0 : 1 + random() % 3);
    std::string text, seen;
    std::vector<std::string> types;
    for (size_t operand = 0, n = 1 + random() % 5; operand < n; ++operand) {
      text += operand ? "," : "";
      std::string term, shape;
      for (size_t d = 0, rank = random() % 4; d < rank; ++d) {
        size_t i = random() % letters.size();
        bool diagonal = term.find(letters[i]) != std::string::npos;
        bool stretches = !diagonal && random() % 6 == 0;
        // A dimension of extent 1 has no diagonal: end the term before it takes one.
        if (diagonal && shape.find('1') != std::string::npos) break;
        term += letters[i];
        shape += (d ? "," : "") + std::to_string(stretches ? 1 : extents[i]);
      }
      text += term;
      seen += term;
      types.push_back("f64[" + shape + "]");
    }
    text += "->";
    for (char c : letters)
      if (seen.find(c) != std::string::npos && random() % 3 == 0) text += c;
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + text);
    Program p = bound(text, types);
    if (HasFailure()) return;
    checkMeaning(p, randomOperands(p, random));
    if (HasFailure()) return;
  }
}

TEST(FlattenMeaning, SoftmaxOfHardRows) {
  Program p = bound("in A: f64[i,k]\nP[i,k] = softmax[k | k < i](A)\nout P\n", {"f64[4,3]"});
  ASSERT_FALSE(HasFailure());
  // No point; a large one; a dropped NaN beside -inf; a NaN that counts.
  ReferenceTensor a{{4, 3}, {1, 2, 3, 1000, 0, 0, -kInfinity, 1, NAN, 1, NAN, 2}};
  std::vector<ReferenceTensor> result = interpret(flat(p).program, std::vector<ReferenceTensor>{a});
  expectSame(result, {{{4, 3}, {0, 0, 0, 1, 0, 0, 0, 1, 0, NAN, NAN, NAN}}});
  expectSame(result, interpret(p, std::vector<ReferenceTensor>{a}));

  p = bound("in A: f64[k]\nP[k] = softmax[k](A)\nout P\n", {"f64[2]"});
  result = interpret(flat(p).program, std::vector<ReferenceTensor>{{{2}, {-kInfinity, -kInfinity}}});
  expectSame(result, {{{2}, {0, 0}}});
}

} // namespace
