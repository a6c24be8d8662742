// From GPU kernels to the LLVM dialect for the CPU.
#include "tests/gpu-model/LowerToModel.h"

#include "tests/gpu-model/ModelCalls.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;

namespace ein::gpumodel {
namespace {

/// Lowers one module; says what went wrong through diagnostics.
class Lowering {
public:
  Lowering(gpu::GPUModuleOp kernels, ModelModule &result) : context(kernels.getContext()), result(result) {
    result.module = ModuleOp::create(kernels.getLoc());
    module = *result.module;
    OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
    for (Operation &op : *kernels.getBody())
      if (!op.hasTrait<OpTrait::IsTerminator>()) b.clone(op);
  }

  LogicalResult run() {
    numberSites();
    findKernels();
    placeShared();
    if (failed(passes([](PassManager &m) { m.addPass(createSCFToControlFlowPass()); }))) return failure();
    for (auto function : functions())
      if (failed(readAccumulators(function)) || failed(lowerOperations(function))) return failure();
    for (Operation *global : sharedGlobals) global->erase();
    collapseAddressSpaces();
    for (auto kernel : kernels) addEntry(kernel);
    return passes([](PassManager &m) {
      m.addPass(createConvertVectorToLLVMPass());
      m.addPass(createConvertMathToLLVMPass());
      m.addPass(createArithToLLVMConversionPass());
      m.addPass(createConvertControlFlowToLLVMPass());
      m.addPass(createUBToLLVMConversionPass());
      m.addPass(createReconcileUnrealizedCastsPass());
    });
  }

private:
  SmallVector<LLVM::LLVMFuncOp> functions() {
    SmallVector<LLVM::LLVMFuncOp> all;
    for (auto function : module.getOps<LLVM::LLVMFuncOp>())
      if (!function.isExternal()) all.push_back(function);
    return all;
  }

  /// Site 0 is nobody in particular.
  void numberSites() {
    llvm::StringMap<unsigned> counts;
    result.sites = {"kernel"};
    Builder b(context);
    module.walk([&](Operation *op) {
      op->setAttr(kSiteAttr, b.getI32IntegerAttr(int32_t(result.sites.size())));
      StringRef name = op->getName().getStringRef();
      result.sites.push_back((name + " #" + Twine(counts[name]++)).str());
    });
  }

  /// Kernels become plain functions; what only a GPU looks at goes.
  void findKernels() {
    for (auto function : functions()) {
      if (function->hasAttr(gpu::GPUDialect::getKernelFuncAttrName()) || function->hasAttr("nvvm.kernel"))
        kernels.push_back(function);
      SmallVector<StringAttr> names;
      for (NamedAttribute attr : function->getDiscardableAttrs()) names.push_back(attr.getName());
      for (StringAttr name : names) function->removeDiscardableAttr(name);
      function.removeArgAttrsAttr();
    }
  }

  /// Static shared memory first; all that is external is dynamic, behind it.
  void placeShared() {
    for (auto global : module.getOps<LLVM::GlobalOp>())
      if (global.getAddrSpace() == 3) sharedGlobals.push_back(global);
    DataLayout layout(module);
    uint64_t end = 0;
    for (Operation *op : sharedGlobals) {
      auto global = cast<LLVM::GlobalOp>(op);
      if (global.getLinkage() == LLVM::Linkage::External) continue;
      end = llvm::alignTo(end, std::max<uint64_t>(global.getAlignment().value_or(16), 16));
      sharedOffsets[global.getSymName()] = uint32_t(end);
      end += layout.getTypeSize(global.getType());
    }
    for (Operation *op : sharedGlobals) {
      auto global = cast<LLVM::GlobalOp>(op);
      if (global.getLinkage() != LLVM::Linkage::External) continue;
      end = llvm::alignTo(end, global.getAlignment().value_or(16));
      sharedOffsets[global.getSymName()] = uint32_t(end);
    }
    result.sharedBytes = uint32_t(end);
  }

  LogicalResult lowerOperations(LLVM::LLVMFuncOp function) {
    SmallVector<Operation *> operations;
    function.getBody().walk([&](Operation *op) { operations.push_back(op); });
    for (Operation *op : operations)
      if (failed(lowerOperation(op))) return failure();
    return success();
  }

