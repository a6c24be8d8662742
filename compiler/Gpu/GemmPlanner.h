// Chooses the gemm plan of a contraction for a GPU. No MLIR.
#pragma once

#include "compiler/Gpu/GemmPlan.h"
#include "compiler/Lowering/NestShape.h"

#include <variant>
#include <vector>

namespace ein {

/// What the planner knows of a GPU of compute capability 9.0. The rates are those of an H200, by cycle and
/// multiprocessor.
struct HopperModel {
  int64_t multiprocessors = 132;
  int64_t sharedBytes = 227 << 10; ///< that one block can have
  double cacheBytes = 40;          ///< L2 to shared memory
  double memoryBytes = 19;         ///< global memory to L2
};

/// A contraction as it comes: `shape` has the strides of its two operands and of the result.
struct GemmRequest {
  NestShape shape;
  std::array<DType, 3> types = {DType::BF16, DType::BF16, DType::BF16};
  std::array<int64_t, 3> alignment = {16, 16, 16}; ///< addresses are multiples of so many bytes
  double alpha = 1;
};

/// The indices of a contraction by what they do, for one choice of which operand plays A; of batch, M and N those first
/// along which the result's elements are closest.
struct ContractionGroups {
  GemmDims batch, m, n, k;
  std::string obstacle; ///< why it is no product of matrices; empty if it is one
};
ContractionGroups groupContraction(const NestShape &shape, bool swapped);
/// The index along which a tensor is contiguous, moved to the front of its group; false if it is not in that group.
bool bringForward(GemmDims &dims, unsigned tensor);

/// Into how many parts the depth is worth cutting: 1, and more as long as a part keeps some blocks and all parts of all
/// tiles run at once.
std::vector<int64_t> depthSplits(int64_t depthBlocks, int64_t tiles, int64_t multiprocessors);

/// Why there is no plan.
struct GemmRefusal {
  std::string reason;
  int operand = -1; ///< the one whose layout is in the way: a copy of it with another index contiguous, rows of which
                    ///< are multiples of 16 bytes, would do; -1: no copy helps
};

/// The plan that is predicted to be the fastest.
std::variant<GemmPlan, GemmRefusal> planGemm(const GemmRequest &request, const HopperModel &gpu = {});
/// Cycles of a whole launch, by the planner's model: products, loads from L2 and memory, waves of tiles.
double predictCycles(const GemmPlan &plan, const HopperModel &gpu);

} // namespace ein
