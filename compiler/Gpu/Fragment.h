// Results of a warpgroup, as wgmma leaves 64 rows of them in registers, on their way to memory.
#pragma once

#include "compiler/Gpu/KernelBuilder.h"

namespace ein {

/// A place in a tensor, in elements; `inside`: whether it exists, nothing where it always does.
struct TensorPlace {
  mlir::Value offset, inside;
};

/// Writes fragments to swizzled panels in shared memory, each 64 rows of `width` columns, rounded to a 16-bit type:
/// the first at byte `base`, the others `panelStride` bytes apart. A panel is what a TMA store takes.
void stageFragment(KernelBuilder &b, mlir::ValueRange values, DType type, mlir::Value base, int64_t width,
                   int64_t panelStride);

/// Stores fragments, rounded to `type`, `pair` neighbours at a time. `row` places row 0 to 63; `column` places column
/// `first`, a multiple of 8, plus `own`.
void storeFragment(KernelBuilder &b, mlir::ValueRange values, DType type, int64_t pair, mlir::Value pointer,
                   llvm::function_ref<TensorPlace(mlir::Value row)> row,
                   llvm::function_ref<TensorPlace(int64_t first, mlir::Value own)> column);

/// Row 0 to 63 of this thread's first two elements; those of its next two are 8 below.
mlir::Value fragmentRow(KernelBuilder &b);

} // namespace ein
