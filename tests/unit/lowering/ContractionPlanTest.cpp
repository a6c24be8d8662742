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
    {"efbad,cf->abcde", {{'a', 42}, {'b', 8}, {'c', 21}, {'d', 36}, {'e', 42}, {'f', 32}}},
    {"acd,dbc->ab", {{'a', 75}, {'b', 43}, {'c', 83}, {'d', 70}}},
    {"geab,dfgc->abcdef", {{'a', 24}, {'b', 20}, {'c', 20}, {'d', 4}, {'e', 20}, {'f', 20}, {'g', 24}}},
    {"adb,cd->cba", {{'a', 64}, {'b', 64}, {'c', 64}, {'d', 64}}},
};

/// Calls `law` with the plan of every case for every CPU, dtype and team, and for steps in pairs.
template <class Law> void everyPlan(Law law) {
  for (const Case &c : kCases)
    for (const CpuModel &cpu : allCpus())
      for (auto [bytes, pairs] : {std::pair(4, false), {8, false}, {1, false}, {4, true}}) {
        NestShape shape = einsumShape(c.text, c.extents, bytes);
        shape.pairs = pairs;
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
    covers(p.rowPanelsPerRun(), p.mr, p.rows.run());
    covers(p.colPanelsPerRun(), p.nr(), p.cols.run());
    EXPECT_EQ(p.allColPanels(), p.cols.runs() * p.colPanelsPerRun());
    ASSERT_EQ(p.depthPieces.size(), p.depth.dims.size());
    for (size_t i = 0; i < p.depthPieces.size(); ++i) {
      EXPECT_GE(p.depthPieces[i], 1);
      EXPECT_LE(p.depthPieces[i], p.depth.dims[i].extent);
    }
    EXPECT_GE(p.deepest(), p.kc());
    EXPECT_GE(p.depthBlocks() * p.deepest(), p.depth.size());
    EXPECT_LE(p.depthBlocks() * p.kc(), p.depth.size());
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

TEST(ContractionPlan, WhatIsComputedIsNeverReadInPlace) {
  for (const Case &c : kCases)
    for (const CpuModel &cpu : allCpus()) {
      NestShape shape = einsumShape(c.text, c.extents);
      shape.computes = true;
      for (LoopDim &d : shape.dims) d.strides.push_back(d.strides[0] ? 3 : 0); // of what else it is made of
      const auto plan = planContraction(shape, cpu);
      ASSERT_TRUE(plan) << c.text;
      const Packing packing = plan->swapped ? plan->packCols : plan->packRows;
      EXPECT_TRUE(packing != Packing::None && packing != Packing::Cross) << plan->str();
      EXPECT_TRUE(plan->fits());
      EXPECT_NE(plan->str().find(plan->swapped ? " cols=computed, " : " rows=computed, "), std::string::npos);
      for (const IndexGroup *group : {&plan->batch, &plan->rows, &plan->cols, &plan->depth})
        for (const LoopDim &d : group->dims) EXPECT_EQ(d.strides[3] != 0, d.strides[plan->swapped ? 1 : 0] != 0);
      ContractionPlan inPlace = *plan;
      (plan->swapped ? inPlace.packCols : inPlace.packRows) = Packing::None;
      EXPECT_FALSE(inPlace.fits());
    }
}

TEST(ContractionPlan, APackingReadsWhatIsAdjacent) {
  everyPlan([](const ContractionPlan &p, const NestShape &, const CpuModel &) {
    EXPECT_TRUE(p.fits());
    auto law = [&](Packing packing, const IndexGroup &side, unsigned o) {
      switch (packing) {
      case Packing::None: EXPECT_TRUE(p.depthStride(o)); break;
      case Packing::Rows: EXPECT_EQ(side.stride(o), 1); break;
      case Packing::Transpose: // whole squares: each piece of that loop is as long as they are
        ASSERT_GE(p.adjacentDepth(o), 0);
        EXPECT_EQ(p.depth.dims[p.adjacentDepth(o)].strides[o], 1);
        EXPECT_GT(p.square(o), 1);
        EXPECT_GE(p.depthPieces[p.adjacentDepth(o)], p.square(o));
        break;
      case Packing::Cross: // whole squares of runs
        EXPECT_EQ(o, 1u);
        EXPECT_TRUE(p.crosses());
        EXPECT_GE(p.cols.dims[p.cols.dims.size() - 2].extent / p.colPieces, p.squareAcross());
        EXPECT_EQ(p.colPanels % p.colUnit(), 0);
        break;
      case Packing::Gather: break;
      }
    };
    law(p.packRows, p.rows, 0);
    law(p.packCols, p.cols, 1);
    if (p.packCols == Packing::None) { // whole vectors, also at the edge
      EXPECT_EQ(p.cols.stride(1), 1);
      EXPECT_EQ(p.cols.run() % p.lanes, 0);
    }
  });
}

/// What a plan that was edited must be refused for.
TEST(ContractionPlan, RefusesDecisionsThatDoNotFit) {
  const ContractionPlan good = planOf("ki,jk->ij", {{'i', 300}, {'k', 1041}, {'j', 200}});
  ASSERT_TRUE(good.fits());
  auto broken = [&](auto change) {
    ContractionPlan p = good;
    change(p);
    return !p.fits();
  };
  EXPECT_TRUE(broken([](ContractionPlan &p) { p.lanes = 0; }));
  EXPECT_TRUE(broken([](ContractionPlan &p) { p.depthPieces = {0}; }));
  EXPECT_TRUE(broken([](ContractionPlan &p) { p.depthPieces = {2000}; }));
  EXPECT_TRUE(broken([](ContractionPlan &p) { p.depthPieces.clear(); }));
  EXPECT_TRUE(broken([](ContractionPlan &p) { p.packRows = Packing::Transpose; })) << "adjacent along rows";
  EXPECT_TRUE(broken([](ContractionPlan &p) { p.packCols = Packing::Rows; })) << "adjacent along the depth";
  EXPECT_TRUE(broken([](ContractionPlan &p) { p.packCols = Packing::Cross; }));
  EXPECT_TRUE(broken([](ContractionPlan &p) { p.colPieces = 2; }));
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
    const int64_t blocks = cols ? p.colBlocks() : p.rowBlocks(), most = (blocks + p.threads - 1) / p.threads;
    // Blocks are whole panels (or squares), so a thread may get one more than its share in each of its blocks.
    const int64_t unit = cols ? p.colUnit() : 1;
    EXPECT_LE(double(most * perBlock), double(all) / double(p.threads) + double(most * unit));
  });
}

