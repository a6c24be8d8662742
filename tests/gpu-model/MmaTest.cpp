// Every variant of the mma emitter, and random contractions, in the CPU model: right, and without a fault.
#include "compiler/Gpu/MmaPlanner.h"
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
    {"bf16, both operands K-major",
     "mma input=bf16 result=bf16 products=1 swapped=0 batch=[] m=[100:40,0,136/1] n=[130:0,40,1/1] k=[40:1,1,0/1] a=k "
     "chunkA=8 b=k chunkB=8 warpM=32 warpN=32 warpsM=2 warpsN=2 depth=16 stages=3 split=1 pair=2 raster=8 alpha=1"},
    {"f16, B N-major, a factor, two stages",
     "mma input=f16 result=f32 products=1 swapped=0 batch=[] m=[100:72,0,132/1] n=[132:0,1,1/1] k=[72:1,136,0/1] a=k "
     "chunkA=8 b=mn chunkB=8 warpM=64 warpN=32 warpsM=1 warpsN=4 depth=32 stages=2 split=1 pair=2 raster=1 alpha=0.5"},
    {"both operands transposed, rows of 256 bytes, deep stages",
     "mma input=bf16 result=bf16 products=1 swapped=0 batch=[] m=[130:1,0,70/1] n=[70:0,1,1/1] k=[130:136,72,0/1] a=mn "
     "chunkA=8 b=mn chunkB=8 warpM=64 warpN=32 warpsM=2 warpsN=2 depth=64 stages=4 split=1 pair=2 raster=8 alpha=1"},
    {"chunks of 8 and of 4 bytes, ends of rows within a chunk",
     "mma input=bf16 result=f32 products=1 swapped=0 batch=[] m=[50:36,0,51/1] n=[51:0,34,1/1] k=[33:1,1,0/1] a=k "
     "chunkA=4 b=k chunkB=2 warpM=32 warpN=32 warpsM=1 warpsN=2 depth=32 stages=3 split=1 pair=1 raster=8 alpha=1"},
    {"single elements through registers",
     "mma input=bf16 result=bf16 products=1 swapped=0 batch=[] m=[50:33,0,51/1] n=[51:0,1,1/1] k=[33:1,51,0/1] a=k "
     "chunkA=1 b=mn chunkB=1 warpM=16 warpN=16 warpsM=2 warpsN=2 depth=32 stages=3 split=1 pair=1 raster=8 alpha=1"},
    {"an operand with no index of its own contiguous",
     "mma input=f16 result=f16 products=1 swapped=0 batch=[3:1,1,1200/1] m=[40:90,0,30/1] n=[30:0,90,1/1] "
     "k=[30:3,3,0/1] a=k chunkA=1 b=k chunkB=1 warpM=16 warpN=16 warpsM=2 warpsN=2 depth=32 stages=2 split=1 pair=2 "
     "raster=8 alpha=1"},
    {"groups of several indices",
     "mma input=bf16 result=bf16 products=1 swapped=0 batch=[2:12288,1152,4096/1 2:6144,0,2048/1] "
     "m=[16:384,0,64/1 2:192,0,1024/1] n=[24:0,48,1/1 2:0,24,32/1] k=[24:1,1,0/1 8:24,2304,0/1] a=k chunkA=8 b=k "
     "chunkB=8 warpM=16 warpN=32 warpsM=2 warpsN=1 depth=32 stages=3 split=1 pair=2 raster=8 alpha=1"},
    {"the depth in three parts",
     "mma input=bf16 result=bf16 products=1 swapped=0 batch=[2:20800,3432,2600/1] m=[52:400,0,50/1] n=[50:0,400,1/1] "
     "k=[390:1,1,0/1] a=k chunkA=8 b=k chunkB=8 warpM=32 warpN=32 warpsM=2 warpsN=2 depth=32 stages=3 split=3 pair=2 "
     "raster=8 alpha=2"},
    {"the depth in parts, an odd number of columns",
     "mma input=f16 result=f32 products=1 swapped=0 batch=[] m=[20:200,0,33/1] n=[33:0,200,1/1] k=[200:1,1,0/1] a=k "
     "chunkA=8 b=k chunkB=8 warpM=32 warpN=16 warpsM=1 warpsN=2 depth=64 stages=2 split=2 pair=1 raster=8 alpha=1"},
    {"eight warps, operands swapped",
     "mma input=bf16 result=bf16 products=1 swapped=1 batch=[] m=[200:64,0,200/1] n=[200:0,64,1/1] k=[64:1,1,0/1] a=k "
     "chunkA=8 b=k chunkB=8 warpM=64 warpN=64 warpsM=4 warpsN=2 depth=32 stages=3 split=1 pair=2 raster=1 alpha=1"},
    {"nothing ragged",
     "mma input=bf16 result=bf16 products=1 swapped=0 batch=[] m=[64:64,0,64/1] n=[64:0,64,1/1] k=[64:1,1,0/1] a=k "
     "chunkA=8 b=k chunkB=8 warpM=32 warpN=32 warpsM=2 warpsN=2 depth=32 stages=3 split=1 pair=2 raster=8 alpha=1"},
    {"tf32, both operands K-major",
     "mma input=f32 result=f32 products=1 swapped=0 batch=[] m=[70:36,0,50/1] n=[50:0,36,1/1] k=[36:1,1,0/1] a=k "
     "chunkA=4 b=k chunkB=4 warpM=32 warpN=32 warpsM=2 warpsN=2 depth=16 stages=3 split=1 pair=2 raster=8 alpha=1"},
    {"tf32, both operands transposed, single elements",
     "mma input=f32 result=f32 products=1 swapped=0 batch=[] m=[70:1,0,51/1] n=[51:0,1,1/1] k=[33:70,51,0/1] a=mn "
     "chunkA=2 b=mn chunkB=1 warpM=32 warpN=32 warpsM=2 warpsN=2 depth=32 stages=3 split=1 pair=1 raster=8 alpha=1"},
    {"three products of tf32, depth in parts",
     "mma input=f32 result=f32 products=3 swapped=0 batch=[] m=[40:100,0,50/1] n=[50:0,1,1/1] k=[100:1,52,0/1] a=k "
     "chunkA=4 b=mn chunkB=4 warpM=32 warpN=32 warpsM=2 warpsN=2 depth=16 stages=3 split=2 pair=2 raster=8 alpha=1"},
    {"f64, both operands K-major",
     "mma input=f64 result=f64 products=1 swapped=0 batch=[2:1750,1750,2500/1] m=[50:35,0,50/1] n=[50:0,35,1/1] "
     "k=[35:1,1,0/1] a=k chunkA=1 b=k chunkB=1 warpM=32 warpN=16 warpsM=2 warpsN=2 depth=8 stages=3 split=1 pair=2 "
     "raster=8 alpha=3"},
    {"f64, both operands transposed, depth in parts",
     "mma input=f64 result=f64 products=1 swapped=0 batch=[] m=[50:1,0,50/1] n=[50:0,1,1/1] k=[70:50,50,0/1] a=mn "
     "chunkA=2 b=mn chunkB=2 warpM=16 warpN=32 warpsM=2 warpsN=2 depth=16 stages=4 split=2 pair=2 raster=8 alpha=1"},
    {"i8, both operands K-major",
     "mma input=i8 result=i32 products=1 swapped=0 batch=[] m=[70:96,0,50/1] n=[50:0,96,1/1] k=[90:1,1,0/1] a=k "
     "chunkA=16 b=k chunkB=16 warpM=32 warpN=32 warpsM=2 warpsN=2 depth=64 stages=3 split=1 pair=2 raster=8 alpha=1"},
    {"u8, both operands transposed, single bytes, depth in parts",
     "mma input=u8 result=i32 products=1 swapped=0 batch=[] m=[70:1,0,51/1] n=[51:0,1,1/1] k=[90:72,51,0/1] a=mn "
     "chunkA=4 b=mn chunkB=1 warpM=32 warpN=16 warpsM=2 warpsN=2 depth=32 stages=2 split=2 pair=1 raster=8 alpha=1"},
};

