// The passes from linalg to the LLVM dialect, as a list.
#pragma once

#include "compiler/Lowering/NestShape.h"

#include "mlir/Pass/Pass.h"

#include <memory>
#include <vector>

namespace ein {

/// A pass and the stage it ends: the name under which its output is printed.
struct PipelineStep {
  const char *stage;
  std::unique_ptr<mlir::Pass> pass;
  bool onFunctions; ///< runs on each function instead of the module
};

/// linalg on memrefs → LLVM dialect for a CPU.
std::vector<PipelineStep> cpuPipeline(const CpuModel &cpu);

} // namespace ein