TEST(ContractionPlan, ATransposedBlockIsAsDeepAsASquare) {
  for (int64_t bytes : {4, 8})
    for (int64_t k = 16; k < 40000; k += 61)
      for (const CpuModel &cpu : {avx512(), avx512Split(), avx2()}) {
        const auto p = planContraction(einsumShape("ik,jk->ij", {{'i', 100}, {'j', 100}, {'k', k}}, bytes), cpu);
        ASSERT_TRUE(p);
        if (p->packCols != Packing::Transpose) continue;
        ASSERT_GE(p->kc(), p->square(1)) << p->str();
      }
}

TEST(ContractionPlan, StepsInPairsArePackedOneByOne) {
  NestShape shape = einsumShape("ik,kj->ij", {{'i', 100}, {'k', 77}, {'j', 64}});
  shape.pairs = true;
  const auto plan = planContraction(shape, avx512());
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->paired);
  EXPECT_EQ(plan->packRows, Packing::Gather);
  EXPECT_EQ(plan->packCols, Packing::Rows);
  EXPECT_EQ(plan->rowPanelStride(), 39 * plan->mr + plan->lanes);
  ContractionPlan other = *plan;
  other.packRows = Packing::Transpose;
  EXPECT_FALSE(other.fits());
  other = *plan;
  other.packCols = Packing::None;
  EXPECT_FALSE(other.fits());
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

TEST(IndexGroup, IsMadeOfRuns) {
  IndexGroup g;
  EXPECT_EQ(g.size(), 1);
  EXPECT_EQ(g.run(), 1);
  EXPECT_EQ(g.runStride(0), 0);
  LoopDim outer, middle, inner;
  outer.extent = 2, outer.strides = {60, 9, 7};
  middle.extent = 3, middle.strides = {20, 4, 1};
  inner.extent = 4, inner.strides = {2, 1, 5};
  g.dims = {inner};
  EXPECT_EQ(g.runStride(0), 0) << "one run";
  g.dims = {outer, middle, inner};
  EXPECT_EQ(g.size(), 24);
  EXPECT_EQ(g.run(), 4);
  EXPECT_EQ(g.runs(), 6);
  EXPECT_EQ(g.stride(2), 5);
  EXPECT_EQ(g.runStride(0), 20);
  EXPECT_EQ(g.runStride(1), std::nullopt);
}

TEST(ContractionPlan, ABlockOfTheDepthIsWalkedByOneStrideOrNone) {
  ContractionPlan p;
  LoopDim outer, inner;
  outer.extent = 8, outer.strides = {50, 3, 0};
  inner.extent = 10, inner.strides = {5, 1, 0};
  p.depth.dims = {outer, inner};
  p.depthPieces = {8, 10};
  EXPECT_EQ(p.depthStride(0), 5);
  EXPECT_EQ(p.depthStride(1), std::nullopt);
  p.depthPieces = {4, 10};
  EXPECT_EQ(p.depthStride(0), 5);
  p.depthPieces = {2, 5};
  EXPECT_EQ(p.depthStride(0), std::nullopt) << "a box of two pieces is not walked by one stride";
  p.depthPieces = {1, 5};
  EXPECT_EQ(p.depthStride(1), 1) << "the outer loop does not move inside a block";
  p.depthPieces = {8, 1};
  EXPECT_EQ(p.depthStride(1), 3);
  EXPECT_EQ(p.depthBlocks(), 10);
  EXPECT_EQ(p.kc(), 8);
  p.depthPieces = {3, 4};
  EXPECT_EQ(p.depthBlocks(), 4);
  EXPECT_EQ(p.deepest(), 5 * 6);
}

} // namespace
