// Which pointwise steps become part of the step that reads them.
#include "tests/unit/paths/Programs.h"

using namespace ein;
using namespace ein::test;

namespace {

std::string flatText(const std::string &text, const std::vector<std::string> &types) {
  const Program source = bound(text, types);
  const FlatProgram f = fusedFlat(source);
  checkFlatForm(f.program);
  std::mt19937 random(3);
  const auto operands = randomOperands(source, random);
  expectSame(interpret(source, operands), interpret(f.program, operands));
  return assignments(f.program);
}

const std::string kIn = "in A: f32[i,j], B: f32[i,j], c: f32[j]\n";
const std::vector<std::string> kTypes{"f32[5,7]", "f32[5,7]", "f32[7]"};

std::string flatOf(const std::string &lets) { return flatText(kIn + lets, kTypes); }

TEST(Inline, ChainsBecomeOneStep) {
  EXPECT_EQ(flatOf("Z = A * c\nW = exp(Z)\nY[i,j] = W + B\nout Y\n"), "Y[i,j] = exp(A[i,j] * c[j]) + B[i,j]\n");
  EXPECT_EQ(flatOf("Z = A * c\nY[i,j] = Z * Z\nout Y\n"), "Y[i,j] = A[i,j] * c[j] * (A[i,j] * c[j])\n");
  EXPECT_EQ(flatOf("index k = i, l = j\nZ[i,j] = A * c\nY[k,l] = Z[k,l] + 1\nout Y\n"), "Y[k,l] = A[k,l] * c[l] + 1\n")
      << "other names of indices";
}

TEST(Inline, IntoReductionsOverAllOfIt) {
  EXPECT_EQ(flatOf("Z = A * c\nY[i] = max[j](Z + B)\nout Y\n"), "Y[i] = max[j](A[i,j] * c[j] + B[i,j])\n");
}

TEST(Inline, NothingIsComputedTwice) {
  EXPECT_EQ(flatOf("Z = exp(A)\nX[i,j] = Z + 1\nY[i,j] = Z * 2\nout X, Y\n"),
            "Z[i,j] = exp(A[i,j])\nX[i,j] = Z[i,j] + 1\nY[i,j] = Z[i,j] * 2\n");
  EXPECT_EQ(flatOf("Z = exp(c)\nY[i,j] = Z * A\nout Y\n"), "Z[j] = exp(c[j])\nY[i,j] = Z[j] * A[i,j]\n");
  EXPECT_EQ(flatOf("Z = exp(A)\nY = Z + B\nout Y, Z\n"), "Z[i,j] = exp(A[i,j])\nY[i,j] = Z[i,j] + B[i,j]\n");
}

TEST(Inline, WhatIsAskedForStays) {
  for (const char *request : {"store Z\n", "require stored(Z)\n"})
    EXPECT_EQ(flatOf(std::string("Z = exp(A)\nY = Z + B\nout Y\n") + request),
              "Z[i,j] = exp(A[i,j])\nY[i,j] = Z[i,j] + B[i,j]\n");
  EXPECT_EQ(flatOf("Z = exp(A)\nY = Z + B\nout Y\nrequire nostore(Z)\n"), "Y[i,j] = exp(A[i,j]) + B[i,j]\n");
}

TEST(Inline, TypesAndLayoutsThatDifferStay) {
  EXPECT_EQ(flatText("in A: f32[i,j]\nZ[i,j] = exp(A)\nY[i,j]: f64 = Z + 1\nout Y\n", {"f32[5,7]"}),
            "Z[i,j] = exp(A[i,j])\nY[i,j] = Z[i,j] + 1\n")
      << "Z is rounded to f32";
  EXPECT_EQ(flatOf("Z[i,j] = exp(A)\nY[j,i] = Z + 1\nout Y\n"), "Z[i,j] = exp(A[i,j])\nY[j,i] = Z[i,j] + 1\n");
}

TEST(Inline, StepsDoNotGrowForEver) {
  std::string text = "in A: f32[i]\nT0 = A + 1\n";
  for (int n = 1; n < 200; ++n) text += "T" + std::to_string(n) + " = T" + std::to_string(n - 1) + " * 0.5 + A\n";
  const FlatProgram f = fusedFlat(bound(text + "out T199\n", {"f32[8]"}));
  EXPECT_GT(f.program.assignments.size(), 2u);
  EXPECT_LT(f.program.assignments.size(), 20u);
}

TEST(Inline, NestsDoNotReadWhatTheyWrite) {
  CompileOptions options;
  options.alpha = 2, options.beta = 0.5;
  const std::vector<TensorType> types{TensorType(DType::F32, {5, 6}), TensorType(DType::F32, {6, 7})};
  Expected<Program> source = parseAndBind("ij,jk->ik", types, options);
  ASSERT_TRUE(source);
  const FlatProgram f = fusedFlat(*source, options);
  EXPECT_EQ(assignments(f.program), "unscaled[i,k] = sum[j](op0[i,j] * op1[j,k])\n"
                                    "result[i,k] = 2 * unscaled[i,k] + 0.5 * prior[i,k]\n");
  Expected<FlatProgram> apart = withoutFolds(f, *source, {{f.program.assignments[0].result}, {}});
  ASSERT_TRUE(apart);
  EXPECT_EQ(assignments(apart->program), "unscaled[i,k] = sum[j](op0[i,j] * op1[j,k])\nkept[i,k] = 0.5 * prior[i,k]\n"
                                         "result[i,k] = 2 * unscaled[i,k] + kept[i,k]\n");
}

} // namespace
