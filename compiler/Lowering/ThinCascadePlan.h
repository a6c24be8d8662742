// The plan of a fused cascade of few rows, as in decoding: what moves with the key is read once, for all rows. No MLIR.
#pragma once

#include "compiler/Lowering/CascadeShape.h"

#include <variant>

namespace ein {

/// How a product walks its key side: as dot products along what is adjacent, or adding up multiples of it.
struct ThinSide {
  bool packed = false;               ///< copied tile by tile to [keys][across]: nothing it has is adjacent
  bool acrossLanes = true;           ///< lanes follow the indices across; else the key
  bool dense = false;                ///< keys follow each other in memory, with nothing between
  int64_t perKey = 0, perAcross = 0; ///< where the key is gathered, perKey is of no use
};
ThinSide thinSideOf(const CascadeShape &shape, const CascadeProduct &product);

/// A cascade in one pass over the key whose lanes follow no row. Vectors of a product's key side are multiplied by all
/// rows that share it; between the products the lanes follow the key. Batches whose keys lie inside each other form a
/// group, which goes through the tiles of keys together. The team shares groups, or parts of their keys: then every
/// part has a state of its own, and a second step merges them.
struct ThinCascadePlan {
  int64_t lanes = 1;    ///< elements in a vector
  int64_t mr = 1;       ///< rows of a register tile; a power of two
  int64_t nv = 1;       ///< vectors of a register tile that adds up
  int64_t bk = 1;       ///< keys in a tile; a multiple of the lanes
  int64_t batches = 1;  ///< in a group
  int64_t splits = 1;   ///< parts of the keys
  int64_t prefetch = 1; ///< whether lines of the next tile are asked for; else memory is read from end to end
  int64_t threads = 1;
  std::string reason; ///< why so many threads, and how they share
  std::string sized;  ///< extents that come at run time

  /// Whether the decisions fit the shape: every number in its range.
  bool fits(const CascadeShape &shape, const CascadeFlow &flow) const;
  /// One line.
  std::string str() const;
};

/// Rows that share their keys, batches that do not.
int64_t sharedRows(const CascadeShape &shape, const CascadeFlow &flow);
int64_t batchCount(const CascadeShape &shape, const CascadeFlow &flow);

/// Plans a cascade, or says why it has to stay a chain of operations.
std::variant<ThinCascadePlan, std::string> planThinCascade(const CascadeShape &shape, const CpuModel &cpu);

/// Vector instructions for one key and all rows of a batch, about; to compare the two shapes of a cascade.
double thinWork(const CascadeShape &shape, const CascadeFlow &flow, const ThinCascadePlan &plan);

/// Where everything lies in scratch memory, in bytes: `total` for each thread, then the states of batches.
struct ThinCascadeScratch {
  ThinCascadeScratch(const CascadeShape &shape, const CascadeFlow &flow, const ThinCascadePlan &plan);

  int64_t rows = 1; ///< padded to whole register tiles
  // Of a state.
  std::vector<int64_t> laneSide; ///< by product: a tile's side without the key, or a sum, [rows][pitch]
  std::vector<int64_t> pitch;    ///< by product: of that, whole vectors
  std::vector<int64_t> states;   ///< by virtual tensor: maximum [rows], plain sums [rows][lanes]; -1 for the others
  int64_t low = 0, high = 0;     ///< keys that count, [rows] of i32
  int64_t range = 0;             ///< first and last of them in some row
  int64_t stateBytes = 0;
  // Of a thread.
  std::vector<int64_t> buffers; ///< tiles, [rows][bk]
  std::vector<int64_t> packs;   ///< by product: the packed key side
  std::vector<int64_t>
      places; ///< by product: where the keys of this tile and the next are, [2][bk] of i64, if gathered
  int64_t total = 0;

  /// Bytes of everything.
  int64_t bytes(const CascadeShape &shape, const CascadeFlow &flow, const ThinCascadePlan &plan) const;
};

} // namespace ein
