// Which pointwise steps end the tiles of a contraction.
#include "tests/unit/paths/Programs.h"

using namespace ein;
using namespace ein::test;

namespace {

const std::string kIn = "in A: f32[i,k], B: f32[k,j], C: f32[i,j], b: f32[j]\n";
const std::vector<std::string> kTypes{"f32[5,6]", "f32[6,7]", "f32[5,7]", "f32[7]"};

/// "t0 in Y" for every fold.
std::string foldsIn(const std::string &text, const std::vector<std::string> &types = kTypes) {
  const Program source = bound(text, types);
  const FlatProgram f = fusedFlat(source);
  checkFlatForm(f.program);
  std::mt19937 random(5);
  const auto operands = randomOperands(source, random);
  expectSame(interpret(source, operands), interpret(f.program, operands));
  std::string found;
  for (const Fold &fold : f.folds) {
    EXPECT_TRUE(isVirtual(f, fold.product));
    EXPECT_EQ(f.workspaceOffsets[f.program.assignments[fold.product].result], -1);
    found += (found.empty() ? "" : ", ") + f.program.tensors[f.program.assignments[fold.product].result].name + " in " +
             f.program.tensors[f.program.assignments[fold.product + 1].result].name;
  }
  return found;
}

TEST(FoldFinishes, BiasAndFunction) {
  EXPECT_EQ(foldsIn(kIn + "Y[i,j] = gelu(sum[k](A * B) + b)\nout Y\n"), "t0 in Y");
  EXPECT_EQ(foldsIn(kIn + "S = sum[k](A * B)\nT = S + b\nY[i,j] = T * sigmoid(T) + C\nout Y\n"), "S in Y");
  EXPECT_EQ(foldsIn(kIn + "S = sum[k](A * B)\nY[j,i] = S + b\nout Y\n"), "S in Y") << "another layout";
  EXPECT_EQ(foldsIn(kIn + "S = max[k](A + B)\nY[i,j] = S - b\nout Y\n"), "S in Y") << "another semiring";
}

TEST(FoldFinishes, TheLongerOfTwoContractions) {
  EXPECT_EQ(foldsIn("in A: f32[i,k], B: f32[k,j], P: f32[i,l], Q: f32[l,j]\n"
                    "S = sum[k](A * B)\nT = sum[l](P * Q)\nY[i,j] = S * T\nout Y\n",
                    {"f32[5,9]", "f32[9,7]", "f32[5,3]", "f32[3,7]"}),
            "S in Y");
}

TEST(FoldFinishes, WhatOthersReadStays) {
  const std::string sum = kIn + "S = sum[k](A * B)\nY[i,j] = S + b\n";
  EXPECT_EQ(foldsIn(sum + "out Y\n"), "S in Y");
  EXPECT_EQ(foldsIn(sum + "out Y, S\n"), "");
  EXPECT_EQ(foldsIn(sum + "Z[i,j] = S * C\nout Y, Z\n"), "");
  EXPECT_EQ(foldsIn(sum + "out Y\nstore S\n"), "");
  EXPECT_EQ(foldsIn(sum + "out Y\nrequire nostore(S)\n"), "S in Y");
}

TEST(FoldFinishes, PointByPointOnly) {
  const std::vector<std::string> square{"f32[5,6]", "f32[6,5]", "f32[5,5]", "f32[5]"};
  EXPECT_EQ(foldsIn(kIn + "index j = i\nS = sum[k](A * B)\nY[i,j] = S[i,j] + S[j,i]\nout Y\n", square), "");
  EXPECT_EQ(foldsIn(kIn + "index j = i\nS = sum[k](A * B)\nY[i] = S[i,i] + b[i]\nout Y\n", square), "");
  EXPECT_EQ(foldsIn("in a: f32[i,k], c: f32[k], C: f32[i,j]\nS = sum[k](a * c)\nY[i,j] = S[i] * C\nout Y\n",
                    {"f32[5,6]", "f32[6]", "f32[5,7]"}),
            "");
}

TEST(FoldFinishes, RefusedOnesAreTwoSteps) {
  const Program source = bound(kIn + "S = sum[k](A * B)\nY[i,j] = S + b\nout Y\n", kTypes);
  const FlatProgram f = fusedFlat(source);
  ASSERT_EQ(f.folds.size(), 1u);
  EXPECT_EQ(f.workspaceBytes, 0);
  EXPECT_NE(f.str().find("S: f32[5,7]: never stored, each tile ends as Y"), std::string::npos) << f.str();
  RefusedFolds refused;
  EXPECT_TRUE(refused.add({{f.program.assignments[0].result}, {}}));
  EXPECT_FALSE(refused.add({{f.program.assignments[0].result}, {}})) << "nothing new";
  Expected<FlatProgram> apart = withoutFolds(f, source, refused);
  ASSERT_TRUE(apart);
  EXPECT_TRUE(apart->folds.empty());
  EXPECT_EQ(apart->workspaceBytes, 192);
}

} // namespace
