// An attention plan that warps follow as a kernel of NVVM operations.
#pragma once

#include "compiler/Gpu/AttentionPlan.h"
#include "compiler/Gpu/KernelBuilder.h"

#include <vector>

namespace ein {

struct AttentionBodies;

/// As `emitHopperAttention`, of a plan with `byWarps`.
std::vector<GpuArgument> emitMmaAttention(mlir::gpu::GPUModuleOp module, const AttentionPlan &plan,
                                          llvm::StringRef name, const AttentionBodies *bodies = nullptr);

} // namespace ein