TEST(GpuModelMma, EveryVariant) {
  for (const Variant &variant : kVariants) {
    SCOPED_TRACE(variant.name);
    auto plan = parseMmaPlan(variant.plan);
    ASSERT_TRUE(plan) << plan.error().render();
    EXPECT_EQ(checkGemm(*plan, {0, 1, 2}), "");
  }
}

/// Contractions as users write them, small, with everything that a planner must cope with.
const char *const kEinsums[] = {
    "ik,kj->ij",     "ik,jk->ij",       "ki,kj->ij",       "ki,jk->ij",       "ik,kj->ji",     "bik,bkj->bij",
    "bij,bjk->bik",  "bqhd,bkhd->bhqk", "bhqk,bkhd->bqhd", "iak,kj->iaj",     "dbea,ec->abcd", "eafb,fdec->abcd",
    "iakb,kjb->iaj", "kbi,bkj->bij",    "kib,jkb->bij",    "aebf,cedf->abcd", "ikb,kjb->ijb"};

/// Extents of both kinds: multiples of 8, and any.
int64_t randomExtent(std::mt19937 &random, size_t indices) {
  const int64_t most = indices <= 3 ? 150 : indices == 4 ? 40 : 16;
  return random() % 2 ? 8 * (1 + int64_t(random() % (most / 8))) : 1 + int64_t(random() % most);
}

TEST(GpuModelMma, RandomContractions) {
  int planned = 0;
  for (uint32_t seed = 0; planned < 60; ++seed) {
    std::mt19937 random(seed);
    std::string text = kEinsums[random() % std::size(kEinsums)];
    std::map<char, int64_t> extents;
    for (char c : text)
      if (std::isalpha(c)) extents[c] = 0;
    for (auto &[index, extent] : extents) extent = randomExtent(random, extents.size());
    static constexpr DType kTypes[] = {DType::BF16, DType::BF16, DType::F16, DType::F32,
                                       DType::F32,  DType::F64,  DType::I8,  DType::U8};
    GemmRequest request;
    request.shape = ein::testing::einsumShape(text, extents);
    const DType type = kTypes[random() % std::size(kTypes)];
    request.types = {type, type, byteSize(type) == 1 ? DType::I32 : type};
    if (byteSize(type) == 2 && random() % 4 == 0) request.types[2] = DType::F32;
    if (byteSize(type) > 1 && random() % 4 == 0) request.alpha = 0.25;
    auto choice = planMma(request, {}, type == DType::F32 && random() % 2 ? 3 : 1);
    if (auto *plan = std::get_if<MmaPlan>(&choice)) {
      ++planned;
      SCOPED_TRACE(text + ", seed " + std::to_string(seed) + ": " + plan->str());
      EXPECT_EQ(checkGemm(*plan, {seed}), "");
    }
    ASSERT_LT(seed, 4000u) << "too few of the contractions have a plan";
  }
}

} // namespace
