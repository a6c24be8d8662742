// Mma plans: chosen for contractions, printed and read back, refused where the instructions would.
#include "compiler/Gpu/MmaPlanner.h"
#include "tests/unit/lowering/Shapes.h"

#include <gtest/gtest.h>

using namespace ein;
using ein::testing::einsumShape;

namespace {

using Extents = std::map<char, int64_t>;

std::variant<MmaPlan, GemmRefusal> planned(const char *text, const Extents &extents, DType type = DType::BF16) {
  GemmRequest request;
  request.shape = einsumShape(text, extents);
  request.types = {type, type, byteSize(type) == 1 ? DType::I32 : type};
  return planMma(request);
}

MmaPlan planOf(const char *text, const Extents &extents, DType type = DType::BF16) {
  const auto choice = planned(text, extents, type);
  if (auto *why = std::get_if<GemmRefusal>(&choice)) {
    ADD_FAILURE() << text << ": " << why->reason;
    return {};
  }
  return std::get<MmaPlan>(choice);
}

struct Case {
  const char *text;
  Extents extents;
};

/// Both majors of both operands, batches, permutations, odd extents, indices that are contiguous nowhere.
const Case kCases[] = {
    {"ik,kj->ij", {{'i', 4096}, {'k', 4096}, {'j', 4096}}},
    {"ik,jk->ij", {{'i', 8192}, {'k', 8192}, {'j', 8192}}},
    {"ki,kj->ij", {{'i', 1001}, {'k', 503}, {'j', 297}}},
    {"ki,jk->ji", {{'i', 264}, {'k', 1048}, {'j', 200}}},
    {"bqhd,bkhd->bhqk", {{'b', 2}, {'q', 128}, {'h', 4}, {'d', 64}, {'k', 128}}},
    {"eafb,fdec->abcd", {{'a', 16}, {'b', 24}, {'c', 16}, {'d', 24}, {'e', 16}, {'f', 16}}},
    {"ikb,kjb->ijb", {{'b', 7}, {'i', 64}, {'j', 64}, {'k', 64}}},
    {"ik,kj->ij", {{'i', 128}, {'k', 16384}, {'j', 128}}},
    {"ik,kj->ij", {{'i', 16}, {'k', 4096}, {'j', 4096}}},
    {"ik,kj->ij", {{'i', 9}, {'k', 8}, {'j', 11}}},
};

template <class Law> void everyPlan(Law law) {
  for (const Case &c : kCases)
    for (DType type : {DType::BF16, DType::F16, DType::F32, DType::F64, DType::I8}) {
      SCOPED_TRACE(c.text);
      const MmaPlan p = planOf(c.text, c.extents, type);
      SCOPED_TRACE(p.str());
      law(p, einsumShape(c.text, c.extents));
    }
}

TEST(MmaPlan, PrintsWhatItReads) {
  everyPlan([](const MmaPlan &p, const NestShape &) {
    const auto read = parseMmaPlan(p.str());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, p);
    EXPECT_EQ(read->hash(), p.hash());
    MmaPlan other = p;
    other.raster += 1;
    EXPECT_NE(other.hash(), p.hash());
  });
}

TEST(MmaPlan, FitsTheMachine) {
  everyPlan([](const MmaPlan &p, const NestShape &) {
    EXPECT_EQ(p.obstacle(), "");
    EXPECT_LE(p.sharedBytes(), MmaModel().sharedBytes);
    EXPECT_LE(p.registers(), 128);
    EXPECT_EQ(mmaLaunches(p, "k").launches.size(), p.split > 1 ? 2u : 1u);
    EXPECT_EQ(mmaLaunches(p, "k").workspaceBytes, p.workspaceBytes());
  });
}

TEST(MmaPlan, CoversTheContraction) {
  everyPlan([](const MmaPlan &p, const NestShape &shape) {
    EXPECT_EQ(p.extent(p.batch) * p.extent(p.m) * p.extent(p.n), shape.points(false));
    EXPECT_EQ(p.extent(p.k), shape.points(true));
    EXPECT_GE(p.tiles() * p.tileM() * p.tileN(), shape.points(false));
    EXPECT_GE(p.split * p.depthBlocksPerPart() * p.depth, p.extent(p.k));
    EXPECT_LT((p.split - 1) * p.depthBlocksPerPart(), p.depthBlocks());
  });
}

