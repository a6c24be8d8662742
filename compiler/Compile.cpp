// Every stage of a compilation, in order.
#include "compiler/Compile.h"

#include "compiler/Codegen/CFunction.h"
#include "compiler/Codegen/HostTarget.h"
#include "compiler/Codegen/Object.h"
#include "compiler/Codegen/Parts.h"
#include "compiler/CompileGpu.h"
#include "compiler/IndexNotation/DynamicIndices.h"
#include "compiler/IndexNotation/Program.h"
#include "compiler/Lowering/FoldRegion.h"
#include "compiler/Lowering/LowerToLinalg.h"
#include "compiler/Lowering/StepTime.h"
#include "compiler/Lowering/TunedPlan.h"
#include "compiler/Paths/Explain.h"
#include "compiler/Paths/RealParts.h"
#include "compiler/Paths/Requirements.h"
#include "compiler/Paths/ResultTypes.h"
#include "compiler/Pipelines/CpuPipeline.h"
#include "compiler/Recorder.h"
#include "compiler/Transforms/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/OpenMP/OpenMPToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/Config/llvm-config.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>

namespace ein {

namespace {

/// MLIR and LLVM hold state that concurrent compilations would share.
std::mutex &compileMutex() {
  static std::mutex mutex;
  return mutex;
}

mlir::DialectRegistry translations() {
  mlir::DialectRegistry registry;
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  mlir::registerOpenMPDialectTranslation(registry);
  return registry;
}

/// A context with the dialects of a compilation for a CPU. To make one takes 1 to 2 ms, so it is used again; not for
/// ever, since what it interns stays in it.
struct CompilerContext {
  static constexpr int kMostUses = 64;

  mlir::MLIRContext context;
  int uses = 0;

  /// What generates part `i` of the code, the same for every compilation for this CPU; null where LLVM has none.
  llvm::TargetMachine *machine(const HostTarget &host, size_t i) {
    if (host.cpu != cpu || host.features != features) machines.clear(), cpu = host.cpu, features = host.features;
    while (machines.size() <= i) machines.push_back(host.createMachine());
    return machines[i].get();
  }

