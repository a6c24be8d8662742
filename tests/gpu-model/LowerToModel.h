// GPU kernels as code for the CPU: every operation that needs a GPU becomes a call of a function in Runtime.h.
#pragma once

#include "ein/Error.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <map>
#include <string>
#include <vector>

namespace ein::gpumodel {

/// A module in the LLVM dialect. For each kernel NAME it has `void NAME.entry(void **arguments)`, which is one thread's
/// call of it; arguments are pointers to the kernel's, tensor maps by address.
struct ModelModule {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<std::string> sites; ///< "nvvm.mbarrier.init #3": names of operations, numbered within their kind
  uint32_t sharedBytes = 0;       ///< static; dynamic shared memory begins behind them
};

/// Lowers the kernels of a `gpu.module` in the form in which they go to the NVPTX back end: llvm.func with nvvm, llvm,
/// scf, cf, arith, math and vector operations. The module itself stays as it is. What the model does not know is an
/// error that names the operation.
Expected<ModelModule> lowerToModel(mlir::gpu::GPUModuleOp kernels);

} // namespace ein::gpumodel
