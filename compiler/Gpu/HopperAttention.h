// An attention plan as a kernel of NVVM operations.
#pragma once

#include "compiler/Gpu/AttentionPlan.h"
#include "compiler/Gpu/KernelBuilder.h"

#include <vector>

namespace ein {

struct AttentionBodies;

/// Emits the kernel of `plan` into `module`. Its launch is that of `attentionLaunches`, its parameters those and the
/// ones that are returned. `plan.obstacle()` must be empty, and the dialects arith, gpu, llvm, nvvm and scf loaded.
/// `bodies`: what `plan.bodies` needs.
std::vector<GpuArgument> emitHopperAttention(mlir::gpu::GPUModuleOp module, const AttentionPlan &plan,
                                             llvm::StringRef name, const AttentionBodies *bodies = nullptr);

} // namespace ein
