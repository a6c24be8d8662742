// A gemm plan as a kernel module of NVVM operations.
#pragma once

#include "compiler/Gpu/GemmPlan.h"
#include "compiler/Gpu/KernelBuilder.h"

namespace ein {

/// Applied to every result in f32, after the plan's factor.
using GemmFinish = llvm::function_ref<mlir::Value(KernelBuilder &, mlir::Value)>;

/// Emits the kernels of `plan` into `module`: `name`, and `name`_sum where the depth is split. Their parameters and
/// launches are those of `gemmLaunches`. `plan.obstacle()` must be empty, and the dialects
/// arith, gpu, llvm, nvvm and scf loaded.
void emitHopperGemm(mlir::gpu::GPUModuleOp module, const GemmPlan &plan, llvm::StringRef name, GemmFinish finish = {});

} // namespace ein
