// Laws that every plan of a plain nest keeps, and which loop the lanes follow.
#include "compiler/Lowering/NestPlan.h"
#include "tests/unit/lowering/Shapes.h"

#include <gtest/gtest.h>

#include <bit>

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
    {"ij->ij", {{'i', 100}, {'j', 77}}},
    {"ij->ji", {{'i', 4096}, {'j', 4096}}},
    {"ij->ji", {{'i', 33}, {'j', 47}}},
    {"ijk->kji", {{'i', 20}, {'j', 30}, {'k', 40}}},
    {"ij->i", {{'i', 1000}, {'j', 1000}}},
    {"ij->j", {{'i', 1000}, {'j', 1000}}},
    {"ij->", {{'i', 1000}, {'j', 1000}}},
    {"ij,j->i", {{'i', 1000}, {'j', 1001}}},
    {"ij,i->j", {{'i', 1000}, {'j', 1001}}},
    {"k,k->", {{'k', 100000}}},
    {"i,j->ij", {{'i', 300}, {'j', 5}}},
    {"bi,bi->b", {{'b', 100}, {'i', 3}}},
    {"i->i", {{'i', 1}}},
    {"ij->ij", {{'i', 7}, {'j', 3}}},
    {"ik,kj->ij", {{'i', 500}, {'k', 2}, {'j', 500}}},
};

template <class Law> void everyPlan(Law law) {
  for (const Case &c : kCases)
    for (const CpuModel &cpu : allCpus())
      for (int64_t bytes : {4, 8})
        for (bool overwrite : {true, false}) {
          const NestPlan plan = planNest(einsumShape(c.text, c.extents, bytes), cpu, overwrite);
          SCOPED_TRACE(std::string(c.text) + (overwrite ? ", overwrites: " : ", adds: ") + plan.str());
          law(plan, cpu, overwrite);
        }
}

NestPlan planOf(const char *text, const std::map<char, int64_t> &extents, const CpuModel &cpu = avx512(),
                bool overwrite = true) {
  return planNest(einsumShape(text, extents), cpu, overwrite);
}

TEST(NestPlan, LanesFitARegisterAndTheirLoop) {
  everyPlan([](const NestPlan &p, const CpuModel &cpu, bool) {
    EXPECT_TRUE(std::has_single_bit(uint64_t(p.lanes)));
    EXPECT_LE(p.lanes * p.shape.elementBytes, cpu.vectorBytes);
    EXPECT_GE(p.unroll, 1);
    ASSERT_LT(p.lane, int(p.shape.dims.size()));
    EXPECT_EQ(p.lane < 0, p.shape.dims.empty());
    // The last vector of a parallel loop moves back, so the loop is at least as long.
    if (p.lane >= 0) EXPECT_LE(p.lanes, p.shape.dims[p.lane].extent);
    if (p.lane >= 0 && p.kind == Lanes::Parallel) EXPECT_LE(p.width(), p.shape.dims[p.lane].extent);
  });
}

TEST(NestPlan, TripsCoverEveryLoop) {
  everyPlan([](const NestPlan &p, const CpuModel &, bool) {
    for (int d = 0; d < int(p.shape.dims.size()); ++d) {
      const int64_t step = d == p.lane ? p.width() : d == p.across ? p.lanes : p.factor(d);
      EXPECT_GE(p.trips(d) * step, p.shape.dims[d].extent);
      EXPECT_LT((p.trips(d) - 1) * step, p.shape.dims[d].extent);
    }
  });
}

TEST(NestPlan, WhatIsAddedToIsWrittenOnce) {
  everyPlan([](const NestPlan &p, const CpuModel &, bool overwrite) {
    if (overwrite || p.lane < 0 || p.kind != Lanes::Parallel) return;
    EXPECT_EQ(p.shape.dims[p.lane].extent % p.width(), 0) << "the last vector would add twice";
  });
}

TEST(NestPlan, KindsFitTheirLoops) {
  everyPlan([](const NestPlan &p, const CpuModel &, bool overwrite) {
    if (p.lane < 0) return;
    const LoopDim &lane = p.shape.dims[p.lane];
    EXPECT_EQ(lane.reduced, p.kind == Lanes::Reduced);
    EXPECT_EQ(p.across >= 0, p.kind == Lanes::Square);
    if (p.kind == Lanes::Square) {
      EXPECT_TRUE(overwrite);
      EXPECT_EQ(lane.strides.back(), 1);
      EXPECT_GE(p.run, 1);
      EXPECT_NE(p.lane, p.across);
    }
  });
}

