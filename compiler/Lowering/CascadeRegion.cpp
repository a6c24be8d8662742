// Reading of cascades, and their plans as attributes.
#include "compiler/Lowering/CascadeRegion.h"

#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/PlanAttr.h"
#include "compiler/Lowering/PlanFields.h"
#include "compiler/Lowering/Sizes.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace mlir;

namespace ein {

namespace {

/// What an elementary function counts for.
constexpr int64_t kFunctionOperations = 16;

/// Identifiers of indices are small numbers: they are places in tables.
constexpr int64_t kMostIndices = 4096;

std::optional<CascadeRole> roleOf(linalg::LinalgOp op) {
  auto name = op->getAttrOfType<StringAttr>(kRoleAttr);
  return llvm::StringSwitch<std::optional<CascadeRole>>(name ? name.getValue() : "")
      .Case("low", CascadeRole::Low)
      .Case("high", CascadeRole::High)
      .Case("tile", CascadeRole::Tile)
      .Case("guard", CascadeRole::Guard)
      .Case("max", CascadeRole::Max)
      .Case("weight", CascadeRole::Weight)
      .Case("sum", CascadeRole::Sum)
      .Case("finish", CascadeRole::Finish)
      .Default(std::nullopt);
}

class CascadeReader {
public:
  explicit CascadeReader(scf::ExecuteRegionOp region) { cascade.region = region; }

  FailureOr<CascadeRegion> read();

private:
  LogicalResult readOp(linalg::LinalgOp op);
  LogicalResult readExtents(linalg::LinalgOp op, CascadeOp &info);
  LogicalResult readAccess(linalg::LinalgOp op, OpOperand &operand, CascadeAccess &access, std::vector<int> &dims);
  LogicalResult readGathers(linalg::LinalgOp op, CascadeOp &info);
  LogicalResult checkBody(linalg::LinalgOp op, const CascadeOp &info);
  void foldFactors();

