// Plans as attributes of the operations they are for.
#pragma once

#include "compiler/Lowering/ContractionPlan.h"
#include "compiler/Lowering/NestPlan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <variant>

namespace ein {

/// Bytes of an element in memory: i1 takes one.
int64_t bytesOf(mlir::Type element);
/// Bytes of the widest element that an operation computes with: its vectors have as many lanes as fit of these.
int64_t widestBytes(mlir::linalg::LinalgOp op);

/// Name of the attribute.
inline constexpr const char *kPlanAttr = "ein.plan";

using KernelPlan = std::variant<ContractionPlan, NestPlan>;

/// What a plan sees of an operation on memrefs of static shape and strides, or of views whose extents and strides are
/// sizes (Sizes.h): then the shape has examples in their place, and `sizes` gets their values in @kernel.
mlir::FailureOr<NestShape> shapeOf(mlir::linalg::LinalgOp op, llvm::SmallVectorImpl<mlir::Value> *sizes = nullptr);
/// The fill that directly precedes `op` and starts its reduction, if there is one.
mlir::linalg::FillOp startingFill(mlir::linalg::LinalgOp op);
/// Whether the fill is the start of the reduction that follows it, and so needs no nest of its own.
bool startsReduction(mlir::linalg::FillOp fill);

/// The shape of a contraction that the tiled kernel can take on: that of the operation where two tensors are
/// multiplied; with three operands and `computes` where a factor is computed from several; nothing for other
/// operations.
std::optional<NestShape> contractionShape(mlir::linalg::LinalgOp op, const NestShape &shape);

/// The plan for `op`: a packed contraction where that pays, else a plain nest.
KernelPlan planKernel(mlir::linalg::LinalgOp op, const NestShape &shape, const CpuModel &cpu);
/// The plan for `op` as a plain nest.
NestPlan planAsNest(mlir::linalg::LinalgOp op, const NestShape &shape, const CpuModel &cpu);
/// The operations that become steps of the kernel, in their order: all but fills that start a reduction.
llvm::SmallVector<mlir::linalg::LinalgOp> stepsOf(mlir::func::FuncOp kernel);

/// The decisions of a plan as a dictionary, with its one-line summary.
mlir::DictionaryAttr planToAttr(mlir::MLIRContext *context, const KernelPlan &plan);
/// A plan from an operation's shape and the decisions in its attribute; fails on an attribute that is
/// incomplete or does not fit the shape.
mlir::FailureOr<KernelPlan> planFromAttr(mlir::linalg::LinalgOp op, const NestShape &shape, mlir::DictionaryAttr attr);

} // namespace ein
