// ein-emit-nests: replace planned linalg operations by their nests, the kernel by its C entry point.
#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/Emit.h"
#include "compiler/Lowering/FoldRegion.h"
#include "compiler/Lowering/PlanAttr.h"
#include "compiler/Lowering/Sizes.h"
#include "compiler/Transforms/Passes.h"

#include "mlir/IR/IRMapping.h"

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
  void bindSizes(NestBuilder &b, func::FuncOp fn, Value sizes, IRMapping &known);
  void setSizes(NestBuilder &b, ArrayRef<Value> sizes);
  void askForTeam(NestBuilder &b, ArrayRef<Value> extents, double threshold);
  Value emitWorkspaceBytes(NestBuilder &b, Value sizes);
  void emitBytesFunction(NestBuilder &b);
  FailureOr<NestOperand> sizedOperand(NestBuilder &b, Value memref, Value base);
  FailureOr<NestOperand> operandOf(NestBuilder &b, Value memref);
  LogicalResult emitOp(NestBuilder &b, linalg::LinalgOp op, StringRef name);
  LogicalResult emitRegion(NestBuilder &b, scf::ExecuteRegionOp region, StringRef name);
  LogicalResult emitFold(NestBuilder &b, scf::ExecuteRegionOp region, StringRef name);
  FailureOr<NestOperand> argumentOf(NestBuilder &b, linalg::LinalgOp op, Value memref);

  func::FuncOp kernel;
  ModuleOp module;
  bool fma;
  llvm::DenseMap<Value, Value> pointers; ///< of the kernel's arguments
  bool isSized = false;                  ///< extents or strides come at run time
  IRMapping sizeOf;                      ///< the kernel's sizes, as values of the entry point
  Value scratch;
  int64_t workspaceBytes = 0, scratchMost = 0, threads = 1;
};

int64_t align64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/// Loads the sizes that a function takes as arguments, and repeats its index arithmetic.
void EntryEmitter::bindSizes(NestBuilder &b, func::FuncOp fn, Value sizes, IRMapping &known) {
  for (auto [i, argument] : llvm::enumerate(fn.getArguments())) {
    auto slot = fn.getArgAttrOfType<IntegerAttr>(i, kSizeAttr);
    if (!slot) continue;
    Value place = LLVM::GEPOp::create(b, b.ptr, b.getI64Type(), sizes, ArrayRef<LLVM::GEPArg>{int32_t(slot.getInt())});
    Value size = LLVM::LoadOp::create(b, b.getI64Type(), place);
    known.map(argument, arith::IndexCastOp::create(b, b.getIndexType(), size).getResult());
  }
  fn.walk([&](Operation *o) {
    const bool isOfBody = !isa<func::FuncOp, scf::ExecuteRegionOp>(o->getParentOp());
    if (isa<arith::ArithDialect>(o->getDialect()) && !isOfBody) b.clone(*o, known);
  });
}

/// The bytes of all intermediates.
Value EntryEmitter::emitWorkspaceBytes(NestBuilder &b, Value sizes) {
  auto fn = module.lookupSymbol<func::FuncOp>(kWorkspaceFunction);
  IRMapping known;
  bindSizes(b, fn, sizes, known);
  return known.lookup(fn.getBody().front().getTerminator()->getOperand(0));
}

/// ein_kernel_bytes(sizes): what the workspace needs.
void EntryEmitter::emitBytesFunction(NestBuilder &b) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(kernel);
  auto fn = func::FuncOp::create(b, "ein_kernel_bytes", b.getFunctionType({b.ptr}, {b.getI64Type()}));
  b.setInsertionPointToStart(fn.addEntryBlock());
  Value bytes = b.add(emitWorkspaceBytes(b, fn.getArgument(0)), scratchMost);
  func::ReturnOp::create(b, arith::IndexCastOp::create(b, b.getI64Type(), bytes).getResult());
  module.lookupSymbol<func::FuncOp>(kWorkspaceFunction).erase();
}

/// The sizes of the next step.
void EntryEmitter::setSizes(NestBuilder &b, ArrayRef<Value> sizes) {
  b.sizes.clear();
  b.teamPays = {};
  for (Value size : sizes) b.sizes.push_back(sizeOf.lookup(size));
}

