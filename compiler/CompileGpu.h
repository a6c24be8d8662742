// The stages of a compilation for a GPU, from linalg on.
#pragma once

#include "compiler/Paths/Flatten.h"
#include "compiler/Recorder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace ein {

/// Whether this request can be compiled for its GPU at all, whatever it computes.
Expected<void> checkGpuRequest(const CompileRequest &request);

/// Loads the dialects of kernels and what translates them.
void loadGpuDialects(mlir::MLIRContext &context);

/// Whether there is a kernel for each fused cascade. Where there is none, what is compiled must have no cascades.
bool gpuTakesCascades(mlir::func::FuncOp kernel, const Target &target);

/// Folds for which there is no kernel.
RefusedFolds foldsRefusedByGpu(mlir::func::FuncOp kernel);

/// Plans, emits and compiles `@kernel` to PTX: `module` of the result gets its code, launches, workspace and
/// explanation.
Expected<void> compileForGpu(mlir::func::FuncOp kernel, const FlatProgram &flat, const CompileRequest &request,
                             const DiagnosticText &diagnostics, Recorder &recorder, CompileResult &result);

} // namespace ein
