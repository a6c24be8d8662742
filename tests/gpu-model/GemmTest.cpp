// Every variant of the Hopper gemm emitter, and random contractions, in the CPU model: right, and without a fault.
#include "compiler/Gpu/GemmPlanner.h"
#include "tests/gpu-model/GemmCase.h"
#include "tests/unit/lowering/Shapes.h"

#include <gtest/gtest.h>

#include <random>

using namespace ein;
using namespace ein::gpumodel;

namespace {

struct Variant {
  const char *name, *plan;
};

/// Each stands for a way through the emitter. Extents are ragged where they may be.
const Variant kVariants[] = {
    {"bf16, both operands K-major, one consumer",
     "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[100:40,0,136/64] n=[130:0,40,1/64] k=[40:1,1,0/32] a=k b=k "
     "epilogue=tensor consumers=1 stages=2 cluster=1 split=1 pair=2 raster=8 alpha=1"},
    {"f16, two consumers, four stages",
     "gemm input=f16 result=f16 swapped=0 batch=[] m=[200:200,0,136/128] n=[130:0,200,1/128] k=[200:1,1,0/64] a=k b=k "
     "epilogue=tensor consumers=2 stages=4 cluster=1 split=1 pair=2 raster=1 alpha=0.5"},
    {"256 columns",
     "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[128:136,0,304/128] n=[300:0,136,1/256] k=[130:1,1,0/64] a=k "
     "b=k epilogue=tensor consumers=2 stages=3 cluster=1 split=1 pair=2 raster=8 alpha=1"},
    {"192 columns",
     "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[128:136,0,304/128] n=[300:0,136,1/192] k=[130:1,1,0/64] a=k "
     "b=k epilogue=tensor consumers=2 stages=3 cluster=1 split=1 pair=2 raster=8 alpha=1"},
    {"B N-major",
     "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[100:136,0,208/64] n=[200:0,1,1/128] k=[130:1,208,0/64] a=k "
     "b=mn epilogue=tensor consumers=1 stages=2 cluster=1 split=1 pair=2 raster=8 alpha=1"},
    {"both operands transposed",
     "gemm input=f16 result=f16 swapped=0 batch=[] m=[200:1,0,208/128] n=[200:0,1,1/128] k=[130:208,208,0/64] a=mn "
     "b=mn epilogue=tensor consumers=2 stages=2 cluster=1 split=1 pair=2 raster=8 alpha=1"},
    {"a cluster of two, B K-major by multicast",
     "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[256:200,0,304/128] n=[300:0,200,1/128] k=[200:1,1,0/64] a=k "
     "b=k epilogue=tensor consumers=2 stages=3 cluster=2 split=1 pair=2 raster=8 alpha=1"},
    {"a cluster of two, B N-major by multicast",
     "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[256:200,0,304/64] n=[300:0,1,1/128] k=[200:1,304,0/64] a=k "
     "b=mn epilogue=tensor consumers=1 stages=3 cluster=2 split=1 pair=2 raster=8 alpha=1"},
    {"f32 results, direct, any strides",
     "gemm input=bf16 result=f32 swapped=0 batch=[] m=[100:40,0,1/64] n=[70:0,40,101/64] k=[40:1,1,0/16] a=k b=k "
     "epilogue=direct consumers=1 stages=3 cluster=1 split=1 pair=1 raster=8 alpha=1"},
    {"bf16 results, direct, in pairs",
     "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[100:40,0,70/64] n=[70:0,40,1/64] k=[40:1,1,0/32] a=k b=k "
     "epilogue=direct consumers=1 stages=3 cluster=1 split=1 pair=2 raster=8 alpha=1"},
    {"the depth in three parts",
     "gemm input=bf16 result=f32 swapped=0 batch=[] m=[100:400,0,70/64] n=[70:0,400,1/64] k=[390:1,1,0/64] a=k b=k "
     "epilogue=direct consumers=1 stages=3 cluster=1 split=3 pair=2 raster=8 alpha=1"},
    {"a split depth in clusters",
     "gemm input=f16 result=f16 swapped=0 batch=[] m=[256:400,0,70/128] n=[70:0,400,1/64] k=[390:1,1,0/64] a=k b=k "
     "epilogue=direct consumers=2 stages=3 cluster=2 split=2 pair=2 raster=8 alpha=1"},
    {"batches",
     "gemm input=bf16 result=bf16 swapped=0 batch=[3:4000,2400,13600/1] m=[100:40,0,136/64] n=[60:0,40,1/64] "
     "k=[40:1,1,0/32] a=k b=k epilogue=tensor consumers=1 stages=2 cluster=1 split=1 pair=2 raster=8 alpha=1"},
    {"operands swapped",
     "gemm input=bf16 result=bf16 swapped=1 batch=[] m=[100:40,0,136/64] n=[130:0,40,1/64] k=[40:1,1,0/32] a=k b=k "
     "epilogue=tensor consumers=1 stages=2 cluster=1 split=1 pair=2 raster=8 alpha=1"},
    {"groups of two indices",
     "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[16:1200,0,64/16 5:240,0,1024/4] n=[64:0,48,1/64] "
     "k=[24:1,1,0/16 2:24,24,0/2] a=k b=k epilogue=tensor consumers=1 stages=2 cluster=1 split=1 pair=2 raster=8 "
     "alpha=1"},
    {"rows of 32 bytes",
     "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[100:16,0,40/64] n=[40:0,16,1/16] k=[16:1,1,0/16] a=k b=k "
     "epilogue=tensor consumers=1 stages=2 cluster=1 split=1 pair=2 raster=8 alpha=1"},
    {"one block of the depth",
     "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[64:8,0,64/64] n=[64:0,8,1/64] k=[8:1,1,0/16] a=k b=k "
     "epilogue=tensor consumers=1 stages=2 cluster=1 split=1 pair=2 raster=8 alpha=1"},
};

TEST(GpuModelGemm, EveryVariant) {
  for (const Variant &variant : kVariants) {
    SCOPED_TRACE(variant.name);
    auto plan = parseGemmPlan(variant.plan);
    ASSERT_TRUE(plan) << plan.error().render();
    EXPECT_EQ(checkGemm(*plan, {0, 1, 2, 3, 4, 5}), "");
  }
}

/// Contractions as users write them, small, with everything that a planner must cope with.
const char *const kEinsums[] = {"ik,kj->ij",     "ik,jk->ij",       "ki,kj->ij",       "ki,jk->ij",       "ik,kj->ji",
                                "bik,bkj->bij",  "bij,bjk->bik",    "bqhd,bkhd->bhqk", "bhqk,bkhd->bqhd", "iak,kj->iaj",
                                "dbea,ec->abcd", "eafb,fdec->abcd", "iakb,kjb->iaj",   "kbi,bkj->bij"};

/// An extent of an index: often a multiple of 8, as contiguous ones must be.
int64_t randomExtent(std::mt19937 &random, size_t indices) {
  int64_t most = indices <= 3 ? 200 : indices == 4 ? 48 : 20;
  return random() % 4 ? 8 * (1 + int64_t(random() % (most / 8))) : 1 + int64_t(random() % most);
}

TEST(GpuModelGemm, RandomContractions) {
  int planned = 0;
  for (uint32_t seed = 0; planned < 200; ++seed) {
    std::mt19937 random(seed);
    std::string text = kEinsums[random() % std::size(kEinsums)];
    std::map<char, int64_t> extents;
    for (char c : text)
      if (std::isalpha(c)) extents[c] = 0;
    for (auto &[index, extent] : extents) extent = randomExtent(random, extents.size());
    GemmRequest request;
    request.shape = ein::testing::einsumShape(text, extents);
    request.types.fill(random() % 2 ? DType::BF16 : DType::F16);
    if (random() % 4 == 0) request.types[2] = DType::F32;
    if (random() % 4 == 0) request.alpha = 0.25;
    auto choice = planGemm(request);
    if (auto *plan = std::get_if<GemmPlan>(&choice)) {
      ++planned;
      SCOPED_TRACE(text + ", seed " + std::to_string(seed) + ": " + plan->str());
      EXPECT_EQ(checkGemm(*plan, {seed}), "");
    }
    ASSERT_LT(seed, 4000u) << "too few of the contractions have a plan";
  }
}

} // namespace
