// Gemm kernels of Hopper in the CPU model.
#include "compiler/Gpu/HopperGemm.h"
#include "tests/gpu-model/RunOnModel.h"

#include <chrono>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace ein;
using namespace ein::gpumodel;

static float widen(uint16_t h) { uint32_t x = uint32_t(h) << 16; float f; std::memcpy(&f, &x, 4); return f; }
static uint16_t round16(float f) { uint32_t x; std::memcpy(&x, &f, 4); x += 0x7fff + (x >> 16 & 1); return x >> 16; }

#include "llvm/Support/Signals.h"
TEST(GemmModel, First) {
  llvm::sys::PrintStackTraceOnErrorSignal("t");
  const char *text = getenv("PLAN") ? getenv("PLAN") : "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[128:64,0,128/64] n=[128:0,64,1/128] k=[64:1,1,0/64] a=k b=k epilogue=tensor consumers=1 stages=2 cluster=1 split=1 pair=2 raster=8 alpha=1";
  auto plan = parseGemmPlan(text);
  ASSERT_TRUE(plan) << plan.error().render();
  mlir::MLIRContext context;
  context.loadDialect<mlir::gpu::GPUDialect, mlir::arith::ArithDialect, mlir::LLVM::LLVMDialect, mlir::NVVM::NVVMDialect, mlir::scf::SCFDialect>();
  mlir::OpBuilder b(&context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(b.getUnknownLoc());
  b.setInsertionPointToEnd(module->getBody());
  auto kernels = mlir::gpu::GPUModuleOp::create(b, b.getUnknownLoc(), "kernels");
  emitHopperGemm(kernels, *plan, "gemm");
  if (getenv("DUMP")) module->dump();
  auto now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  double t0 = now();
  auto program = ModelProgram::compile(kernels);
  ASSERT_TRUE(program) << program.error().render();
  double t1 = now();
  int64_t M = plan->m[0].extent, N = plan->n[0].extent, K = plan->k[0].extent;
  ModelBuffers buffers;
  std::mt19937 g(1);
  std::normal_distribution<float> nd;
  auto fill = [&](int64_t n) { std::vector<uint8_t> v(n * 2); for (int64_t i = 0; i < n; ++i) { uint16_t h = round16(nd(g)); std::memcpy(&v[2 * i], &h, 2); } return v; };
  buffers.operands = {fill(M * K), fill(N * K)};
  buffers.results = {std::vector<uint8_t>(M * N * 2)};
  for (uint32_t seed = 0; seed < 4; ++seed) {
    double t2 = now();
    auto report = (*program)->run(gemmLaunches(*plan, "gemm"), buffers, seed);
    double t3 = now();
    ASSERT_TRUE(report) << report.error().render();
    EXPECT_TRUE(report->clean()) << report->str();
    auto *a = (uint16_t *)buffers.operands[0].data(), *bb = (uint16_t *)buffers.operands[1].data(), *d = (uint16_t *)buffers.results[0].data();
    double worst = 0;
    for (int64_t i = 0; i < M; ++i) for (int64_t j = 0; j < N; ++j) {
      double s = 0; for (int64_t k = 0; k < K; ++k) s += double(widen(a[i * K + k])) * widen(bb[j * K + k]);
      worst = std::max(worst, std::abs(s - widen(d[i * N + j])) / (1 + std::abs(s)));
    }
    EXPECT_LT(worst, 1e-2);
    printf("compile %.3f run %.3f first+code worst %.3g\n", t1 - t0, t3 - t2, worst);
  }
}