/// Forks a team for the next step where there is work for one: `threshold` points and more.
void EntryEmitter::askForTeam(NestBuilder &b, ArrayRef<Value> extents, double threshold) {
  Value points = b.c(1);
  for (Value extent : extents) points = b.mul(points, extent);
  b.teamPays = b.lessEqual(b.c(int64_t(threshold)), points);
}

/// Loads the pointer of every argument from the arrays of the C interface.
LogicalResult EntryEmitter::bindArguments(NestBuilder &b, ValueRange arrays) {
  for (auto [i, argument] : llvm::enumerate(kernel.getArguments())) {
    if (kernel.getArgAttr(i, kSizeAttr)) continue;
    if (kernel.getArgAttr(i, "ein.workspace")) {
      auto type = cast<MemRefType>(argument.getType());
      if (type.hasStaticShape()) workspaceBytes = type.getNumElements();
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
  if (isSized) bindSizes(b, kernel, arrays[3], sizeOf);
  Value behind = isSized ? emitWorkspaceBytes(b, arrays[3]) : b.c(align64(workspaceBytes));
  scratch = b.advance(arrays[2], behind);
  return success();
}

/// A view with sizes. Its offsets count from the lowest address that it reaches, so that none is negative.
FailureOr<NestOperand> EntryEmitter::sizedOperand(NestBuilder &b, Value memref, Value base) {
  auto view = memref.getDefiningOp<memref::ReinterpretCastOp>();
  if (!view) return failure();
  auto value = [&](OpFoldResult size) {
    auto known = getConstantIntValue(size);
    return known ? b.c(*known) : sizeOf.lookup(cast<Value>(size));
  };
  Value offset = value(view.getMixedOffsets().front()), below = b.c(0);
  for (auto [extent, stride] : llvm::zip(view.getMixedSizes(), view.getMixedStrides())) {
    if (getConstantIntValue(stride)) continue; // not negative
    Value farthest = b.mul(b.sub(value(extent), b.c(1)), value(stride));
    below = b.add(below, b.createOrFold<arith::MinSIOp>(farthest, b.c(0)));
  }
  NestOperand result;
  const Type element = cast<MemRefType>(memref.getType()).getElementType();
  result.pointer = b.advance(pointers[base], b.mul(below, bytesOf(element)));
  result.element = element;
  result.extent = int64_t(1) << 48; // nobody asks
  result.offsetSlot = int(b.sizes.size());
  b.sizes.push_back(b.sub(offset, below));
  return result;
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
  if (isSized) {
    if (auto view = base.getDefiningOp<memref::ViewOp>(); view && pointers.count(view.getSource()))
      pointers[base] = b.advance(pointers[view.getSource()], sizeOf.lookup(view.getByteShift()));
    const bool isStatic =
        type.hasStaticShape() && !ShapedType::isDynamic(result.offset) && llvm::none_of(strides, ShapedType::isDynamic);
    if (!isStatic && !pointers.count(base)) return failure();
    if (!isStatic) return sizedOperand(b, memref, base);
  }
  result.extent = cast<MemRefType>(base.getType()).getNumElements();
  result.element = type.getElementType();
  if (auto view = base.getDefiningOp<memref::ViewOp>()) {
    auto shift = getConstantIntValue(view.getByteShift());
    if (isSized && pointers.count(base)) return result.pointer = pointers[base], result;
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
  const CascadeShape &shape = cascade->shape;
  setSizes(b, cascade->sizes);
  SmallVector<Value> extents;
  for (int slot : shape.extentSlots)
    if (slot >= 0) extents.push_back(b.sizes[slot]);
  if (!extents.empty()) askForTeam(b, extents, kSerialFlops / flopsOfSizes(shape, analyseThinFlow(shape)));
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

LogicalResult EntryEmitter::emitFold(NestBuilder &b, scf::ExecuteRegionOp region, StringRef name) {
  FailureOr<FoldRegion> fold = readFold(region);
  if (failed(fold)) return region.emitOpError("is no contraction with a pointwise operation after it");
  auto attr = region->getAttrOfType<DictionaryAttr>(kPlanAttr);
  if (!attr) return region.emitOpError("has no ein.plan");
  FailureOr<KernelPlan> plan = planFromAttr(fold->product, fold->shape, attr);
  if (failed(plan) || !std::holds_alternative<ContractionPlan>(*plan))
    return region.emitOpError("has an ein.plan that is incomplete or does not fit its shape");
  SmallVector<NestOperand> operands;
  SmallVector<Value> walked(fold->product.getDpsInputs());
  walked.push_back(fold->finish.getDpsInits()[0]);
  for (Value v : walked) {
    FailureOr<NestOperand> operand = argumentOf(b, fold->product, v);
    if (failed(operand)) return failure();
    operands.push_back(*operand);
  }
  for (auto [operand, argument] : llvm::zip(operands, fold->product.getRegionInputArgs()))
    operand.isUnsigned = widensUnsigned(argument);
  NestFinish finish{fold->finish, SmallVector<NestOperand>(fold->finish->getNumOperands() - 1)};
  for (unsigned read : fold->reads) {
    FailureOr<NestOperand> operand = argumentOf(b, fold->finish, fold->finish->getOperand(read));
    if (failed(operand)) return failure();
    finish.inputs[read] = *operand;
  }
  setSizes(b, {});
  b.element = cast<MemRefType>(fold->product.getDpsInits()[0].getType()).getElementType();
  const auto &contraction = std::get<ContractionPlan>(*plan);
  emitContraction(b, contraction, fold->product, operands, scratch, /*overwrite=*/true, name, &finish);
  threads = std::max(threads, contraction.threads);
  scratchMost = std::max(scratchMost, scratchBytes(contraction));
  return success();
}

LogicalResult EntryEmitter::emitOp(NestBuilder &b, linalg::LinalgOp op, StringRef name) {
  auto attr = op->getAttrOfType<DictionaryAttr>(kPlanAttr);
  if (!attr) return op->emitOpError("has no ein.plan");
  SmallVector<Value> sizes;
  FailureOr<NestShape> shape = shapeOf(op, &sizes);
  if (failed(shape)) return op->emitOpError("needs static shapes and strides");
  FailureOr<KernelPlan> plan = planFromAttr(op, *shape, attr);
  if (failed(plan)) return op->emitOpError("has an ein.plan that is incomplete or does not fit its shape");
  if (!analyseReduction(op)) return op->emitOpError("reduces by something else than add, multiply, maximum or minimum");
  const auto *tiled = std::get_if<ContractionPlan>(&*plan);
  setSizes(b, sizes);
  if (shape->sized && (tiled ? tiled->threads : std::get<NestPlan>(*plan).threads) > 1) {
    SmallVector<Value> extents;
    for (const LoopDim &d : shape->dims) extents.push_back(d.isDynamic() ? b.sizes[d.extentSlot] : b.c(d.extent));
    askForTeam(b, extents, tiled ? kSerialFlops / 2 : kSerialBytes / double(shape->elementBytes));
  }
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
    bytes = shape->sized ? sizedScratchBytes(*contraction) : scratchBytes(*contraction);
    threads = std::max(threads, contraction->threads);
    if (shape->sized)
      emitSizedContraction(b, *contraction, op, operands, scratch, overwrite, name);
    else
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
  for (unsigned i = 0; i < kernel.getNumArguments(); ++i) isSized |= bool(kernel.getArgAttr(i, kSizeAttr));
  SmallVector<Type> arguments(isSized ? 4 : 3, b.ptr);
  auto entry = func::FuncOp::create(b, "ein_kernel", b.getFunctionType(arguments, {}));
  b.setInsertionPointToStart(entry.addEntryBlock());
  if (failed(bindArguments(b, entry.getArguments()))) return failure();
  int number = 0;
  for (Operation &o : kernel.getBody().front()) {
    if (auto region = dyn_cast<scf::ExecuteRegionOp>(o)) {
      const std::string name = "step" + std::to_string(number++);
      if (failed(region->hasAttr(kFoldAttr) ? emitFold(b, region, name) : emitRegion(b, region, name)))
        return failure();
    }
    auto op = dyn_cast<linalg::LinalgOp>(o);
    if (!op) continue;
    if (auto fill = dyn_cast<linalg::FillOp>(o); fill && startsReduction(fill)) continue;
    if (failed(emitOp(b, op, "step" + std::to_string(number++)))) return failure();
  }
  func::ReturnOp::create(b);
  if (isSized) emitBytesFunction(b);
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
