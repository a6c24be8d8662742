// From a plan to a nest: one emitter per kernel family, all in scf, vector, memref, arith and omp.
#pragma once

#include "compiler/Lowering/CascadeRegion.h"
#include "compiler/Lowering/ContractionPlan.h"
#include "compiler/Lowering/NestBuilder.h"
#include "compiler/Lowering/NestPlan.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace ein {

/// An operand of a nest: memory from `pointer` on, `extent` elements long, of which the element at index
/// zero is number `offset`. No pointer: a scalar constant of the operation.
struct NestOperand {
  mlir::Value pointer;
  mlir::Type element;
  int64_t extent = 0;
  int64_t offset = 0;
  int offsetSlot = -1;     ///< where the offset comes at run time: its place among the sizes of the step
  bool isUnsigned = false; ///< how the body widens its integers
};

/// Scratch memory a nest needs, bytes.
int64_t scratchBytes(const ContractionPlan &plan);
int64_t scratchBytes(const NestPlan &plan);
int64_t scratchBytes(const CascadePlan &plan, const CascadeRegion &cascade);
int64_t scratchBytes(const ThinCascadePlan &plan, const CascadeRegion &cascade);

/// A pointwise operation on the sums of a contraction, and what it reads: memory for each of its inputs but the sum.
struct NestFinish {
  mlir::linalg::LinalgOp op;
  llvm::SmallVector<NestOperand> inputs; ///< without a pointer: the sum
};

/// Emits a packed contraction over the body of `op`, which `hasTileableBody` accepts. `operands` are its inputs and
/// output; with `overwrite` the output is written and never read, otherwise it is combined with. Functions are named
/// after `name`. With `finish`, which only a plan that `finishes` allows, the output is that operation's.
void emitContraction(NestBuilder &b, const ContractionPlan &plan, mlir::linalg::LinalgOp op,
                     llvm::ArrayRef<NestOperand> operands, mlir::Value scratch, bool overwrite, llvm::StringRef name,
                     const NestFinish *finish = nullptr);

/// The same for extents or strides that come at run time.
void emitSizedContraction(NestBuilder &b, const ContractionPlan &plan, mlir::linalg::LinalgOp op,
                          llvm::ArrayRef<NestOperand> operands, mlir::Value scratch, bool overwrite,
                          llvm::StringRef name);
int64_t sizedScratchBytes(const ContractionPlan &plan);

/// Emits a vectorised nest over the body of `op`, a linalg operation with one output whose body
/// `analyseReduction` accepts. With `overwrite` a reduction starts from its identity.
void emitNest(NestBuilder &b, const NestPlan &plan, mlir::linalg::LinalgOp op, llvm::ArrayRef<NestOperand> operands,
              mlir::Value scratch, bool overwrite, llvm::StringRef name);

/// Emits a fused cascade. `operands`: of each of its operations, inputs and output; virtual tensors have no pointer.
void emitCascade(NestBuilder &b, const CascadePlan &plan, const CascadeRegion &cascade,
                 llvm::ArrayRef<llvm::SmallVector<NestOperand>> operands, mlir::Value scratch, llvm::StringRef name);
void emitCascade(NestBuilder &b, const ThinCascadePlan &plan, const CascadeRegion &cascade,
                 llvm::ArrayRef<llvm::SmallVector<NestOperand>> operands, mlir::Value scratch, llvm::StringRef name);

} // namespace ein
