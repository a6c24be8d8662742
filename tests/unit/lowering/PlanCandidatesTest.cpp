// Candidates for tuning, and what is refused of plans from outside.
#include "compiler/Lowering/PlanCandidates.h"
#include "tests/unit/lowering/Shapes.h"

#include <gtest/gtest.h>

#include <set>

using namespace ein;
using ein::testing::allCpus;
using ein::testing::avx2;
using ein::testing::avx512;
using ein::testing::einsumShape;

namespace {

struct Case {
  const char *text;
  std::map<char, int64_t> extents;
};

const Case kCases[] = {
    {"ik,kj->ij", {{'i', 64}, {'k', 64}, {'j', 64}}},
    {"ik,kj->ij", {{'i', 100}, {'k', 77}, {'j', 53}}},
    {"ik,kj->ij", {{'i', 1024}, {'k', 1024}, {'j', 1024}}},
    {"ik,kj->ij", {{'i', 12}, {'k', 100000}, {'j', 32}}},
    {"ki,jk->ij", {{'i', 300}, {'k', 1041}, {'j', 200}}},
    {"bqhd,bkhd->bhqk", {{'b', 2}, {'q', 128}, {'h', 4}, {'d', 64}, {'k', 128}}},
    {"abc,cad->bd", {{'a', 12}, {'b', 40}, {'c', 13}, {'d', 48}}},
    {"adb,cd->cba", {{'a', 64}, {'b', 64}, {'c', 64}, {'d', 64}}},
};

std::string decisions(const ContractionPlan &p) {
  std::string text;
  for (int64_t value : {int64_t(p.swapped), int64_t(p.rowLoop), int64_t(p.colLoop), p.colRun, p.lanes, p.mr, p.nv,
                        p.kUnroll, p.rowPanels, p.colPanels, p.colPieces, int64_t(p.packRows), int64_t(p.packCols),
                        int64_t(p.colsOuter), int64_t(p.streaming), int64_t(p.split), p.threads})
    text += std::to_string(value) + " ";
  for (int64_t piece : p.depthPieces) text += "x" + std::to_string(piece);
  return text;
}

TEST(PlanCandidates, AreDifferentFitAndBeginWithThePlannersChoice) {
  for (const Case &c : kCases)
    for (const CpuModel &cpu : allCpus())
      for (int64_t bytes : {4, 8}) {
        const NestShape shape = einsumShape(c.text, c.extents, bytes);
        const auto plan = planContraction(shape, cpu);
        ASSERT_TRUE(plan) << c.text;
        SCOPED_TRACE(std::string(c.text) + ": " + plan->str());
        const auto candidates = candidatePlans(shape, cpu, *plan, 24);
        ASSERT_FALSE(candidates.empty());
        EXPECT_LE(candidates.size(), 24u);
        EXPECT_EQ(decisions(candidates.front()), decisions(*plan));
        std::set<std::string> known;
        for (const ContractionPlan &candidate : candidates) {
          EXPECT_EQ(misfit(candidate, shape, cpu), "") << candidate.str();
          EXPECT_TRUE(known.insert(decisions(candidate)).second) << "twice: " << candidate.str();
          EXPECT_GT(candidate.predictedCycles, 0);
        }
      }
}

TEST(PlanCandidates, WhatThePlannerWeighsFits) {
  for (const Case &c : kCases)
    for (const CpuModel &cpu : allCpus()) {
      const NestShape shape = einsumShape(c.text, c.extents);
      double before = 0;
      for (const ContractionPlan &plan : weighedPlans(shape, cpu, 1000)) {
        EXPECT_EQ(misfit(plan, shape, cpu), "") << c.text << ": " << plan.str();
        EXPECT_GE(plan.predictedCycles, before) << "best first";
        before = plan.predictedCycles;
      }
    }
}

TEST(PlanCandidates, HoldTilesAndVariations) {
  const NestShape shape = einsumShape("ik,kj->ij", {{'i', 1024}, {'k', 1024}, {'j', 1024}});
  const ContractionPlan base = *planContraction(shape, avx512());
  std::set<std::pair<int64_t, int64_t>> tiles;
  std::set<int64_t> depths;
  for (const ContractionPlan &p : candidatePlans(shape, avx512(), base, 24)) {
    tiles.insert({p.mr, p.nv});
    depths.insert(p.kc());
  }
  EXPECT_GE(tiles.size(), 8u);
  EXPECT_TRUE(depths.contains(base.kc() / 2) && depths.contains(2 * base.kc()));
}

TEST(PlanCandidates, VaryTheBaseTheyAreGiven) {
  const NestShape shape = einsumShape("ik,kj->ij", {{'i', 1024}, {'k', 1024}, {'j', 1024}});
  ContractionPlan base = *planContraction(shape, avx512());
  base.depthPieces = {128};
  std::set<int64_t> depths;
  for (const ContractionPlan &p : candidatePlans(shape, avx512(), base, 24)) depths.insert(p.kc());
  EXPECT_TRUE(depths.contains(64) && depths.contains(256));
}

TEST(PlanCandidates, ThinContractionsHaveNone) {
  const NestShape shape = einsumShape("ik,k->i", {{'i', 1000}, {'k', 1000}});
  EXPECT_TRUE(candidatePlans(shape, avx512(), ContractionPlan(), 24).empty());
}

/// Why the plan of a 100 x 53 x 77 product on two threads does not fit after `change`.
template <class Change> std::string after(Change change, const CpuModel &cpu = avx512(2)) {
  const NestShape shape = einsumShape("ik,kj->ij", {{'i', 100}, {'k', 77}, {'j', 53}});
  ContractionPlan plan = *planContraction(shape, cpu);
  EXPECT_EQ(misfit(plan, shape, cpu), "");
  change(plan);
  return misfit(plan, shape, cpu);
}

TEST(Misfit, RefusesWhatNoEmitterCouldObey) {
  using P = ContractionPlan &;
  EXPECT_NE(after([](P p) { p.lanes = 3; }), "");
  EXPECT_NE(after([](P p) { p.lanes = 0; }), "");
  EXPECT_NE(after([](P p) { p.lanes = 32; }), "");
  EXPECT_NE(after([](P p) { p.mr = 14, p.nv = 4; }), "");
  EXPECT_NE(after([](P p) { p.mr = 0; }), "");
  EXPECT_NE(after([](P p) { p.mr = int64_t(1) << 62, p.nv = 4; }), "");
  EXPECT_NE(after([](P p) { p.depthPieces = {0}; }), "");
  EXPECT_NE(after([](P p) { p.depthPieces = {78}; }), "");
  EXPECT_NE(after([](P p) { p.kUnroll = 1000; }), "");
  EXPECT_NE(after([](P p) { p.rowPanels = 1000; }), "");
  EXPECT_NE(after([](P p) { p.colPanels = 0; }), "");
  EXPECT_NE(after([](P p) { p.packCols = Packing::None; }), "") << "53 columns are not whole vectors";
  EXPECT_NE(after([](P p) { p.packCols = Packing::Transpose; }), "");
  EXPECT_NE(after([](P p) { p.packCols = Packing::Cross; }), "");
  EXPECT_NE(after([](P p) { p.packRows = Packing(9); }), "");
  EXPECT_NE(after([](P p) { p.colPieces = 4; }), "");
  EXPECT_NE(after([](P p) { p.split = Split(9), p.threads = 2; }), "");
  EXPECT_NE(after([](P p) { p.threads = 2; }), "") << "a serial plan";
  EXPECT_NE(after([](P p) { p.split = Split::Batch, p.threads = 2; }), "") << "one batch";
  EXPECT_NE(after([](P p) { p.split = Split::Depth, p.threads = 2; }), "") << "one block";
  EXPECT_NE(after([](P p) { p.split = Split::Rows, p.threads = 7, p.colsOuter = true; }), "");
  EXPECT_NE(after([](P p) { p.split = Split::Cols, p.threads = 2, p.colsOuter = true; }), "");
  EXPECT_EQ(after([](P p) { p.split = Split::Rows, p.threads = 2, p.colsOuter = true; }), "");
  EXPECT_EQ(after([](P p) { p.depthPieces = {16}; }), "");
  EXPECT_NE(after([](P p) { p.lanes = 16; }, avx2()), "");
}

/// The planner's choice for "adb,cd->cba", which transposes squares of the columns, after `change`.
template <class Change> std::string squares(Change change) {
  const NestShape shape = einsumShape("adb,cd->cba", {{'a', 64}, {'b', 60}, {'c', 64}, {'d', 64}});
  ContractionPlan plan = *planContraction(shape, avx512());
  EXPECT_EQ(plan.packCols, Packing::Cross);
  EXPECT_EQ(misfit(plan, shape, avx512()), "");
  change(plan);
  return misfit(plan, shape, avx512());
}

TEST(Misfit, RefusesSquaresThatDoNotFit) {
  using P = ContractionPlan &;
  EXPECT_EQ(squares([](P p) { p.colPieces = 3, p.colPanels = p.colUnit(); }), "");
  EXPECT_NE(squares([](P p) { p.colPieces = 50, p.colPanels = p.colUnit(); }), "") << "no square is left";
  EXPECT_NE(squares([](P p) { p.colPieces += 1; }), "") << "a block is one piece";
  EXPECT_NE(squares([](P p) { p.packCols = Packing::Gather, p.colPieces = 2; }), "") << "pieces without squares";
}

} // namespace
