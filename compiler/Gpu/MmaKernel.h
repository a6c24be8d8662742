// An mma plan as a kernel module of NVVM operations.
#pragma once

#include "compiler/Gpu/KernelBuilder.h"
#include "compiler/Gpu/MmaPlan.h"

namespace ein {

/// Emits the kernels of `plan` into `module`: `name`, and `name`_sum where the depth is split. Their parameters and
/// launches are those of `mmaLaunches`. `plan.obstacle()` must be empty, and the dialects arith, gpu, llvm, nvvm and
/// scf loaded.
void emitMma(mlir::gpu::GPUModuleOp module, const MmaPlan &plan, llvm::StringRef name);

} // namespace ein
