// Shapes of linalg operations, and plans as attributes.
#include "compiler/Lowering/PlanAttr.h"

#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/PlanFields.h"
#include "compiler/Lowering/Sizes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace ein {

int64_t bytesOf(Type element) { return std::max<int64_t>(1, element.getIntOrFloatBitWidth() / 8); }

int64_t widestBytes(linalg::LinalgOp op) {
  int64_t widest = 1;
  for (Value argument : op.getBlock()->getArguments()) widest = std::max(widest, bytesOf(argument.getType()));
  for (Operation &inner : op.getBlock()->without_terminator())
    if (Type type = inner.getResult(0).getType(); type.isIntOrFloat()) widest = std::max(widest, bytesOf(type));
  return widest;
}

FailureOr<NestShape> shapeOf(linalg::LinalgOp op, SmallVectorImpl<Value> *sizes) {
  NestShape shape;
  SizeSlots slots;
  auto iterators = op.getIteratorTypesArray();
  shape.dims.resize(iterators.size());
  for (auto [i, d] : llvm::enumerate(shape.dims)) {
    d.extent = ShapedType::kDynamic;
    d.reduced = iterators[i] == utils::IteratorType::reduction;
    d.sources = {unsigned(i)};
  }
  shape.operands = op->getNumOperands();
  for (auto [o, operand] : llvm::enumerate(op->getOpOperands())) {
    for (LoopDim &d : shape.dims) d.strides.push_back(0), d.strideSlots.push_back(-1);
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type) continue;
    FailureOr<MixedLayout> layout = layoutOf(operand.get());
    if (failed(layout)) return failure();
    for (auto [d, expr] : llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults())) {
      auto position = dyn_cast<AffineDimExpr>(expr);
      if (!position) return failure();
      LoopDim &dim = shape.dims[position.getPosition()];
      if (dim.strideSlots[o] >= 0 || (dim.strides[o] && slots.of(layout->strides[d]) >= 0)) return failure();
      dim.strides[o] += typicalOf(layout->strides[d]);
      dim.strideSlots[o] = slots.of(layout->strides[d]);
      if (ShapedType::isDynamic(dim.extent)) {
        dim.extent = typicalOf(layout->extents[d]);
        dim.extentSlot = slots.of(layout->extents[d]);
        dim.least = leastOf(layout->extents[d]);
      }
    }
    shape.outputBytes = bytesOf(type.getElementType());
  }
  for (Operation &inner : *op.getBlock())
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) shape.dims[index.getDim()].valued = true;
  // Index values are 32-bit on the lanes.
  for (const LoopDim &d : shape.dims)
    if (ShapedType::isDynamic(d.extent) || (d.valued && d.extent > INT32_MAX)) return failure();
  shape.elementBytes = widestBytes(op);
  shape.sized = !slots.values.empty();
  shape.pairs = !shape.sized && multipliesShorts(op);
  if (sizes) sizes->assign(slots.values.begin(), slots.values.end());
  return simplify(shape);
}

linalg::FillOp startingFill(linalg::LinalgOp op) {
  if (isa<linalg::FillOp>(op)) return {};
  for (Operation *before = op->getPrevNode(); before; before = before->getPrevNode()) {
    if (!isa<linalg::LinalgOp>(before)) continue;
    auto fill = dyn_cast<linalg::FillOp>(before);
    return fill && fill.output() == op.getDpsInits()[0] ? fill : linalg::FillOp();
  }
  return {};
}

bool startsReduction(linalg::FillOp fill) {
  for (Operation *after = fill->getNextNode(); after; after = after->getNextNode())
    if (auto op = dyn_cast<linalg::LinalgOp>(after)) return startingFill(op) == fill;
  return false;
}

/// Whether the output is only written: pointwise, or a reduction that starts from a fill.
static bool overwrites(linalg::LinalgOp op) {
  return op.getBlock()->getArguments().back().use_empty() || startingFill(op);
}

std::optional<NestShape> contractionShape(linalg::LinalgOp op, const NestShape &shape) {
  if (hasTileableBody(op)) return shape;
  std::optional<ComputedFactor> factor = shape.sized ? std::nullopt : computedFactor(op);
  if (!factor) return std::nullopt;
  NestShape result = shape;
  result.operands = 3;
  result.computes = true;
  for (LoopDim &d : result.dims) {
    const std::vector<int64_t> &of = d.strides;
    std::vector<int64_t> strides{of[factor->inputs[0]], of[factor->element], of[shape.output()]};
    for (unsigned input : ArrayRef(factor->inputs).drop_front()) {
      if (of[input] != 0 && strides[0] == 0) return std::nullopt; // the first does not move as the factor does
      strides.push_back(of[input]);
    }
    strides.insert(strides.end(), of.begin() + shape.operands, of.end());
    d.strides = std::move(strides);
  }
  return result;
}

