// Steps of a kernel on a GPU.
#include "compiler/Gpu/GpuModule.h"

#include "compiler/Gpu/GemmPlanner.h"
#include "compiler/Gpu/HopperAttention.h"
#include "compiler/Gpu/HopperGemm.h"
#include "compiler/Gpu/MatchAttention.h"
#include "compiler/Gpu/MatchFinish.h"
#include "compiler/Gpu/MmaAttention.h"
#include "compiler/Gpu/MmaKernel.h"
#include "compiler/Gpu/MmaPlanner.h"
#include "compiler/Lowering/PlanAttr.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Iterators.h"

#include <numeric>

using namespace mlir;

namespace ein {

int64_t GpuStep::scratchBytes() const {
  if (auto *gemm = std::get_if<GemmPlan>(&plan)) return gemm->workspaceBytes();
  if (auto *mma = std::get_if<MmaPlan>(&plan)) return mma->workspaceBytes();
  if (std::holds_alternative<AttentionPlan>(plan)) return 0;
  if (auto *cascade = std::get_if<SimtCascadePlan>(&plan)) return cascade->partBytes();
  return std::get<SimtPlan>(plan).partBytes();
}

std::string GpuStep::str() const {
  std::string text;
  if (auto *simt = std::get_if<SimtPlan>(&plan))
    text = simt->str() + (overwrite ? "" : "; adds to the result");
  else if (auto *gemm = std::get_if<GemmPlan>(&plan))
    text = gemm->str();
  else if (auto *mma = std::get_if<MmaPlan>(&plan))
    text = mma->str();
  else if (auto *cascade = std::get_if<SimtCascadePlan>(&plan))
    text = cascade->str();
  else
    text = std::get<AttentionPlan>(plan).str();
  if (finish.op)
    text += "; sums go through a body with " + std::to_string(finish.memory.size() - 1) + " other operands";
  return text + (reason.empty() ? "" : "; " + reason);
}

namespace {

/// Where the operands of the operations of one kernel lie.
class Places {
public:
  explicit Places(func::FuncOp kernel) : kernel(kernel) {}

