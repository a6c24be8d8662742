// Gemm plans: chosen for contractions, printed and read back, refused where the hardware would.
#include "compiler/Gpu/GemmPlanner.h"
#include "tests/unit/lowering/Shapes.h"

#include <gtest/gtest.h>

using namespace ein;
using ein::testing::einsumShape;

namespace {

using Extents = std::map<char, int64_t>;

std::variant<GemmPlan, GemmRefusal> planned(const char *text, const Extents &extents, DType result = DType::BF16) {
  GemmRequest request;
  request.shape = einsumShape(text, extents);
  request.types[2] = result;
  return planGemm(request);
}

GemmPlan planOf(const char *text, const Extents &extents, DType result = DType::BF16) {
  const auto choice = planned(text, extents, result);
  if (auto *why = std::get_if<GemmRefusal>(&choice)) {
    ADD_FAILURE() << text << ": " << why->reason;
    return {};
  }
  return std::get<GemmPlan>(choice);
}

struct Case {
  const char *text;
  Extents extents;
};

/// Both majors of both operands, batches, permutations, ragged extents, groups of several indices.
const Case kCases[] = {
    {"ik,kj->ij", {{'i', 4096}, {'k', 4096}, {'j', 4096}}},
    {"ik,jk->ij", {{'i', 8192}, {'k', 8192}, {'j', 8192}}},
    {"ki,kj->ij", {{'i', 1000}, {'k', 504}, {'j', 296}}},
    {"ki,jk->ij", {{'i', 264}, {'k', 1048}, {'j', 200}}},
    {"ik,kj->ji", {{'i', 256}, {'k', 512}, {'j', 264}}},
    {"bij,bjk->bik", {{'b', 32}, {'i', 64}, {'j', 64}, {'k', 64}}},
    {"bqhd,bkhd->bhqk", {{'b', 2}, {'q', 128}, {'h', 4}, {'d', 64}, {'k', 128}}},
    {"bhqk,bkhd->bqhd", {{'b', 2}, {'q', 128}, {'h', 4}, {'d', 64}, {'k', 128}}},
    {"dbea,ec->abcd", {{'a', 72}, {'b', 24}, {'c', 24}, {'d', 72}, {'e', 72}}},
    {"eafb,fdec->abcd", {{'a', 16}, {'b', 24}, {'c', 16}, {'d', 24}, {'e', 16}, {'f', 16}}},
    {"ik,kj->ij", {{'i', 128}, {'k', 16384}, {'j', 128}}},
    {"ik,kj->ij", {{'i', 16}, {'k', 4096}, {'j', 4096}}},
    {"ik,kj->ij", {{'i', 4096}, {'k', 4096}, {'j', 16}}},
    {"ik,jk->ij", {{'i', 77}, {'k', 40}, {'j', 53}}},
};

template <class Law> void everyPlan(Law law) {
  for (const Case &c : kCases)
    for (DType result : {DType::BF16, DType::F32}) {
      SCOPED_TRACE(c.text);
      const GemmPlan p = planOf(c.text, c.extents, result);
      SCOPED_TRACE(p.str());
      law(p, einsumShape(c.text, c.extents));
    }
}

TEST(GemmPlan, PrintsWhatItReads) {
  everyPlan([](const GemmPlan &p, const NestShape &) {
    const auto read = parseGemmPlan(p.str());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, p);
    EXPECT_EQ(read->hash(), p.hash());
    GemmPlan other = p;
    other.stages += 1;
    EXPECT_NE(other.hash(), p.hash());
  });
}

TEST(GemmPlan, FitsTheMachine) {
  everyPlan([](const GemmPlan &p, const NestShape &) {
    EXPECT_EQ(p.obstacle(), "");
    EXPECT_LE(p.sharedBytes(), HopperModel().sharedBytes);
    EXPECT_GE(p.stages, 2);
    EXPECT_LE(p.tileN() / 2, 128) << "accumulators of a thread";
    const LaunchPlan launches = gemmLaunches(p, "k");
    for (const GpuArgument &a : launches.launches[0].arguments) {
      if (a.kind == GpuArgument::Kind::TensorMap) EXPECT_EQ(a.map.obstacle(), "");
    }
  });
}