  CascadeRegion cascade;
  SizeSlots slots;
  llvm::DenseMap<Value, int> tensors;               ///< virtual ones
  llvm::DenseMap<Value, int> memories;              ///< the others
  llvm::DenseMap<int, std::vector<int>> tensorDims; ///< indices of their dimensions
};

/// The indices that a value of the body depends on.
static SmallVector<int> indicesOf(linalg::LinalgOp op, const CascadeOp &info, Value value) {
  SmallVector<int> indices;
  llvm::SmallPtrSet<Operation *, 16> seen;
  SmallVector<Value> stack{value};
  while (!stack.empty()) {
    const Value v = stack.pop_back_val();
    if (auto argument = dyn_cast<BlockArgument>(v)) {
      for (int i : info.loops)
        if (argument.getOwner() == op.getBlock() && info.inputs[argument.getArgNumber()].moves(i)) indices.push_back(i);
      continue;
    }
    Operation *o = v.getDefiningOp();
    if (auto loop = dyn_cast<linalg::IndexOp>(o)) indices.push_back(info.loops[loop.getDim()]);
    if (o->getBlock() == op.getBlock() && seen.insert(o).second) llvm::append_range(stack, o->getOperands());
  }
  return indices;
}

LogicalResult CascadeReader::readAccess(linalg::LinalgOp op, OpOperand &operand, CascadeAccess &access,
                                        std::vector<int> &dims) {
  auto type = dyn_cast<MemRefType>(operand.get().getType());
  if (!type) {
    if (operand.get().getDefiningOp<arith::ConstantOp>()) return success();
    return op.emitOpError("has a scalar operand that is no constant");
  }
  FailureOr<MixedLayout> layout = layoutOf(operand.get());
  if (failed(layout)) return op.emitOpError("needs shapes and strides that are static, or sizes of a view");
  access.bytes = bytesOf(type.getElementType());
  auto loops = op->getAttrOfType<DenseI64ArrayAttr>(kLoopsAttr).asArrayRef();
  access.strides.assign(cascade.shape.extents.size(), 0);
  access.strideSlots.assign(cascade.shape.extents.size(), -1);
  for (auto [d, expr] : llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults())) {
    const int index = int(loops[cast<AffineDimExpr>(expr).getPosition()]), slot = slots.of(layout->strides[d]);
    if (slot >= 0 && llvm::is_contained(dims, index)) return op.emitOpError("takes a diagonal of unknown strides");
    dims.push_back(index);
    if (cascade.shape.extents[index] == 1) continue;
    access.strides[index] += typicalOf(layout->strides[d]);
    access.strideSlots[index] = slot;
  }
  if (!operand.get().getDefiningOp<memref::AllocOp>()) {
    access.memory = memories.try_emplace(operand.get(), int(memories.size())).first->second;
  } else {
    auto [known, isNew] = tensors.try_emplace(operand.get(), int(tensors.size()));
    access.tensor = known->second;
    if (isNew) tensorDims[access.tensor] = dims;
    if (tensorDims[access.tensor] != dims) return op.emitOpError("moves through a virtual tensor in another order");
    if (isNew != op.isDpsInit(&operand)) return op.emitOpError("uses a virtual tensor out of order");
  }
  return success();
}

/// Bodies of the forms that the emitter replaces by its own.
LogicalResult CascadeReader::checkBody(linalg::LinalgOp op, const CascadeOp &info) {
  std::optional<Reduction> reduction = analyseReduction(op);
  const Combine wanted = info.role == CascadeRole::Max                     ? Combine::Max
                         : info.role == CascadeRole::Sum || info.contracts ? Combine::Add
                                                                           : Combine::None;
  if (!reduction || reduction->combine != wanted) return op.emitOpError("has a body that does not fit its role");
  auto isArgument = [&](Value v, unsigned number) { return v == op.getBlock()->getArgument(number); };
  if (info.role == CascadeRole::Max && (info.inputs.size() != 1 || !isArgument(reduction->term, 0)))
    return op.emitOpError("takes the maximum of something else than a tile");
  if (info.role != CascadeRole::Weight) return success();
  auto exp = reduction->term.getDefiningOp<math::ExpOp>();
  auto difference = exp ? exp.getOperand().getDefiningOp<arith::SubFOp>() : arith::SubFOp();
  if (info.inputs.size() != 2 || !difference || !isArgument(difference.getLhs(), 0) ||
      !isArgument(difference.getRhs(), 1))
    return op.emitOpError("is no exp(score - maximum)");
  return success();
}

/// The constant that a pointwise body multiplies its only input by.
static std::optional<double> factorOf(linalg::LinalgOp op) {
  Operation *last = op.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::MulFOp, arith::DivFOp>(last)) return std::nullopt;
  const bool isSwapped = isa<arith::MulFOp>(last) && isa<BlockArgument>(last->getOperand(1));
  auto constant = last->getOperand(isSwapped ? 0 : 1).getDefiningOp<arith::ConstantOp>();
  if (!constant || last->getOperand(isSwapped ? 1 : 0) != op.getBlock()->getArgument(0)) return std::nullopt;
  const double value = cast<FloatAttr>(constant.getValue()).getValueAsDouble();
  return isa<arith::MulFOp>(last) ? value : 1 / value;
}

/// An inner product that is only multiplied by a constant takes the factor along: it costs nothing on the lane side.
void CascadeReader::foldFactors() {
  CascadeShape &shape = cascade.shape;
  for (size_t i = 0; i < shape.ops.size(); ++i) {
    const CascadeOp &scaling = shape.ops[i];
    if (scaling.role != CascadeRole::Tile || scaling.contracts || scaling.inputs.size() != 1) continue;
    const int tensor = scaling.inputs[0].tensor;
    const int maker = tensor < 0 ? -1 : shape.producer(tensor);
    const auto users = llvm::count_if(shape.ops, [&](const CascadeOp &op) {
      return llvm::any_of(op.inputs, [&](const CascadeAccess &a) { return a.tensor == tensor; });
    });
    auto factor = factorOf(cascade.ops[i]);
    if (maker < 0 || !shape.ops[maker].contracts || users != 1 || !factor || !std::isnormal(*factor)) continue;
    if (scaling.output.bytes != shape.ops[maker].output.bytes) continue;
    shape.ops[maker].factor *= *factor;
    shape.ops[maker].output = scaling.output;
    shape.ops[maker].outputIndices = scaling.outputIndices;
    shape.ops.erase(shape.ops.begin() + i);
    cascade.ops.erase(cascade.ops.begin() + i);
    --i;
  }
}

