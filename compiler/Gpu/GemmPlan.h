// The plan of a tensor-core contraction on Hopper: index groups, tiles, pipeline, cluster and epilogue. No MLIR.
#pragma once

#include "compiler/Gpu/TmaTransfer.h"

#include "ein/Error.h"

#include <array>
#include <string_view>

namespace ein {

/// One index of a group. Positions in a tile count in mixed radix over the dimensions of its group, the first fastest.
struct GemmDim {
  int64_t extent = 1;
  int64_t tile = 1;                    ///< steps that a tile spans: a power of two, or 192
  std::array<int64_t, 3> strides = {}; ///< elements of A, B and D; 0 where it does not move

  int64_t tiles() const { return (extent + tile - 1) / tile; }
  bool operator==(const GemmDim &) const = default;
};

using GemmDims = std::vector<GemmDim>;
/// Product of the tiles' sides, and how many tiles there are.
int64_t tileOf(const GemmDims &dims);
int64_t tilesOf(const GemmDims &dims);

/// Which index is contiguous in an operand: a contracted one, or one of its rows (M of A, N of B).
enum class GemmMajor : uint8_t { K, MN };
/// How results leave the registers.
enum class GemmEpilogue : uint8_t {
  Tensor, ///< through shared memory with stmatrix and TMA stores
  Direct, ///< from registers to any strides
};
/// A contraction D[b,m,n] = alpha * sum over k of A[b,m,k] * B[b,k,n] as a persistent, warp-specialised kernel: one
/// warpgroup feeds a ring of shared-memory stages by TMA, the others multiply them with wgmma, 64 rows each.
///
/// Every operand is read in its own layout: a tile is a box over the indices of its groups, a stage holds a tile of A
/// and one of B as wgmma reads them, swizzled in rows of `widthA()` and `widthB()` elements.
struct GemmPlan {
  DType input = DType::BF16, result = DType::BF16;
  bool swapped = false;    ///< the request's second operand plays A
  GemmDims batch, m, n, k; ///< tiles of batch are 1
  GemmMajor majorA = GemmMajor::K, majorB = GemmMajor::K;
  GemmEpilogue epilogue = GemmEpilogue::Tensor;
  int64_t consumers = 2; ///< warpgroups that multiply: 1 or 2
  int64_t stages = 4;
  int64_t cluster = 1; ///< blocks, adjacent along M, that share tiles of B by multicast: 1 or 2
  int64_t split = 1;   ///< parts of the depth, each a sum of its own, which a second kernel adds up
  int64_t pair = 2;    ///< Direct: neighbours of a row that one store writes, 1 or 2
  int64_t raster = 8;  ///< rows of tiles (of clusters) that are walked together, so that L2 holds what they read
  double alpha = 1;

  int64_t tileM() const { return tileOf(m); }
  int64_t tileN() const { return tileOf(n); }
  int64_t tileK() const { return tileOf(k); }
  int64_t depthBlocks() const { return tilesOf(k); }
  int64_t depthBlocksPerPart() const { return (depthBlocks() + split - 1) / split; }
  int64_t tiles() const { return tilesOf(batch) * tilesOf(m) * tilesOf(n); }
  int64_t threads() const { return 128 * (consumers + 1); }
  /// Elements of a row of a swizzled tile: contiguous in global and in shared memory.
  int64_t widthA() const;
  int64_t widthB() const;
  int64_t widthD() const;
  int64_t bytesA() const { return tileM() * tileK() * byteSize(input); } ///< of a stage
  int64_t bytesB() const { return tileN() * tileK() * byteSize(input); }
  int64_t stageBytes() const { return bytesA() + bytesB(); }
  /// Offsets in shared memory: the stages of A, of B, what the epilogue stages, barriers.
  int64_t offsetB() const { return stages * bytesA(); }
  int64_t offsetD() const { return stages * stageBytes(); }
  int64_t offsetBarriers() const;
  int64_t sharedBytes() const { return offsetBarriers() + 16 * stages; }
  int64_t workspaceBytes() const; ///< partial sums, f32

  /// How A (0), B (1) or D (2) is moved: `rows` counts rows of M or N, of D columns.
  TmaTransfer transfer(unsigned tensor) const;
  /// Why no kernel can be emitted for these decisions; empty if one can.
  std::string obstacle() const;

  /// One line that `parseGemmPlan` reads.
  std::string str() const;
  uint64_t hash() const;
  bool operator==(const GemmPlan &) const = default;
};

/// Reads what `GemmPlan::str` wrote; refuses what `obstacle` refuses.
Expected<GemmPlan> parseGemmPlan(std::string_view text);

/// The launches of a plan whose kernels are emitted under `name` (and `name`_sum). Slots are those of the request: its
/// operands 0 and 1, result 0; `workspace` is where partial sums begin in the workspace.
LaunchPlan gemmLaunches(const GemmPlan &plan, std::string_view name, int64_t workspace = 0);

} // namespace ein
