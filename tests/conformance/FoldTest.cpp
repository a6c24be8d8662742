// Contractions that compute an operand where they pack it, against the interpreter.
#include "tests/conformance/FusedCase.h"

using namespace ein;
using namespace ein::test;

namespace {

const char *const kLayerNorm = "in X: f32[t,c], ga: f32[c], be: f32[c], W: f32[c,o]\n"
                               "N = (X - mean[c](X)) * rsqrt(var[c](X) + 1e-5) * ga + be\n"
                               "Y[t,o] = sum[c](N * W)\nout Y\nrequire nostore(N)\n";

TEST(Fold, EveryLayoutOfTheOperands) {
  for (const char *x : {"f32[61,121] ", "f32[61,121]{1,61} ", "f32[61,121]{300,2} "})
    for (const char *w : {"f32[121,79]", "f32[121,79]{1,121}", "f32[121,79]{400,3}"})
      EXPECT_TRUE(fusedAsInterpreted(kLayerNorm, x + std::string("f32[121] f32[121] ") + w, 1, "host", "computed, "));
}

TEST(Fold, TeamsThatShareRowsColumnsAndBatches) {
  for (const char *sizes : {"f32[1200,40] f32[40] f32[40] f32[40,70]", "f32[17,300] f32[300] f32[300] f32[300,900]"})
    for (int threads : {2, 3}) EXPECT_TRUE(fusedAsInterpreted(kLayerNorm, sizes, threads, "host", "computed, "));
  const char *batches = "in A: f32[b,i,k], s: f32[b,k], r: f32[i], B: f32[b,k,j]\nN[b,k,i] = tanh(A * s + r)\n"
                        "C[b,i,j] = sum[k](B * N)\nout C\nrequire nostore(N)\n";
  for (const char *a : {"f32[4,96,80] ", "f32[4,96,80]{7680,1,96} "})
    for (const char *b : {"f32[4,80,90]", "f32[4,80,90]{7200,1,80}", "f32[4,80,90]{1,360,4}"})
      EXPECT_TRUE(fusedAsInterpreted(batches, a + std::string("f32[4,80] f32[96] ") + b, 2, "host", "rows=computed, "));
}

TEST(Fold, SidesOfSeveralIndices) {
  const char *text = "in A: f32[i,a,k,c], s: f32[a,c], r: f32[i,k], B: f32[k,c,j,l]\nN[i,a,k,c] = A * s + exp(r)\n"
                     "C[l,a,j,i] = sum[k,c](B * N)\nout C\nrequire nostore(N)\n";
  for (const char *a : {"f32[10,7,11,10] ", "f32[10,7,11,10]{1,10,70,770} ", "f32[10,7,11,10]{770,1,70,7} "})
    for (const char *b : {"f32[11,10,9,13]", "f32[11,10,9,13]{1,11,110,990}", "f32[11,10,9,13]{1170,117,1,9}"})
      EXPECT_TRUE(fusedAsInterpreted(text, a + std::string("f32[7,10] f32[10,11] ") + b, 1, "host", "computed, "));
}

TEST(Fold, OtherTypesAndTargets) {
  const char *text = "in X: bf16[t,c], n: i32[c], m: bool[t,c], W: bf16[c,o]\n"
                     "N[t,c] = where(m, silu(X) * n, 0.5)\nY[t,o] = sum[c](N * W)\nout Y\nrequire nostore(N)\n";
  for (const char *target : {"host", "x86-64-v2", "x86-64-v3"})
    EXPECT_TRUE(fusedAsInterpreted(text, "bf16[50,60] i32[60] bool[50,60] bf16[60,33]", 1, target, "computed, "));
  const char *wide = "in X: f64[t,c], m: f64[t], W: f64[o,c]\nN[t,c] = exp(X - m)\nY[t,o] = sum[c](N * W)\nout Y\n"
                     "require nostore(N)\n";
  EXPECT_TRUE(fusedAsInterpreted(wide, "f64[50,60] f64[50] f64[33,60]", 1, "host", "computed, "));
}

TEST(Fold, OneProducerOfTwoContractions) {
  const char *text = "in X: f32[t,c], g: f32[c], U: f32[c,f], T: f32[c,f], D: f32[f,o]\n"
                     "N = X * rsqrt(mean[c](X^2) + 1e-6) * g\nG[t,f] = silu(sum[c](N * U)) * sum[c](N * T)\n"
                     "Y[t,o] = sum[f](G * D)\nout Y\n";
  EXPECT_TRUE(
      fusedAsInterpreted(text, "f32[2048,128] f32[128] f32[128,24] f32[128,24] f32[24,16]", 2, "host", "computed, "));
}

} // namespace
