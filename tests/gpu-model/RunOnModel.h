// Running GPU kernels on the CPU model: a module, its launches, buffers in, buffers and a report out.
#pragma once

#include "compiler/Gpu/LaunchPlan.h"
#include "ein/Error.h"
#include "tests/gpu-model/Report.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include <memory>

namespace ein::gpumodel {

/// Bytes of device memory, by the slots of a launch plan. Results are undefined before the first launch, and reading
/// them is a fault, unless `resultsHold` says that they hold something.
struct ModelBuffers {
  std::vector<std::vector<uint8_t>> operands, results;
  bool resultsHold = false;
};

/// Kernels compiled for this CPU.
class ModelProgram {
public:
  /// Lowers and compiles a module; it may be changed or erased afterwards.
  static Expected<std::unique_ptr<ModelProgram>> compile(mlir::gpu::GPUModuleOp kernels);
  ~ModelProgram();

  /// Runs all launches and stores the results. What is left to chance follows from `seed`. Persistent kernels get as
  /// many blocks as there are `multiprocessors`. An error is a launch that no GPU would take; faults are in the report.
  Expected<Report> run(const LaunchPlan &plan, ModelBuffers &buffers, uint32_t seed, int64_t multiprocessors = 3);

private:
  struct State;
  explicit ModelProgram(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

/// Both in one.
Expected<Report> runOnModel(mlir::gpu::GPUModuleOp kernels, const LaunchPlan &plan, ModelBuffers &buffers,
                            uint32_t seed, int64_t multiprocessors = 3);

} // namespace ein::gpumodel
