// Contractions whose tiles end with what follows point by point, against the interpreter.
#include "tests/conformance/FusedCase.h"

using namespace ein;
using namespace ein::test;

namespace {

const char *const kOnTiles = "what follows on each tile";
const char *const kLinear = "in A: f32[i,k], B: f32[k,j], b: f32[j], C: f32[i,j]\n"
                            "Y[i,j] = gelu(sum[k](A * B) + b) * C\nout Y\nrequire onepass(Y)\n";

TEST(Finish, RaggedTilesAndBlocksOfTheDepth) {
  for (int k : {33, 200, 1100})
    for (int j : {64, 79, 131}) {
      const std::string n = std::to_string(k), m = std::to_string(j);
      const std::string types = "f32[61," + n + "] f32[" + n + "," + m + "] f32[" + m + "] f32[61," + m + "]";
      EXPECT_TRUE(fusedAsInterpreted(kLinear, types, 1, "host", kOnTiles)) << types;
    }
}

TEST(Finish, LayoutsOfWhatItReads) {
  for (const char *b : {"f32[79] ", "f32[79]{0} "})
    for (const char *c : {"f32[61,79]", "f32[61,79]{0,1}", "f32[61,79]{158,1}"})
      EXPECT_TRUE(fusedAsInterpreted(kLinear, std::string("f32[61,90] f32[90,79] ") + b + c, 1, "host", kOnTiles));
}

TEST(Finish, TeamsAndBatches) {
  for (int threads : {2, 3})
    EXPECT_TRUE(
        fusedAsInterpreted(kLinear, "f32[200,600] f32[600,160] f32[160] f32[200,160]", threads, "host", kOnTiles));
  const char *batches = "in A: f32[n,i,k], B: f32[n,k,j], r: f32[n,i]\nY[n,i,j] = tanh(sum[k](A * B)) / r\nout Y\n"
                        "require onepass(Y)\n";
  EXPECT_TRUE(fusedAsInterpreted(batches, "f32[5,60,70] f32[5,70,80] f32[5,60]", 2, "host", kOnTiles));
}

TEST(Finish, TypesOfResults) {
  const char *text = "in A: bf16[i,k], B: bf16[k,j], b: f32[j]\nY[i,j]: bf16 = relu(sum[k](A * B) + b)\nout Y\n"
                     "require onepass(Y)\n";
  for (const char *target : {"host", "x86-64-v2", "x86-64-v3"})
    EXPECT_TRUE(fusedAsInterpreted(text, "bf16[50,260] bf16[260,83] f32[83]", 1, target, kOnTiles));
  Case whole;
  whole.text = "in A: i8[i,k], B: i8[k,j], s: f32[j]\n"
               "Y[i,j] = cast(sum[k](cast(A, i32) * cast(B, i32)), f32) * s\nout Y\n";
  whole.types = types("i8[50,60] i8[60,83] f32[83]");
  EXPECT_TRUE(computesAsInterpreted(whole));
  const char *wide =
      "in A: f64[i,k], B: f64[k,j], C: f64[i,j]\nY[i,j] = C - sum[k](A * B)\nout Y\nrequire onepass(Y)\n";
  EXPECT_TRUE(fusedAsInterpreted(wide, "f64[50,600] f64[600,83] f64[50,83]", 1, "host", kOnTiles));
}

TEST(Finish, AfterAComputedOperand) {
  const char *text = "in X: f32[t,c], m: f32[t], W: f32[c,o], b: f32[o], R: f32[t,o]\nN = exp(X - m)\n"
                     "Y[t,o] = R + silu(sum[c](N * W) + b)\nout Y\nrequire nostore(N)\nrequire onepass(Y)\n";
  for (int threads : {1, 2})
    EXPECT_TRUE(
        fusedAsInterpreted(text, "f32[90,700] f32[90] f32[700,70] f32[70] f32[90,70]", threads, "host", "computed, "));
}

TEST(Finish, OfATropicalProduct) {
  const char *text = "in D: f32[i,j], E: f32[j,k], F: f32[i,k]\nM[i,k] = min(F, min[j](D + E))\nout M\n";
  EXPECT_TRUE(fusedAsInterpreted(text, "f32[70,80] f32[80,90] f32[70,90]", 1, "host", kOnTiles));
}

TEST(Finish, TheResultIsReadBeforeItIsWritten) {
  for (const char *depth : {"512", "1500"})
    for (std::vector<int64_t> strides : {std::vector<int64_t>{83, 1}, {1, 97}}) {
      Case c;
      c.text = "ik,kj->ij";
      c.types = types(std::string("f32[97,") + depth + "] f32[" + depth + ",83]");
      c.options.alpha = 2, c.options.beta = 0.5;
      c.options.resultStrides = {strides};
      auto execution = Execution::prepare(c);
      ASSERT_TRUE(execution) << execution.error().render();
      ASSERT_TRUE(execution->run());
      EXPECT_TRUE(agreesWithInterpreter(*execution)) << depth << " " << strides[0];
    }
}

} // namespace