/// What a value of a body is converted from.
static Value unconverted(Value value) {
  while (isa_and_nonnull<arith::ExtFOp, arith::SIToFPOp, arith::UIToFPOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

/// Loads from computed places, of which one must be a factor of a sum of products.
LogicalResult CascadeReader::readGathers(linalg::LinalgOp op, CascadeOp &info) {
  SmallVector<memref::LoadOp> loads = gathersOf(op);
  if (loads.empty()) return success();
  const size_t plain = info.inputs.size();
  for (memref::LoadOp load : loads) {
    CascadeAccess access;
    access.gathered = true;
    access.bytes = bytesOf(load.getMemRefType().getElementType());
    access.strides.assign(cascade.shape.extents.size(), 0);
    access.memory = memories.try_emplace(load.getMemRef(), int(memories.size())).first->second;
    SmallVector<int64_t> strides;
    int64_t offset;
    if (!load.getMemRefType().hasStaticShape() || failed(load.getMemRefType().getStridesAndOffset(strides, offset)) ||
        ShapedType::isDynamic(offset) || llvm::any_of(strides, ShapedType::isDynamic))
      return load.emitOpError("needs static shapes and strides");
    for (auto [index, stride] : llvm::zip(load.getIndices(), strides)) {
      if (auto loop = index.getDefiningOp<linalg::IndexOp>()) {
        const int i = info.loops[loop.getDim()];
        if (cascade.shape.extents[i] > 1) access.strides[i] += stride;
        continue;
      }
      if (!index.getDefiningOp<arith::ConstantOp>())
        access.placeStride = access.placeStride ? std::min(access.placeStride, std::abs(stride)) : std::abs(stride);
      for (int i : indicesOf(op, info, index)) access.follows.push_back(i);
    }
    info.inputs.push_back(access);
  }
  std::optional<Reduction> reduction = analyseReduction(op);
  auto product = reduction ? reduction->term.getDefiningOp<arith::MulFOp>() : arith::MulFOp();
  if (!product || reduction->combine != Combine::Add) return op.emitOpError("reads memory at places that it computes");
  for (unsigned side : {0u, 1u}) {
    Value factor = unconverted(product->getOperand(side));
    if (auto argument = dyn_cast<BlockArgument>(factor))
      info.sides[side] = argument.getArgNumber();
    else if (auto load = factor.getDefiningOp<memref::LoadOp>())
      info.sides[side] = unsigned(plain + (llvm::find(loads, load) - loads.begin()));
    else
      return op.emitOpError("multiplies something else than what it reads");
  }
  info.contracts = true;
  return success();
}

/// The indices of the loops; their extents are those of the dimensions that move along them.
LogicalResult CascadeReader::readExtents(linalg::LinalgOp op, CascadeOp &info) {
  CascadeShape &shape = cascade.shape;
  for (int64_t id : op->getAttrOfType<DenseI64ArrayAttr>(kLoopsAttr).asArrayRef()) {
    if (id < 0 || id >= kMostIndices) return op.emitOpError("has an index beyond ") << kMostIndices - 1;
    info.loops.push_back(int(id));
    if (id < int64_t(shape.extents.size())) continue;
    shape.extents.resize(id + 1);
    shape.extentSlots.resize(id + 1, -1);
  }
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType())) continue;
    FailureOr<MixedLayout> layout = layoutOf(operand.get());
    if (failed(layout)) return op.emitOpError("needs shapes and strides that are static, or sizes of a view");
    for (auto [d, expr] : llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim) return op.emitOpError("has an indexing map that is no list of loops");
      const int index = info.loops[dim.getPosition()], slot = slots.of(layout->extents[d]);
      const int64_t extent = typicalOf(layout->extents[d]);
      if (extent < 1 || extent > INT32_MAX) return op.emitOpError("needs extents from 1 to 2^31");
      if (shape.extents[index] && (shape.extents[index] != extent || shape.extentSlots[index] != slot))
        return op.emitOpError("gives index ") << index << " another extent";
      shape.extents[index] = extent;
      shape.extentSlots[index] = slot;
    }
  }
  return success();
}

