// From a SimtPlan to kernels: llvm functions of a gpu.module in the nvvm, llvm, scf and arith dialects.
#pragma once

#include "compiler/Gpu/LaunchPlan.h"
#include "compiler/Gpu/SimtCascadePlan.h"
#include "compiler/Gpu/SimtPlan.h"
#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/CascadeRegion.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace ein {

/// An operand of an operation: where it begins, or the constant it is.
struct SimtMemory {
  mlir::Type element;
  GpuSlot slot;
  int64_t workspaceEnd = 0;                ///< in the workspace: the first byte behind it
  mlir::TypedAttr constant = {};           ///< of a scalar operand; else null
  bool isUnsigned = false;                 ///< how the body widens its integers
  mlir::SmallVector<int64_t> strides = {}; ///< of memory that the body gathers from
};

/// Emits the kernels of one operation at the end of `module` and appends their launches. `operands`: inputs and output,
/// then the memory of each gather; parts of split reductions lie at `scratch` in the workspace. With `overwrite` the
/// output is written and never read.
void emitSimt(mlir::gpu::GPUModuleOp module, const SimtPlan &plan, mlir::linalg::LinalgOp op,
              llvm::ArrayRef<SimtMemory> operands, bool overwrite, int64_t scratch, llvm::StringRef name,
              std::vector<GpuLaunch> &launches);

/// The same of a fused cascade. `memory`: of each operation its operands, then the memory of each gather; virtual
/// tensors have none.
void emitSimtCascade(mlir::gpu::GPUModuleOp module, const SimtCascadePlan &plan, const CascadeRegion &region,
                     llvm::ArrayRef<SimtMemory> memory, int64_t scratch, llvm::StringRef name,
                     std::vector<GpuLaunch> &launches);

/// Dynamic shared memory of the kernels of a module: `@smem`, made at the first call.
mlir::LLVM::GlobalOp sharedMemoryOf(mlir::gpu::GPUModuleOp module);

} // namespace ein
