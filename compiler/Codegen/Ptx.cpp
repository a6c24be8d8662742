// PTX by LLVM's NVPTX back end.
#include "compiler/Codegen/Ptx.h"

#include "compiler/Codegen/Object.h"

#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"

#include <mutex>

extern "C" {
void LLVMInitializeNVPTXTargetInfo();
void LLVMInitializeNVPTXTarget();
void LLVMInitializeNVPTXTargetMC();
void LLVMInitializeNVPTXAsmPrinter();
}

namespace ein {

static std::unique_ptr<llvm::TargetMachine> machineFor(const GpuName &gpu) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) return nullptr;
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, gpu.name, "+ptx" + std::to_string(gpu.ptxVersion), llvm::TargetOptions(),
                                  std::nullopt, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

/// The usual passes, without vectorisers: kernels say themselves what is a vector.
static void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = tuning.SLPVectorization = false;
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

Expected<std::unique_ptr<llvm::Module>> translateKernels(mlir::gpu::GPUModuleOp module, const GpuName &gpu,
                                                         llvm::LLVMContext &context) {
  std::unique_ptr<llvm::TargetMachine> machine = machineFor(gpu);
  if (!machine) return makeError(ErrorCode::Compile, "this LLVM has no NVPTX back end");
  std::unique_ptr<llvm::Module> translated = mlir::translateModuleToLLVMIR(module, context, "ein");
  if (!translated) return makeError(ErrorCode::Compile, "the kernels cannot be translated to LLVM IR");
  translated->setTargetTriple(machine->getTargetTriple());
  translated->setDataLayout(machine->createDataLayout());
  optimise(*translated, *machine);
  return translated;
}

Expected<std::string> emitPtx(llvm::Module &module, const GpuName &gpu) {
  std::unique_ptr<llvm::TargetMachine> machine = machineFor(gpu);
  if (!machine) return makeError(ErrorCode::Compile, "this LLVM has no NVPTX back end");
  return emitCode(module, *machine, llvm::CodeGenFileType::AssemblyFile);
}

} // namespace ein
