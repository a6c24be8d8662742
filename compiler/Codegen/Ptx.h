// Kernels of a GPU to PTX text.
#pragma once

#include "ein/Target.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include "llvm/IR/Module.h"

#include <memory>
#include <string>

namespace ein {

/// LLVM IR of a module that ein-lower-kernels has run on, optimised for `gpu`. An error where LLVM's NVPTX back end or
/// the translation fails; what MLIR reports goes to its diagnostics.
Expected<std::unique_ptr<llvm::Module>> translateKernels(mlir::gpu::GPUModuleOp module, const GpuName &gpu,
                                                         llvm::LLVMContext &context);

/// PTX text. No library is called: it is what a driver compiles.
Expected<std::string> emitPtx(llvm::Module &module, const GpuName &gpu);

} // namespace ein
