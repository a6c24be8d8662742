// Attention with dynamic lengths of keys and queries and dynamic batches: one pass for every length, against the
// interpreter, and how often it is compiled.
#include "ein/Engine.h"
#include "tests/conformance/AttentionCase.h"
#include "tests/conformance/Generators.h"

#include <map>

using namespace ein;
using namespace ein::test;

namespace {

/// Operands with B, Q and K in place of the extents of the batch, the queries and the keys.
std::vector<TensorType> typesOf(std::string operands, int64_t batches, int64_t queries, int64_t keys) {
  const std::pair<char, int64_t> extents[] = {{'B', batches}, {'Q', queries}, {'K', keys}};
  for (auto [letter, extent] : extents)
    for (size_t at; (at = operands.find(letter)) != std::string::npos;) operands.replace(at, 1, std::to_string(extent));
  return types(operands);
}

const AttentionCase kForms[] = {
    {"plain", {}, "f32[B,2,Q,20] f32[B,2,K,20] f32[B,2,K,33]"},
    {"bfloat", {}, "bf16[B,2,Q,32] bf16[B,2,K,32] bf16[B,2,K,32]"},
    {"causal", with([](auto &o) { o.causal = true; }), "f32[B,1,Q,16] f32[B,1,K,16] f32[B,1,K,16]"},
    {"causalShared", with([](auto &o) { o.causal = true; }), "f32[B,6,Q,8] f32[B,2,K,8] f32[B,2,K,8]"},
    {"window", with([](auto &o) { o.causal = true, o.window = 30; }), "f32[B,1,Q,8] f32[B,1,K,8] f32[B,1,K,8]"},
    {"offset", with([](auto &o) { o.causal = o.offset = true; }), "f32[B,1,Q,8] f32[B,1,K,8] f32[B,1,K,8] i32[]"},
    {"lengths", with([](auto &o) { o.lengths = true; }), "f32[B,2,Q,8] f32[B,2,K,8] f32[B,2,K,8] i32[B]"},
    {"bias", with([](auto &o) { o.bias = true; }), "f32[B,2,Q,8] f32[B,2,K,8] f32[B,2,K,8] f32[2,Q,K]"},
    {"slopes", with([](auto &o) { o.causal = o.slopes = true; }), "f32[B,2,Q,8] f32[B,2,K,8] f32[B,2,K,8] f32[2]"},
    {"sinks", with([](auto &o) { o.sinks = o.logSumExp = true; }), "f32[B,2,Q,8] f32[B,2,K,8] f32[B,2,K,8] f32[2]"},
    {"sequenceFirst", with([](auto &o) { o.causal = true, o.layout = HeadLayout::SequenceFirst; }),
     "f32[B,Q,3,16] f32[B,K,3,16] f32[B,K,3,16]"},
    {"sequenceFirstHalf", with([](auto &o) { o.layout = HeadLayout::SequenceFirst; }),
     "f16[B,Q,3,16] f16[B,K,3,16] f16[B,K,3,16]"},
};

struct Names {
  const char *name;
  std::vector<std::string> dynamic;
};
const Names kNames[] = {{"keys", {"k"}}, {"all", {"b", "k", "q"}}};

class DynamicAttention : public ::testing::TestWithParam<std::tuple<AttentionCase, Names>> {};

/// Every length of `keys` for every number of queries.
void check(const AttentionCase &form, const std::vector<std::string> &dynamic, std::span<const int64_t> queries,
           std::span<const int64_t> keys) {
  for (int64_t q : queries)
    for (int64_t k : keys) {
      Case c;
      c.types = typesOf(form.operands, k % 3 + 1, q, k);
      if (dynamic[0] != "b") c.types = typesOf(form.operands, 2, q, k);
      c.options.dynamic = dynamic;
      auto text = attentionProgram(c.types, form.options);
      ASSERT_TRUE(text) << text.error().render();
      c.text = *text;
      auto execution = Execution::prepare(c);
      ASSERT_TRUE(execution) << execution.error().render() << *text;
      auto ok = execution->run();
      ASSERT_TRUE(ok) << ok.error().render();
      ASSERT_TRUE(closeToInterpreter(*execution)) << q << " queries, " << k << " keys\n" << *text;
    }
}

TEST_P(DynamicAttention, AsInterpreted) {
  const auto &[form, names] = GetParam();
  const int64_t one[] = {1}, few[] = {1, 5}, many[] = {70, 130}, odd[] = {70};
  const int64_t below[] = {0, 1, 2, 15, 16, 17, 63}, above[] = {64, 65, 197};
  const bool isAll = names.dynamic.size() > 1;
  check(form, names.dynamic, isAll ? std::span<const int64_t>(few) : one, below);
  check(form, names.dynamic, isAll ? std::span<const int64_t>(many) : odd, above);
  if (!isAll) check(form, names.dynamic, one, above);
}

INSTANTIATE_TEST_SUITE_P(, DynamicAttention,
                         ::testing::Combine(::testing::ValuesIn(kForms), ::testing::ValuesIn(kNames)),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param).name) + "_" + std::get<1>(info.param).name;
                         });