TEST(GemmPlan, CoversTheContraction) {
  everyPlan([](const GemmPlan &p, const NestShape &shape) {
    int64_t points[2] = {1, 1};
    for (const GemmDims *g : {&p.batch, &p.m, &p.n, &p.k})
      for (const GemmDim &d : *g) {
        points[g == &p.k] *= d.extent;
        EXPECT_GE(d.tiles() * d.tile, d.extent);
      }
    EXPECT_EQ(points[0], shape.points(false));
    EXPECT_EQ(points[1], shape.points(true));
    EXPECT_GE(p.split * p.depthBlocksPerPart(), p.depthBlocks());
    EXPECT_LT((p.split - 1) * p.depthBlocksPerPart(), p.depthBlocks());
  });
}

TEST(GemmPlan, ChoosesByTheShape) {
  GemmPlan p = planOf("ik,jk->ij", {{'i', 4096}, {'k', 4096}, {'j', 4096}});
  EXPECT_EQ(p.tileM(), 128);
  EXPECT_EQ(p.tileN(), 256);
  EXPECT_EQ(p.cluster, 2);
  EXPECT_EQ(p.split, 1);
  EXPECT_EQ(p.epilogue, GemmEpilogue::Tensor);
  // Few tiles, a deep sum.
  p = planOf("ik,jk->ij", {{'i', 128}, {'k', 16384}, {'j', 128}});
  EXPECT_GT(p.split, 4);
  EXPECT_EQ(p.epilogue, GemmEpilogue::Direct);
  EXPECT_EQ(gemmLaunches(p, "k").launches.size(), 2u);
  EXPECT_EQ(gemmLaunches(p, "k").workspaceBytes, p.workspaceBytes());
  // What is contiguous in the result is on the columns.
  p = planOf("ik,jk->ji", {{'i', 1024}, {'k', 1024}, {'j', 1024}});
  EXPECT_TRUE(p.swapped);
  EXPECT_EQ(p.n.front().strides[2], 1);
  // A tall and thin product has narrow tiles.
  p = planOf("ik,kj->ij", {{'i', 4096}, {'k', 4096}, {'j', 16}});
  EXPECT_LE(p.tileN(), 16);
}

TEST(GemmPlan, ReadsPermutedOperandsInPlace) {
  const GemmPlan p = planOf("bqhd,bkhd->bhqk", {{'b', 4}, {'q', 512}, {'h', 16}, {'d', 128}, {'k', 512}});
  EXPECT_EQ(p.majorA, GemmMajor::K);
  EXPECT_EQ(p.majorB, GemmMajor::K);
  EXPECT_EQ(p.batch.size(), 2u);
  EXPECT_EQ(p.transfer(0).map.str(), "bf16 b128 [128:1/64 512:2048/128 16:128/1 4:1048576/1]");
}

TEST(GemmPlan, JoinsBatchesThatLieBehindEachOther) {
  // A and B are contiguous over b and c, which the result permutes; q and r are apart everywhere.
  GemmRequest request;
  request.shape.operands = 3;
  auto add = [&](int64_t extent, bool reduced, std::vector<int64_t> strides) {
    LoopDim d;
    d.extent = extent;
    d.reduced = reduced;
    d.strides = std::move(strides);
    request.shape.dims.push_back(d);
  };
  add(4, false, {8 * 65536, 8 * 65536, 65536});
  add(8, false, {65536, 65536, 4 * 65536});
  add(16, false, {4096, 0, 4096});
  add(16, false, {128, 0, 128 * 2});
  add(64, false, {0, 128, 1});
  add(64, true, {1, 1, 0});
  add(3, true, {0x400000, 0x400000, 0});
  const auto choice = planGemm(request);
  ASSERT_TRUE(std::holds_alternative<GemmPlan>(choice)) << std::get<GemmRefusal>(choice).reason;
  const TmaTransfer t = std::get<GemmPlan>(choice).transfer(std::get<GemmPlan>(choice).swapped);
  EXPECT_EQ(t.map.rank(), 5u);
  EXPECT_EQ(t.map.dims.back().extent, 32);
  ASSERT_EQ(t.coordinates.back().size(), 2u);
  EXPECT_EQ(t.coordinates.back()[1].factor, 8);
}