  FailureOr<SimtMemory> memoryOf(Value value) {
    if (auto constant = value.getDefiningOp<arith::ConstantOp>())
      return SimtMemory{constant.getType(), {}, 0, constant.getValue()};
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
      memory.workspaceEnd = *shift + cast<MemRefType>(view.getType()).getNumElements() * bytes;
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

/// The types that tensor cores take and give.
std::optional<DType> tensorCoreType(const SimtMemory &memory) {
  if (memory.element.isBF16()) return DType::BF16;
  if (memory.element.isF16()) return DType::F16;
  if (memory.element.isF32()) return DType::F32;
  if (memory.element.isF64()) return DType::F64;
  if (memory.element.isInteger(8)) return memory.isUnsigned ? DType::U8 : DType::I8;
  if (memory.element.isInteger(32)) return DType::I32;
  return std::nullopt;
}

int64_t alignmentOf(const SimtMemory &memory) { return std::gcd<int64_t>(16, memory.slot.offset); }

/// Gives a contraction a plan for tensor cores, or says why they do not take it. Nothing is said where the GPU has
/// none for its types.
bool planForTensorCores(GpuStep &step, const NestShape &shape, const GpuModel &gpu) {
  if (gpu.halfProducts == 0 || !isa<linalg::ContractOp>(step.op) || !step.overwrite) return false;
  GemmRequest request;
  request.shape = shape;
  for (size_t o = 0; o < 3; ++o) {
    auto type = tensorCoreType(step.memory[o]);
    if (!type) return false;
    request.types[o] = *type;
    request.alignment[o] = alignmentOf(step.memory[o]);
  }
  const DType input = request.types[0];
  if (input == DType::I32 || (input == DType::F32 && !gpu.tf32Products) || (input == DType::F64 && !gpu.doubleProducts))
    return false;
  auto take = [&](auto planned, const char *name) {
    if (auto *refusal = std::get_if<GemmRefusal>(&planned)) {
      step.reason += (step.reason.empty() ? "" : "; ") + ("no " + (name + (": " + refusal->reason)));
      return false;
    }
    step.plan = std::move(std::get<0>(planned));
    return true;
  };
  if (gpu.hasWgmma && byteSize(input) == 2) {
    HopperModel model;
    model.multiprocessors = gpu.multiprocessors;
    if (take(planGemm(request, model), "wgmma")) return true;
  }
  MmaModel model;
  model.multiprocessors = gpu.multiprocessors;
  model.sharedBytes = gpu.sharedBytes;
  model.halfProducts = gpu.halfProducts;
  model.doubleProducts = gpu.doubleProducts;
  return take(planMma(request, model, input == DType::F32 ? gpu.tf32Products : 1), "mma");
}

/// A contraction for tensor cores that stores what its only consumer makes of the sums.
std::optional<GpuStep> planFinished(linalg::LinalgOp op, linalg::LinalgOp next, const std::string &name, Places &places,
                                    const GpuModel &gpu) {
  if (gpu.halfProducts == 0 || !next) return std::nullopt;
  auto match = matchFinish(op, [&](Value value) { return places.memoryOf(value); });
  if (!match || match->consumer != next) return std::nullopt;
  GpuStep step;
  step.op = op;
  step.name = name;
  step.memory = std::move(match->memory);
  step.overwrite = true;
  step.finish = std::move(match->finish);
  if (!planForTensorCores(step, match->shape, gpu)) return std::nullopt;
  return step;
}

FailureOr<GpuStep> planStep(linalg::LinalgOp op, std::string name, Places &places, const GpuModel &gpu,
                            bool overwrite) {
  GpuStep step;
  step.op = op;
  step.name = std::move(name);
  FailureOr<NestShape> shape = shapeOf(op);
  if (failed(shape)) return op->emitOpError("needs static shapes and strides");
  auto reduction = analyseReduction(op);
  if (!reduction) return op->emitOpError("reduces by something else than add, multiply, maximum or minimum");
  step.overwrite = overwrite;

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
    operands.push_back({bytesOf(memory.element), alignmentOf(memory), bool(memory.constant)});
  }
  SimtBody body{reduction->combine != Combine::None, hasTileableBody(op), sumsProducts(*reduction)};
  for (const SimtOperand &operand : operands) body.isTileable &= !operand.isConstant;
  if (!planForTensorCores(step, *shape, gpu)) step.plan = planSimt(*shape, operands, body, gpu);
  return step;
}

/// The memory of the operations of a cascade: of each its operands, then what it gathers from. Virtual tensors have
/// none. Fails on what is neither.
FailureOr<std::vector<SimtMemory>> memoryOfCascade(const CascadeRegion &cascade, Places &places) {
  std::vector<SimtMemory> all;
  for (linalg::LinalgOp op : cascade.ops) {
    SmallVector<Value> values(op->getOperands());
    for (memref::LoadOp load : gathersOf(op)) values.push_back(load.getMemRef());
    for (Value value : values) {
      FailureOr<SimtMemory> memory = SimtMemory();
      if (!value.getDefiningOp<memref::AllocOp>()) memory = places.memoryOf(value);
      if (failed(memory)) return failure();
      all.push_back(std::move(*memory));
    }
  }
  return all;
}

/// A cascade as attention; nothing where there is no kernel for it.
std::optional<GpuStep> planAttention(const CascadeRegion &cascade, const std::vector<SimtMemory> &memory,
                                     const std::string &name, Places &places, const GpuModel &gpu) {
  if (gpu.halfProducts == 0) return std::nullopt;
  auto match = matchAttention(cascade, gpu.multiprocessors, /*byWarps=*/!gpu.hasWgmma);
  auto *found = std::get_if<AttentionMatch>(&match);
  if (!found) return std::nullopt;
  GpuStep step;
  step.name = name;
  step.plan = found->plan;
  for (Value tensor : found->tensors) {
    if (!tensor) continue;
    FailureOr<SimtMemory> place = places.memoryOf(tensor);
    if (failed(place) || alignmentOf(*place) < 16) return std::nullopt;
    step.memory.push_back(std::move(*place));
  }
  if (!found->plan.bodies) return step;
  // Of the operations that run on tensor cores nothing is read here, and results are written elsewhere.
  step.bodies = std::move(found->bodies);
  step.bodies.memory = memory;
  size_t at = 0;
  for (auto [number, op] : llvm::enumerate(step.bodies.cascade.ops)) {
    const size_t operands = op->getNumOperands(), all = operands + gathersOf(op).size();
    for (size_t i = 0; i < all; ++i)
      if (!step.bodies.takes(number) || i == size_t(op.getNumDpsInputs())) step.bodies.memory[at + i] = {};
    at += all;
  }
  llvm::append_range(step.memory, step.bodies.memory);
  return step;
}

/// A cascade by warps; nothing where there is no kernel for it.
std::optional<GpuStep> planByWarps(const CascadeRegion &cascade, const std::vector<SimtMemory> &memory,
                                   const std::string &name, const GpuModel &gpu) {
  std::vector<std::vector<int64_t>> alignment;
  size_t at = 0;
  for (linalg::LinalgOp op : cascade.ops) {
    alignment.emplace_back();
    const size_t all = op->getNumOperands() + gathersOf(op).size();
    for (size_t i = 0; i < all; ++i)
      if (i != size_t(op.getNumDpsInputs())) alignment.back().push_back(alignmentOf(memory[at + i])); // not the output
    at += all;
  }
  auto planned = planSimtCascade(cascade.shape, alignment, gpu);
  auto *plan = std::get_if<SimtCascadePlan>(&planned);
  if (!plan) return std::nullopt;
  GpuStep step;
  step.name = name;
  step.plan = std::move(*plan);
  step.memory = memory;
  step.cascade = cascade;
  return step;
}

/// Whether tensor cores would leave most of the GPU idle: few rows share their keys, and blocks are few.
bool hasFewRows(const AttentionPlan &plan, const GpuModel &gpu) {
  constexpr int64_t few = 16;
  int64_t rows = 1;
  for (const AttentionDim &d : plan.rows) rows *= d.extent;
  return rows <= few && plan.batches() * 2 < gpu.multiprocessors;
}

/// A cascade as one kernel; nothing where there is none.
std::optional<GpuStep> planCascade(scf::ExecuteRegionOp region, const std::string &name, Places &places,
                                   const GpuModel &gpu) {
  FailureOr<CascadeRegion> cascade = readCascade(region);
  if (failed(cascade)) return std::nullopt;
  FailureOr<std::vector<SimtMemory>> memory = memoryOfCascade(*cascade, places);
  if (failed(memory)) return std::nullopt;
  auto attention = planAttention(*cascade, *memory, name, places, gpu);
  if (attention && !hasFewRows(std::get<AttentionPlan>(attention->plan), gpu)) return attention;
  auto byWarps = planByWarps(*cascade, *memory, name, gpu);
  if (attention && (!byWarps || std::get<SimtCascadePlan>(byWarps->plan).split == 1)) return attention;
  return byWarps;
}

/// Appends launches whose slots name operands and results by their place in the step: `operands` of the step's memory,
/// then results.
void appendLaunches(const LaunchPlan &plan, const GpuStep &step, unsigned operands, std::vector<GpuLaunch> &launches) {
  for (GpuLaunch launch : plan.launches) {
    for (GpuArgument &argument : launch.arguments) {
      const bool isSlot = argument.kind == GpuArgument::Kind::Pointer || argument.kind == GpuArgument::Kind::TensorMap;
      if (!isSlot || argument.slot.kind == GpuSlot::Kind::Workspace) continue;
      const unsigned first = argument.slot.kind == GpuSlot::Kind::Operand ? 0 : operands;
      GpuSlot slot = step.memory[first + argument.slot.number].slot;
      slot.offset += argument.slot.offset;
      argument.slot = slot;
    }
    launches.push_back(std::move(launch));
  }
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

/// Contractions that may wait go right before what alone reads their sums.
void bringToConsumers(SmallVector<Operation *> &ops) {
  for (size_t i = ops.size(); i-- > 0;) {
    auto op = dyn_cast<linalg::LinalgOp>(ops[i]);
    linalg::GenericOp consumer = op ? soleConsumer(op) : linalg::GenericOp();
    if (!consumer || !mayWait(op)) continue;
    auto *there = llvm::find(ops, consumer.getOperation());
    if (there > ops.begin() + i) std::rotate(ops.begin() + i, ops.begin() + i + 1, there);
  }
}

} // namespace

bool takesCascades(func::FuncOp kernel, const GpuModel &gpu) {
  Places places(kernel);
  return llvm::all_of(cascadesOf(kernel),
                      [&](scf::ExecuteRegionOp region) { return planCascade(region, "", places, gpu).has_value(); });
}

FailureOr<std::vector<GpuStep>> planGpuSteps(func::FuncOp kernel, const GpuModel &gpu) {
  Places places(kernel);
  std::vector<GpuStep> steps;
  SmallVector<Operation *> ops;
  for (Operation &op : kernel.getBody().front())
    if (auto fill = dyn_cast<linalg::FillOp>(op); isa<linalg::LinalgOp, scf::ExecuteRegionOp>(op))
      if (!fill || !startsReduction(fill)) ops.push_back(&op);
  llvm::DenseMap<Operation *, size_t> numbers;
  for (auto [number, op] : llvm::enumerate(ops)) numbers[op] = number;
  bringToConsumers(ops);
  for (size_t i = 0; i < ops.size(); i += steps.back().numbers.size()) {
    const std::string name = "step" + std::to_string(steps.size());
    auto op = dyn_cast<linalg::LinalgOp>(ops[i]),
         next = i + 1 < ops.size() ? dyn_cast<linalg::LinalgOp>(ops[i + 1]) : linalg::LinalgOp();
    auto special = op ? planFinished(op, next, name, places, gpu)
                      : planCascade(cast<scf::ExecuteRegionOp>(ops[i]), name, places, gpu);
    if (special) {
      steps.push_back(std::move(*special));
      steps.back().numbers.push_back(numbers[ops[i]]);
      if (op) steps.back().numbers.push_back(numbers[next]);
      continue;
    }
    if (!op) return ops[i]->emitOpError("is a cascade that there is no kernel for");
    const bool overwrite = op.getBlock()->getArguments().back().use_empty() || startingFill(op);
    FailureOr<GpuStep> step = planStep(op, name, places, gpu, overwrite);
    if (failed(step)) return failure();
    step->numbers = {numbers[op]};
    steps.push_back(std::move(*step));
  }
  return steps;
}

GpuKernels emitGpuKernels(func::FuncOp kernel, const std::vector<GpuStep> &steps) {
  OpBuilder b(kernel->getParentRegion());
  b.setInsertionPointToEnd(kernel->getBlock());
  GpuKernels kernels;
  kernels.module = gpu::GPUModuleOp::create(b, kernel.getLoc(), "kernels");
  int64_t intermediates = 0, scratch = 0;
  for (const GpuStep &step : steps)
    for (const SimtMemory &memory : step.memory) intermediates = std::max(intermediates, memory.workspaceEnd);
  intermediates = align256(intermediates);
  for (const GpuStep &step : steps) {
    if (auto *gemm = std::get_if<GemmPlan>(&step.plan)) {
      const auto more = emitHopperGemm(kernels.module, *gemm, step.name, &step.finish);
      appendLaunches(gemmLaunches(*gemm, step.name, intermediates), step, 2, kernels.launches);
      llvm::append_range(kernels.launches.back().arguments, more);
    } else if (auto *mma = std::get_if<MmaPlan>(&step.plan)) {
      const auto more = emitMma(kernels.module, *mma, step.name, &step.finish);
      appendLaunches(mmaLaunches(*mma, step.name, intermediates), step, 2, kernels.launches);
      llvm::append_range(kernels.launches.back().arguments, more);
    } else if (auto *attention = std::get_if<AttentionPlan>(&step.plan)) {
      const auto emit = attention->byWarps ? emitMmaAttention : emitHopperAttention;
      const auto more = emit(kernels.module, *attention, step.name, &step.bodies);
      appendLaunches(attentionLaunches(*attention, step.name), step, 3, kernels.launches);
      llvm::append_range(kernels.launches.back().arguments, more);
    } else if (auto *cascade = std::get_if<SimtCascadePlan>(&step.plan)) {
      emitSimtCascade(kernels.module, *cascade, step.cascade, step.memory, intermediates, step.name, kernels.launches);
    } else {
      emitSimt(kernels.module, std::get<SimtPlan>(step.plan), step.op, step.memory, step.overwrite, intermediates,
               step.name, kernels.launches);
    }
    scratch = std::max(scratch, step.scratchBytes());
  }
  tidy(kernels.module);
  kernels.workspaceBytes = intermediates + scratch;
  return kernels;
}

} // namespace ein
