// An attention plan as a kernel of NVVM operations.
#pragma once

#include "compiler/Gpu/AttentionPlan.h"
#include "compiler/Gpu/KernelBuilder.h"

namespace ein {

/// Emits the kernel of `plan` into `module`. Its parameters and launch are those of `attentionLaunches`.
/// `plan.obstacle()` must be empty, and the dialects arith, gpu, llvm, nvvm and scf loaded.
void emitHopperAttention(mlir::gpu::GPUModuleOp module, const AttentionPlan &plan, llvm::StringRef name);

} // namespace ein
