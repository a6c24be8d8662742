// Which producers are folded into contractions, which are not, and that the Program keeps its meaning.
#include "compiler/Paths/FoldProducers.h"
#include "tests/unit/paths/Programs.h"

using namespace ein;
using namespace ein::test;

namespace {

FlatProgram folded(const std::string &text, const std::vector<std::string> &types) {
  FlatProgram f = fusedFlat(bound(text, types));
  checkFlatForm(f.program);
  return f;
}

/// Whether a tensor is computed inside of the contractions that read it.
bool isFolded(const FlatProgram &f, const std::string &name) {
  return std::any_of(f.folded.begin(), f.folded.end(),
                     [&](const auto &t) { return f.program.tensors[t.tensor].name == name; });
}

const std::string kProjection = "in X: f32[t,c], s: f32[t], W: f32[c,o]\nN[t,c] = exp(X * (1 / sqrt(s + 1)))\n"
                                "Y[t,o] = sum[c](N * W)\nout Y\n";
const std::vector<std::string> kLarge{"f32[1024,1024]", "f32[1024]", "f32[1024,64]"};
const std::vector<std::string> kSmall{"f32[32,40]", "f32[32]", "f32[40,20]"};

TEST(FoldProducers, WhatRowsHaveIsComputedBefore) {
  FlatProgram f = folded(kProjection, kLarge);
  EXPECT_EQ(assignments(f.program), "N_0[t] = 1 / sqrt(s[t] + 1)\nY[t,o] = sum[c](exp(X[t,c] * N_0[t]) * W[c,o])\n");
  ASSERT_EQ(f.folded.size(), 1u);
  EXPECT_EQ(f.program.tensors[f.folded[0].reader].name, "Y");
  EXPECT_EQ(f.workspaceBytes, 4096);
  EXPECT_NE(f.str().find("N: f32[1024,1024]: never stored, part of Y"), std::string::npos) << f.str();
}

TEST(FoldProducers, SmallTensorsStayUnlessTheyMustNot) {
  EXPECT_FALSE(isFolded(folded(kProjection, kSmall), "N"));
  EXPECT_TRUE(isFolded(folded(kProjection + "require nostore(N)\n", kSmall), "N"));
}

TEST(FoldProducers, WhatIsAskedForStays) {
  EXPECT_FALSE(isFolded(folded(kProjection + "require stored(N)\n", kLarge), "N"));
  EXPECT_FALSE(isFolded(folded(kProjection + "store N\n", kLarge), "N"));
  std::string text = kProjection;
  EXPECT_FALSE(isFolded(folded(text.replace(text.find("out Y"), 5, "out Y, N"), kLarge), "N"));
}

TEST(FoldProducers, OnlyIntoContractions) {
  const std::string begin = "in X: f32[t,c], s: f32[t], W: f32[c,o]\nN[t,c] = exp(X * s)\n";
  auto isFoldedWith = [&](const std::string &rest) { return isFolded(folded(begin + rest, kLarge), "N"); };
  EXPECT_TRUE(isFoldedWith("Y[t,o] = sum[c](N * W)\nout Y\n"));
  EXPECT_TRUE(isFoldedWith("index d = c\nY[t,o] = sum[d](N[t,d] * W[d,o])\nout Y\n")) << "other names of indices";
  EXPECT_FALSE(isFoldedWith("Y[t] = max[c](N)\nZ[t,o] = sum[c](N * W)\nout Y, Z\n")) << "another reader";
  EXPECT_FALSE(isFoldedWith("Y[t,o] = max[c](N * W)\nout Y\n")) << "no sum";
  EXPECT_FALSE(isFoldedWith("Y = sum[c,o](N[3,c] * W)\nout Y\n")) << "one row";
  EXPECT_FALSE(isFoldedWith("index u = t\nY[t,u] = sum[c](N[t,c] * N[u,c])\nout Y\n")) << "both factors";
}

TEST(FoldProducers, SeveralReadersComputeWhatIsCheap) {
  auto isFoldedAs = [&](const std::string &n) {
    return isFolded(folded("in X: f32[t,c], s: f32[t], W: f32[c,o], V: f32[c,o]\nN[t,c] = " + n +
                               "\nY[t,o] = sum[c](N * W)\nZ[t,o] = sum[c](N * V)\nout Y, Z\n",
                           {"f32[1024,1024]", "f32[1024]", "f32[1024,64]", "f32[1024,64]"}),
                    "N");
  };
  EXPECT_TRUE(isFoldedAs("X * s + 1"));
  EXPECT_TRUE(isFoldedAs("X * exp(s)")) << "once for each row";
  EXPECT_FALSE(isFoldedAs("exp(tanh(X) * s)"));
}

TEST(FoldProducers, ThinContractionsReadWhatIsStored) {
  EXPECT_FALSE(isFolded(folded(kProjection, {"f32[8,65536]", "f32[8]", "f32[65536,64]"}), "N"));
  EXPECT_FALSE(isFolded(folded(kProjection, {"f32[1024,1024]", "f32[1024]", "f32[1024,4]"}), "N"));
}

TEST(FoldProducers, ChainsFoldFromTheirEnd) {
  const std::string text = "in A: f32[i,k], B: f32[k,j], C: f32[k,j], D: f32[j,l]\n"
                           "G[i,j] = silu(sum[k](A * B)) * sum[k](A * C)\nE[i,l] = sum[j](G * D)\nout E\n";
  FlatProgram f = folded(text, {"f32[512,64]", "f32[64,512]", "f32[64,512]", "f32[512,32]"});
  EXPECT_EQ(assignments(f.program), "t0[i,j] = sum[k](A[i,k] * B[k,j])\nt1[i,j] = sum[k](A[i,k] * C[k,j])\n"
                                    "E[i,l] = sum[j](silu(t0[i,j]) * t1[i,j] * D[j,l])\n");
}

TEST(FoldProducers, KeepsTheMeaning) {
  const std::string text = "in X: f64[t,c], s: f64[t], r: f64[c], W: f64[c,o], V: f64[o,c]\nindex d = c\n"
                           "N[t,c] = tanh(X * s + r / 2)\nY[t,o] = sum[c](N * W)\nZ[o,t] = sum[d](N[t,d] * V[o,d])\n"
                           "out Y, Z\nrequire nostore(N)\n";
  const Program source = bound(text, {"f64[17,18]", "f64[17]", "f64[18]", "f64[18,19]", "f64[19,18]"});
  FlatProgram f = fusedFlat(source);
  EXPECT_EQ(f.folded.size(), 2u);
  std::mt19937 random(7);
  const auto operands = randomOperands(source, random);
  expectSame(interpret(source, operands), interpret(f.program, operands));
}

} // namespace