  CompilerContext() : context(translations(), mlir::MLIRContext::Threading::DISABLED) {
    context.loadDialect<mlir::arith::ArithDialect, mlir::cf::ControlFlowDialect, mlir::func::FuncDialect,
                        mlir::LLVM::LLVMDialect, mlir::linalg::LinalgDialect, mlir::math::MathDialect,
                        mlir::memref::MemRefDialect, mlir::omp::OpenMPDialect, mlir::scf::SCFDialect,
                        mlir::ub::UBDialect, mlir::vector::VectorDialect>();
  }

private:
  std::vector<std::unique_ptr<llvm::TargetMachine>> machines;
  std::string cpu, features;
};

/// The context of the last compilation for a CPU that ended well. Under compileMutex.
std::unique_ptr<CompilerContext> &spareContext() {
  static std::unique_ptr<CompilerContext> spare;
  return spare;
}

/// The explanation of a flat Program with the plans that its steps got, and the times that these take on a CPU.
Explanation explainPlanned(const FlatProgram &flat, mlir::func::FuncOp kernel, const CpuModel &cpu) {
  Explanation explanation = explain(flat);
  auto step = explanation.steps.begin();
  for (mlir::Operation &op : kernel.getBody().front()) {
    auto plan = op.getAttrOfType<mlir::DictionaryAttr>(kPlanAttr);
    if (!plan || step == explanation.steps.end()) continue;
    if (auto summary = plan.getAs<mlir::StringAttr>("summary")) step->plan = summary.str();
    for (size_t at; (at = step->plan.find('\n')) != std::string::npos;) step->plan.replace(at, 1, "; ");
    if (auto threads = plan.getAs<mlir::IntegerAttr>("threads")) step->threads = int32_t(threads.getInt());
    ++step;
  }
  for (StepReport &s : explanation.steps) predictTime(s, cpu);
  return explanation;
}

bool exceedsLimit(const CompileResult &result, const CompileRequest &request) {
  return request.options.memoryLimit > 0 && result.module.workspaceBytes > request.options.memoryLimit;
}

/// Finds the dynamic indices, and refuses what a kernel that knows no extents cannot promise.
Expected<void> prepareDynamic(Program &program, const CompileRequest &request) {
  const CompileOptions &options = request.options;
  if (options.dynamic.empty()) return {};
  auto refuse = [](const std::string &what) {
    return makeError(ErrorCode::Unsupported, what + " with dynamic indices",
                     "name no dynamic indices, or do without it");
  };
  if (!options.resultStrides.empty()) return refuse("strides of results");
  if (options.memoryLimit > 0) return refuse("a memory limit");
  if (!request.cFunction.empty()) return refuse("a C function");
  if (options.target.isGpu()) return refuse("target " + options.target.str());
  return markDynamicIndices(program, request.text, request.operands, options);
}

/// One attempt; intermediates of more than `memoryIsWorthTimeAbove` bytes (0: any number) are avoided at a fair price
/// in time. Whatever `memoryLimit` says, `workspaceBytes` tells what the kernel needs; above the limit it has no code.
/// Without `mayFuse` every chain of reductions is several steps.
Expected<CompileResult> compileOnce(const CompileRequest &request, int64_t memoryIsWorthTimeAbove,
                                    bool mayFuse = true) {
  CompileResult result;
  Recorder recorder(request, result);
  Expected<Program> program = parseAndBind(request.text, request.operands, request.options);
  if (!program) return program.error();
  if (auto fine = prepareDynamic(*program, request); !fine) return fine.error();
  recorder.end("notation", [&] { return print(*program); });

  CompileOptions trade = request.options;
  trade.memoryLimit = memoryIsWorthTimeAbove;
  const bool isGpu = trade.target.isGpu();
  trade.fuse &= mayFuse;
  Expected<FlatProgram> flat = flattenAtAnySize(*program, trade);
  if (!flat) return flat.error();
  Expected<std::vector<TensorType>> results = resultTypes(*program, request.options);
  if (!results) return results.error();
  result.module.operands = request.operands;
  result.module.results = *results;
  if (auto fine = assignSizes(*program, result.module); !fine) return fine.error();
  recorder.end("path", [&] { return flat->str(); });

  Expected<HostTarget> host = isGpu ? HostTarget() : hostTarget(request.options.target);
  if (!host) return host.error();
  host->model.threads = std::max(1, request.options.threads);

  std::unique_lock<std::mutex> lock(compileMutex());
  std::unique_ptr<CompilerContext> compilerContext = std::exchange(spareContext(), nullptr);
  if (!compilerContext) compilerContext = std::make_unique<CompilerContext>();
  mlir::MLIRContext &context = compilerContext->context;
  DiagnosticText diagnostics(context);
  if (isGpu) loadGpuDialects(context);

  std::vector<TensorType> operandViews, resultViews;
  for (size_t i = 0; i < request.operands.size(); ++i)
    operandViews.push_back(realView(ungrouped(*program, program->inputs[i], request.operands[i])));
  for (const TensorType &type : *results) resultViews.push_back(realView(type));
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp kernel;
  auto lower = [&] {
    module = lowerToLinalg(context, *flat, operandViews, resultViews, result.module);
    kernel = module->lookupSymbol<mlir::func::FuncOp>("kernel");
  };
  lower();
  // Without one fold, what becomes of another is planned anew.
  for (RefusedFolds refused; refused.add(isGpu ? foldsRefusedByGpu(kernel) : refusedFolds(kernel, host->model));) {
    flat = withoutFolds(*flat, *program, refused);
    if (!flat) return flat.error();
    recorder.replace("path", [&] { return flat->str(); });
    lower();
  }
  if (auto met = checkRequirements(*program, *flat); !met) return met.error();
  result.warnings = program->warnings;
  std::ranges::move(storageWarnings(*program, *flat), std::back_inserter(result.warnings));
  if (!request.options.plans.empty()) setTunedPlans(kernel, request.options.plans);
  recorder.end("linalg", [&] { return printed(*module); });
  if (isGpu) {
    if (!gpuTakesCascades(kernel, request.options.target)) {
      lock.unlock();
      Expected<CompileResult> unfused = compileOnce(request, memoryIsWorthTimeAbove, /*mayFuse=*/false);
      for (const Cascade &cascade : flat->cascades)
        if (unfused)
          unfused->module.explanation.boundaries.push_back(
              {flat->program.tensors[flat->program.assignments[cascade.last - 1].result].name, "UNSUPPORTED",
               "there is no kernel for " + request.options.target.str() + " that computes it as one pass", ""});
      return unfused;
    }
    if (auto done = compileForGpu(kernel, *flat, request, diagnostics, recorder, result); !done) return done.error();
    return result;
  }
  if (request.candidates > 0) result.candidates = planCandidates(kernel, host->model, request.candidates);
  for (PipelineStep &step : cpuPipeline(host->model)) {
    mlir::PassManager passes(&context);
    passes.enableVerifier(!request.dumpStages.empty());
    if (step.onFunctions)
      passes.addNestedPass<mlir::func::FuncOp>(std::move(step.pass));
    else
      passes.addPass(std::move(step.pass));
    if (failed(passes.run(*module))) return diagnostics.error(step.stage);
    recorder.end(step.stage, [&] { return printed(*module); });
    if (step.onFunctions) result.module.explanation = explainPlanned(*flat, kernel, host->model);
  }
  auto number = [&](const char *name) { return (*module)->getAttrOfType<mlir::IntegerAttr>(name).getInt(); };
  result.module.workspaceBytes = number("ein.workspace_bytes");
  result.module.threads = int32_t(number("ein.threads"));
  result.module.explanation.workspaceBytes = result.module.workspaceBytes;
  if (exceedsLimit(result, request)) return result;

  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> llvmModule =
      mlir::translateModuleToLLVMIR(*module, llvmContext, "ein", /*disableVerification=*/request.dumpStages.empty());
  if (!llvmModule) return diagnostics.error("llvm");
  llvm::TargetMachine *machine = compilerContext->machine(*host, 0);
  if (!machine) return makeError(ErrorCode::Compile, "LLVM has no target for this machine");
  result.module.entry = "ein_kernel";
  result.module.features = std::move(host->needs);
  result.compiler = "LLVM " LLVM_VERSION_STRING;
  result.cpu = host->cpu;
  prepareModule(*llvmModule, *machine, result.module.entry);
  if (!request.cFunction.empty())
    if (auto added = addCFunction(*llvmModule, request.cFunction, result.module); !added) return added.error();
  recorder.end("llvm", [&] {
    std::string text;
    llvm::raw_string_ostream stream(text);
    llvmModule->print(stream, nullptr);
    return text;
  });

  if (recorder.wants("asm")) {
    // Code generation consumes the module's functions' state: assembly is printed from a second run.
    std::unique_ptr<llvm::Module> copy = llvm::CloneModule(*llvmModule);
    Expected<std::string> text = emitCode(*copy, *machine, llvm::CodeGenFileType::AssemblyFile);
    if (!text) return text.error();
    recorder.end("asm", [&] { return *text; });
  }
  // Nobody waits for a library, and its state must be in one part.
  const size_t mostParts = request.cFunction.empty() ? 4 : 1;
  Expected<std::vector<std::string>> objects =
      emitObjects(*llvmModule, mostParts, [&](size_t part) { return compilerContext->machine(*host, part); });
  if (!objects) return objects.error();
  recorder.end("object", [] { return std::string(); });
  Expected<std::string> image =
      request.cFunction.empty() ? linkSharedObject(*objects) : linkLibrary(objects->front(), request.soname, *machine);
  if (!image) return image.error();
  recorder.end("link", [] { return std::string(); });

  result.module.code = std::move(*image);
  // What still refers to the context here is gone before the lock.
  if (++compilerContext->uses < CompilerContext::kMostUses) spareContext() = std::move(compilerContext);
  return result;
}

Error memoryLimitError(const CompileRequest &request, int64_t smallest) {
  Error e = makeError(ErrorCode::Limit,
                      "the kernel needs " + std::to_string(smallest) + " bytes of workspace, above the limit of " +
                          std::to_string(request.options.memoryLimit),
                      "raise the limit to at least " + std::to_string(smallest));
  if (isProgramText(request.text)) return e;
  e.text = request.text;
  e.labels = {{{0, static_cast<uint32_t>(request.text.size())}, "in its best order"}};
  return e;
}

} // namespace

Expected<CompileResult> compileModule(const CompileRequest &request) {
  if (request.options.memoryLimit < 0)
    return makeError(ErrorCode::Limit, "a memory limit of " + std::to_string(request.options.memoryLimit) + " bytes",
                     "0 means no limit");
  if (request.options.target.isGpu())
    if (auto fine = checkGpuRequest(request); !fine) return fine.error();
  // Once as asked, then with all the memory saved that a fair price in time can save.
  int64_t smallest = std::numeric_limits<int64_t>::max();
  for (int64_t memoryIsWorthTimeAbove : {request.options.memoryLimit, int64_t(1), int64_t(0)}) {
    Expected<CompileResult> result = compileOnce(request, memoryIsWorthTimeAbove);
    if (!result || !exceedsLimit(*result, request)) return result;
    smallest = std::min(smallest, result->module.workspaceBytes);
  }
  return memoryLimitError(request, smallest);
}

} // namespace ein
