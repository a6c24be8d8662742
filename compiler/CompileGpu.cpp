// Compilation for a GPU.
#include "compiler/CompileGpu.h"

#include "compiler/Codegen/Ptx.h"
#include "compiler/Gpu/GpuModule.h"
#include "compiler/Lowering/FoldRegion.h"
#include "compiler/Paths/Explain.h"
#include "compiler/Transforms/Passes.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"

#include "llvm/Config/llvm-config.h"

namespace ein {

Expected<void> checkGpuRequest(const CompileRequest &request) {
  if (request.cFunction.empty()) return {};
  return makeError(ErrorCode::Unsupported,
                   "a library with a C function is for CPUs, not for " + request.options.target.str(),
                   "-o NAME.ein makes a bundle, which holds kernels of GPUs as well");
}

void loadGpuDialects(mlir::MLIRContext &context) {
  mlir::DialectRegistry registry;
  mlir::registerGPUDialectTranslation(registry);
  mlir::registerNVVMDialectTranslation(registry);
  context.appendDialectRegistry(registry);
  context.loadDialect<mlir::gpu::GPUDialect, mlir::NVVM::NVVMDialect>();
}

/// What the largest GPU of a kind has.
static GpuModel modelOf(const Target &target) {
  const GpuName &gpu = *findGpu(target.gpu);
  GpuModel model;
  model.tf32Products = target.tf32Products();
  model.hasWgmma = gpu.isSpecific && gpu.computeCapability == 90;
  model.halfProducts = 512;
  switch (gpu.computeCapability) {
  case 80: model.multiprocessors = 108; break;
  case 86: model.multiprocessors = 84; break;
  case 87: model.multiprocessors = 16; break;
  case 89: model.multiprocessors = 142; break;
  case 90: model.multiprocessors = 132; break;
  case 100: model.multiprocessors = 148; break;
  default: model.multiprocessors = 188; break;
  }
  // Code that later GPUs run as well must do with what the least of them has.
  const bool isLarge = gpu.isSpecific && (gpu.computeCapability == 90 || gpu.computeCapability == 100);
  model.sharedBytes = (isLarge ? 227 : 99) << 10;
  // Those for data centres have twice the tensor cores, and some of f64.
  if (gpu.computeCapability % 10 == 0 && gpu.computeCapability != 120) {
    model.halfProducts = 1024;
    model.doubleProducts = 64;
  }
  return model;
}

bool gpuTakesCascades(mlir::func::FuncOp kernel, const Target &target) {
  return takesCascades(kernel, modelOf(target));
}

RefusedFolds foldsRefusedByGpu(mlir::func::FuncOp kernel) {
  RefusedFolds refused;
  for (mlir::scf::ExecuteRegionOp region : foldsOf(kernel)) refused.finishes.insert(foldedTensor(region));
  kernel.walk([&](mlir::linalg::LinalgOp op) {
    if (auto tensor = op->getAttrOfType<mlir::IntegerAttr>(kFactorAttr))
      refused.factors.insert(uint32_t(tensor.getInt()));
  });
  return refused;
}

static std::string textOf(const std::vector<GpuStep> &steps) {
  std::string text;
  for (const GpuStep &step : steps) text += step.name + ": " + step.str() + '\n';
  return text;
}

/// The report of a step that stores what `next` makes of what `report` would store.
static StepReport joined(StepReport report, const StepReport &next) {
  for (const TensorReport &tensor : report.stored) report.bytes -= 2 * tensor.bytes;
  report.neverStored.insert(report.neverStored.end(), report.stored.begin(), report.stored.end());
  report.stored = next.stored;
  report.flops += next.flops;
  report.functions += next.functions;
  report.bytes += next.bytes;
  return report;
}

/// Reports of the steps as this GPU does them.
static std::vector<StepReport> reportsOf(const std::vector<GpuStep> &steps, const std::vector<StepReport> &all) {
  std::vector<StepReport> reports;
  for (const GpuStep &step : steps) {
    if (step.numbers.front() >= all.size() || step.numbers.back() >= all.size()) continue;
    StepReport report = all[step.numbers.front()];
    if (step.numbers.size() > 1) report = joined(report, all[step.numbers.back()]);
    report.plan = step.str();
    reports.push_back(std::move(report));
  }
  return reports;
}

Expected<void> compileForGpu(mlir::func::FuncOp kernel, const FlatProgram &flat, const CompileRequest &request,
                             const DiagnosticText &diagnostics, Recorder &recorder, CompileResult &result) {
  const GpuName &gpu = *findGpu(request.options.target.gpu);
  mlir::FailureOr<std::vector<GpuStep>> steps = planGpuSteps(kernel, modelOf(request.options.target));
  if (failed(steps)) return diagnostics.error("gpu-plan");
  CompiledModule &module = result.module;
  module.explanation = explain(flat);
  module.explanation.steps = reportsOf(*steps, module.explanation.steps);
  GpuKernels kernels = emitGpuKernels(kernel, *steps);
  module.gpu = gpu.name;
  module.workspaceBytes = kernels.workspaceBytes;
  module.explanation.workspaceBytes = kernels.workspaceBytes;
  module.launches = std::move(kernels.launches);
  recorder.end("gpu-plan", [&] {
    std::string text = textOf(*steps) + "workspace " + std::to_string(module.workspaceBytes) + '\n';
    for (const GpuLaunch &launch : module.launches) text += launch.str();
    return text;
  });
  recorder.end("nvvm", [&] { return printed(kernels.module); });
  result.compiler = "LLVM " LLVM_VERSION_STRING;
  result.cpu = gpu.name;
  if (request.options.memoryLimit > 0 && module.workspaceBytes > request.options.memoryLimit) return {};

  mlir::PassManager passes(kernel.getContext(), mlir::gpu::GPUModuleOp::getOperationName());
  passes.enableVerifier(!request.dumpStages.empty());
  passes.addPass(createLowerKernels());
  if (failed(passes.run(kernels.module))) return diagnostics.error("llvm");
  llvm::LLVMContext llvmContext;
  auto translated = translateKernels(kernels.module, gpu, llvmContext);
  if (!translated) return diagnostics.error("llvm");
  recorder.end("llvm", [&] {
    std::string text;
    llvm::raw_string_ostream stream(text);
    (*translated)->print(stream, nullptr);
    return text;
  });
  Expected<std::string> ptx = emitPtx(**translated, gpu);
  if (!ptx) return ptx.error();
  recorder.end("ptx", [&] { return *ptx; });
  module.code = std::move(*ptx);
  return {};
}

} // namespace ein
