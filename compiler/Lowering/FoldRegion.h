// A contraction and the pointwise operation that ends its tiles, as they stand in the IR and as they are planned.
#pragma once

#include "compiler/Lowering/PlanAttr.h"
#include "compiler/Paths/Flatten.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace ein {

/// On the region: the number of the tensor that is never stored. What the region allocates is this tensor.
inline constexpr const char *kFoldAttr = "ein.fold";
/// On a contraction that is to compute a factor as it packs: the number of its tensor.
inline constexpr const char *kFactorAttr = "ein.factor";

struct FoldRegion {
  mlir::scf::ExecuteRegionOp region;
  mlir::linalg::LinalgOp product, finish;
  /// Of the contraction, but with the output of `finish`; then come the strides of `reads`.
  NestShape shape;
  /// Inputs of `finish` but the sum, by number.
  llvm::SmallVector<unsigned> reads;
  /// Whether sums of parts of the depth may stand in the output until they are complete.
  bool holdsParts = false;
};

/// The folds of a kernel, in their order.
llvm::SmallVector<mlir::scf::ExecuteRegionOp> foldsOf(mlir::func::FuncOp kernel);
/// The number of the tensor that a fold does not store.
uint32_t foldedTensor(mlir::scf::ExecuteRegionOp region);
/// Reads a region; nothing where it is not of the form that LowerToLinalg gives it, or not of static shape.
mlir::FailureOr<FoldRegion> readFold(mlir::scf::ExecuteRegionOp region);

/// Whether the tiles of a plan can end with the fold's last operation.
bool canFinish(const FoldRegion &fold, const ContractionPlan &plan);
/// The plan of a fold; nothing where two steps are better or the only way.
std::optional<ContractionPlan> planFold(const FoldRegion &fold, const CpuModel &cpu);
/// The folds of a kernel for which there is no plan.
RefusedFolds refusedFolds(mlir::func::FuncOp kernel, const CpuModel &cpu);

} // namespace ein
