// Running GPU kernels on the CPU model: a module, its launches, buffers in, buffers and a report out.
#pragma once

#include "ein/Error.h"
#include "ein/Launch.h"
#include "tests/gpu-model/Report.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include <memory>

namespace ein::gpumodel {

/// Device memory of a tensor; launches address it by its element at index zero, `origin` bytes from the start.
struct ModelTensor {
  std::vector<uint8_t> bytes;
  int64_t origin = 0;
};

/// What launches work on. Results are undefined before the first one, and reading them is a fault, unless
/// `resultsHold` says that they hold something.
struct ModelBuffers {
  std::vector<ModelTensor> operands, results;
  bool resultsHold = false;
};

/// Kernels compiled for this CPU.
class ModelProgram {
public:
  /// Lowers and compiles a module; it may be changed or erased afterwards.
  static Expected<std::unique_ptr<ModelProgram>> compile(mlir::gpu::GPUModuleOp kernels);
  ~ModelProgram();

  /// Runs the launches in order and stores the results. What is left to chance follows from `seed`. Persistent kernels
  /// get as many blocks as there are `multiprocessors`. An error is a launch that no GPU would take; faults are in the
  /// report.
  Expected<Report> run(const std::vector<GpuLaunch> &launches, int64_t workspaceBytes, ModelBuffers &buffers,
                       uint32_t seed, int64_t multiprocessors = 3);

private:
  struct State;
  explicit ModelProgram(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

} // namespace ein::gpumodel