TEST(NestPlan, BlockedLoopsAreParallelAndReused) {
  everyPlan([](const NestPlan &p, const CpuModel &cpu, bool) {
    for (auto [d, factor] : {std::pair{p.block0, p.factor0}, {p.block1, p.factor1}}) {
      EXPECT_EQ(d < 0, factor == 1);
      if (d < 0) continue;
      const LoopDim &loop = p.shape.dims[d];
      EXPECT_FALSE(loop.reduced || loop.valued || d == p.lane);
      EXPECT_LE(factor, loop.extent);
      EXPECT_TRUE(loop.strides[0] == 0 || loop.strides[1] == 0);
    }
    EXPECT_LE(p.unroll * p.factor0 * p.factor1, cpu.vectorRegisters);
  });
  EXPECT_EQ(planOf("ij,j->i", {{'i', 1000}, {'j', 1000}}).factor0, 4) << "four rows share each vector of operand 1";
}

TEST(NestPlan, ASplitLoopHasATripForEveryThread) {
  everyPlan([](const NestPlan &p, const CpuModel &cpu, bool) {
    EXPECT_EQ(p.split < 0, p.threads == 1);
    if (p.split < 0) return;
    EXPECT_EQ(p.threads, cpu.threads);
    EXPECT_GE(p.trips(p.split), p.threads);
  });
}

TEST(NestPlan, StreamingStoresAreWholeCacheLinesOfABigOutput) {
  everyPlan([](const NestPlan &p, const CpuModel &cpu, bool) {
    if (!p.streaming) return;
    EXPECT_EQ(p.lanes * p.shape.elementBytes, 64);
    EXPECT_GT(p.shape.points(false) * p.shape.elementBytes, cpu.l2Bytes);
    for (int d = 0; d < int(p.shape.dims.size()); ++d)
      if (d != p.lane) EXPECT_EQ(p.shape.dims[d].strides.back() % p.lanes, 0);
  });
  EXPECT_TRUE(planOf("ij->ji", {{'i', 4096}, {'j', 4096}}).streaming);
  EXPECT_FALSE(planOf("ij->ji", {{'i', 4095}, {'j', 4096}}).streaming) << "rows of the output are not aligned";
  EXPECT_FALSE(planOf("ij->ji", {{'i', 64}, {'j', 64}}).streaming) << "stays in the cache";
}

TEST(NestPlan, LanesFollowWhatIsAdjacent) {
  const std::map<char, int64_t> extents = {{'i', 1000}, {'j', 1000}};
  EXPECT_EQ(planOf("ij->i", extents).kind, Lanes::Reduced);
  EXPECT_EQ(planOf("ij->j", extents).kind, Lanes::Parallel);
  EXPECT_EQ(planOf("ij,j->i", extents).kind, Lanes::Reduced);
  EXPECT_EQ(planOf("ij,i->j", extents).kind, Lanes::Parallel);
  EXPECT_EQ(planOf("ij->ji", extents).kind, Lanes::Square);
  EXPECT_EQ(planOf("ij->ji", extents, avx512(), /*overwrite=*/false).kind, Lanes::Parallel);
  EXPECT_EQ(planOf("ij->ji", {{'i', 7}, {'j', 1000}}).kind, Lanes::Parallel) << "too narrow for a square";
}

TEST(NestPlan, FewResultsSplitTheReduction) {
  const NestPlan p = planOf("ij->", {{'i', 1000}, {'j', 1000}}, avx512(2));
  EXPECT_TRUE(p.splitsReduction());
  EXPECT_EQ(p.threads, 2);
  EXPECT_FALSE(planOf("ij->i", {{'i', 1000}, {'j', 1000}}, avx512(2)).splitsReduction());
  EXPECT_EQ(planOf("ij->i", {{'i', 10}, {'j', 10}}, avx512(2)).split, -1) << "too little work";
}

TEST(NestPlan, PrintsItsDecisionsAndWhy) {
  EXPECT_EQ(planOf("i->i", {{'i', 1}}).str(), "nest ; lanes parallel, 1 vectors of 1; serial; a single element");
  const std::string text = planOf("ij->ji", {{'i', 1000}, {'j', 1000}}, avx2()).str();
  for (const char *part :
       {"1000p(1,1000) 1000p(1000,1)", "lanes square along loop 1 across loop 0", "vectors of 8", "one thread"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in " << text;
}

} // namespace
