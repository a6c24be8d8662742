// Extents, strides and places that may be known only at run time, as attributes or as index arithmetic in @kernel.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace ein {

/// Attributes of an argument of @kernel that is a size: its place in the call's sizes, its value in the examples that
/// plans are made for, and the least it can be.
inline constexpr const char *kSizeAttr = "ein.size", *kTypicalAttr = "ein.typical", *kLeastAttr = "ein.least";
/// The function that computes the bytes of the intermediates from the same sizes.
inline constexpr const char *kWorkspaceFunction = "workspace";

/// Index arithmetic that keeps constants as attributes.
class SizeBuilder {
public:
  explicit SizeBuilder(mlir::ImplicitLocOpBuilder &b) : b(b) {}

  mlir::OpFoldResult constant(int64_t value) { return b.getIndexAttr(value); }
  mlir::OpFoldResult add(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult mul(mlir::OpFoldResult x, mlir::OpFoldResult y);
  /// The next multiple of 64.
  mlir::OpFoldResult align64(mlir::OpFoldResult x);
  mlir::Value value(mlir::OpFoldResult x);
  /// A view of `base` with this layout.
  mlir::Value view(mlir::Value base, mlir::Type element, mlir::OpFoldResult offset,
                   llvm::ArrayRef<mlir::OpFoldResult> extents, llvm::ArrayRef<mlir::OpFoldResult> strides);

private:
  mlir::ImplicitLocOpBuilder &b;
};

/// Appends an argument to `fn` for place `slot` of the sizes.
mlir::Value addSizeArgument(mlir::func::FuncOp fn, int64_t slot, int64_t typical, int64_t least);

/// What a size is in the examples of its class, and the least it can be; it is an argument, a constant, or sums and
/// products of those.
int64_t typicalOf(mlir::OpFoldResult size);
int64_t leastOf(mlir::OpFoldResult size);

/// The extents and strides of a memref: constants, or sizes where it is a view with such.
struct MixedLayout {
  llvm::SmallVector<mlir::OpFoldResult> extents, strides;
};
/// Fails on a memref with dynamic numbers that is no view. What is only allocated is row-major, its strides examples.
mlir::FailureOr<MixedLayout> layoutOf(mlir::Value memref);

/// Collects the sizes of an operation, each once.
class SizeSlots {
public:
  /// The place of a size among `values`; -1 for a constant.
  int of(mlir::OpFoldResult size);

  llvm::SmallVector<mlir::Value> values;
};

} // namespace ein
