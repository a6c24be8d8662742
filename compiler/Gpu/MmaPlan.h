// The plan of a contraction on tensor cores that warps feed: cp.async, ldmatrix, mma.sync, for every GPU from sm_80
// on. No MLIR.
#pragma once

#include "compiler/Gpu/GemmPlan.h"

namespace ein {

/// How tiles of an operand come to shared memory: rows of what is contiguous in global memory, swizzled.
struct MmaOperand {
  GemmMajor major = GemmMajor::K; ///< K: a row of the tile for each of M (or N); MN: one for each step of the depth
  int64_t chunk = 8;              ///< neighbours that one copy moves: cp.async for 4 bytes and more
  bool operator==(const MmaOperand &) const = default;
};

/// A contraction D[b,m,n] = alpha * sum over k of A[b,m,k] * B[b,k,n] by blocks of warps: copies fill a ring of stages
/// in shared memory while the warps multiply the oldest one.
///
/// The indices of a group are numbered together, the first fastest; a tile is a range of these numbers, so any strides
/// and any extents will do. `GemmDim::tile` is 1 and means nothing here.
struct MmaPlan {
  DType input = DType::BF16, result = DType::BF16;
  int64_t products = 1; ///< of tf32 for one of f32: 1, or 3 for nearly all of its digits
  bool swapped = false; ///< the request's second operand plays A
  GemmDims batch, m, n, k;
  std::array<MmaOperand, 2> operands; ///< A and B
  int64_t warpM = 64, warpN = 64;     ///< results of a warp
  int64_t warpsM = 2, warpsN = 2;     ///< of a block
  int64_t depth = 32;                 ///< of a stage
  int64_t stages = 3;
  int64_t split = 1;  ///< parts of the depth, each a sum of its own, which a second kernel adds up
  int64_t pair = 2;   ///< neighbours of a row that one store writes, 1 or 2
  int64_t raster = 8; ///< rows of tiles that are walked together, so that L2 holds what they read
  double alpha = 1;

  /// What sums are taken in.
  DType accumulator() const { return accumulateType(input) == DType::U32 ? DType::I32 : accumulateType(input); }
  int64_t elementBytes() const { return byteSize(input); }
  /// Depth of an instruction: 32 bytes of each operand. It multiplies 16 rows (of f64 8) by 8 columns.
  int64_t instructionDepth() const { return 32 / elementBytes(); }
  int64_t tileM() const { return warpM * warpsM; }
  int64_t tileN() const { return warpN * warpsN; }
  int64_t threads() const { return 32 * warpsM * warpsN; }
  int64_t extent(const GemmDims &dims) const;
  int64_t tiles() const; ///< of all batches
  int64_t depthBlocks() const { return (extent(k) + depth - 1) / depth; }
  int64_t depthBlocksPerPart() const { return (depthBlocks() + split - 1) / split; }
  /// Rows of a stage of A (0) or B (1), and elements of each.
  int64_t rows(unsigned operand) const;
  int64_t width(unsigned operand) const;
  int64_t operandBytes(unsigned operand) const { return rows(operand) * width(operand) * elementBytes(); }
  int64_t stageBytes() const { return operandBytes(0) + operandBytes(1); }
  int64_t sharedBytes() const { return stages * stageBytes(); }
  /// Accumulators of a thread, in registers of 32 bits.
  int64_t registers() const { return warpM * warpN / 32 * byteSize(accumulator()) / 4; }
  int64_t workspaceBytes() const; ///< partial sums

  /// Why no kernel can be emitted for these decisions; empty if one can.
  std::string obstacle() const;

  /// One line that `parseMmaPlan` reads.
  std::string str() const;
  uint64_t hash() const;
  bool operator==(const MmaPlan &) const = default;
};

/// Reads what `MmaPlan::str` wrote; refuses what `obstacle` refuses.
Expected<MmaPlan> parseMmaPlan(std::string_view text);

/// The launches of a plan whose kernels are emitted under `name` (and `name`_sum), as `gemmLaunches`.
LaunchPlan mmaLaunches(const MmaPlan &plan, std::string_view name, int64_t workspace = 0);

} // namespace ein
