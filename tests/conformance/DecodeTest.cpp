// Fused cascades of few rows against the interpreter: decoding in both cache layouts, split keys, guards, dtypes.
#include "compiler/IndexNotation/Interpreter.h"
#include "ein/Engine.h"
#include "tests/conformance/FusedCase.h"

#include <cmath>

using namespace ein;
using namespace ein::test;

namespace {

constexpr const char *kThin = "kind = \"thin-cascade\"";

/// How a cache of keys or values lies: b, g (heads), k (sequence) and its own index, "*".
struct Cache {
  const char *keys, *values;
};
constexpr Cache kHeadsFirst{"bgkd", "bgke"}, kSequenceFirst{"bkgd", "bkge"}, kKeysLast{"bgdk", "bgek"},
    kApart{"bdgk", "bkeg"};

struct Decode {
  int64_t b = 1, g = 2, r = 4, q = 1, k = 100, d = 64, e = 64;
  Cache cache = kHeadsFirst;
  std::string dtype = "f32", score = "S * 0.125", guard = {}, more = {}, moreTypes = {}, results = "O[b,q,g,r,e]";

  std::string text() const {
    auto axes = [](const char *letters) {
      std::string text = "[";
      for (const char *c = letters; *c; ++c) text += std::string(c == letters ? "" : ",") + *c;
      return text + "]";
    };
    return "in Q: " + dtype + "[b,q,g,r,d], K: " + dtype + axes(cache.keys) + ", V: " + dtype + axes(cache.values) +
           more + "\nS = sum[d](Q * K)\nT = " + score + "\nP = softmax[k" + (guard.empty() ? "" : " | " + guard) +
           "](T)\nO = sum[k](P * V)\n" + (results.find("L") != std::string::npos ? "L = lse[k](T)\n" : "") + "out " +
           results + "\n";
  }
  std::string types() const {
    auto shape = [&](const char *letters) {
      std::string text = dtype + "[";
      for (const char *c = letters; *c; ++c) {
        const int64_t n = *c == 'b'   ? b
                          : *c == 'g' ? g
                          : *c == 'r' ? r
                          : *c == 'q' ? q
                          : *c == 'k' ? k
                          : *c == 'd' ? d
                                      : e;
        text += (c == letters ? "" : ",") + std::to_string(n);
      }
      return text + "] ";
    };
    return shape("bqgrd") + shape(cache.keys) + shape(cache.values) + moreTypes;
  }
};

::testing::AssertionResult decodes(const Decode &d, int threads = 1, const std::string &target = "host",
                                   const std::string &plan = kThin) {
  return fusedAsInterpreted(d.text(), d.types(), threads, target, plan);
}

TEST(Decode, OddSizes) {
  for (int64_t k : {1, 15, 197, 577})
    for (int64_t d : {40, 96})
      for (Cache cache : {kHeadsFirst, kSequenceFirst}) EXPECT_TRUE(decodes({.k = k, .d = d, .e = d, .cache = cache}));
  EXPECT_TRUE(decodes({.k = 1500, .d = 64, .e = 7}));
  for (int64_t k : {5, 50}) EXPECT_TRUE(decodes({.r = 1, .k = k, .d = 1, .e = 1}));
}

TEST(Decode, AnyNumberOfRows) {
  for (int64_t r : {1, 2, 3, 5, 6, 8}) EXPECT_TRUE(decodes({.r = r, .k = 50}));
  for (int64_t q : {2, 3}) EXPECT_TRUE(decodes({.r = 2, .q = q, .k = 50, .guard = "k <= q + 40"}));
  EXPECT_TRUE(decodes({.b = 3, .g = 1, .r = 1, .k = 50}));
}

TEST(Decode, AnyLayout) {
  for (Cache cache : {kKeysLast, kApart})
    for (int64_t k : {16, 77, 300}) EXPECT_TRUE(decodes({.b = 2, .k = k, .d = 24, .e = 40, .cache = cache}));
}

TEST(Decode, Guards) {
  for (const char *guard : {"k < len", "k >= len", "k < len and k >= len - 20", "k == len", "k != 3", "k < -1"})
    for (Cache cache : {kHeadsFirst, kSequenceFirst})
      EXPECT_TRUE(decodes({.k = 90, .cache = cache, .guard = guard, .more = ", len: i32[b]", .moreTypes = "i32[1]"}));
  EXPECT_TRUE(decodes({.b = 2, .k = 90, .guard = "m", .more = ", m: bool[b,k]", .moreTypes = "bool[2,90]"}));
  EXPECT_TRUE(decodes({.b = 2, .k = 90, .guard = "m[k,b]", .more = ", m: bool[k,b]", .moreTypes = "bool[90,2]"}));
}

TEST(Decode, Scores) {
  EXPECT_TRUE(decodes({.score = "tanh(S / 3) * 3"}));
  EXPECT_TRUE(decodes({.score = "S * 10000"}));
  EXPECT_TRUE(decodes({.score = "S - a * abs(90 - k)", .more = ", a: f32[g,r]", .moreTypes = "f32[2,4]"}));
  EXPECT_TRUE(decodes({.score = "S + a", .more = ", a: f32[k]", .moreTypes = "f32[100]"}));
  EXPECT_TRUE(decodes({.score = "S + a", .more = ", a: f32[k,r]", .moreTypes = "f32[100,4]"}));
  EXPECT_TRUE(decodes({.results = "O[b,q,g,r,e], L[b,g,r,q]"}));
}

TEST(Decode, OtherTypes) {
  for (const char *dtype : {"f64", "bf16", "f16"})
    for (Cache cache : {kHeadsFirst, kKeysLast})
      EXPECT_TRUE(decodes({.k = 77, .d = 24, .e = 20, .cache = cache, .dtype = dtype}));
}

TEST(Decode, OtherTargets) {
  for (const char *target : {"x86-64-v2", "x86-64-v3"})
    for (const char *dtype : {"f32", "bf16"})
      EXPECT_TRUE(decodes({.r = 2, .k = 77, .d = 24, .e = 20, .dtype = dtype, .guard = "k < 70"}, 1, target)) << target;
}

TEST(Decode, KeysAreSplitWhereRowsAreTooFew) {
  for (Cache cache : {kHeadsFirst, kSequenceFirst})
    for (int threads : {2, 3, 5})
      EXPECT_TRUE(decodes({.g = 1, .r = 8, .k = 1500, .d = 96, .e = 96, .cache = cache}, threads, "host", "splits = "));
  EXPECT_TRUE(decodes({.g = 1,
                       .r = 8,
                       .k = 1500,
                       .d = 96,
                       .e = 96,
                       .guard = "k < len + 1400",
                       .more = ", len: i32[b]",
                       .moreTypes = "i32[1]",
                       .results = "O[b,q,g,r,e], L[b,g,r,q]"},
                      4, "host", "split-k 4"));
  EXPECT_TRUE(decodes({.g = 3, .r = 4, .k = 1500, .d = 96, .e = 96, .cache = kSequenceFirst}, 2, "host", "split-k 2"));
}

/// Keys and values in pages of 16 that a table lists, as `page` letters tell: p (page), s (place in it), g, d.
std::string paged(const std::string &page, const std::string &dtype = "f32") {
  std::string axes = page;
  for (size_t i = axes.size() - 1; i > 0; --i) axes.insert(i, ",");
  std::string places = axes;
  auto put = [&](char letter, const char *text) { places.replace(places.find(letter), 1, text); };
  put('p', "tab[b, k // 16]"), put('s', "k % 16");
  return "index s = 16, k = blk * 16\nin Q: " + dtype + "[b,g,r,d], K: " + dtype + "[" + axes + "], V: " + dtype + "[" +
         axes + "], tab: i32[b,blk] below(p), len: i32[b]\nS = sum[d](Q * K[" + places +
         "])\nO[b,g,r,d] = sum[k](softmax[k | k < 99 + len](S) * V[" + places + "])\nout O\nrequire onepass(O)\n";
}

TEST(Decode, PagesByATable) {
  const std::string rest = "i32[2,7] i32[2] ";
  for (const char *dtype : {"f32", "bf16"}) {
    auto shape = [&](const char *extents) { return std::string(dtype) + "[" + extents + "] "; };
    for (auto [page, extents] : {std::pair{"psgd", "9,16,2,64"}, {"pgsd", "9,2,16,64"}, {"pgds", "9,2,64,16"}})
      for (const char *q : {"2,2,4,64", "2,2,20,64"})
        EXPECT_TRUE(fusedAsInterpreted(paged(page, dtype), shape(q) + shape(extents) + shape(extents) + rest, 1, "host",
                                       "cascade\""));
  }
  const char *direct = "in Q: f32[b,r,d], K: f32[n,d], V: f32[n,d], row: i32[b,k] below(n)\nS = sum[d](Q * K[row, d])\n"
                       "O[b,r,d] = sum[k](softmax[k](S) * V[row, d])\nout O\nrequire onepass(O)\n";
  for (const char *types :
       {"f32[2,3,64] f32[50,64] f32[50,64] i32[2,77]", "f32[2,40,64] f32[50,64] f32[50,64] i32[2,77]"})
    EXPECT_TRUE(fusedAsInterpreted(direct, types, 1, "host", "cascade\""));
}

TEST(Cascade, DifferenceOfTwoAttentions) {
  auto text = [](const char *guard, const char *more) {
    return std::string(
               "in Q: f32[g,q,d], R: f32[g,q,d], K: f32[g,k,d], J: f32[g,k,d], V: f32[g,k,e], lam: f32[g], len: "
               "i32\nS = sum[d](Q * K)\nT = sum[d](R * J) * 0.5\nO[g,q,e] = sum[k]((softmax[k") +
           guard + "](S) - lam * softmax[k" + guard + "](T)) * V)\n" + more + "require onepass(O)\n";
  };
  auto types = [](int64_t q, int64_t k) {
    const std::string rows = "f32[2," + std::to_string(q) + ",96] ", keys = "f32[2," + std::to_string(k) + ",96] ";
    return rows + rows + keys + keys + keys + "f32[2] i32[]";
  };
  for (const char *guard : {"", " | k <= q + len", " | k < len - 9"})
    for (int64_t q : {2, 40})
      EXPECT_TRUE(fusedAsInterpreted(text(guard, "out O\n"), types(q, 77), 1, "host", "cascade\"")) << guard;
  EXPECT_TRUE(fusedAsInterpreted(text("", "L[g,q] = lse[k](T)\nout O, L\n"), types(3, 1500), 3, "host", "split-k 3"));
}

TEST(Cascade, NothingToSum) {
  for (const char *shapes : {"f32[3,4] f32[0,4] f32[0,5]", "f32[16,4] f32[0,4] f32[0,5]", "f32[16,0] f32[7,0] f32[7,5]",
                             "f32[16,4] f32[7,4] f32[7,0]", "f32[0,4] f32[7,4] f32[7,5]"}) {
    Case c;
    c.text = "in Q: f32[q,d], K: f32[k,d], V: f32[k,e]\nS = sum[d](Q * K)\nO[q,e] = sum[k](softmax[k](S) * V)\n"
             "L[q] = lse[k](S)\nout O, L\n";
    c.types = types(shapes);
    EXPECT_TRUE(computesAsInterpreted(c)) << shapes;
  }
}

/// The largest error of a run, of the largest element in double.
double errorOf(const Decode &d, bool fuse) {
  Case c;
  c.text = d.text();
  c.types = types(d.types());
  c.options.fuse = fuse;
  auto execution = Execution::prepare(c);
  if (!execution || !execution->run()) return NAN;
  std::vector<ReferenceTensor> operands;
  for (const TensorView &view : execution->inputs()) operands.push_back(readReference(view));
  const ReferenceTensor exact = interpret(execution->program, operands)[0],
                        ours = readReference(execution->results[0].view);
  double worst = 0, largest = 0;
  for (size_t i = 0; i < exact.values.size(); ++i) {
    worst = std::max(worst, std::fabs(ours.values[i] - exact.values[i]));
    largest = std::max(largest, std::fabs(exact.values[i]));
  }
  return worst / largest;
}

TEST(Decode, ErrsAtMostTwiceAsMuchAsTheChain) {
  for (int64_t k : {197, 3000})
    for (const char *score : {"S * 0.125", "S * 4"}) {
      const Decode d{.g = 1, .r = 2, .k = k, .score = score};
      const double fused = errorOf(d, true), chain = errorOf(d, false);
      EXPECT_LE(fused, 2 * chain + 1e-7) << k << " keys, " << score;
    }
}

TEST(Decode, OtherLengthsOffsetsAndWindowsCompileNothing) {
  const std::string text =
      "in Q: f32[g,r,d], K: f32[k,g,d], V: f32[k,g,e], off: i32, len: i32, w: i32\n"
      "S = sum[d](Q * K)\nO[g,r,e] = sum[k](softmax[k | k <= off and k < len and off - k < w](S) * V)\n"
      "out O\n";
  const std::vector<TensorType> operands = types("f32[2,4,64] f32[99,2,64] f32[99,2,64] i32[] i32[] i32[]");
  Engine engine({.disk = DiskUse::Off});
  std::vector<float> q(512, 1), k(99 * 128, 0), v(99 * 128), out(512);
  for (size_t i = 0; i < v.size(); ++i) v[i] = float(i / 128); // the number of the key
  for (auto [off, len, w] :
       {std::tuple{98, 99, 1000}, {50, 99, 10}, {98, 20, 1000}, {0, 1, 1}, {5, 99, 0}, {-1, 99, 9}}) {
    const TensorView in[] = {{q.data(), operands[0]}, {k.data(), operands[1]}, {v.data(), operands[2]},
                             {&off, operands[3]},     {&len, operands[4]},     {&w, operands[5]}};
    const TensorView result[] = {{out.data(), TensorType(DType::F32, {2, 4, 64})}};
    auto ok = engine.run(text, in, result);
    ASSERT_TRUE(ok) << ok.error().render();
    const int first = std::max(0, off - w + 1), last = std::min({off, len - 1, 98});
    const float mean = first <= last ? float(first + last) / 2 : 0; // all scores are equal
    for (float x : out) ASSERT_NEAR(x, mean, 1e-4) << off << " " << len << " " << w;
  }
  EXPECT_EQ(engine.stats().compiles, 1u);
}

} // namespace
