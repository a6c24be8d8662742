// Fused cascades against the interpreter: attention in its variants, odd sizes, masks, dtypes, and its relatives.
#include "tests/conformance/FusedCase.h"

using namespace ein;
using namespace ein::test;

namespace {

std::string replaced(std::string text, const std::string &what, const std::string &by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

/// Attention with a score, a guard and further operands filled in.
std::string attention(const std::string &score, const std::string &guard = "", const std::string &more = "",
                      const std::string &dtype = "f32") {
  return replaced("in Q: " + dtype + "[b,h,q,d], K: " + dtype + "[b,h,k,d], V: " + dtype + "[b,h,k,e]" + more +
                      "\nS = einsum(\"bhqd,bhkd->bhqk\", Q, K)\nT[b,h,q,k] = " + score + "\nP = softmax[k" +
                      (guard.empty() ? "" : " | " + guard) + "](T)\nO[b,h,q,e] = sum[k](P * V)\nout O\n",
                  "\n\n", "\n");
}

std::string tensor(const std::string &dtype, std::initializer_list<int64_t> shape) {
  std::string text = dtype + "[";
  for (int64_t n : shape) text += std::to_string(n) + ",";
  text.back() = ']';
  return text + " ";
}

std::string qkv(int64_t b, int64_t h, int64_t q, int64_t k, int64_t d, int64_t e, const std::string &t = "f32") {
  return tensor(t, {b, h, q, d}) + tensor(t, {b, h, k, d}) + tensor(t, {b, h, k, e});
}

constexpr const char *kScaled = "S * 0.125";

TEST(Cascade, AttentionOfOddSizes) {
  for (int64_t q : {17, 64, 197})
    for (int64_t k : {1, 5, 17, 197})
      for (int64_t d : {3, 40, 96})
        EXPECT_TRUE(fusedAsInterpreted(attention(kScaled), qkv(1, 2, q, k, d, d), 1, "host", "cascade\""));
  EXPECT_TRUE(fusedAsInterpreted(attention(kScaled), qkv(2, 1, 33, 100, 24, 7)));
  EXPECT_TRUE(fusedAsInterpreted(attention(kScaled), qkv(2, 3, 20, 1, 8, 8)));
  EXPECT_TRUE(fusedAsInterpreted(attention(kScaled), qkv(1, 1, 40, 130, 300, 20)));
}

TEST(Cascade, AttentionWithGuards) {
  const std::string sizes = qkv(2, 2, 70, 90, 16, 16);
  for (const char *guard : {"k <= q", "k >= q", "k <= q and k > q - 9", "k < q - 30", "k == q", "k <= q + 20", "k != 3",
                            "(k + q) < 50 or k == 7"})
    EXPECT_TRUE(fusedAsInterpreted(attention(kScaled, guard), sizes)) << guard;
  EXPECT_TRUE(fusedAsInterpreted(attention(kScaled, "k < n[b]", ", n: i32[b]"), sizes + "i32[2]"));
  EXPECT_TRUE(fusedAsInterpreted(attention(kScaled, "m[b,q,k]", ", m: bool[b,q,k]"), sizes + "bool[2,70,90]"));
  EXPECT_TRUE(fusedAsInterpreted(attention(kScaled, "m[b,k] and k <= q", ", m: bool[b,k]"), sizes + "bool[2,90]"));
}

TEST(Cascade, AttentionWithOtherScores) {
  const std::string sizes = qkv(2, 2, 37, 61, 16, 16);
  EXPECT_TRUE(fusedAsInterpreted(attention("S"), sizes));
  EXPECT_TRUE(fusedAsInterpreted(attention("S / 4 + (k - q) * 0.1"), sizes));
  EXPECT_TRUE(fusedAsInterpreted(attention("tanh(S / 3) * 3", "k <= q"), sizes));
  EXPECT_TRUE(fusedAsInterpreted(attention("S + B", "", ", B: f32[h,q,k]"), sizes + "f32[2,37,61]"));
  EXPECT_TRUE(fusedAsInterpreted(attention("S + B", "", ", B: f32[k]"), sizes + "f32[61]"));
  EXPECT_TRUE(fusedAsInterpreted(attention("S - a[h] * abs(q - k)", "k <= q", ", a: f32[h]"), sizes + "f32[2]"));
  EXPECT_TRUE(fusedAsInterpreted(attention("S * 10000", "k <= q"), sizes));
}

TEST(Cascade, AttentionOfOtherTypes) {
  for (const char *dtype : {"f64", "bf16", "f16"})
    for (int64_t q : {16, 49})
      EXPECT_TRUE(fusedAsInterpreted(attention(kScaled, "k <= q", "", dtype), qkv(1, 2, q, 49, 24, 24, dtype)));
}

TEST(Cascade, AttentionOnOtherTargets) {
  for (const char *target : {"host", "x86-64-v2", "x86-64-v3"})
    EXPECT_TRUE(fusedAsInterpreted(attention(kScaled, "k <= q"), qkv(1, 2, 77, 77, 24, 24), 1, target)) << target;
}

TEST(Cascade, AttentionInTeams) {
  for (int threads : {2, 3, 5}) {
    EXPECT_TRUE(fusedAsInterpreted(attention(kScaled, "k <= q"), qkv(1, 1, 300, 300, 64, 64), threads));
    EXPECT_TRUE(fusedAsInterpreted(attention(kScaled), qkv(2, 3, 100, 200, 64, 64), threads));
  }
}

TEST(Cascade, SharedAndInterleavedHeads) {
  const char *grouped = "in Q: f32[b,q,g,r,d], K: f32[b,k,g,d], V: f32[b,k,g,e]\n"
                        "S = einsum(\"bqgrd,bkgd->bgrqk\", Q, K) * 0.25\nP = softmax[k | k <= q](S)\n"
                        "O[b,q,g,r,e] = sum[k](P * V)\nout O\n";
  EXPECT_TRUE(fusedAsInterpreted(grouped, "f32[2,70,2,3,16] f32[2,70,2,16] f32[2,70,2,16]"));
}

TEST(Cascade, LogSumExpBesideTheResult) {
  const char *text = "in Q: f32[q,d], K: f32[k,d], V: f32[k,e]\nS = einsum(\"qd,kd->qk\", Q, K)\n"
                     "P = softmax[k | k <= q](S)\nO[q,e] = sum[k](P * V)\nL[q] = lse[k | k <= q](S)\nout O, L\n";
  EXPECT_TRUE(fusedAsInterpreted(text, "f32[130,20] f32[130,20] f32[130,33]"));
}

TEST(Cascade, CrossEntropyNeverStoresItsLogits) {
  const char *text = "in X: f32[t,c], W: f32[v,c]\nS = einsum(\"tc,vc->tv\", X, W)\nL[t] = lse[v](S)\nout L\n";
  EXPECT_TRUE(fusedAsInterpreted(text, "f32[50,40] f32[3001,40]"));
  EXPECT_TRUE(fusedAsInterpreted(replaced(replaced(text, "W: f32[v,c]", "W: f32[c,v]"), "vc->", "cv->"),
                                 "f32[50,200] f32[200,901]"));
}

} // namespace