TEST(DynamicAttentionLong, AsInterpreted) {
  const int64_t one[] = {1}, several[] = {64, 100}, keys[] = {256, 1000};
  for (const AttentionCase &form : kForms)
    if (std::string_view(form.name) == "bfloat" || std::string_view(form.name) == "causalShared") {
      check(form, {"k"}, one, keys);
      check(form, {"k", "q"}, several, keys);
    }
}

/// Cascades of other guards, scores and layouts; every text is one pass.
const char *const kOthers[] = {
    // Keys and their positions as masks of every kind.
    "in Q: f32[h,q,d], K: f32[h,k,d], V: f32[h,k,e], m: bool[q,k]\nS = sum[d](Q * K)\n"
    "P = softmax[k | m](S)\nO = sum[k](P * V)\nout O[h,q,e]",
    "in Q: f32[h,q,d], K: f32[h,k,d], V: f32[h,k,e], m: f32[k]\nS = sum[d](Q * K) - abs(q - k) * 0.1 + m\n"
    "P = softmax[k | k != 3 and (k + q < 50 or k == 7)](S)\nO = sum[k](P * V)\nout O[h,q,e]",
    "in Q: f32[h,q,d], K: f32[h,k,d], V: f32[h,k,e]\nS = sum[d](Q * K)\n"
    "P = softmax[k | k <= q and k > q - extent(k) // 3](tanh(S / 3) * 3)\nO = sum[k](P * V)\nout O[h,q,e]",
    // Neighbouring keys are adjacent, the others are an extent apart.
    "in Q: f32[h,q,d], K: f32[h,d,k], V: f32[h,e,k]\nS = sum[d](Q * K)\nP = softmax[k](S)\n"
    "O = sum[k](P * V)\nout O[h,q,e]",
    "in Q: f32[h,d,q], K: f32[d,h,k], V: f32[e,k,h]\nS = sum[d](Q * K)\nP = softmax[k | k <= q](S)\n"
    "O = sum[k](P * V)\nL = lse[k | k <= q](S)\nout O[h,e,q], L[q,h]",
    // The logits of a cross entropy.
    "in Q: f32[h,q,d], K: f32[k,d]\nL = lse[k](sum[d](Q * K))\nout L[h,q]",
};

