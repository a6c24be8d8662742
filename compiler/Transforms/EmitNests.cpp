// ein-emit-nests: replace planned linalg operations by their nests, the kernel by its C entry point.
#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/Emit.h"
#include "compiler/Lowering/PlanAttr.h"
#include "compiler/Transforms/Passes.h"

using namespace mlir;

namespace ein {

#define GEN_PASS_DEF_EMITNESTS
#include "compiler/Transforms/Passes.h.inc"

namespace {

/// The entry point of one kernel function.
class EntryEmitter {
public:
  EntryEmitter(func::FuncOp kernel, bool fma) : kernel(kernel), module(kernel->getParentOfType<ModuleOp>()), fma(fma) {}

  LogicalResult emit();

private:
  LogicalResult bindArguments(NestBuilder &b, ValueRange arrays);
  FailureOr<NestOperand> operandOf(NestBuilder &b, Value memref);
  LogicalResult emitOp(NestBuilder &b, linalg::LinalgOp op, StringRef name);
  LogicalResult emitRegion(NestBuilder &b, scf::ExecuteRegionOp region, StringRef name);
  FailureOr<NestOperand> argumentOf(NestBuilder &b, linalg::LinalgOp op, Value memref);

  func::FuncOp kernel;
  ModuleOp module;
  bool fma;
  llvm::DenseMap<Value, Value> pointers; ///< of the kernel's arguments
  Value scratch;
  int64_t workspaceBytes = 0, scratchMost = 0, threads = 1;
};

int64_t align64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/// Loads the pointer of every argument from the arrays of the C interface.
LogicalResult EntryEmitter::bindArguments(NestBuilder &b, ValueRange arrays) {
  for (auto [i, argument] : llvm::enumerate(kernel.getArguments())) {
    if (kernel.getArgAttr(i, "ein.workspace")) {
      workspaceBytes = cast<MemRefType>(argument.getType()).getNumElements();
      pointers[argument] = arrays[2];
      continue;
    }
    auto operand = kernel.getArgAttrOfType<IntegerAttr>(i, "ein.operand");
    auto result = kernel.getArgAttrOfType<IntegerAttr>(i, "ein.result");
    if (!operand && !result)
      return kernel.emitOpError("argument ") << i << " needs one of ein.operand, ein.result, ein.workspace";
    const int64_t number = (operand ? operand : result).getInt();
    Value slot = LLVM::GEPOp::create(b, b.ptr, b.ptr, arrays[operand ? 0 : 1], ArrayRef<LLVM::GEPArg>{int32_t(number)});
    Value pointer = LLVM::LoadOp::create(b, b.ptr, slot);
    if (auto low = kernel.getArgAttrOfType<IntegerAttr>(i, "ein.low")) {
      const int64_t bytes = bytesOf(cast<MemRefType>(argument.getType()).getElementType());
      pointer = b.advance(pointer, b.c(low.getInt() * bytes));
    }
    pointers[argument] = pointer;
  }
  scratch = b.advance(arrays[2], b.c(align64(workspaceBytes)));
  return success();
}

/// Follows views down to an argument or a place in the workspace.
FailureOr<NestOperand> EntryEmitter::operandOf(NestBuilder &b, Value memref) {
  auto type = dyn_cast<MemRefType>(memref.getType());
  if (!type) {
    if (!memref.getDefiningOp<arith::ConstantOp>()) return failure();
    return NestOperand{};
  }
  SmallVector<int64_t> strides;
  NestOperand result;
  if (failed(type.getStridesAndOffset(strides, result.offset))) return failure();
  Value base = memref;
  while (auto cast = base.getDefiningOp<memref::ReinterpretCastOp>()) base = cast.getSource();
  result.extent = cast<MemRefType>(base.getType()).getNumElements();
  result.element = type.getElementType();
  if (auto view = base.getDefiningOp<memref::ViewOp>()) {
    auto shift = getConstantIntValue(view.getByteShift());
    if (!shift || !pointers.count(view.getSource())) return failure();
    result.pointer = b.advance(pointers[view.getSource()], b.c(*shift));
    return result;
  }
  if (!pointers.count(base)) return failure();
  result.pointer = pointers[base];
  return result;
}

FailureOr<NestOperand> EntryEmitter::argumentOf(NestBuilder &b, linalg::LinalgOp op, Value memref) {
  FailureOr<NestOperand> operand = operandOf(b, memref);
  if (failed(operand)) return op->emitOpError("reads memory that is no argument and no view of the workspace");
  return operand;
}

LogicalResult EntryEmitter::emitRegion(NestBuilder &b, scf::ExecuteRegionOp region, StringRef name) {
  FailureOr<CascadeRegion> cascade = readCascade(region);
  if (failed(cascade)) return failure();
  auto attr = region->getAttrOfType<DictionaryAttr>(kPlanAttr);
  if (!attr) return region.emitOpError("has no ein.plan");
  FailureOr<AnyCascadePlan> any = planFromAttr(*cascade, attr);
  if (failed(any)) return region.emitOpError("has an ein.plan that is incomplete or does not fit its cascade");
  SmallVector<SmallVector<NestOperand>> operands;
  for (linalg::LinalgOp op : cascade->ops) {
    operands.emplace_back();
    for (Value v : op->getOperands()) {
      const bool isVirtual = v.getDefiningOp<memref::AllocOp>();
      FailureOr<NestOperand> operand = isVirtual ? NestOperand() : argumentOf(b, op, v);
      if (failed(operand)) return failure();
      operands.back().push_back(*operand);
    }
    for (auto [operand, argument] : llvm::zip(operands.back(), op.getBlock()->getArguments()))
      operand.isUnsigned = widensUnsigned(argument);
    for (memref::LoadOp load : gathersOf(op)) {
      FailureOr<NestOperand> operand = argumentOf(b, op, load.getMemRef());
      if (failed(operand)) return failure();
      operands.back().insert(std::prev(operands.back().end()), *operand);
    }
  }
  std::visit(
      [&](const auto &plan) {
        emitCascade(b, plan, *cascade, operands, scratch, name);
        threads = std::max(threads, plan.threads);
        scratchMost = std::max(scratchMost, scratchBytes(plan, *cascade));
      },
      *any);
  return success();
}

LogicalResult EntryEmitter::emitOp(NestBuilder &b, linalg::LinalgOp op, StringRef name) {
  auto attr = op->getAttrOfType<DictionaryAttr>(kPlanAttr);
  if (!attr) return op->emitOpError("has no ein.plan");
  FailureOr<NestShape> shape = shapeOf(op);
  if (failed(shape)) return op->emitOpError("needs static shapes and strides");
  FailureOr<KernelPlan> plan = planFromAttr(op, *shape, attr);
  if (failed(plan)) return op->emitOpError("has an ein.plan that is incomplete or does not fit its shape");
  if (!analyseReduction(op)) return op->emitOpError("reduces by something else than add, multiply, maximum or minimum");
  SmallVector<NestOperand> operands;
  for (Value v : op->getOperands()) {
    FailureOr<NestOperand> operand = argumentOf(b, op, v);
    if (failed(operand)) return failure();
    operands.push_back(*operand);
  }
  for (auto [operand, argument] : llvm::zip(operands, op.getBlock()->getArguments()))
    operand.isUnsigned = widensUnsigned(argument);
  for (memref::LoadOp load : gathersOf(op)) {
    FailureOr<NestOperand> operand = operandOf(b, load.getMemRef());
    if (failed(operand))
      return load->emitOpError("gathers from memory that is no argument and no view of the workspace");
    operands.push_back(*operand);
  }
  b.element = cast<MemRefType>(op.getDpsInits()[0].getType()).getElementType();
  const bool overwrite = op.getBlock()->getArguments().back().use_empty() || startingFill(op);
  int64_t bytes = 0;
  if (auto *contraction = std::get_if<ContractionPlan>(&*plan)) {
    bytes = scratchBytes(*contraction);
    threads = std::max(threads, contraction->threads);
    emitContraction(b, *contraction, op, operands, scratch, overwrite, name);
  } else {
    const auto &nest = std::get<NestPlan>(*plan);
    bytes = scratchBytes(nest);
    threads = std::max(threads, nest.threads);
    emitNest(b, nest, op, operands, scratch, overwrite, name);
  }
  scratchMost = std::max(scratchMost, bytes);
  return success();
}

LogicalResult EntryEmitter::emit() {
  NestBuilder b(kernel.getLoc(), kernel.getContext(), Float32Type::get(kernel.getContext()));
  b.fusedMultiplyAdd = fma;
  b.convertsHalves = fma; // every CPU that fuses multiply and add converts 16-bit floats
  b.setInsertionPoint(kernel);
  auto entry = func::FuncOp::create(b, "ein_kernel", b.getFunctionType({b.ptr, b.ptr, b.ptr}, {}));
  b.setInsertionPointToStart(entry.addEntryBlock());
  if (failed(bindArguments(b, entry.getArguments()))) return failure();
  int number = 0;
  for (Operation &o : kernel.getBody().front()) {
    if (auto region = dyn_cast<scf::ExecuteRegionOp>(o)) {
      if (failed(emitRegion(b, region, "step" + std::to_string(number++)))) return failure();
    }
    auto op = dyn_cast<linalg::LinalgOp>(o);
    if (!op) continue;
    if (auto fill = dyn_cast<linalg::FillOp>(o); fill && startsReduction(fill)) continue;
    if (failed(emitOp(b, op, "step" + std::to_string(number++)))) return failure();
  }
  func::ReturnOp::create(b);
  module->setAttr("ein.workspace_bytes",
                  b.getI64IntegerAttr(scratchMost ? align64(workspaceBytes) + scratchMost : workspaceBytes));
  module->setAttr("ein.threads", b.getI64IntegerAttr(threads));
  kernel.erase();
  return success();
}

struct EmitNests : impl::EmitNestsBase<EmitNests> {
  using EmitNestsBase::EmitNestsBase;

  void runOnOperation() override {
    auto kernel = getOperation().lookupSymbol<func::FuncOp>("kernel");
    if (!kernel) {
      getOperation().emitError("expected a function @kernel");
      return signalPassFailure();
    }
    if (failed(EntryEmitter(kernel, fma).emit())) signalPassFailure();
  }
};

} // namespace

} // namespace ein