KernelPlan planKernel(linalg::LinalgOp op, const NestShape &shape, const CpuModel &cpu) {
  if (auto tiled = contractionShape(op, shape))
    if (auto plan = shape.sized ? planSizedContraction(shape, cpu) : planContraction(*tiled, cpu)) return *plan;
  return planAsNest(op, shape, cpu);
}

NestPlan planAsNest(linalg::LinalgOp op, const NestShape &shape, const CpuModel &cpu) {
  return planNest(shape, cpu, overwrites(op));
}

SmallVector<linalg::LinalgOp> stepsOf(func::FuncOp kernel) {
  SmallVector<linalg::LinalgOp> steps;
  for (auto op : kernel.getBody().front().getOps<linalg::LinalgOp>())
    if (auto fill = dyn_cast<linalg::FillOp>(*op); !fill || !startsReduction(fill)) steps.push_back(op);
  return steps;
}

/// The fields of a plan by name: written to and read from attributes by the same list.
template <class Visitor> static bool visit(ContractionPlan &p, Visitor &&field) {
  return field("swapped", p.swapped) && field("row_loop", p.rowLoop) && field("col_loop", p.colLoop) &&
         field("col_run", p.colRun) && field("lanes", p.lanes) && field("mr", p.mr) && field("nv", p.nv) &&
         field("depth_pieces", p.depthPieces) && field("unroll", p.kUnroll) && field("row_panels", p.rowPanels) &&
         field("col_panels", p.colPanels) && field("col_pieces", p.colPieces) && field("pack_rows", p.packRows) &&
         field("pack_cols", p.packCols) && field("cols_outer", p.colsOuter) && field("streaming", p.streaming) &&
         field("split", p.split) && field("threads", p.threads);
}
template <class Visitor> static bool visit(NestPlan &p, Visitor &&field) {
  return field("lanes_along", p.kind) && field("lane", p.lane) && field("across", p.across) &&
         field("lanes", p.lanes) && field("unroll", p.unroll) && field("run", p.run) && field("near", p.near) &&
         field("sweep", p.sweep) && field("hoist", p.hoist) && field("staged", p.staged) && field("block0", p.block0) &&
         field("factor0", p.factor0) && field("block1", p.block1) && field("factor1", p.factor1) &&
         field("transposed", p.transposed) && field("streaming", p.streaming) && field("split", p.split) &&
         field("threads", p.threads);
}

DictionaryAttr planToAttr(MLIRContext *context, const KernelPlan &plan) {
  Builder b(context);
  NamedAttrList list;
  std::visit(
      [&](auto p) {
        list.append("kind", b.getStringAttr(std::is_same_v<decltype(p), NestPlan> ? "nest" : "contraction"));
        appendFields(list, b, p);
        list.append("summary", b.getStringAttr(p.str()));
      },
      plan);
  return list.getDictionary(context);
}

/// The decisions of `attr` laid over `plan`; a number of vectors, panels or threads must be positive.
template <class Plan> static FailureOr<KernelPlan> read(Plan plan, DictionaryAttr attr) {
  if (!readFields(plan, attr) || plan.lanes < 1 || plan.threads < 1) return failure();
  return KernelPlan(plan);
}

FailureOr<KernelPlan> planFromAttr(linalg::LinalgOp op, const NestShape &shape, DictionaryAttr attr) {
  auto kind = attr.getAs<StringAttr>("kind");
  if (!kind) return failure();
  if (kind.getValue() == "nest") {
    NestPlan plan;
    plan.shape = shape;
    auto read = ein::read(plan, attr);
    if (failed(read)) return failure();
    const auto &p = std::get<NestPlan>(*read);
    const int loops = shape.dims.size();
    if (p.lane >= loops || p.across >= loops || p.split >= loops || p.near >= loops || p.hoist >= loops ||
        p.block0 >= loops || p.block1 >= loops || p.unroll < 1 || p.factor0 < 1 || p.factor1 < 1 || !p.transposedFits())
      return failure();
    return read;
  }
  std::optional<NestShape> tiled = contractionShape(op, shape);
  if (kind.getValue() != "contraction" || !tiled) return failure();
  ContractionPlan plan;
  plan.elementBytes = shape.elementBytes;
  plan.computes = tiled->computes;
  plan.paired = shape.pairs;
  auto read = ein::read(plan, attr);
  if (failed(read)) return failure();
  auto &p = std::get<ContractionPlan>(*read);
  if (!classify(*tiled, p) || !p.fits()) return failure();
  return read;
}

} // namespace ein