LogicalResult CascadeReader::readOp(linalg::LinalgOp op) {
  CascadeOp info;
  auto role = roleOf(op);
  auto loops = op->getAttrOfType<DenseI64ArrayAttr>(kLoopsAttr);
  if (!role || !loops || loops.size() != int64_t(op.getNumLoops()))
    return op.emitOpError("needs ein.role and ein.loops to be in a cascade");
  if (!cascade.ops.empty() && *role < cascade.shape.ops.back().role && *role < CascadeRole::Finish &&
      *role != CascadeRole::Tile && *role != CascadeRole::Guard)
    return op.emitOpError("stands in the wrong place of a cascade");
  info.role = *role;
  info.contracts = isa<linalg::ContractOp>(op);
  if (failed(readExtents(op, info))) return failure();
  if (op->getNumOperands() == 0 || op.getNumDpsInits() != 1) return op.emitOpError("needs one output");
  for (OpOperand &operand : op->getOpOperands()) {
    CascadeAccess access;
    std::vector<int> dims;
    access.strides.assign(cascade.shape.extents.size(), 0);
    access.strideSlots.assign(cascade.shape.extents.size(), -1);
    if (failed(readAccess(op, operand, access, dims))) return failure();
    if (op.isDpsInit(&operand))
      info.output = access, info.outputIndices = dims;
    else
      info.inputs.push_back(access);
  }
  if ((info.role == CascadeRole::Finish) != (info.output.tensor < 0))
    return op.emitOpError("must write ") << (info.role == CascadeRole::Finish ? "memory" : "a virtual tensor");
  const Type stored = getElementTypeOrSelf(op.getDpsInits()[0]);
  if (info.role <= CascadeRole::High && !stored.isInteger(32) && !stored.isInteger(64))
    return op.emitOpError("bounds the keys by something else than i32 or i64");
  if (failed(readGathers(op, info))) return failure();
  for (Operation &inner : op.getBlock()->without_terminator())
    info.operations += isa<linalg::IndexOp, arith::ConstantOp>(inner)       ? 0
                       : isa<math::ExpOp, math::LogOp, math::TanhOp>(inner) ? kFunctionOperations
                                                                            : 1;
  if (failed(checkBody(op, info))) return failure();
  cascade.shape.ops.push_back(std::move(info));
  cascade.ops.push_back(op);
  return success();
}

FailureOr<CascadeRegion> CascadeReader::read() {
  auto attr = cascade.region->getAttrOfType<DictionaryAttr>(kCascadeAttr);
  auto key = attr ? attr.getAs<IntegerAttr>("key") : IntegerAttr();
  if (!key || !cascade.region.getRegion().hasOneBlock())
    return cascade.region.emitOpError("needs ein.cascade = {key = ...} and one block");
  for (auto op : cascade.region.getRegion().front().getOps<linalg::LinalgOp>())
    if (failed(readOp(op))) return failure();
  const auto &extents = cascade.shape.extents;
  if (key.getInt() < 0 || key.getInt() >= int64_t(extents.size()) || extents[key.getInt()] == 0)
    return cascade.region.emitOpError("has no loop over its key");
  cascade.shape.key = int(key.getInt());
  // Virtual tensors are numbered in order; every access knows every index.
  CascadeShape &shape = cascade.shape;
  shape.tensors = int(tensors.size());
  for (CascadeOp &op : shape.ops) {
    auto widen = [&](CascadeAccess &access) {
      access.strides.resize(shape.extents.size());
      access.strideSlots.resize(shape.extents.size(), -1);
    };
    widen(op.output);
    llvm::for_each(op.inputs, widen);
    if (op.role == CascadeRole::Sum || (!cascade.element && op.role == CascadeRole::Max))
      cascade.element =
          cast<MemRefType>(cascade.ops[&op - shape.ops.data()].getDpsInits()[0].getType()).getElementType();
  }
  if (!cascade.element || !(cascade.element.isF32() || cascade.element.isF64()))
    return cascade.region.emitOpError("sums neither f32 nor f64");
  shape.elementBytes = bytesOf(cascade.element);
  for (auto [op, info] : llvm::zip(cascade.ops, shape.ops)) {
    SmallVector<Value> values(op.getDpsInputs());
    for (memref::LoadOp load : gathersOf(op)) values.push_back(load.getMemRef());
    for (auto [value, access] : llvm::zip(values, info.inputs))
      access.computed = getElementTypeOrSelf(value) == cascade.element;
    const bool isValue = info.contracts || info.role == CascadeRole::Max || info.role == CascadeRole::Weight ||
                         info.role == CascadeRole::Sum;
    if (isValue && getElementTypeOrSelf(op.getDpsInits()[0]) != cascade.element)
      return op.emitOpError("computes in another type than the sums of its cascade");
  }
  foldFactors();
  cascade.sizes = slots.values;
  return cascade;
}

} // namespace

