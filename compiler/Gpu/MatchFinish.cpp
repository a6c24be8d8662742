// From a contraction and the operation behind it to one kernel's request.
#include "compiler/Gpu/MatchFinish.h"

#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/PlanAttr.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <set>

using namespace mlir;

namespace ein {

linalg::GenericOp soleConsumer(linalg::LinalgOp op) {
  if (!isa<linalg::ContractOp>(op) || !startingFill(op)) return {};
  Value made = op.getDpsInits()[0];
  auto type = dyn_cast<MemRefType>(made.getType());
  if (!made.getDefiningOp<memref::ViewOp>() || !type || !type.getElementType().isF32()) return {};
  linalg::GenericOp consumer;
  for (OpOperand &use : made.getUses()) {
    if (use.getOwner() == op || use.getOwner() == startingFill(op)) continue;
    auto generic = dyn_cast<linalg::GenericOp>(use.getOwner());
    if (!generic || consumer || generic->getBlock() != op->getBlock()) return {};
    if (use.getOperandNumber() >= generic.getNumDpsInputs()) return {};
    consumer = generic;
  }
  if (!consumer || consumer.getNumDpsInits() != 1 || consumer.getNumReductionLoops() != 0) return {};
  if (!consumer.getRegionOutputArgs()[0].use_empty() || !gathersOf(consumer).empty()) return {};
  for (Operation &inner : *consumer.getBody())
    if (isa<linalg::IndexOp>(inner)) return {};
  return consumer;
}

bool mayWait(linalg::LinalgOp op) {
  return llvm::all_of(op.getDpsInputs(), [](Value v) {
    while (auto cast = v.getDefiningOp<memref::ReinterpretCastOp>()) v = cast.getSource();
    return isa<BlockArgument>(v);
  });
}

namespace {

using Strides = std::vector<int64_t>;

/// How memory moves along each of `loops` loops, as `map` takes them; nothing where that is not known or not linear.
std::optional<Strides> stridesAlong(AffineMap map, const SimtMemory &memory, unsigned loops) {
  Strides strides(loops, 0);
  if (map.getNumResults() != memory.strides.size()) return memory.constant ? std::optional(strides) : std::nullopt;
  for (auto [expr, stride] : llvm::zip(map.getResults(), memory.strides)) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop || ShapedType::isDynamic(stride)) return std::nullopt;
    strides[loop.getPosition()] += stride;
  }
  return strides;
}

bool overlap(const SimtMemory &a, const SimtMemory &b) {
  return a.slot.kind == GpuSlot::Kind::Workspace && b.slot.kind == GpuSlot::Kind::Workspace &&
         a.slot.offset < b.workspaceEnd && b.slot.offset < a.workspaceEnd;
}

/// Whether a body does nothing but round the sum.
bool onlyRounds(linalg::GenericOp op) {
  Value v = op.getBody()->getTerminator()->getOperand(0);
  if (auto round = v.getDefiningOp<arith::TruncFOp>()) v = round.getIn();
  return op.getNumDpsInputs() == 1 && v == op.getBody()->getArgument(0);
}

} // namespace

std::optional<FinishMatch> matchFinish(linalg::LinalgOp op, llvm::function_ref<FailureOr<SimtMemory>(Value)> memoryOf) {
  FinishMatch match;
  linalg::GenericOp consumer = soleConsumer(op);
  if (!consumer) return std::nullopt;
  match.consumer = consumer;
  const unsigned loops = op.getNumLoops();
  const SmallVector<AffineMap> maps = consumer.getIndexingMapsArray();
  const SmallVector<Value> inputs = consumer.getDpsInputs();
  match.finish.sum = unsigned(llvm::find(inputs, op.getDpsInits()[0]) - inputs.begin());
  AffineMap sums = op.getMatchingIndexingMap(op.getDpsInitOperand(0)), read = maps[match.finish.sum];
  if (!read.isPermutation() || !maps.back().isPermutation()) return std::nullopt;

  // Of the contraction's operands and the result, then of what the consumer reads, then of the result once more: the
  // last is what loops are ordered by.
  std::vector<std::optional<Strides>> strides;
  auto add = [&](Value value, auto stridesOf) {
    FailureOr<SimtMemory> memory = memoryOf(value);
    if (failed(memory)) return false;
    match.memory.push_back(*memory);
    strides.push_back(stridesOf(*memory));
    return strides.back().has_value();
  };
  for (OpOperand *operand : op.getDpsInputOperands())
    if (!add(operand->get(), [&](auto &m) { return stridesAlong(op.getMatchingIndexingMap(operand), m, loops); }))
      return std::nullopt;
  // Loops of the consumer are dimensions of the sums, and those are loops of the contraction.
  auto ofConsumer = [&](AffineMap map) {
    return [&, map](const SimtMemory &m) -> std::optional<Strides> {
      auto own = stridesAlong(map, m, consumer.getNumLoops());
      if (!own) return std::nullopt;
      Strides all(loops, 0);
      for (unsigned dim = 0; dim < sums.getNumResults(); ++dim)
        all[sums.getDimPosition(dim)] = (*own)[read.getDimPosition(dim)];
      return all;
    };
  };
  if (!add(consumer.getDpsInits()[0], ofConsumer(maps.back()))) return std::nullopt;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!add(inputs[i], ofConsumer(maps[i]))) return std::nullopt;
  strides.push_back(strides[2]);
  if (overlap(match.memory[2], match.memory[0]) || overlap(match.memory[2], match.memory[1])) return std::nullopt;

  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  const auto iterators = op.getIteratorTypesArray();
  match.shape.operands = unsigned(strides.size());
  std::set<int64_t> moves;
  for (unsigned loop = 0; loop < loops; ++loop) {
    if (ShapedType::isDynamic(extents[loop])) return std::nullopt;
    LoopDim &d = match.shape.dims.emplace_back();
    d.extent = extents[loop];
    d.reduced = iterators[loop] == utils::IteratorType::reduction;
    d.sources = {loop};
    for (const auto &s : strides) d.strides.push_back((*s)[loop]);
    d.strideSlots.assign(strides.size(), -1);
    if (d.reduced || d.extent == 1) continue;
    if (!moves.insert((*strides[2])[loop]).second) return std::nullopt; // plans could not tell them apart
    GemmFinish::Index &index = match.finish.indices.emplace_back();
    index.result = (*strides[2])[loop];
    for (size_t i = 0; i < inputs.size(); ++i) index.inputs.push_back((*strides[3 + i])[loop]);
  }
  match.finish.memory.assign(match.memory.begin() + 3, match.memory.end());
  match.memory.erase(match.memory.begin() + 3 + match.finish.sum); // sums are not stored
  if (!onlyRounds(consumer)) match.finish.op = consumer;
  return match;
}

} // namespace ein
