// Programs of several steps, beside themselves not fused.
#include "bench/Case.h"
#include "ein/Attention.h"

using namespace ein;

namespace bench {

namespace {

constexpr auto kF32 = DType::F32;

/// Attention of one batch: heads of queries and of keys, their lengths, the size of a head.
struct Size {
  int64_t heads, shared, queries, keys, size;
  bool causal = false;
  HeadLayout layout = HeadLayout::HeadsFirst;

  std::vector<TensorType> operands() const {
    auto type = [&](int64_t heads, int64_t sequence) {
      return layout == HeadLayout::HeadsFirst ? TensorType(kF32, {1, heads, sequence, size})
                                              : TensorType(kF32, {1, sequence, heads, size});
    };
    return {type(heads, queries), type(shared, keys), type(shared, keys)};
  }
  std::string text() const {
    AttentionOptions options;
    options.causal = causal;
    options.layout = layout;
    return attentionProgram(operands(), options).value();
  }
};

Case attention(const std::string &name, const Size &size, Comparison comparison) {
  return {"programs", name, size.text(), size.operands(), comparison};
}

/// An odd size beside the next one that fills its vectors.
Case odd(const std::string &name, const Size &size, const Size &next) {
  Case c = attention("odd " + name, size, Comparison::Larger);
  c.largerText = next.text();
  c.larger = next.operands();
  return c;
}

} // namespace

std::vector<Case> programsSuite() {
  const auto chain = Comparison::Chain, read = Comparison::ReadAndChain;
  constexpr auto bkhd = HeadLayout::SequenceFirst;
  std::vector<Case> cases{attention("gpt2 h12 s1024 d64 causal", {12, 12, 1024, 1024, 64, true}, chain),
                          attention("vit-b h12 s197 d64", {12, 12, 197, 197, 64}, chain),
                          attention("whisper h20 s1500 d64", {20, 20, 1500, 1500, 64}, chain),
                          attention("decode llama h32/8 k4096 d128", {32, 8, 1, 4096, 128}, read),
                          attention("decode llama, sequence first", {32, 8, 1, 4096, 128, false, bkhd}, read),
                          attention("decode h32/8 k32768 d128", {32, 8, 1, 32768, 128}, read),
                          attention("decode h32/8 k32768, sequence first", {32, 8, 1, 32768, 128, false, bkhd}, read),
                          attention("decode mha h16 k8192 d64", {16, 16, 1, 8192, 64}, read),
                          attention("decode h12 k1500 d96", {12, 4, 1, 1500, 96}, read)};
  const char *pages = "index r = 4, s = 64, k = blk * 64\n"
                      "in Q: f32[b,(g r),d], K: f32[p,s,g,d], V: f32[p,s,g,e], tab: int32[b,blk] below(p)\n"
                      "S = sum[d](Q * K[tab[b, k // 64], k % 64, g, d]) * 0.0883883\n"
                      "O[b,g,r,e] = sum[k](softmax[k](S) * V[tab[b, k // 64], k % 64, g, e])\nout O\n";
  const TensorType cache(kF32, {64, 64, 8, 128});
  cases.push_back({"programs",
                   "decode llama, pages of 64 keys",
                   pages,
                   {TensorType(kF32, {1, 32, 128}), cache, cache, TensorType(DType::I32, {1, 64})},
                   read});
  cases.push_back({"programs",
                   "9 layernorm and projection 1024.1024.4096",
                   "in X: f32[t,c], ga: f32[c], be: f32[c], W: f32[c,o]\n"
                   "Y[t,o] = sum[c](((X - mean[c](X)) * rsqrt(var[c](X) + 1e-5) * ga + be) * W)\nout Y\n",
                   {TensorType(kF32, {1024, 1024}), TensorType(kF32, {1024}), TensorType(kF32, {1024}),
                    TensorType(kF32, {1024, 4096})},
                   chain});
  cases.push_back({"programs",
                   "11 bilinear form 10000.100.20 f64",
                   "in X: f64[a,b], C: f64[c,b,e]\nindex e = b\nY[a,c] = sum[b,e](X[a,b] * C * X[a,e])\nout Y\n",
                   {TensorType(DType::F64, {10000, 100}), TensorType(DType::F64, {20, 100, 100})},
                   chain});
  cases.push_back({"programs",
                   "12 cross entropy 256.768.50257",
                   "in H: f32[t,c], W: f32[c,v], y: int32[t] below(v)\nZ[t,v] = sum[c](H * W)\nL = lse[v](Z)\n"
                   "loss[t] = L - Z[t, y[t]]\nout loss, L\n",
                   {TensorType(kF32, {256, 768}), TensorType(kF32, {768, 50257}), TensorType(DType::I32, {256})},
                   chain});
  cases.push_back(odd("s197 of s208", {12, 12, 197, 197, 64}, {12, 12, 208, 208, 64}));
  cases.push_back(odd("s577 of s592", {16, 16, 577, 577, 64}, {16, 16, 592, 592, 64}));
  cases.push_back(odd("s1500 of s1504", {8, 8, 1500, 1500, 64}, {8, 8, 1504, 1504, 64}));
  cases.push_back(odd("d40 of d48", {8, 8, 1024, 1024, 40}, {8, 8, 1024, 1024, 48}));
  cases.push_back(odd("decode k1500 of k1504", {32, 8, 1, 1500, 128}, {32, 8, 1, 1504, 128}));
  cases.push_back(odd("decode d40 of d48", {32, 8, 1, 4096, 40}, {32, 8, 1, 4096, 48}));
  return cases;
}

} // namespace bench
