// Steps of a kernel on a GPU.
#include "compiler/Gpu/GpuModule.h"

#include "compiler/Lowering/PlanAttr.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Iterators.h"

#include <numeric>

using namespace mlir;

namespace ein {

std::string GpuStep::str() const { return name + ": " + plan.str() + (overwrite ? "" : "; adds to the result"); }

namespace {

/// Where the operands of the operations of one kernel lie.
class Places {
public:
  explicit Places(func::FuncOp kernel) : kernel(kernel) {}

  /// Bytes of the intermediates.
  int64_t workspaceBytes() {
    for (auto [i, argument] : llvm::enumerate(kernel.getArguments()))
      if (kernel.getArgAttr(i, "ein.workspace")) return cast<MemRefType>(argument.getType()).getNumElements();
    return 0;
  }

  FailureOr<SimtMemory> memoryOf(Value value) {
    if (auto constant = value.getDefiningOp<arith::ConstantOp>())
      return SimtMemory{constant.getType(), {}, constant.getValue()};
    auto type = dyn_cast<MemRefType>(value.getType());
    SimtMemory memory;
    int64_t offset;
    if (!type || failed(type.getStridesAndOffset(memory.strides, offset))) return failure();
    memory.element = type.getElementType();
    const int64_t bytes = bytesOf(memory.element);
    Value base = value;
    while (auto cast = base.getDefiningOp<memref::ReinterpretCastOp>()) base = cast.getSource();
    if (auto view = base.getDefiningOp<memref::ViewOp>()) {
      auto shift = getConstantIntValue(view.getByteShift());
      if (!shift) return failure();
      memory.slot = {GpuSlot::Kind::Workspace, 0, *shift + offset * bytes};
      return memory;
    }
    auto argument = dyn_cast<BlockArgument>(base);
    if (!argument) return failure();
    const unsigned i = argument.getArgNumber();
    auto operand = kernel.getArgAttrOfType<IntegerAttr>(i, "ein.operand");
    auto result = kernel.getArgAttrOfType<IntegerAttr>(i, "ein.result");
    if (!operand && !result) return failure();
    if (auto low = kernel.getArgAttrOfType<IntegerAttr>(i, "ein.low")) offset += low.getInt();
    memory.slot = {operand ? GpuSlot::Kind::Operand : GpuSlot::Kind::Result,
                   unsigned((operand ? operand : result).getInt()), offset * bytes};
    return memory;
  }

private:
  func::FuncOp kernel;
};

/// Whether a body multiplies, so that zeros in both operands add nothing to a sum.
bool sumsProducts(const Reduction &reduction) {
  Operation *term = reduction.term.getDefiningOp();
  return reduction.combine == Combine::Add && isa_and_nonnull<arith::MulFOp, arith::MulIOp>(term);
}

FailureOr<GpuStep> planStep(linalg::LinalgOp op, std::string name, Places &places, const GpuModel &gpu) {
  GpuStep step;
  step.op = op;
  step.name = std::move(name);
  FailureOr<NestShape> shape = shapeOf(op);
  if (failed(shape)) return op->emitOpError("needs static shapes and strides");
  auto reduction = analyseReduction(op);
  if (!reduction) return op->emitOpError("reduces by something else than add, multiply, maximum or minimum");
  step.overwrite = op.getBlock()->getArguments().back().use_empty() || startingFill(op);

  SmallVector<Value> values(op->getOperands());
  for (memref::LoadOp load : gathersOf(op)) values.push_back(load.getMemRef());
  for (Value value : values) {
    FailureOr<SimtMemory> memory = places.memoryOf(value);
    if (failed(memory)) return op->emitOpError("reads memory that is no argument and no view of the workspace");
    step.memory.push_back(std::move(*memory));
  }
  std::vector<SimtOperand> operands;
  for (auto [memory, argument] : llvm::zip(step.memory, op.getBlock()->getArguments())) {
    memory.isUnsigned = widensUnsigned(argument);
    operands.push_back({bytesOf(memory.element), std::gcd<int64_t>(16, memory.slot.offset), bool(memory.constant)});
  }
  SimtBody body{reduction->combine != Combine::None, hasTileableBody(op), sumsProducts(*reduction)};
  for (const SimtOperand &operand : operands) body.isTileable &= !operand.isConstant;
  step.plan = planSimt(*shape, operands, body, gpu);
  return step;
}

int64_t align256(int64_t bytes) { return (bytes + 255) / 256 * 256; }

/// Removes what nothing uses, and writes vector.fma as the llvm operation that every lowering of kernels knows.
void tidy(gpu::GPUModuleOp module) {
  module.walk([](vector::FMAOp op) {
    OpBuilder b(op);
    Value fused = LLVM::FMAOp::create(b, op.getLoc(), op.getLhs(), op.getRhs(), op.getAcc());
    op.replaceAllUsesWith(fused);
    op.erase();
  });
  module.walk<WalkOrder::PostOrder, ReverseIterator>([](Operation *op) {
    if (isOpTriviallyDead(op)) op->erase();
  });
}

} // namespace

FailureOr<std::vector<GpuStep>> planGpuSteps(func::FuncOp kernel, const GpuModel &gpu) {
  Places places(kernel);
  std::vector<GpuStep> steps;
  for (linalg::LinalgOp op : stepsOf(kernel)) {
    FailureOr<GpuStep> step = planStep(op, "step" + std::to_string(steps.size()), places, gpu);
    if (failed(step)) return failure();
    steps.push_back(std::move(*step));
  }
  return steps;
}

GpuKernels emitGpuKernels(func::FuncOp kernel, const std::vector<GpuStep> &steps) {
  OpBuilder b(kernel->getParentRegion());
  b.setInsertionPointToEnd(kernel->getBlock());
  GpuKernels kernels;
  kernels.module = gpu::GPUModuleOp::create(b, kernel.getLoc(), "kernels");
  const int64_t intermediates = align256(Places(kernel).workspaceBytes());
  int64_t scratch = 0;
  for (const GpuStep &step : steps) {
    emitSimt(kernels.module, step.plan, step.op, step.memory, step.overwrite, intermediates, step.name,
             kernels.launches);
    scratch = std::max(scratch, step.plan.partBytes());
  }
  tidy(kernels.module);
  kernels.workspaceBytes = scratch ? intermediates + scratch : Places(kernel).workspaceBytes();
  return kernels;
}

} // namespace ein
