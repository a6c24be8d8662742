// A gemm plan as a kernel module of NVVM operations.
#pragma once

#include "compiler/Gpu/GemmFinish.h"

namespace ein {

/// Emits the kernels of `plan` into `module`: `name`, and `name`_sum where the depth is split. Their parameters and
/// launches are those of `gemmLaunches`. `plan.obstacle()` must be empty, and the dialects
/// arith, gpu, llvm, nvvm and scf loaded. What is given back are further arguments of the last launch: what `finish`
/// reads.
std::vector<GpuArgument> emitHopperGemm(mlir::gpu::GPUModuleOp module, const GemmPlan &plan, llvm::StringRef name,
                                        const GemmFinish *finish = nullptr);

} // namespace ein
