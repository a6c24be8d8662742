// Gemm kernels in the model: emitted from plans, filled with random data, compared with sums in double.
#pragma once

#include "compiler/Gpu/MmaPlan.h"
#include "tests/gpu-model/RunOnModel.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <random>

namespace ein::gpumodel {

/// The context of all tests, with the dialects of kernels.
mlir::MLIRContext &modelContext();

/// Numbers between 1/4 and 2, of both signs, in floats; any integers of 8 bits.
ModelTensor randomTensor(DType type, int64_t elements, std::mt19937 &random);
/// Element `i` of a float, or of an integer of 8 or 32 bits.
double elementOf(const ModelTensor &tensor, DType type, int64_t i);

/// The kernels of a plan, before anything is lowered.
struct GemmKernels {
  explicit GemmKernels(const GemmPlan &plan);
  explicit GemmKernels(const MmaPlan &plan);
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::gpu::GPUModuleOp kernels;
};

/// Operands of a plan, and what its result should be.
class GemmCase {
public:
  GemmCase(const GemmPlan &plan, uint32_t seed);
  GemmCase(const MmaPlan &plan, uint32_t seed);

  /// Runs a program on the operands. What is wrong, findings first; empty if nothing is.
  std::string run(const ModelProgram &program, uint32_t seed) const;

private:
  template <class Plan> void fill(const Plan &plan, uint32_t seed);
  std::string compare(const ModelTensor &result) const;
  int64_t span(unsigned tensor) const;

  DType input, result;
  bool swapped;
  GemmDims batch, m, n, k;
  double alpha;
  double productError; ///< of what is summed, relative to the sum of magnitudes
  LaunchPlan launches;
  ModelBuffers buffers;
};

/// Emits, compiles and runs a plan on some seeds; what is wrong, or nothing.
std::string checkGemm(const GemmPlan &plan, const std::vector<uint32_t> &seeds);
std::string checkGemm(const MmaPlan &plan, const std::vector<uint32_t> &seeds);

} // namespace ein::gpumodel
