// Reading and planning of folds.
#include "compiler/Lowering/FoldRegion.h"

#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/CascadeRegion.h"

using namespace mlir;

namespace ein {

namespace {

/// Strides of an operand by the numbers of the indices; 0 where it does not move. Nothing if they are not static.
FailureOr<llvm::DenseMap<int64_t, int64_t>> stridesOf(linalg::LinalgOp op, OpOperand &operand) {
  auto type = dyn_cast<MemRefType>(operand.get().getType());
  auto loops = op->getAttrOfType<DenseI64ArrayAttr>(kLoopsAttr);
  SmallVector<int64_t> strides;
  int64_t offset;
  if (!type || !type.hasStaticShape() || !loops || failed(type.getStridesAndOffset(strides, offset))) return failure();
  llvm::DenseMap<int64_t, int64_t> byIndex;
  for (auto [stride, expr] : llvm::zip(strides, op.getMatchingIndexingMap(&operand).getResults())) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop || ShapedType::isDynamic(stride)) return failure();
    byIndex[loops[loop.getPosition()]] += stride;
  }
  return byIndex;
}

Value baseOf(Value memref) {
  while (auto view = memref.getDefiningOp<memref::ReinterpretCastOp>()) memref = view.getSource();
  return memref;
}

/// The number of the result whose memory this is; nothing for other memory.
IntegerAttr resultOf(Value memref) {
  auto argument = dyn_cast<BlockArgument>(baseOf(memref));
  if (!argument) return {};
  auto kernel = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  return kernel.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "ein.result");
}

} // namespace

SmallVector<scf::ExecuteRegionOp> foldsOf(func::FuncOp kernel) {
  SmallVector<scf::ExecuteRegionOp> folds;
  for (auto region : kernel.getBody().front().getOps<scf::ExecuteRegionOp>())
    if (region->hasAttr(kFoldAttr)) folds.push_back(region);
  return folds;
}

uint32_t foldedTensor(scf::ExecuteRegionOp region) {
  return uint32_t(region->getAttrOfType<IntegerAttr>(kFoldAttr).getInt());
}

FailureOr<FoldRegion> readFold(scf::ExecuteRegionOp region) {
  SmallVector<linalg::LinalgOp> ops(region.getRegion().front().getOps<linalg::LinalgOp>());
  if (ops.size() != 2) return failure();
  FoldRegion fold{region, ops[0], ops[1], {}, {}, false};
  const Value sum = fold.product.getDpsInits()[0], result = fold.finish.getDpsInits()[0];

  SmallVector<OpOperand *> walked; // as in the strides of `shape`
  for (OpOperand &operand : fold.product->getOpOperands().drop_back()) walked.push_back(&operand);
  walked.push_back(&fold.finish.getDpsInitsMutable()[0]);
  for (OpOperand &operand : fold.finish->getOpOperands().drop_back()) {
    if (operand.get() == sum) continue;
    fold.reads.push_back(operand.getOperandNumber());
    walked.push_back(&operand);
  }
  auto loops = fold.product->getAttrOfType<DenseI64ArrayAttr>(kLoopsAttr);
  if (!loops) return failure();
  NestShape &shape = fold.shape;
  const SmallVector<int64_t> extents = fold.product.getStaticLoopRanges();
  for (auto [i, iterator] : llvm::enumerate(fold.product.getIteratorTypesArray())) {
    LoopDim d;
    d.extent = extents[i];
    d.reduced = iterator == utils::IteratorType::reduction;
    d.sources = {unsigned(i)};
    shape.dims.push_back(d);
  }
  for (OpOperand *operand : walked) {
    auto strides = stridesOf(cast<linalg::LinalgOp>(operand->getOwner()), *operand);
    if (failed(strides)) return failure();
    for (auto [dim, index] : llvm::zip(shape.dims, loops.asArrayRef())) dim.strides.push_back(strides->lookup(index));
  }
  shape.operands = fold.product->getNumOperands();
  shape.elementBytes = widestBytes(fold.product);
  const Type stored = cast<MemRefType>(result.getType()).getElementType();
  shape.outputBytes = bytesOf(stored);
  shape.pairs = multipliesShorts(fold.product);
  shape = simplify(shape);
  fold.holdsParts = stored == cast<MemRefType>(sum.getType()).getElementType();
  for (unsigned read : fold.reads)
    if (auto number = resultOf(fold.finish->getOperand(read)); number && number == resultOf(result))
      fold.holdsParts = false; // what it held before is still to be read
  return fold;
}

bool canFinish(const FoldRegion &fold, const ContractionPlan &plan) {
  if (plan.split == Split::Depth || (plan.depthBlocks() > 1 && !fold.holdsParts)) return false;
  if (plan.streaming && fold.shape.outputBytes != fold.shape.elementBytes) return false; // half of each line
  auto hasRuns = [](const IndexGroup &side, unsigned o) { return side.runs() == 1 || side.runStride(o); };
  const unsigned strides = plan.cols.dims.back().strides.size();
  for (unsigned o = strides - fold.reads.size(); o < strides; ++o) {
    const bool isVector = plan.cols.stride(2) != 1 || plan.cols.stride(o) == 0 || plan.cols.stride(o) == 1;
    if (!hasRuns(plan.rows, o) || !hasRuns(plan.cols, o) || !isVector) return false;
  }
  return true;
}

std::optional<ContractionPlan> planFold(const FoldRegion &fold, const CpuModel &cpu) {
  linalg::LinalgOp product = fold.product, finish = fold.finish;
  const Type sum = product.getBlock()->getArguments().back().getType();
  Block *body = finish.getBlock();
  const bool isPlain = body->getOps<linalg::IndexOp>().empty() && body->getOps<memref::LoadOp>().empty();
  const std::optional<NestShape> tiled = contractionShape(product, fold.shape);
  if (!tiled || !isPlain || sum.getIntOrFloatBitWidth() < 16) return std::nullopt;
  std::optional<ContractionPlan> plan = planContraction(*tiled, cpu);
  if (!plan) return plan;
  if (plan->depthBlocks() > 1 && !fold.holdsParts) {
    // A step of its own would read what this one stores.
    constexpr double kBytesPerCycle = 8;
    const double pass = double(fold.shape.points(false) * fold.shape.elementBytes) / kBytesPerCycle;
    NestShape whole = *tiled;
    whole.wholeDepth = true;
    const double apart = plan->predictedCycles + pass;
    plan = planContraction(whole, cpu);
    if (!plan || plan->depthBlocks() > 1 || plan->predictedCycles > apart) return std::nullopt;
  }
  plan->streaming &= fold.shape.outputBytes == fold.shape.elementBytes;
  if (!canFinish(fold, *plan)) return std::nullopt;
  plan->finishes = true;
  return plan;
}

RefusedFolds refusedFolds(func::FuncOp kernel, const CpuModel &cpu) {
  RefusedFolds refused;
  for (scf::ExecuteRegionOp region : foldsOf(kernel)) {
    FailureOr<FoldRegion> fold = readFold(region);
    if (failed(fold) || !planFold(*fold, cpu)) refused.finishes.insert(foldedTensor(region));
  }
  for (linalg::LinalgOp op : stepsOf(kernel)) {
    auto tensor = op->getAttrOfType<IntegerAttr>(kFactorAttr);
    if (!tensor) continue;
    FailureOr<NestShape> shape = shapeOf(op);
    const auto tiled = failed(shape) ? std::nullopt : contractionShape(op, *shape);
    if (!tiled || !planContraction(*tiled, cpu)) refused.factors.insert(uint32_t(tensor.getInt()));
  }
  return refused;
}

} // namespace ein
