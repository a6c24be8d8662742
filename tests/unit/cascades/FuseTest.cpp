// Which Programs become cascades, and that they keep their meaning.
#include "compiler/Cascades/NormalForm.h"
#include "compiler/IndexNotation/ProgramHash.h"
#include "tests/unit/cascades/Fused.h"

#include <map>

using namespace ein;
using namespace ein::test;

namespace {

/// Checks the fused Program against the given one; its roles.
std::string fusedRoles(const std::string &text, const std::vector<std::string> &types) {
  Program p = bound(text, types);
  FusedProgram f = fuse(p, /*burden=*/0);
  auto ok = verify(f.program);
  EXPECT_TRUE(ok) << ok.error().render() << print(f.program);
  std::mt19937 random(5);
  std::vector<ReferenceTensor> operands = randomOperands(p, random);
  for (size_t i = 0; i < operands.size(); ++i) {
    if (!isInteger(p.tensors[p.inputs[i]].dtype)) continue;
    for (double &x : operands[i].values) x = std::floor(std::fabs(x) * 4);
    operands[i].integers.assign(operands[i].values.begin(), operands[i].values.end());
  }
  expectSame(interpret(withExplicitMasks(f), operands), interpret(p, operands));
  std::string result = roles(f);
  for (const Boundary &b : f.boundaries)
    result += (result.empty() ? "" : "; ") + b.result + " " + name(b.obstacle) + " " + b.reason;
  return result;
}

const std::vector<std::string> kQkv = {"f32[2,3,9,4]", "f32[2,3,7,4]", "f32[2,3,7,5]"};
const std::string kIn = "in Q: f32[b,h,q,d], K: f32[b,h,k,d], V: f32[b,h,k,e]\n";

TEST(Fuse, Attention) {
  EXPECT_EQ(fusedRoles(kIn + "S = sum[d](Q * K) * 0.125\nP = softmax[k](S)\nO[b,h,q,e] = sum[k](P * V)\nout O\n", kQkv),
            "tile tile max weight sum sum finish");
}

TEST(Fuse, Causal) {
  EXPECT_EQ(
      fusedRoles(kIn + "S = sum[d](Q * K)\nP = softmax[k | k <= q - 1](S)\nO[b,h,q,e] = sum[k](P * V)\nout O\n", kQkv),
      "high tile max weight sum sum finish");
}

TEST(Fuse, Spellings) {
  const std::string tail = "out O\n";
  const char *const bodies[] = {
      "S = sum[d](Q * K)\nm = max[k](S)\nw = exp(S - m)\nO[b,h,q,e] = sum[k](w * V) / sum[k](w)\n",
      "S = sum[d](Q * K)\nw = exp(S)\nl = sum[k](w)\nO[b,h,q,e] = sum[k](w / l * V)\n",
      "O[b,h,q,e] = sum[k](softmax[k](sum[d](K * Q)) * V)\n",
      "S = einsum(\"bhqd,bhkd->bqhk\", Q, K)\nP = softmax[k](S)\nO = einsum(\"bqhk,bhke->bhqe\", P, V)\n",
      "S = sum[d](Q * K)\nL = lse[k](S)\nO[b,h,q,e] = sum[k](exp(S - L) * V)\n",
      "S = sum[d](Q * K)\nm = max[k](S)\nO[b,h,q,e] = sum[k](exp(S - m) / sum[k](exp(S - m)) * V)\n",
  };
  for (const char *body : bodies)
    EXPECT_EQ(fusedRoles(kIn + body + tail, kQkv), "tile max weight sum sum finish") << body;
}

/// As `einc hash` does.
Program canonical(const Program &p) {
  const FusedProgram fused = fuse(p, /*burden=*/0);
  return fused.cascades.empty() ? normalForm(p) : withExplicitMasks(fused);
}

void expectOneHash(const std::string &head, const std::vector<std::string> &bodies, const std::string &tail,
                   const std::vector<std::string> &types) {
  std::map<std::string, std::string> hashes;
  for (const std::string &body : bodies) {
    const Program same = canonical(bound(head + body + tail, types));
    hashes.emplace(programHash(same), body + "\n" + print(same));
  }
  std::string all;
  for (const auto &[hash, text] : hashes) all += hash + "\n" + text + "\n";
  EXPECT_EQ(hashes.size(), 1u) << all;
}

/// One hash for all: what a Program computes, however it is said.
TEST(Fuse, SpellingsOfAttentionHaveOneHash) {
  const char *const bodies[] = {
      "S = sum[d](Q * K) * 0.5\nP = softmax[k](S)\nO[b,h,q,e] = sum[k](P * V)\n",
      "S = sum[d](K * Q) * 0.5\nP = softmax[k](S)\nO[b,h,q,e] = sum[k](V * P)\n",
      "S = sum[d](Q * 0.5 * K)\nP = softmax[k](S)\nO[b,h,q,e] = sum[k](P * V)\n",
      "S = sum[d](Q * (K * 0.5))\nP = softmax[k](S)\nO[b,h,q,e] = sum[k](P * V)\n",
      "S = sum[d](Q * K) / 2\nP = softmax[k](S)\nO[b,h,q,e] = sum[k](P * V)\n",
      "S = sum[d](Q * K) * (1 / 2)\nP = softmax[k](S)\nO[b,h,q,e] = sum[k](P * V)\n",
      "A = Q * 0.5\nS = sum[d](A * K)\nO[b,h,q,e] = sum[k](softmax[k](S) * V)\n",
      "A = K / 2\nS = sum[d](Q * A)\nO[b,h,q,e] = sum[k](softmax[k](S) * V)\n",
      "O[b,h,q,e] = sum[k](softmax[k](sum[d](Q * K) * 0.5) * V)\n",
      "S = einsum(\"bhqd,bhkd->bhqk\", Q, K) * 0.5\nP = softmax[k](S)\nO = einsum(\"bhqk,bhke->bhqe\", P, V)\n",
      "S = einsum(\"bhkd,bhqd->bkqh\", K, Q) * 0.5\nP = softmax[k](S)\nO = einsum(\"bhke,bkqh->bhqe\", V, P)\n",
      "S = sum[d](Q * K) * 0.5\nw = exp(S - max[k](S))\nO[b,h,q,e] = sum[k](w * V) / sum[k](w)\n",
      "S = sum[d](Q * K) * 0.5\nm = max[k](S)\nw = exp(S - m)\nl = sum[k](w)\nO[b,h,q,e] = sum[k](w / l * V)\n",
      "S = sum[d](Q * K) * 0.5\nw = exp(S)\nO[b,h,q,e] = sum[k](w * V) / sum[k](w)\n",
      "S = sum[d](Q * K) * 0.5\nw = exp(S)\nP = w / sum[k](w)\nO[b,h,q,e] = sum[k](V * P)\n",
      "S = sum[d](Q * K) * 0.5\nw = exp(S)\nr = 1 / sum[k](w)\nO[b,h,q,e] = r * sum[k](w * V)\n",
      "S = sum[d](Q * K) * 0.5\nL = lse[k](S)\nO[b,h,q,e] = sum[k](exp(S - L) * V)\n",
      "S = sum[d](Q * K) * 0.5\nL = lse[k](S)\nO[b,h,q,e] = sum[k](exp(S) * V) * exp(-L)\n",
      "S = sum[d](Q * K) * 0.5\nL = log(sum[k](exp(S)))\nO[b,h,q,e] = sum[k](exp(S - L) * V)\n",
      "S = sum[d](Q * K) * 0.5\nm = max[k](S)\nL = m + log(sum[k](exp(S - m)))\nO[b,h,q,e] = sum[k](exp(S - L) * V)\n",
      "S = sum[d](Q * K)\nm = max[k](S)\nw = exp((S - m) / 2)\nO[b,h,q,e] = sum[k](w * V) / sum[k](w)\n",
      "S = sum[d](Q * K)\nw = exp2(S * 0.72134752044448170367996234050095)\nO[b,h,q,e] = sum[k](w * V) / sum[k](w)\n",
      "S = sum[d](Q * K) * 0.5\nP = softmax[k | k >= 0](S)\nO[b,h,q,e] = sum[k](P * V)\n",
      "S = sum[d](Q * K) * 0.5\nT = S + S * 0\nP = softmax[k](0.5 * S + S / 2)\nO[b,h,q,e] = sum[k](P * V)\n"};
  expectOneHash(kIn, {std::begin(bodies), std::end(bodies)}, "out O\n", kQkv);
}

/// Programs 12 and 9 of docs/programs: a fused one and one that is not.
TEST(Fuse, SpellingsOfCrossEntropyHaveOneHash) {
  expectOneHash("in H: f32[t,c], W: f32[c,v], y: i32[t] below(v)\n",
                {"Z[t,v] = sum[c](H * W)\nL = lse[v](Z)\nloss[t] = L - Z[t, y[t]]\n",
                 "S[t,v] = sum[c](H * W)\nL = lse[v](S)\npicked[t] = S[t, y[t]]\nloss[t] = L - picked\n",
                 "Z[t,v] = einsum(\"tc,cv->tv\", H, W)\nL = log(sum[v](exp(Z)))\nloss[t] = L - Z[t, y[t]]\n",
                 "Z[t,v] = einsum(\"cv,tc->tv\", W, H)\nm = max[v](Z)\nL = m + log(sum[v](exp(Z - m)))\n"
                 "loss[t] = L - Z[t, y[t]]\n",
                 "Z[t,v] = sum[c](W * H)\nL = lse[v](Z)\nloss[t] = -(Z[t, y[t]] - L)\n",
                 "Z = sum[c](H * W)\nL = lse[v](Z)\nloss[t] = L - sum[v | v == y](Z)\n",
                 "Z = sum[c](H * W)\nL = lse[v](Z)\nloss[t] = L - sum[v](if y == v then Z else 0)\n",
                 "Z = sum[c](H * W)\nL = lse[v](Z)\nloss[t] = L - sum[v | y == v](sum[c](W * H))\n"},
                "out loss, L\n", {"f32[9,4]", "f32[4,7]", "i32[9]"});
}

TEST(Fuse, SpellingsOfLayerNormHaveOneHash) {
  expectOneHash(
      "in X: f32[t,c], ga: f32[c], be: f32[c], W: f32[c,o]\n",
      {"Y[t,o] = sum[c](((X - mean[c](X)) * rsqrt(var[c](X) + 1e-5) * ga + be) * W)\n",
       "m = mean[c](X)\nv = var[c](X)\nY[t,o] = sum[c](((X - m) / sqrt(v + 1e-5) * ga + be) * W)\n",
       "m = sum[c](X) / 33\nv = sum[c]((X - m) ^ 2) / 33\nN = (X - m) * (1 / sqrt(1e-5 + v))\n"
       "Y[t,o] = sum[c](W * (be + ga * N))\n",
       "m = sum[c](X) * (1 / 33)\nd = X - m\nv = mean[c](d * d)\nN[t,c] = d * rsqrt(v + 1e-5) * ga + be\n"
       "Y = einsum(\"tc,co->to\", N, W)\n",
       "m = mean[c](X)\nr = rsqrt(var[c](X) + 1e-5)\n"
       "Y[t,o] = r * sum[c](X * ga * W) - r * m * sum[c](ga * W) + sum[c](be * W)\n",
       "m = mean[c](X)\nd = sqrt(var[c](X) + 1e-5)\nY[t,o] = sum[c](W * be) + sum[c](W * ga * (X - m) / d)\n",
       "m = mean[c](X)\nr = rsqrt(var[c](X) + 1e-5)\nA = r * ga\nB = be - m * A\nY[t,o] = sum[c]((X * A + B) * W)\n",
       "m = mean[c](X)\nr = 1 / sqrt(var[c](X) + 1e-5)\nY[t,o] = sum[c]((X - m) * r * ga * W) + sum[c](be * W)\n"},
      "out Y\n", {"f32[7,33]", "f32[33]", "f32[33]", "f32[33,9]"});
}

TEST(Fuse, Masks) {
  EXPECT_EQ(
      fusedRoles(
          kIn + "S = sum[d](Q * K)\nT = if k <= q then S else -inf\nO[b,h,q,e] = sum[k](softmax[k](T) * V)\nout O\n",
          kQkv),
      "high tile max weight sum sum finish");
  EXPECT_EQ(
      fusedRoles(kIn + "S = sum[d](Q * K)\nO[b,h,q,e] = sum[k](softmax[k | k <= q and q - k < 3](S) * V)\nout O\n",
                 kQkv),
      "low high tile max weight sum sum finish");
  EXPECT_EQ(fusedRoles("in Q: f32[q,d], K: f32[k,d], V: f32[k,e], n: i32[q], a: i32[q], c: i32[k]\n"
                       "S = sum[d](Q * K)\nO[q,e] = sum[k](softmax[k | k < n and (a == c or k < 2)](S) * V)\nout O\n",
                       {"f32[9,4]", "f32[7,4]", "f32[7,5]", "i32[9]", "i32[9]", "i32[7]"}),
            "high tile guard max weight sum sum finish");
}

TEST(Fuse, StatesBesideTheResult) {
  EXPECT_EQ(fusedRoles(kIn + "S = sum[d](Q * K)\nP = softmax[k](S)\nO[b,h,q,e] = sum[k](P * V)\nL[b,h,q] = lse[k](S)\n"
                             "H[b,h,q] = L - sum[k](P * S)\nout O, L, H\n",
                       kQkv),
            "tile max weight sum tile sum sum finish finish finish");
}

TEST(Fuse, CrossEntropy) {
  EXPECT_EQ(fusedRoles("in H: f32[t,c], W: f32[c,v], y: i32[t]\nZ = sum[c](H * W)\nL = lse[v](Z)\n"
                       "loss[t] = L - sum[v | v == y](Z)\nout loss, L\n",
                       {"f32[9,4]", "f32[4,7]", "i32[9]"}),
            "tile max weight sum tile sum finish finish");
}

TEST(Fuse, BlockWithProjections) {
  EXPECT_EQ(fusedRoles(
                "in X: f32[s,c], A: f32[c,h,d], B: f32[c,h,d], C: f32[c,h,d], D: f32[h,d,c]\nindex t = s\nindex f = c\n"
                "Q = sum[c](X * A)\nK = sum[c](X * B)\nV = sum[c](X * C)\nP = softmax[t](sum[d](Q * K[t,h,d]) / 2)\n"
                "O[s,h,d] = sum[t](P * V[t,h,d])\nY[s,f] = sum[h,d](O * D[h,d,f])\nout Y\n",
                {"f32[9,4]", "f32[4,2,3]", "f32[4,2,3]", "f32[4,2,3]", "f32[2,3,4]"}),
            "tile tile max weight sum sum finish");
}

TEST(Fuse, SinksAndGathers) {
  EXPECT_EQ(fusedRoles("in Q: f32[h,q,d], K: f32[h,k,d], V: f32[h,k,e], snk: f32[h]\nS = sum[d](Q * K)\n"
                       "O[h,q,e] = sum[k](softmax[k | k <= q - 2](S, sink = snk) * V)\nout O\n",
                       {"f32[3,9,4]", "f32[3,7,4]", "f32[3,7,5]", "f32[3]"}),
            "high tile max weight sum sum finish");
  EXPECT_EQ(fusedRoles("in H: f32[t,c], W: f32[c,v], y: i32[t] below(v)\nZ[t,v] = sum[c](H * W)\nL = lse[v](Z)\n"
                       "loss[t] = L - Z[t, y[t]]\nout loss, L\n",
                       {"f32[9,4]", "f32[4,7]", "i32[9]"}),
            "tile max weight sum tile sum finish finish");
}

TEST(Fuse, GatheredKeysAreReadWhereTheyAre) {
  EXPECT_EQ(fusedRoles("in Q: f32[q,d], K: f32[p,s,d], V: f32[p,s,e], T: i32[n] below(p)\nindex s = 2, k = n * 2\n"
                       "S = sum[d](Q * K[T[k // 2], k % 2, d])\n"
                       "O[q,e] = sum[k](softmax[k](S) * V[T[k // 2], k % 2, e])\nout O\n",
                       {"f32[9,4]", "f32[3,2,4]", "f32[3,2,5]", "i32[4]"}),
            "tile max weight sum sum finish");
  // A place along the index that is summed is none of the key.
  EXPECT_EQ(fusedRoles("in Q: f32[q,d], K: f32[k,n], V: f32[k,e], T: i32[d] below(n)\nS = sum[d](Q * K[k, T])\n"
                       "O[q,e] = sum[k](softmax[k](S) * V)\nout O\n",
                       {"f32[9,4]", "f32[7,3]", "f32[7,5]", "i32[4]"}),
            "O NOT_LOCAL what is gathered or computed on the way is as large as a tile");
}

/// The roles of a Program that is too large to be interpreted.
std::string largeRoles(const std::string &text, const std::vector<std::string> &types) {
  const FusedProgram f = fuse(bound(text, types));
  return f.boundaries.empty() ? roles(f) : f.boundaries[0].result + " " + name(f.boundaries[0].obstacle);
}

TEST(Fuse, RowsAreComputedBeforeWhereTilesAreABurden) {
  const std::string in = "in X: f32[t,c], U: f32[c,f], D: f32[f,o]\n"
                         "Y[t,o] = sum[f](tanh(sum[c](tanh(X) * U)) * D)\nout Y\n";
  EXPECT_EQ(largeRoles(in, {"f32[1024,2048]", "f32[2048,4096]", "f32[4096,64]"}), "Y NOT_LOCAL");
  EXPECT_EQ(largeRoles(in, {"f32[2048,2048]", "f32[2048,4096]", "f32[4096,64]"}), "tile tile sum finish");
  EXPECT_EQ(fusedRoles(in + "require nostore(Y)\n", {"f32[16,64]", "f32[64,17]", "f32[17,64]"}),
            "tile tile sum finish");
}

TEST(Fuse, PassesThatRepeatProductsWhereScoresAreABurden) {
  auto backward = [](bool masked, const std::string &more = "") {
    const std::string guard = masked ? " | k <= q" : "", weight = "exp(S - L)";
    return "in Q: f32[q,d], K: f32[k,d], V: f32[k,e], G: f32[q,e]\nS = sum[d](Q * K)\nL = lse[k" + guard +
           "](S)\nP = " + (masked ? "where(k <= q, " + weight + ", 0)" : weight) +
           "\nT = sum[e](G * V)\nR[q] = sum[k](T * P)\nA = P * (T - R)\nX[q,d] = sum[k](A * K)\n"
           "Y[k,d] = sum[q](A * Q)\nZ[k,e] = sum[q](G * P)\nout X, Y, Z\n" +
           more;
  };
  auto sizes = [](int64_t n) {
    const std::string s = "f32[" + std::to_string(n) + ",64]";
    return std::vector<std::string>{s, s, s, s};
  };
  EXPECT_EQ(largeRoles(backward(false), sizes(256)), "X UNPROFITABLE");
  EXPECT_NE(largeRoles(backward(false), sizes(512)).find("tile"), std::string::npos) << "1 MiB of scores";
  EXPECT_NE(largeRoles(backward(true), sizes(256)).find("high"), std::string::npos) << "half of the work";
  EXPECT_NE(largeRoles(backward(false, "require exact(X)\n"), sizes(256)).find("tile"), std::string::npos);
}

TEST(Fuse, TwoScores) {
  const std::string in =
      "in Q: f32[q,d], R: f32[q,d], K: f32[k,d], V: f32[k,e]\nS = sum[d](Q * K)\nT = sum[d](R * K)\n";
  const std::vector<std::string> types = {"f32[9,4]", "f32[9,4]", "f32[7,4]", "f32[7,5]"};
  EXPECT_EQ(fusedRoles(in + "O[q,e] = sum[k]((softmax[k](S) - 0.3 * softmax[k](T)) * V)\nout O\n", types),
            "tile tile max max weight weight sum sum sum sum finish");
  EXPECT_EQ(fusedRoles(in + "O[q,e] = sum[k]((softmax[k | k < 3](S) - softmax[k](T)) * V)\nout O\n", types),
            "O UNSUPPORTED two scores have different guards");
}

TEST(Fuse, TypesThatAPassWouldLose) {
  EXPECT_EQ(fusedRoles("in Q: f32[q,d], K: f32[k,d], V: f32[k,e]\nS[q,k]: f64 = sum[d](Q * K)\n"
                       "O[q,e]: f64 = sum[k](softmax[k](S) * V)\nout O\n",
                       {"f32[9,4]", "f32[7,4]", "f32[7,5]"}),
            "");
  EXPECT_EQ(fusedRoles("in Q: i32[q,d], K: i32[k,d], V: i32[k,e]\nS = sum[d](Q * K)\n"
                       "O[q,e] = sum[k](max(S, 0) * V)\nout O\n",
                       {"i32[9,4]", "i32[7,4]", "i32[7,5]"}),
            "O UNSUPPORTED an inner product of integers is summed in integers");
}

TEST(Fuse, WhatCancels) {
  EXPECT_EQ(fusedRoles("in Q: f32[q,d], K: f32[k,d], V: f32[k], B: f32[e]\nS = sum[d](Q * K)\n"
                       "O[q,e] = sum[k](softmax[k](S) * V) + B - B\nout O\n",
                       {"f32[9,4]", "f32[7,4]", "f32[7]", "f32[3]"}),
            "O UNSUPPORTED it lists an index on which it does not depend");
}

TEST(Fuse, WhatIsNoCascade) {
  EXPECT_EQ(fusedRoles(kIn + "P[b,h,q,k] = softmax[k](sum[d](Q * K))\nO[b,h,q,e] = sum[k](P * V)\nout P, O\n", kQkv),
            "O NONLINEAR_USE P is final only after all k");
  EXPECT_EQ(
      fusedRoles("in S: f32[q,k], V: f32[k,e]\nO[q,e] = sum[k](softmax[k](S) * V)\nout O\n", {"f32[9,7]", "f32[7,4]"}),
      "");
  EXPECT_EQ(fusedRoles(kIn + "P = softmax[k](sum[d](Q * K))\nO[b,h,q,e] = sum[k](sqrt(P) * V)\nout O\n", kQkv),
            "O SECOND_PASS a term is no product of what depends on k and a reduction over it");
}

} // namespace
