// The attention of the seeds (cheatsheet, notebook, puzzles 31 and 32) and the whole block, each as one Program:
// against the interpreter, and as one pass that stores no scores.
#include "ein/Engine.h"
#include "tests/conformance/Generators.h"

#include <algorithm>

using namespace ein;
using namespace ein::test;

namespace {

struct SeedForm {
  const char *name, *text, *operands;
};

const SeedForm kForms[] = {
    {"cheatsheetExplicit",
     "in xq: f32[b,l,h,d], keys: f32[b,m,h,d], values: f32[b,m,h,d]\n"
     "xqq = einsum(\"blhd->bhld\", xq)\n"
     "kk = einsum(\"bmhd->bhmd\", keys)\n"
     "vv = einsum(\"bmhd->bhmd\", values)\n"
     "scores = einsum(\"bhid,bhjd->bhij\", xqq, kk) / sqrt(5)\n"
     "P = softmax[j](scores)\n"
     "heads = einsum(\"bhij,bhjd->bhid\", P, vv)\n"
     "output = einsum(\"bhid->bihd\", heads)\n"
     "out output",
     "f32[2,18,4,5] f32[2,18,4,5] f32[2,18,4,5]"},
    {"cheatsheetEllipsis",
     "in xqq: f32[b,h,l,d], kk: f32[b,h,m,d], vv: f32[b,h,m,d]\n"
     "scores = einsum(\"...ld,...md->...lm\", xqq, kk) / sqrt(5)\n"
     "P = softmax[m](scores)\n"
     "output = einsum(\"...lj,...jd->...ld\", P, vv)\n"
     "out output",
     "f32[2,4,18,5] f32[2,4,18,5] f32[2,4,18,5]"},
    {"notebookScoresAndContext",
     "in Q: f32[b,h,q,d], K: f32[b,h,k,d], V: f32[b,h,k,d]\n"
     "scores = einsum(\"bhqd,bhkd->bhqk\", Q, K)\n"
     "attn = softmax[k](scores)\n"
     "context = einsum(\"bhqk,bhkd->bhqd\", attn, V)\n"
     "out context",
     "f32[3,8,20,64] f32[3,8,64,64] f32[3,8,64,64]"},
    {"puzzle31",
     "in x: f32[b, l, d], wq: f32[d, k], wk: f32[d, k], wv: f32[d, k]\n"
     "q = einsum(\"bld,dk->blk\", x, wq)\n"
     "key = einsum(\"bmd,dk->bmk\", x, wk)\n"
     "v = einsum(\"bmd,dk->bmk\", x, wv)\n"
     "scores = einsum(\"blk,bmk->blm\", q, key) / sqrt(8)\n"
     "weights = softmax[m | m <= l](scores)\n"
     "head = einsum(\"blm,bmk->blk\", weights, v)\n"
     "out head",
     "f32[16,10,32] f32[32,8] f32[32,8] f32[32,8]"},
    {"puzzle32",
     "in x: f32[b, l, d], wq: f32[d, h, k], wk: f32[d, h, k], wv: f32[d, h, k], wo: f32[h, k, d]\n"
     "q = einsum(\"bld,dhk->bhlk\", x, wq)\n"
     "key = einsum(\"bmd,dhk->bhmk\", x, wk)\n"
     "v = einsum(\"bmd,dhk->bhmk\", x, wv)\n"
     "scores = einsum(\"bhlk,bhmk->bhlm\", q, key) / sqrt(8)\n"
     "weights = softmax[m | m <= l](scores)\n"
     "heads = einsum(\"bhlm,bhmk->bhlk\", weights, v)\n"
     "attention = einsum(\"bhlk,hkd->bld\", heads, wo)\n"
     "out attention",
     "f32[4,10,32] f32[32,4,8] f32[32,4,8] f32[32,4,8] f32[4,8,32]"},
    {"block",
     "index t = s, o = c\n"
     "in X: f32[b,s,c], Wq: f32[c,h,d], Wk: f32[c,h,d], Wv: f32[c,h,d], Wo: f32[h,d,o]\n"
     "Q = sum[c](X * Wq); K = sum[c](X * Wk); V = sum[c](X * Wv)\n"
     "P = softmax[t | t <= s](sum[d](Q * K[b,t,h,d]) * 0.25)\n"
     "H = sum[t](P * V[b,t,h,d])\n"
     "Y[b,s,o] = X[b,s,o] + sum[h,d](H * Wo)\n"
     "out Y",
     "f32[2,37,24] f32[24,3,16] f32[24,3,16] f32[24,3,16] f32[3,16,24]"},
};

class SeedAttention : public ::testing::TestWithParam<SeedForm> {};

TEST_P(SeedAttention, IsOnePassThatStoresNoScores) {
  Case c;
  c.text = GetParam().text;
  c.types = types(GetParam().operands);
  EXPECT_TRUE(programComputesAsInterpreted(c));
  auto kernel = Engine::global().compile(c.text, c.types, c.options);
  ASSERT_TRUE(kernel) << kernel.error().render();
  const Explanation e = kernel->explain();
  EXPECT_EQ(std::ranges::count(e.steps, "cascade", &StepReport::kind), 1) << e.str();
  EXPECT_TRUE(e.boundaries.empty()) << e.str();
  for (const StepReport &step : e.steps)
    for (const TensorReport &t : step.stored)
      for (const char *name : {"scores", "P", "attn", "weights"}) EXPECT_NE(t.name, name) << e.str();
}

INSTANTIATE_TEST_SUITE_P(, SeedAttention, ::testing::ValuesIn(kForms),
                         [](const auto &info) { return info.param.name; });

} // namespace
