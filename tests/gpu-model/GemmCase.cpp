// Gemm kernels in the model.
#include "tests/gpu-model/GemmCase.h"

#include "compiler/Gpu/HopperGemm.h"
#include "compiler/Gpu/MmaKernel.h"
#include "tests/gpu-model/WgmmaOperands.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <cmath>
#include <cstring>

namespace ein::gpumodel {
namespace {

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

template <class T> static double numberAt(const std::vector<uint8_t> &bytes, int64_t i) {
  T value;
  std::memcpy(&value, &bytes[i * sizeof(T)], sizeof(T));
  return double(value);
}

double elementOf(const ModelTensor &tensor, DType type, int64_t i) {
  const std::vector<uint8_t> &bytes = tensor.bytes;
  switch (type) {
  case DType::F32: return numberAt<float>(bytes, i);
  case DType::F64: return numberAt<double>(bytes, i);
  case DType::I32: return numberAt<int32_t>(bytes, i);
  case DType::I8: return numberAt<int8_t>(bytes, i);
  case DType::U8: return numberAt<uint8_t>(bytes, i);
  default:
    return decode(type == DType::BF16 ? MatrixType::BF16 : MatrixType::F16, bytes[i * 2] | bytes[i * 2 + 1] << 8);
  }
}

/// The bits of a float between 1/4 and 2, of either sign.
static uint64_t randomFloat(int digits, int exponentBits, std::mt19937 &random) {
  const uint64_t exponent = (uint64_t(1) << (exponentBits - 1)) - 3 + random() % 3;
  const uint64_t mantissa = (uint64_t(random()) << 32 | random()) & ((uint64_t(1) << digits) - 1);
  return uint64_t(random() & 1) << (digits + exponentBits) | exponent << digits | mantissa;
}

ModelTensor randomTensor(DType type, int64_t elements, std::mt19937 &random) {
  ModelTensor tensor;
  const int exponentBits = type == DType::F64 ? 11 : type == DType::F16 ? 5 : 8;
  const int bytes = int(byteSize(type)), digits = 8 * bytes - 1 - exponentBits;
  for (int64_t i = 0; i < elements; ++i) {
    const uint64_t bits = isInteger(type) ? random() : randomFloat(digits, exponentBits, random);
    for (int byte = 0; byte < bytes; ++byte) tensor.bytes.push_back(uint8_t(bits >> 8 * byte));
  }
  return tensor;
}

mlir::MLIRContext &modelContext() {
  static mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<mlir::arith::ArithDialect, mlir::gpu::GPUDialect, mlir::LLVM::LLVMDialect,
                      mlir::NVVM::NVVMDialect, mlir::scf::SCFDialect>();
  return context;
}

static void emptyModule(GemmKernels &result) {
  mlir::OpBuilder b(&modelContext());
  result.module = mlir::ModuleOp::create(b.getUnknownLoc());
  b.setInsertionPointToEnd(result.module->getBody());
  result.kernels = mlir::gpu::GPUModuleOp::create(b, b.getUnknownLoc(), "kernels");
}

GemmKernels::GemmKernels(const GemmPlan &plan) {
  emptyModule(*this);
  emitHopperGemm(kernels, plan, "gemm");
}

GemmKernels::GemmKernels(const MmaPlan &plan) {
  emptyModule(*this);
  emitMma(kernels, plan, "gemm");
}

GemmCase::GemmCase(const GemmPlan &plan, uint32_t seed) : productError(0x1p-20), launches(gemmLaunches(plan, "gemm")) {
  fill(plan, seed);
}

GemmCase::GemmCase(const MmaPlan &plan, uint32_t seed) : productError(0x1p-20), launches(mmaLaunches(plan, "gemm")) {
  if (plan.input == DType::F32 && plan.products == 1) productError = 0x1p-10; // half a unit of tf32 from each factor
  if (plan.input == DType::F64) productError = 0x1p-48;
  fill(plan, seed);
}

template <class Plan> void GemmCase::fill(const Plan &plan, uint32_t seed) {
  input = plan.input, result = plan.result, swapped = plan.swapped, alpha = plan.alpha;
  batch = plan.batch, m = plan.m, n = plan.n, k = plan.k;
  std::mt19937 random(seed);
  ModelTensor a = randomTensor(input, span(0), random), b = randomTensor(input, span(1), random);
  buffers.operands = {a, b};
  if (swapped) std::swap(buffers.operands[0], buffers.operands[1]);
  buffers.results = {{std::vector<uint8_t>(span(2) * byteSize(result), 0xff)}};
}

/// Elements from the first to the last of a tensor.
int64_t GemmCase::span(unsigned tensor) const {
  int64_t last = 0;
  for (const GemmDims *group : {&batch, &m, &n, &k})
    for (const GemmDim &dim : *group) last += (dim.extent - 1) * dim.strides[tensor];
  return last + 1;
}

/// Half a unit in the last place, relative to the value.
static double roundingOf(DType type) {
  switch (type) {
  case DType::BF16: return 0x1p-8;
  case DType::F16: return 0x1p-11;
  case DType::F64: return 0x1p-50;
  default: return 0x1p-22;
  }
}

std::string GemmCase::compare(const ModelTensor &got) const {
  const ModelTensor &a = buffers.operands[swapped], &b = buffers.operands[!swapped];
  std::string wrong;
  int64_t count = 0;
  forEachPoint({&batch, &m, &n}, {}, [&](const std::array<int64_t, 3> &at) {
    double sum = 0, magnitude = 0;
    forEachPoint({&k}, at, [&](const std::array<int64_t, 3> &point) {
      double product = elementOf(a, input, point[0]) * elementOf(b, input, point[1]);
      sum += product;
      magnitude += std::abs(product);
    });
    double value = elementOf(got, result, at[2]), want = sum * alpha;
    double most =
        isInteger(result) ? 0 : roundingOf(result) * std::abs(want) + productError * magnitude * std::abs(alpha);
    if (std::abs(value - want) <= most) return;
    if (count++ == 0)
      wrong = "element " + std::to_string(at[2]) + " is " + std::to_string(value) + ", not " + std::to_string(want);
  });
  return count ? wrong + "; " + std::to_string(count) + " elements are wrong\n" : "";
}

std::string GemmCase::run(const ModelProgram &program, uint32_t seed) const {
  ModelBuffers copy = buffers;
  auto report = const_cast<ModelProgram &>(program).run(launches.launches, launches.workspaceBytes, copy, seed);
  if (!report) return report.error().render();
  return report->str() + compare(copy.results[0]);
}

template <class Plan> static std::string check(const Plan &plan, const std::vector<uint32_t> &seeds) {
  GemmKernels kernels(plan);
  auto program = ModelProgram::compile(kernels.kernels);
  if (!program) return program.error().render();
  std::string wrong;
  for (uint32_t seed : seeds)
    if (std::string found = GemmCase(plan, seed).run(**program, seed); !found.empty())
      wrong += "seed " + std::to_string(seed) + ":\n" + found;
  return wrong;
}

std::string checkGemm(const GemmPlan &plan, const std::vector<uint32_t> &seeds) { return check(plan, seeds); }
std::string checkGemm(const MmaPlan &plan, const std::vector<uint32_t> &seeds) { return check(plan, seeds); }

} // namespace ein::gpumodel
