// Laws of the simplification of loop nests.
#include "tests/unit/lowering/Shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace ein;
using ein::testing::einsumShape;

namespace {

/// What a nest does, in any order: for every iteration whether which offset each operand has.
std::vector<std::vector<int64_t>> walk(const NestShape &shape) {
  std::vector<std::vector<int64_t>> points = {std::vector<int64_t>(shape.operands, 0)};
  for (const LoopDim &d : shape.dims) {
    std::vector<std::vector<int64_t>> next;
    for (const auto &point : points)
      for (int64_t i = 0; i < d.extent; ++i) {
        auto moved = point;
        for (unsigned o = 0; o < shape.operands; ++o) moved[o] += i * d.strides[o];
        next.push_back(moved);
      }
    points = std::move(next);
  }
  std::sort(points.begin(), points.end());
  return points;
}

LoopDim dim(int64_t extent, std::vector<int64_t> strides, bool reduced = false) {
  LoopDim d;
  d.extent = extent;
  d.strides = std::move(strides);
  d.reduced = reduced;
  return d;
}

NestShape nest(std::vector<LoopDim> dims) {
  NestShape shape;
  shape.operands = unsigned(dims.front().strides.size());
  shape.dims = std::move(dims);
  for (unsigned i = 0; i < shape.dims.size(); ++i) shape.dims[i].sources = {i};
  return shape;
}

std::vector<unsigned> sources(const NestShape &shape) {
  std::vector<unsigned> all;
  for (const LoopDim &d : shape.dims) all.insert(all.end(), d.sources.begin(), d.sources.end());
  return all;
}

TEST(NestShape, AnElementwiseNestOverContiguousOperandsIsOneLoop) {
  EXPECT_EQ(einsumShape("abc,abc->abc", {{'a', 3}, {'b', 4}, {'c', 5}}).str(), "60p(1,1,1)");
}

TEST(NestShape, AContractionKeepsOneLoopPerGroup) {
  EXPECT_EQ(einsumShape("ik,kj->ij", {{'i', 3}, {'j', 4}, {'k', 5}}).str(), "3p(5,0,4) 4p(0,1,1) 5r(1,4,0)");
  EXPECT_EQ(einsumShape("abcd,cdef->abef", {{'a', 2}, {'b', 3}, {'c', 4}, {'d', 5}, {'e', 6}, {'f', 7}}).str(),
            "6p(20,0,42) 42p(0,1,1) 20r(1,42,0)");
}

TEST(NestShape, LoopsOfExtentOneDropOut) {
  EXPECT_EQ(einsumShape("aib->bia", {{'a', 1}, {'i', 5}, {'b', 1}}).str(), "5p(1,1)");
  EXPECT_EQ(einsumShape("ab->ab", {{'a', 1}, {'b', 1}}).str(), "");
}

TEST(NestShape, ParallelLoopsComeFirstAndEndWithTheOutputsUnitStride) {
  const NestShape shape = einsumShape("kji->ij", {{'i', 3}, {'j', 4}, {'k', 5}});
  EXPECT_EQ(shape.str(), "3p(1,4) 4p(3,1) 5r(12,0)");
}

TEST(NestShape, AReducedLoopIsNotFusedWithAParallelOne) {
  EXPECT_EQ(simplify(nest({dim(3, {4, 0}), dim(4, {1, 0}, true)})).str(), "3p(4,0) 4r(1,0)");
}

TEST(NestShape, ALoopWhoseValueTheBodyUsesIsNotFused) {
  NestShape shape = nest({dim(3, {4, 4}), dim(4, {1, 1})});
  EXPECT_EQ(simplify(shape).str(), "12p(1,1)");
  for (int valued : {0, 1}) {
    NestShape kept = shape;
    kept.dims[valued].valued = true;
    EXPECT_EQ(simplify(kept).str(), "3p(4,4) 4p(1,1)");
  }
}

TEST(NestShape, AFusedLoopNamesItsSourcesOutermostFirst) {
  EXPECT_EQ(sources(simplify(nest({dim(4, {1, 1}), dim(3, {4, 4}), dim(1, {9, 9})}))), (std::vector<unsigned>{1, 0}));
}

TEST(NestShape, SimplifyingChangesNoIterationAndIsDoneAfterOnce) {
  std::mt19937 random(7);
  auto pick = [&](int n) { return int64_t(random() % unsigned(n)); };
  for (int trial = 0; trial < 500; ++trial) {
    std::vector<LoopDim> dims;
    int64_t dense = 1;
    for (int d = 0, count = 1 + int(pick(5)); d < count; ++d) {
      const int64_t extent = 1 + pick(4);
      // Often a dense layout, so that there is something to fuse; else any strides, negative ones too.
      std::vector<int64_t> strides;
      for (int o = 0; o < 3; ++o) strides.push_back(pick(3) ? dense : pick(9) - 4);
      const bool reduced = pick(3) == 0;
      if (reduced) strides.back() = 0;
      dims.push_back(dim(extent, strides, reduced));
      dims.back().valued = pick(4) == 0;
      dense *= extent;
    }
    std::shuffle(dims.begin(), dims.end(), random);
    const NestShape shape = nest(dims), simple = simplify(shape);
    SCOPED_TRACE("trial " + std::to_string(trial) + ": " + shape.str());
    EXPECT_EQ(walk(simple), walk(shape));
    EXPECT_EQ(simple.points(false), shape.points(false));
    EXPECT_EQ(simple.points(true), shape.points(true));
    EXPECT_EQ(simplify(simple).str(), simple.str());
    for (const LoopDim &d : simple.dims) {
      EXPECT_GT(d.extent, 1);
      int64_t extents = 1;
      for (unsigned s : d.sources) extents *= shape.dims[s].extent;
      EXPECT_EQ(extents, d.extent);
    }
  }
}

} // namespace
