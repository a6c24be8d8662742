// Plans of kernels without tensor cores: who computes what, and that the parts make up the whole.
#include "compiler/Gpu/SimtPlan.h"
#include "tests/unit/lowering/Shapes.h"

#include <gtest/gtest.h>

using namespace ein;

namespace {

/// The plan of an einsum whose elements have `bytes`.
SimtPlan plan(const std::string &text, const std::map<char, int64_t> &extents, int64_t bytes = 4,
              int64_t alignment = 16) {
  NestShape shape = simplify(ein::testing::einsumShape(text, extents));
  shape.elementBytes = shape.outputBytes = bytes;
  std::vector<SimtOperand> operands(shape.operands, SimtOperand{bytes, alignment});
  SimtBody body;
  body.reduces = shape.points(true) > 1;
  body.isTileable = shape.operands == 3;
  body.zeroPads = true;
  return planSimt(shape, operands, body, {});
}

TEST(SimtPlan, VectorsAreOf16Bytes) {
  const int64_t n = 1 << 20;
  EXPECT_EQ(plan("i,i->i", {{'i', n}}).lanes, 4);
  EXPECT_EQ(plan("i,i->i", {{'i', n}}, 2).lanes, 8);
  EXPECT_EQ(plan("i,i->i", {{'i', n}}, 1).lanes, 16);
  EXPECT_EQ(plan("i,i->i", {{'i', n}}, 8).lanes, 2);
}

TEST(SimtPlan, VectorsFitExtentsAndAddresses) {
  // The end of a long loop goes element by element; a reduced one has no end of its own.
  const SimtPlan ragged = plan("i,i->i", {{'i', (1 << 20) + 1}});
  EXPECT_EQ(ragged.lanes, 4);
  EXPECT_TRUE(ragged.endsWithin());
  EXPECT_EQ(ragged.items(), (1 << 18) + 1);
  EXPECT_FALSE(plan("i,i->i", {{'i', 1 << 20}}).endsWithin());
  EXPECT_EQ(plan("i->", {{'i', (1 << 20) + 2}}).lanes, 2);
  EXPECT_EQ(plan("i,i->i", {{'i', 1 << 20}}, 4, 8).lanes, 2);
  EXPECT_EQ(plan("i,i->i", {{'i', 1 << 20}}, 4, 4).lanes, 1);
  // Rows that do not begin at a multiple of 16 bytes.
  EXPECT_EQ(plan("ij,j->ij", {{'i', 1 << 12}, {'j', 1 << 10}}).lanes, 4);
  EXPECT_EQ(plan("ij,j->ij", {{'i', 1 << 12}, {'j', 1022}}).lanes, 2);
}

TEST(SimtPlan, SmallWorkIsSpreadOverThreads) { EXPECT_EQ(plan("i,i->i", {{'i', 1024}}).lanes, 1); }

TEST(SimtPlan, RowsAreSharedByWarpsAndBlocks) {
  EXPECT_EQ(plan("ij->i", {{'i', 8192}, {'j', 1024}}).group, 32);
  EXPECT_EQ(plan("ij->i", {{'i', 500}, {'j', 65536}}).group, 256);
  EXPECT_EQ(plan("ij->j", {{'i', 64}, {'j', 65536}}).group, 1) << "columns: neighbours read neighbours";
  EXPECT_EQ(plan("ij->i", {{'i', 1 << 20}, {'j', 4}}).group, 1) << "too short to share";
}

TEST(SimtPlan, PartsCoverTheReduction) {
  for (int64_t n : {1000, 65536, 1 << 20, (1 << 24) + 3}) {
    for (const SimtPlan &p : {plan("i->", {{'i', n}}), plan("ij->j", {{'i', n / 10}, {'j', 64}}, 8)}) {
      EXPECT_GE(p.split * p.chunk, p.runs()) << p.str();
      EXPECT_LT((p.split - 1) * p.chunk, p.runs()) << p.str() << ": the last part is empty";
      EXPECT_EQ(p.grid[1], p.split);
      EXPECT_EQ(p.partBytes(), p.split > 1 ? p.split * p.shape.points(false) * p.shape.outputBytes : 0);
    }
  }
  EXPECT_GT(plan("i->", {{'i', 1 << 24}}).split, 100);
}

TEST(SimtPlan, PermutationsGoThroughSharedMemory) {
  const SimtPlan p = plan("ij->ji", {{'i', 1000}, {'j', 700}});
  EXPECT_EQ(p.kind, SimtKind::Transpose);
  EXPECT_EQ(p.grid[0], 32 * 22) << "squares of 64 would be too few";
  EXPECT_EQ(p.sharedBytes, 32 * 33 * 4);
  EXPECT_EQ(plan("ij->ij", {{'i', 1000}, {'j', 700}}).kind, SimtKind::Map);
  EXPECT_EQ(plan("ij->ji", {{'i', 1000}, {'j', 3}}).kind, SimtKind::Map) << "too narrow for squares";
}

TEST(SimtPlan, PermutationsMove16BytesWhereTheyCan) {
  const std::map<char, int64_t> large = {{'i', 4096}, {'j', 4096}};
  const std::pair<int64_t, int64_t> sides[] = {{8, 32}, {4, 64}, {2, 64}, {1, 128}};
  for (const auto &[bytes, side] : sides) {
    const SimtPlan p = plan("ij->ji", large, bytes);
    EXPECT_EQ(p.side, side) << bytes << " bytes";
    EXPECT_EQ(p.lanes * bytes, 16);
    EXPECT_EQ(p.stagedLanes(0) * bytes, 16);
    EXPECT_LE(p.sharedBytes, 20 << 10);
  }
  // Rows of the input are 1022 elements, those of the output 1000.
  const SimtPlan odd = plan("ij->ji", {{'i', 1000}, {'j', 1022}}, 2);
  EXPECT_EQ(odd.stagedLanes(0), 2);
  EXPECT_EQ(odd.lanes, 8);
  EXPECT_NE(odd.str().find("squares of 64 along loops 1 and 0, loads of 4 bytes (extent 1022 of loop 0), stores of 16 "
                           "bytes;"),
            std::string::npos)
      << odd.str();
  EXPECT_EQ(plan("ij->ji", large, 4, 8).lanes, 2) << "addresses are multiples of 8 bytes only";
  EXPECT_EQ(plan("ij->ji", {{'i', 40}, {'j', 40}}, 2).lanes, 4) << "a small square has work for all threads";
}

TEST(SimtPlan, ContractionsHaveSquares) {
  const SimtPlan small = plan("ik,kj->ij", {{'i', 512}, {'j', 512}, {'k', 512}});
  EXPECT_EQ(small.kind, SimtKind::Tile);
  EXPECT_EQ(small.registers, 4);
  const SimtPlan large = plan("ik,kj->ij", {{'i', 4096}, {'j', 4096}, {'k', 512}});
  EXPECT_EQ(large.registers, 8);
  EXPECT_EQ(large.grid[0], 32 * 32);
  EXPECT_EQ(plan("ik,kj->ij", {{'i', 4096}, {'j', 4096}, {'k', 512}}, 8).registers, 4) << "of f64";
  EXPECT_EQ(plan("ik,k->i", {{'i', 4096}, {'k', 512}}).kind, SimtKind::Map) << "no columns";
  EXPECT_LE(large.sharedBytes, 48 << 10);
}

TEST(SimtPlan, ADeepContractionIsSplit) {
  const SimtPlan p = plan("ik,kj->ij", {{'i', 64}, {'j', 64}, {'k', 1 << 20}});
  EXPECT_EQ(p.kind, SimtKind::Tile);
  EXPECT_GT(p.split, 10);
  EXPECT_EQ(p.chunk % SimtPlan::kTileDepth, 0);
  EXPECT_GE(p.split * p.chunk, 1 << 20);
}

TEST(SimtPlan, Prints) {
  EXPECT_EQ(plan("ij->i", {{'i', 8192}, {'j', 1024}}).str(),
            "simt map: 8192 items by 32 threads, 4 along loop 1; grid 1024x1x1, block 256, shared 0; loops "
            "8192p(1024,1) 1024r(1,0)");
}

} // namespace