  LogicalResult lowerOperation(Operation *op) {
    Lowered lowered = Lowered::Unknown;
    if (auto assembly = dyn_cast<LLVM::InlineAsmOp>(op)) {
      std::string text = assembly.getAsmString().str();
      if (lowerInlinePtx(assembly) != Lowered::Unknown) return success();
      return op->emitOpError("holds PTX that the CPU model does not know: ") << text;
    }
    if (isa<LLVM::LLVMDialect>(op->getDialect()))
      lowered = lowerMemory(op, sharedOffsets);
    else if (isa<NVVM::NVVMDialect>(op->getDialect()))
      lowered = lowerMatrix(op);
    if (lowered == Lowered::Unknown && isa<NVVM::NVVMDialect>(op->getDialect())) lowered = lowerNvvm(op);
    if (lowered != Lowered::Unknown || runsAnywhere(op)) return success();
    return op->emitOpError("is not known to the CPU model");
  }

  /// Whether an operation means the same on a CPU: arithmetic, control flow, calls of the module's own functions.
  bool runsAnywhere(Operation *op) {
    if (isa<arith::ArithDialect, cf::ControlFlowDialect, math::MathDialect, ub::UBDialect, vector::VectorDialect>(
            op->getDialect()))
      return isMemoryEffectFree(op) || op->hasTrait<OpTrait::IsTerminator>();
    if (auto call = dyn_cast<LLVM::CallOp>(op)) {
      auto callee = call.getCallee() ? module.lookupSymbol<LLVM::LLVMFuncOp>(*call.getCallee()) : nullptr;
      return callee && (!callee.isExternal() || callee.getName().starts_with("ein_model_"));
    }
    if (!isa<LLVM::LLVMDialect>(op->getDialect()) || isa<LLVM::CallIntrinsicOp>(op)) return false;
    return isMemoryEffectFree(op) || op->hasTrait<OpTrait::IsTerminator>();
  }

  void collapseAddressSpaces() {
    AttrTypeReplacer replacer;
    replacer.addReplacement([&](LLVM::LLVMPointerType type) -> Type { return LLVM::LLVMPointerType::get(context); });
    replacer.recursivelyReplaceElementsIn(module, /*replaceAttrs=*/true, /*replaceLocs=*/false, /*replaceTypes=*/true);
    module.walk([](LLVM::GlobalOp global) { global.setAddrSpace(0); });
    module.walk([](Operation *op) { op->removeDiscardableAttr(kSiteAttr); });
  }

  /// void NAME.entry(void **arguments)
  void addEntry(LLVM::LLVMFuncOp kernel) {
    auto b = ImplicitLocOpBuilder::atBlockEnd(kernel.getLoc(), module.getBody());
    auto pointer = LLVM::LLVMPointerType::get(context);
    auto entry = LLVM::LLVMFuncOp::create(b, (kernel.getName() + ".entry").str(),
                                          LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), {pointer}));
    b.setInsertionPointToStart(entry.addEntryBlock(b));
    SmallVector<Value> arguments;
    for (auto [i, type] : llvm::enumerate(kernel.getFunctionType().getParams())) {
      Value place = LLVM::GEPOp::create(b, pointer, pointer, entry.getArgument(0), ArrayRef<LLVM::GEPArg>{int32_t(i)});
      Value argument = LLVM::LoadOp::create(b, pointer, place);
      arguments.push_back(LLVM::LoadOp::create(b, type, argument));
    }
    LLVM::CallOp::create(b, kernel, arguments);
    LLVM::ReturnOp::create(b, ValueRange());
  }

  LogicalResult passes(llvm::function_ref<void(PassManager &)> add) {
    PassManager manager(context);
    add(manager);
    return manager.run(module);
  }

  MLIRContext *context;
  ModelModule &result;
  ModuleOp module;
  SmallVector<LLVM::LLVMFuncOp> kernels;
  SmallVector<Operation *> sharedGlobals;
  llvm::StringMap<uint32_t> sharedOffsets;
};

/// The operation that a diagnostic is about, as reports name it.
std::string describe(Diagnostic &diagnostic) {
  std::string text;
  llvm::raw_string_ostream(text) << diagnostic;
  return text;
}

} // namespace

Expected<ModelModule> lowerToModel(gpu::GPUModuleOp kernels) {
  std::string problems;
  ScopedDiagnosticHandler handler(kernels.getContext(), [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error) problems += describe(diagnostic) + "\n";
    return success();
  });
  ModelModule result;
  if (failed(Lowering(kernels, result).run())) return makeError(ErrorCode::Unsupported, problems);
  return result;
}

} // namespace ein::gpumodel
