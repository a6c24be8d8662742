// Gemm kernels in the model.
#include "tests/gpu-model/GemmCase.h"

#include "compiler/Gpu/HopperGemm.h"
#include "tests/gpu-model/WgmmaOperands.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <cmath>
#include <cstring>

namespace ein::gpumodel {
namespace {

/// Elements from the first to the last of a tensor.
int64_t span(const GemmPlan &plan, unsigned tensor) {
  int64_t last = 0;
  for (const GemmDims *group : {&plan.batch, &plan.m, &plan.n, &plan.k})
    for (const GemmDim &dim : *group) last += (dim.extent - 1) * dim.strides[tensor];
  return last + 1;
}

/// Calls `visit(offsets)` with the offset in each tensor of every point of some groups.
template <class Visit>
void forEachPoint(const std::vector<const GemmDims *> &groups, std::array<int64_t, 3> base, Visit visit) {
  std::vector<const GemmDim *> dims;
  int64_t points = 1;
  for (const GemmDims *group : groups)
    for (const GemmDim &dim : *group) {
      dims.push_back(&dim);
      points *= dim.extent;
    }
  for (int64_t point = 0; point < points; ++point) {
    std::array<int64_t, 3> at = base;
    int64_t rest = point;
    for (const GemmDim *dim : dims) {
      for (unsigned t = 0; t < 3; ++t) at[t] += rest % dim->extent * dim->strides[t];
      rest /= dim->extent;
    }
    visit(at);
  }
}

} // namespace

double elementOf(const ModelTensor &tensor, DType type, int64_t i) {
  const std::vector<uint8_t> &bytes = tensor.bytes;
  if (type == DType::F32) {
    float value;
    std::memcpy(&value, &bytes[i * 4], 4);
    return value;
  }
  return decode(type == DType::BF16 ? MatrixType::BF16 : MatrixType::F16, bytes[i * 2] | bytes[i * 2 + 1] << 8);
}

ModelTensor randomTensor(DType type, int64_t elements, std::mt19937 &random) {
  ModelTensor tensor;
  for (int64_t i = 0; i < elements; ++i) {
    uint32_t exponent = type == DType::BF16 ? 125 + random() % 3 : 13 + random() % 3;
    uint16_t bits = uint16_t((random() & 1) << 15 | exponent << (type == DType::BF16 ? 7 : 10) |
                             random() % (type == DType::BF16 ? 128 : 1024));
    tensor.bytes.push_back(uint8_t(bits));
    tensor.bytes.push_back(uint8_t(bits >> 8));
  }
  return tensor;
}

mlir::MLIRContext &modelContext() {
  static mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<mlir::arith::ArithDialect, mlir::gpu::GPUDialect, mlir::LLVM::LLVMDialect,
                      mlir::NVVM::NVVMDialect, mlir::scf::SCFDialect>();
  return context;
}

GemmKernels::GemmKernels(const GemmPlan &plan) {
  mlir::OpBuilder b(&modelContext());
  module = mlir::ModuleOp::create(b.getUnknownLoc());
  b.setInsertionPointToEnd(module->getBody());
  kernels = mlir::gpu::GPUModuleOp::create(b, b.getUnknownLoc(), "kernels");
  emitHopperGemm(kernels, plan, "gemm");
}

GemmCase::GemmCase(const GemmPlan &plan, uint32_t seed) : plan(plan), launches(gemmLaunches(plan, "gemm")) {
  std::mt19937 random(seed);
  ModelTensor a = randomTensor(plan.input, span(plan, 0), random), b = randomTensor(plan.input, span(plan, 1), random);
  buffers.operands = {a, b};
  if (plan.swapped) std::swap(buffers.operands[0], buffers.operands[1]);
  buffers.results = {{std::vector<uint8_t>(span(plan, 2) * byteSize(plan.result), 0xff)}};
}

std::string GemmCase::compare(const ModelTensor &result) const {
  const ModelTensor &a = buffers.operands[plan.swapped], &b = buffers.operands[!plan.swapped];
  double unit = plan.result == DType::F32 ? 0x1p-22 : plan.result == DType::BF16 ? 0x1p-8 : 0x1p-11;
  std::string wrong;
  int64_t count = 0;
  forEachPoint({&plan.batch, &plan.m, &plan.n}, {}, [&](const std::array<int64_t, 3> &at) {
    double sum = 0, magnitude = 0;
    forEachPoint({&plan.k}, at, [&](const std::array<int64_t, 3> &k) {
      double product = elementOf(a, plan.input, k[0]) * elementOf(b, plan.input, k[1]);
      sum += product;
      magnitude += std::abs(product);
    });
    double got = elementOf(result, plan.result, at[2]), want = sum * plan.alpha;
    if (std::abs(got - want) <= unit * std::abs(want) + 0x1p-20 * magnitude * std::abs(plan.alpha)) return;
    if (count++ == 0)
      wrong = "element " + std::to_string(at[2]) + " is " + std::to_string(got) + ", not " + std::to_string(want);
  });
  return count ? wrong + "; " + std::to_string(count) + " elements are wrong\n" : "";
}

std::string GemmCase::run(const ModelProgram &program, uint32_t seed) const {
  ModelBuffers copy = buffers;
  auto report = const_cast<ModelProgram &>(program).run(launches.launches, launches.workspaceBytes, copy, seed);
  if (!report) return report.error().render();
  return report->str() + compare(copy.results[0]);
}

std::string checkGemm(const GemmPlan &plan, const std::vector<uint32_t> &seeds) {
  GemmKernels kernels(plan);
  auto program = ModelProgram::compile(kernels.kernels);
  if (!program) return program.error().render();
  std::string wrong;
  for (uint32_t seed : seeds)
    if (std::string found = GemmCase(plan, seed).run(**program, seed); !found.empty())
      wrong += "seed " + std::to_string(seed) + ":\n" + found;
  return wrong;
}

} // namespace ein::gpumodel
