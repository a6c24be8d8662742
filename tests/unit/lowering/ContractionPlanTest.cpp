// Laws that every plan of a contraction keeps, and the decisions for chosen ones.
#include "compiler/Lowering/ContractionPlan.h"
#include "tests/unit/lowering/Shapes.h"

#include <gtest/gtest.h>

#include <bit>

using namespace ein;
using ein::testing::allCpus;
using ein::testing::avx2;
using ein::testing::avx512;
using ein::testing::avx512Split;
using ein::testing::einsumShape;

namespace {

struct Case {
  const char *text;
  std::map<char, int64_t> extents;
};

/// Every order of the indices, batches, ragged groups, edges, and depths beyond one block.
const Case kCases[] = {
    {"ik,kj->ij", {{'i', 64}, {'k', 64}, {'j', 64}}},
    {"ik,kj->ij", {{'i', 1024}, {'k', 1024}, {'j', 1024}}},
    {"ik,kj->ij", {{'i', 100}, {'k', 77}, {'j', 53}}},
    {"ik,kj->ij", {{'i', 37}, {'k', 15873}, {'j', 33}}},
    {"ki,jk->ij", {{'i', 300}, {'k', 1041}, {'j', 200}}},
    {"ik,jk->ij", {{'i', 300}, {'k', 1041}, {'j', 200}}},
    {"ki,kj->ji", {{'i', 256}, {'k', 512}, {'j', 257}}},
    {"ik,kj->ij", {{'i', 2048}, {'k', 2048}, {'j', 4}}},
    {"ik,kj->ij", {{'i', 4}, {'k', 2048}, {'j', 2048}}},
    {"bqhd,bkhd->bhqk", {{'b', 2}, {'q', 128}, {'h', 4}, {'d', 64}, {'k', 128}}},
    {"bij,bjk->bik", {{'b', 32}, {'i', 64}, {'j', 64}, {'k', 64}}},
    {"fbea,ecfd->dcba", {{'a', 24}, {'b', 20}, {'c', 24}, {'d', 20}, {'e', 24}, {'f', 20}}},
    {"abc,cad->bd", {{'a', 12}, {'b', 40}, {'c', 13}, {'d', 48}}},
    {"adb,cd->cba", {{'a', 64}, {'b', 64}, {'c', 64}, {'d', 64}}},
};

/// Calls `law` with the plan of every case for every CPU, dtype and team.
template <class Law> void everyPlan(Law law) {
  for (const Case &c : kCases)
    for (const CpuModel &cpu : allCpus())
      for (int64_t bytes : {4, 8}) {
        const NestShape shape = einsumShape(c.text, c.extents, bytes);
        const auto plan = planContraction(shape, cpu);
        ASSERT_TRUE(plan) << c.text << " is not tiled";
        SCOPED_TRACE(std::string(c.text) + ": " + plan->str());
        law(*plan, shape, cpu);
      }
}

ContractionPlan planOf(const char *text, const std::map<char, int64_t> &extents, const CpuModel &cpu = avx512()) {
  const auto plan = planContraction(einsumShape(text, extents), cpu);
  EXPECT_TRUE(plan) << text;
  return plan.value_or(ContractionPlan());
}

TEST(ContractionPlan, TheTileFitsTheRegisterFile) {
  everyPlan([](const ContractionPlan &p, const NestShape &, const CpuModel &cpu) {
    // Accumulators, the vectors of one step and one broadcast.
    EXPECT_LE(p.mr * p.nv + p.nv + 1, cpu.vectorRegisters);
    EXPECT_TRUE(std::has_single_bit(uint64_t(p.lanes)));
    EXPECT_LE(p.lanes * p.elementBytes, cpu.vectorBytes);
    EXPECT_GE(p.mr, 1);
    EXPECT_GE(p.nv, 1);
  });
}

TEST(ContractionPlan, TheGroupsHoldEveryIterationOnce) {
  everyPlan([](const ContractionPlan &p, const NestShape &shape, const CpuModel &) {
    EXPECT_EQ(p.batch.size() * p.rows.size() * p.cols.size(), shape.points(false));
    EXPECT_EQ(p.depth.size(), shape.points(true));
    EXPECT_EQ(p.flops(), 2.0 * double(shape.points(false)) * double(shape.points(true)));
  });
}

TEST(ContractionPlan, PanelsCoverTheSidesAndBlocksTheDepth) {
  auto covers = [](int64_t pieces, int64_t piece, int64_t whole) {
    EXPECT_GE(pieces * piece, whole);
    EXPECT_LT((pieces - 1) * piece, whole);
  };
  everyPlan([&](const ContractionPlan &p, const NestShape &, const CpuModel &) {
    covers(p.allRowPanels(), p.mr, p.rows.size());
    covers(p.allColPanels(), p.nr(), p.cols.size());
    covers(p.depthBlocks(), p.kc, p.depth.size());
    for (auto [panels, all] : {std::pair{p.rowPanels, p.allRowPanels()}, {p.colPanels, p.allColPanels()}}) {
      EXPECT_GE(panels, 1);
      EXPECT_LE(panels, all);
    }
  });
}

TEST(ContractionPlan, LanesFollowTheOutputsUnitStride) {
  everyPlan([](const ContractionPlan &p, const NestShape &shape, const CpuModel &) {
    for (const LoopDim &d : shape.dims)
      if (!d.reduced && d.strides[2] == 1 && (d.strides[0] == 0 || d.strides[1] == 0))
        EXPECT_EQ(p.cols.dims.back().strides[2], 1);
  });
}

TEST(ContractionPlan, APackingReadsWhatIsAdjacent) {
  everyPlan([](const ContractionPlan &p, const NestShape &, const CpuModel &) {
    EXPECT_TRUE(p.fits());
    auto law = [&](Packing packing, const IndexGroup &side, unsigned o, int64_t run) {
      const int64_t lastBlock = p.depth.size() - (p.depthBlocks() - 1) * p.kc;
      switch (packing) {
      case Packing::None: EXPECT_TRUE(side.affine(o) && p.depth.affine(o)); break;
      case Packing::Rows: EXPECT_TRUE(side.contiguous(o, run)); break;
      case Packing::Transpose: // whole squares: each block is as deep as a vector is long
        EXPECT_TRUE(p.depth.contiguous(o, p.lanes));
        EXPECT_GE(lastBlock, p.lanes);
        break;
      case Packing::Cross: // whole squares of columns
        EXPECT_EQ(p.lanes, p.square);
        EXPECT_EQ(p.cols.size() % (p.square * p.square), 0);
        EXPECT_EQ(p.colPanels % p.colUnit() == 0 || p.colPanels == p.allColPanels(), true);
        break;
      case Packing::Gather: break;
      }
    };
    law(p.packRows, p.rows, 0, p.mr);
    law(p.packCols, p.cols, 1, p.lanes);
    if (p.packCols == Packing::None) { // whole vectors, also at the edge
      EXPECT_EQ(p.cols.affine(1), 1);
      EXPECT_EQ(p.cols.size() % p.lanes, 0);
    }
  });
}

TEST(ContractionPlan, ASplitIsEven) {
  everyPlan([](const ContractionPlan &p, const NestShape &, const CpuModel &cpu) {
    EXPECT_EQ(p.split == Split::Serial, p.threads == 1);
    if (p.split == Split::Serial) return;
    EXPECT_EQ(p.threads, cpu.threads);
    if (p.split == Split::Batch) EXPECT_GE(p.batch.size(), p.threads);
    if (p.split == Split::Depth) EXPECT_GE(p.depthBlocks(), p.threads);
    if (p.split != Split::Cols && p.split != Split::Rows) return;
    const bool cols = p.split == Split::Cols;
    EXPECT_EQ(p.colsOuter, !cols) << "the other side is the one packed together";
    const int64_t all = cols ? p.allColPanels() : p.allRowPanels(), perBlock = cols ? p.colPanels : p.rowPanels;
    const int64_t blocks = (all + perBlock - 1) / perBlock, most = (blocks + p.threads - 1) / p.threads;
    // Blocks are whole panels (or squares), so a thread may get one more than its share in each of its blocks.
    const int64_t unit = cols ? p.colUnit() : 1;
    EXPECT_LE(double(most * perBlock), double(all) / double(p.threads) + double(most * unit));
  });
}

TEST(ContractionPlan, ATransposedBlockIsAsDeepAsAVectorIsLong) {
  for (int64_t bytes : {4, 8})
    for (int64_t k = 16; k < 40000; k += 61)
      for (const CpuModel &cpu : {avx512(), avx512Split(), avx2()}) {
        const auto p = planContraction(einsumShape("ik,jk->ij", {{'i', 100}, {'j', 100}, {'k', k}}, bytes), cpu);
        ASSERT_TRUE(p);
        if (p->packCols != Packing::Transpose) continue;
        ASSERT_GE(k - (p->depthBlocks() - 1) * p->kc, p->lanes) << p->str();
      }
}

TEST(ContractionPlan, ThinContractionsAreNotTiled) {
  const Case thin[] = {
      {"ik,k->i", {{'i', 1000}, {'k', 1000}}},           // no columns
      {"k,k->", {{'k', 1000}}},                          // neither side
      {"i,j->ij", {{'i', 1000}, {'j', 1000}}},           // nothing contracted
      {"bi,bi->b", {{'b', 100}, {'i', 100}}},            // batches of dot products
      {"ik,kj->ij", {{'i', 500}, {'k', 2}, {'j', 500}}}, // too shallow
      {"ik,kj->ij", {{'i', 4}, {'k', 4}, {'j', 4}}},     // too small
  };
  for (const Case &c : thin)
    for (const CpuModel &cpu : allCpus()) EXPECT_FALSE(planContraction(einsumShape(c.text, c.extents), cpu)) << c.text;
}

TEST(ContractionPlan, PackingFollowsTheLayouts) {
  const std::map<char, int64_t> big = {{'i', 1000}, {'j', 1000}, {'k', 1000}};
  ContractionPlan p = planOf("ik,kj->ij", big);
  EXPECT_EQ(p.packRows, Packing::Transpose);
  EXPECT_EQ(p.packCols, Packing::Rows);
  p = planOf("ki,jk->ij", big);
  EXPECT_EQ(p.packRows, Packing::Rows);
  EXPECT_EQ(p.packCols, Packing::Transpose);
  // Neither the row index nor a contracted one is adjacent in operand 0.
  p = planOf("kib,bkj->bij", {{'b', 3}, {'i', 500}, {'j', 512}, {'k', 500}});
  EXPECT_EQ(p.packRows, Packing::Gather);
  p = planOf("ik,kj->ij", {{'i', 64}, {'j', 64}, {'k', 64}});
  EXPECT_EQ(p.packRows, Packing::None);
  EXPECT_EQ(p.packCols, Packing::None);
}

TEST(ContractionPlan, OperandsSwapWhereTheFirstOwnsTheOutputsUnitStride) {
  const std::map<char, int64_t> extents = {{'i', 200}, {'j', 300}, {'k', 100}};
  EXPECT_FALSE(planOf("ik,kj->ij", extents).swapped);
  EXPECT_TRUE(planOf("ik,kj->ji", extents).swapped);
  EXPECT_EQ(planOf("ik,kj->ji", extents).cols.size(), 200);
}

TEST(ContractionPlan, ATeamNeedsWorkToShare) {
  const std::map<char, int64_t> small = {{'i', 64}, {'j', 64}, {'k', 64}}, large = {{'i', 512}, {'j', 512}, {'k', 512}};
  EXPECT_EQ(planOf("ik,kj->ij", small, avx512(2)).split, Split::Serial);
  EXPECT_NE(planOf("ik,kj->ij", large, avx512(2)).split, Split::Serial);
  EXPECT_EQ(planOf("ik,kj->ij", {{'i', 12}, {'j', 32}, {'k', 100000}}, avx512(2)).split, Split::Depth);
  EXPECT_EQ(planOf("bij,bjk->bik", {{'b', 64}, {'i', 64}, {'j', 64}, {'k', 64}}, avx512(2)).split, Split::Batch);
}

TEST(ContractionPlan, NarrowColumnsUseNarrowVectors) {
  EXPECT_EQ(planOf("ik,kj->ij", {{'i', 500}, {'j', 4}, {'k', 500}}).lanes, 4);
  EXPECT_EQ(planOf("ik,kj->ij", {{'i', 500}, {'j', 16}, {'k', 500}}).lanes, 16);
}

TEST(ContractionPlan, PrintsItsDecisionsAndWhy) {
  const std::string text = planOf("ik,kj->ij", {{'i', 64}, {'j', 64}, {'k', 64}}).str();
  for (const char *part : {"contraction b=1 m=64 n=64 k=64", "lanes along operand 1", "packing rows=none cols=none",
                           "split serial over 1", "one thread"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in " << text;
}

TEST(IndexGroup, KnowsWhetherOneStrideWalksIt) {
  IndexGroup g;
  EXPECT_EQ(g.size(), 1);
  EXPECT_EQ(g.affine(0), 0);
  LoopDim outer, inner;
  outer.extent = 3, outer.strides = {8, 4, 0};
  inner.extent = 4, inner.strides = {2, 1, 1};
  g.dims = {outer, inner};
  EXPECT_EQ(g.size(), 12);
  EXPECT_EQ(g.affine(0), 2);
  EXPECT_EQ(g.affine(1), 1);
  EXPECT_EQ(g.affine(2), std::nullopt);
  EXPECT_FALSE(g.contiguous(0, 4));
  EXPECT_TRUE(g.contiguous(1, 8));
  EXPECT_TRUE(g.contiguous(2, 4)) << "runs of four do not cross the outer loop";
  EXPECT_FALSE(g.contiguous(2, 8));
}

} // namespace