template <class Visitor> static bool visit(CascadePlan &p, Visitor &&field) {
  return field("lane", p.lane) && field("lanes", p.lanes) && field("nv", p.nv) && field("wide_panels", p.widePanels) &&
         field("narrow_panels", p.narrowPanels) && field("mr_wide", p.mrWide) && field("mr_narrow", p.mrNarrow) &&
         field("keys", p.bk) && field("depth_block", p.depthBlock) && field("direct", p.direct) &&
         field("thin_trips", p.thinTrips) && field("packing", p.packing) && field("group_panels", p.groupPanels) &&
         field("cyclic", p.cyclic) && field("threads", p.threads);
}

template <class Visitor> static bool visit(ThinCascadePlan &p, Visitor &&field) {
  return field("lanes", p.lanes) && field("mr", p.mr) && field("nv", p.nv) && field("keys", p.bk) &&
         field("batches", p.batches) && field("splits", p.splits) && field("prefetch", p.prefetch) &&
         field("threads", p.threads);
}

SmallVector<scf::ExecuteRegionOp> cascadesOf(func::FuncOp kernel) {
  SmallVector<scf::ExecuteRegionOp> cascades;
  for (auto region : kernel.getBody().front().getOps<scf::ExecuteRegionOp>())
    if (region->hasAttr(kCascadeAttr)) cascades.push_back(region);
  return cascades;
}

FailureOr<CascadeRegion> readCascade(scf::ExecuteRegionOp region) { return CascadeReader(region).read(); }

static constexpr const char *kWideKind = "cascade", *kThinKind = "thin-cascade";

DictionaryAttr planToAttr(MLIRContext *context, const AnyCascadePlan &any) {
  Builder b(context);
  NamedAttrList list;
  list.append("kind", b.getStringAttr(std::holds_alternative<CascadePlan>(any) ? kWideKind : kThinKind));
  std::visit(
      [&](const auto &plan) {
        appendFields(list, b, plan);
        list.append("summary", b.getStringAttr(plan.str()));
      },
      any);
  return list.getDictionary(context);
}

FailureOr<AnyCascadePlan> planFromAttr(const CascadeRegion &cascade, DictionaryAttr attr) {
  auto kind = attr.getAs<StringAttr>("kind");
  if (!kind) return failure();
  if (kind.getValue() == kThinKind) {
    ThinCascadePlan plan;
    const CascadeFlow flow = analyseThinFlow(cascade.shape);
    if (!readFields(plan, attr) || !flow.obstacle.empty() || !plan.fits(cascade.shape, flow)) return failure();
    return AnyCascadePlan(plan);
  }
  CascadePlan plan;
  if (kind.getValue() != kWideKind || !readFields(plan, attr)) return failure();
  if (plan.lane < 0 || plan.lane >= int(cascade.shape.extents.size())) return failure();
  CascadeFlow flow = analyseFlow(cascade.shape, plan.lane, plan.direct);
  if (!flow.obstacle.empty() || !plan.fits(cascade.shape, flow)) return failure();
  return AnyCascadePlan(plan);
}

} // namespace ein
