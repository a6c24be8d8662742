// Gemm kernels in the model: emitted from plans, filled with random data, compared with sums in double.
#pragma once

#include "compiler/Gpu/GemmPlan.h"
#include "tests/gpu-model/RunOnModel.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <random>

namespace ein::gpumodel {

/// The context of all tests, with the dialects of kernels.
mlir::MLIRContext &modelContext();

/// Numbers between 1/4 and 2, of both signs, in f16 or bf16.
ModelTensor randomTensor(DType type, int64_t elements, std::mt19937 &random);
/// Element `i` of f32, f16 or bf16.
double elementOf(const ModelTensor &tensor, DType type, int64_t i);

/// The kernels of a plan, before anything is lowered.
struct GemmKernels {
  explicit GemmKernels(const GemmPlan &plan);
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::gpu::GPUModuleOp kernels;
};

/// Operands of a plan, and what its result should be.
class GemmCase {
public:
  GemmCase(const GemmPlan &plan, uint32_t seed);

  /// Runs a program on the operands. What is wrong, findings first; empty if nothing is.
  std::string run(const ModelProgram &program, uint32_t seed) const;

private:
  std::string compare(const ModelTensor &result) const;

  GemmPlan plan;
  LaunchPlan launches;
  ModelBuffers buffers;
};

/// Emits, compiles and runs a plan on some seeds; what is wrong, or nothing.
std::string checkGemm(const GemmPlan &plan, const std::vector<uint32_t> &seeds);

} // namespace ein::gpumodel
