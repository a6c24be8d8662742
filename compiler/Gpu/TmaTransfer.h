// Which boxes of a tensor a kernel moves by TMA: a tensor map, and its coordinates as sums of those of indices. No
// MLIR.
#pragma once

#include "compiler/Gpu/LaunchPlan.h"

namespace ein {

/// The groups of indices of a contraction. In attention M are the rows of queries, N the keys, K the features that
/// queries and keys share.
enum class TileGroup : uint8_t { Batch, M, N, K };

/// A part of a coordinate: that of an index, times a factor.
struct TmaCoordinate {
  TileGroup group;
  unsigned dim;
  int64_t factor;
};

/// How tiles of a tensor are moved: instructions of `rows` rows each.
struct TmaTransfer {
  TensorMapPlan map;
  std::vector<std::vector<TmaCoordinate>> coordinates; ///< of each dimension of the map
  int64_t rows = 0;

  /// The next dimension. `box` elements of it are moved at once.
  void add(TileGroup group, unsigned number, int64_t extent, int64_t stride, int64_t box);
  /// Of several dimensions those from number `first` on. `rows` of a tile lie in a box, counted from dimension 0.
  template <class Dims>
  void addGroup(TileGroup group, const Dims &dims, unsigned tensor, int64_t rows, unsigned first = 0) {
    for (unsigned i = 0; i < dims.size(); ++i) {
      const int64_t box = rows < dims[i].tile ? rows : dims[i].tile;
      rows /= box;
      if (i >= first && dims[i].strides[tensor] != 0) add(group, i, dims[i].extent, dims[i].strides[tensor], box);
    }
  }
  /// After the last dimension: joins dimensions that lie behind each other until there are as few as the hardware
  /// takes, and swizzles by the width of a box.
  void finish();
};

/// Whether tiles of the dimensions, in this order, are cut into boxes at every multiple of `rows`.
template <class Dims> bool cutsEvenly(const Dims &dims, int64_t rows) {
  for (const auto &d : dims) {
    if (rows % d.tile != 0) return d.tile % rows == 0;
    rows /= d.tile;
  }
  return rows == 1;
}

} // namespace ein