TEST(MmaPlan, ChoosesByTheShape) {
  MmaPlan p = planOf("ik,jk->ij", {{'i', 4096}, {'k', 4096}, {'j', 4096}});
  EXPECT_EQ(p.warpM * p.warpN, 64 * 64);
  EXPECT_GE(p.tileM() * p.tileN(), 128 * 128);
  EXPECT_EQ(p.operands[0].chunk, 8);
  EXPECT_EQ(p.split, 1);
  EXPECT_EQ(p.pair, 2);
  // Few tiles, a deep sum.
  p = planOf("ik,jk->ij", {{'i', 64}, {'k', 16384}, {'j', 64}});
  EXPECT_GT(p.split, 4);
  // What is contiguous in the result is on the columns.
  p = planOf("ik,jk->ji", {{'i', 1024}, {'k', 1024}, {'j', 1024}});
  EXPECT_TRUE(p.swapped);
  EXPECT_EQ(p.n.front().strides[2], 1);
}

TEST(MmaPlan, CopiesWhatIsAlignedTogether) {
  auto chunk = [](const char *text, int64_t k, DType type) {
    return planOf(text, {{'i', 64}, {'k', k}, {'j', 64}, {'b', 5}}, type).operands[0].chunk;
  };
  EXPECT_EQ(chunk("ik,jk->ij", 64, DType::BF16), 8);
  EXPECT_EQ(chunk("ik,jk->ij", 36, DType::BF16), 4);
  EXPECT_EQ(chunk("ik,jk->ij", 34, DType::BF16), 2);
  EXPECT_EQ(chunk("ik,jk->ij", 33, DType::BF16), 1); // through registers
  EXPECT_EQ(chunk("ik,jk->ij", 33, DType::F32), 1);  // 4 bytes each
  EXPECT_EQ(chunk("ik,jk->ij", 64, DType::F64), 2);
  EXPECT_EQ(chunk("ik,jk->ij", 64, DType::I8), 16);
  EXPECT_EQ(chunk("ikb,jkb->ijb", 64, DType::BF16), 1); // the batch is contiguous
}

TEST(MmaPlan, RefusesWhatIsNoProductOfMatrices) {
  const auto refusal = [](const char *text, const Extents &extents) {
    const auto choice = planned(text, extents);
    auto *why = std::get_if<GemmRefusal>(&choice);
    return why ? why->reason : "a plan";
  };
  EXPECT_EQ(refusal("ik,k->i", {{'i', 64}, {'k', 64}}), "an operand without rows of its own");
  EXPECT_EQ(refusal("ikl,kj->ij", {{'i', 64}, {'k', 64}, {'l', 3}, {'j', 64}}), "an index that only one tensor has");
  EXPECT_EQ(refusal("i,j->ij", {{'i', 64}, {'j', 64}}), "nothing is contracted");
  EXPECT_EQ(refusal("ik,kj->ij", {{'i', 7}, {'k', 64}, {'j', 64}}), "fewer than 8 rows, columns or steps of the depth");
}

TEST(MmaPlan, ObstaclesOfChangedPlans) {
  const MmaPlan good = planOf("ik,jk->ij", {{'i', 200}, {'k', 100}, {'j', 200}});
  auto obstacle = [&](auto change) {
    MmaPlan p = good;
    change(p);
    return p.obstacle();
  };
  EXPECT_EQ(obstacle([](MmaPlan &) {}), "");
  EXPECT_EQ(obstacle([](MmaPlan &p) { p.operands[0].chunk = 8; }), "A: copies from addresses that are no multiples");
  EXPECT_EQ(obstacle([](MmaPlan &p) { p.operands[1].chunk = 3; }), "B: copies of other than 1 to 16 bytes");
  EXPECT_EQ(obstacle([](MmaPlan &p) { p.operands[1].major = GemmMajor::MN; }),
            "B: copies of elements that are no neighbours");
  EXPECT_EQ(obstacle([](MmaPlan &p) { p.warpM = 48; }), "sides of tiles are powers of 2");
  EXPECT_EQ(obstacle([](MmaPlan &p) { p.warpN = 8; }), "a warp has less than 16 rows or columns");
  EXPECT_EQ(obstacle([](MmaPlan &p) { p.warpM = p.warpN = 128; }), "more than 128 registers of sums");
  EXPECT_EQ(obstacle([](MmaPlan &p) { p.depth = 128; }), "a stage is not 32 to 128 bytes deep");
  EXPECT_EQ(obstacle([](MmaPlan &p) { p.stages = 1; }), "a ring of less than 2 or more than 8 stages");
  EXPECT_EQ(obstacle([](MmaPlan &p) { p.split = 100; }), "a part of the depth that is empty");
  EXPECT_EQ(obstacle([](MmaPlan &p) { p.n.front().extent = 201; }), "pairs of results that are no neighbours");
  EXPECT_EQ(obstacle([](MmaPlan &p) { p.products = 3; }), "neither 1 product nor, of f32, 3");
  EXPECT_EQ(obstacle([](MmaPlan &p) { p.input = DType::I32; }), "operands are none of bf16, f16, f32, f64, i8 and u8");
}

} // namespace
