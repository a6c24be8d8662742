// Tensor maps of tiles over the indices of a contraction.
#include "compiler/Gpu/TmaTransfer.h"

namespace ein {

void TmaTransfer::add(TileGroup group, unsigned number, int64_t extent, int64_t stride, int64_t box) {
  map.dims.push_back({extent, stride, box});
  coordinates.push_back({{group, number, 1}});
}

void TmaTransfer::finish() {
  auto &dims = map.dims;
  // Of the inner dimension all of its extent, or (of batches) one element, must be in each box: then no coordinate runs
  // from one row of it into the next.
  auto joins = [&](size_t x, size_t y) {
    const bool whole = dims[x].box == dims[x].extent && (y == x + 1 || dims[y].box == 1);
    const bool batches = coordinates[x][0].group == TileGroup::Batch && coordinates[y][0].group == TileGroup::Batch;
    return x != y && dims[y].stride == dims[x].stride * dims[x].extent && (whole || batches);
  };
  auto joinOne = [&] {
    for (size_t x = 0; x < dims.size(); ++x)
      for (size_t y = 0; y < dims.size(); ++y) {
        if (!joins(x, y)) continue;
        for (TmaCoordinate c : coordinates[y]) {
          c.factor *= dims[x].extent;
          coordinates[x].push_back(c);
        }
        dims[x].extent *= dims[y].extent;
        dims[x].box *= dims[y].box;
        dims.erase(dims.begin() + y);
        coordinates.erase(coordinates.begin() + y);
        return true;
      }
    return false;
  };
  while (dims.size() > TensorMapPlan::kMaxRank && joinOne()) {
  }
  const int64_t row = dims[0].box * byteSize(map.type);
  map.swizzle = row == 128 || row == 64 || row == 32 ? TmaSwizzle(row) : TmaSwizzle::None;
}

} // namespace ein