TEST(GemmPlan, SaysWhoseLayoutIsInTheWay) {
  const struct {
    const char *text;
    Extents extents;
    int operand;
  } refused[] = {
      {"ikb,bkj->bij", {{'i', 64}, {'k', 64}, {'j', 64}, {'b', 8}}, 0}, // a batch is contiguous
      {"ik,kj->ij", {{'i', 64}, {'k', 60}, {'j', 64}}, 0},              // rows of 120 bytes
      {"ik,kj->ij", {{'i', 64}, {'k', 64}, {'j', 60}}, 1},
      {"ikl,jlk->ij", {{'i', 64}, {'j', 64}, {'k', 64}, {'l', 64}}, 1}, // each another contracted index
      {"ik,k->i", {{'i', 64}, {'k', 64}}, -1},
      {"i,j->ij", {{'i', 64}, {'j', 64}}, -1},
  };
  for (const auto &c : refused) {
    const auto choice = planned(c.text, c.extents);
    ASSERT_TRUE(std::holds_alternative<GemmRefusal>(choice)) << c.text;
    EXPECT_EQ(std::get<GemmRefusal>(choice).operand, c.operand)
        << c.text << ": " << std::get<GemmRefusal>(choice).reason;
  }
}

TEST(GemmPlan, RefusesDecisionsThatDoNotFit) {
  const GemmPlan good = planOf("ik,jk->ij", {{'i', 1024}, {'k', 1024}, {'j', 1024}});
  auto broken = [&](auto change) {
    GemmPlan p = good;
    change(p);
    return !p.obstacle().empty() && !parseGemmPlan(p.str());
  };
  EXPECT_TRUE(broken([](GemmPlan &p) { p.input = DType::F32; }));
  EXPECT_TRUE(broken([](GemmPlan &p) { p.consumers = 3; }));
  EXPECT_TRUE(broken([](GemmPlan &p) { p.stages = 1; }));
  EXPECT_TRUE(broken([](GemmPlan &p) { p.k[0].tile = 128; }));
  EXPECT_TRUE(broken([](GemmPlan &p) { p.n[0].tile = 512; }));
  EXPECT_TRUE(broken([](GemmPlan &p) { p.n[0].strides[1] = 1020; })) << "rows of 2040 bytes";
  EXPECT_TRUE(broken([](GemmPlan &p) { p.m[0].strides[0] = -1024; }));
  EXPECT_TRUE(broken([](GemmPlan &p) { p.m[0].extent = int64_t(1) << 31; })) << "coordinates are 32 bits";
  EXPECT_TRUE(broken([](GemmPlan &p) { p.split = 17; }));
  EXPECT_TRUE(broken([](GemmPlan &p) { p.cluster = 3; }));
  EXPECT_TRUE(broken([](GemmPlan &p) { p.m[0].extent = 9 * p.m[0].tile, p.cluster = 2; })) << "9 rows of tiles";
}

TEST(GemmPlan, RefusesTextThatIsNoPlan) {
  const std::string good = planOf("ik,jk->ij", {{'i', 1024}, {'k', 1024}, {'j', 1024}}).str();
  for (size_t end = 0; end < good.size(); ++end) {
    const auto read = parseGemmPlan(good.substr(0, end));
    if (read) EXPECT_EQ(good.substr(0, end).find("alpha=") != std::string::npos, true) << good.substr(0, end);
  }
  EXPECT_FALSE(parseGemmPlan(good + " more"));
  EXPECT_FALSE(parseGemmPlan("gemm input=q8 result=f32"));
}

} // namespace