TEST(DynamicCascade, AsInterpreted) {
  for (const char *text : kOthers)
    for (int64_t threads : {1, 3})
      for (auto [q, k] : {std::pair<int64_t, int64_t>{70, 66}, {130, 150}, {9, 40}, {1, 200}}) {
        Case c;
        c.text = text;
        const std::map<char, int64_t> extents{{'h', 2}, {'q', q}, {'k', k}, {'d', 24}, {'e', 20}};
        for (size_t at = c.text.find(": "); at < c.text.find('\n'); at = c.text.find(": ", at + 1)) {
          const size_t begin = c.text.find('[', at);
          TensorType &type =
              c.types.emplace_back(c.text[at + 2] == 'b' ? DType::Bool : DType::F32, std::vector<int64_t>());
          for (size_t i = begin + 1; c.text[i - 1] != ']'; i += 2) type.shape.push_back(extents.at(c.text[i]));
          type = TensorType(type.dtype, type.shape);
        }
        c.options.dynamic = q == 1 ? std::vector<std::string>{"k"} : std::vector<std::string>{"h", "k", "q"};
        c.options.threads = int(threads);
        EXPECT_TRUE(programComputesAsInterpreted(c));
      }
}

TEST(DynamicCascade, OfACacheWithRoom) {
  for (int64_t q : {1, 70})
    for (int64_t k : {70, 100, 300}) {
      Case c;
      c.types = typesOf("f32[B,4,Q,16] f32[B,2,K,16] f32[B,2,K,16]", 2, q, k);
      AttentionOptions causal;
      causal.causal = true;
      c.text = *attentionProgram(c.types, causal);
      for (size_t i : {1, 2}) c.types[i].strides = {2 * 512 * 16, 512 * 16, 16, 1};
      c.options.dynamic = {"k"};
      c.options.threads = 3;
      EXPECT_TRUE(programComputesAsInterpreted(c));
    }
}

/// Compiles attention with a growing number of keys; gives what the last kernel says of itself.
Explanation grow(Engine &engine, const AttentionCase &form, const std::vector<std::string> &dynamic, bool queriesToo) {
  CompileOptions options;
  options.dynamic = dynamic;
  Explanation last;
  for (int64_t k = 1; k <= 300; ++k) {
    const std::vector<TensorType> operands = typesOf(form.operands, 1, queriesToo ? k : 1, k);
    auto text = attentionProgram(operands, form.options);
    auto kernel = engine.compile(*text, std::span<const TensorType>(operands), options);
    if (!kernel) {
      ADD_FAILURE() << kernel.error().render();
      return last;
    }
    last = kernel->explain();
  }
  return last;
}

TEST(DynamicAttentionCompiles, TwiceForAnyLength) {
  const AttentionCase causal{"", with([](auto &o) { o.causal = true; }), "f32[B,4,Q,16] f32[B,2,K,16] f32[B,2,K,16]"};
  for (bool queriesToo : {false, true}) {
    Engine engine({.disk = DiskUse::Off});
    const auto dynamic = queriesToo ? std::vector<std::string>{"k", "q"} : std::vector<std::string>{"k"};
    const Explanation explanation = grow(engine, causal, dynamic, queriesToo);
    ASSERT_FALSE(explanation.steps.empty());
    EXPECT_EQ(engine.stats().compiles, 2u);
    EXPECT_TRUE(explanation.boundaries.empty()) << explanation.str();
    EXPECT_EQ(explanation.steps.back().kind, "cascade") << explanation.str();
    EXPECT_NE(explanation.steps.back().plan.find(queriesToo ? "sizes at run time: keys, rows" : "at run time: keys,"),
              std::string::npos)
        << explanation.str();
  }
}

TEST(DynamicAttentionCompiles, UnfusedWhereTheSizeOfAHeadIsDynamic) {
  Engine engine({.disk = DiskUse::Off});
  CompileOptions options;
  options.dynamic = {"d"};
  const std::vector<TensorType> operands = types("f32[1,2,70,80] f32[1,2,90,80] f32[1,2,90,16]");
  auto text = attentionProgram(operands);
  auto kernel = engine.compile(*text, std::span<const TensorType>(operands), options);
  ASSERT_TRUE(kernel) << kernel.error().render();
  ASSERT_EQ(kernel->explain().boundaries.size(), 1u);
  EXPECT_NE(kernel->explain().boundaries[0].reason.find("the extent of d"), std::string::npos);
}

} // namespace
