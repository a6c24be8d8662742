// An mma plan as a kernel module of NVVM operations.
#pragma once

#include "compiler/Gpu/GemmFinish.h"
#include "compiler/Gpu/MmaPlan.h"

namespace ein {

/// Emits the kernels of `plan` into `module`: `name`, and `name`_sum where the depth is split. Their parameters and
/// launches are those of `mmaLaunches`. `plan.obstacle()` must be empty, and the dialects arith, gpu, llvm, nvvm and
/// scf loaded. What is given back are further arguments of the last launch: what `finish` reads.
std::vector<GpuArgument> emitMma(mlir::gpu::GPUModuleOp module, const MmaPlan &plan, llvm::StringRef name,
                                 const GemmFinish *finish = nullptr);

} // namespace ein
