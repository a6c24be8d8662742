// The operands of a cascade's operations: addresses, loads, computed places.
#include "compiler/Gpu/CascadeOperands.h"

#include <numeric>

using namespace mlir;

namespace ein {

CascadeOperands::CascadeOperands(SimtBuilder &b, const CascadeRegion &region, ArrayRef<SimtMemory> memory)
    : b(b), region(region), memory(memory) {
  size_t next = 0;
  for (linalg::LinalgOp op : region.ops) {
    firstMemory.push_back(next);
    next += op->getNumOperands() + gathersOf(op).size();
  }
  for (const SimtMemory &m : memory) {
    const GpuArgument argument = GpuArgument::pointer(m.slot);
    const auto known = llvm::find(arguments, argument);
    numbers.push_back(unsigned(known - arguments.begin()));
    if (m.element && !m.constant && known == arguments.end()) arguments.push_back(argument);
  }
}

void CascadeOperands::bind(ValueRange values) {
  pointers.clear();
  for (auto [m, number] : llvm::zip(memory, numbers))
    pointers.push_back(m.element && !m.constant ? values[number] : Value());
}

Value CascadeOperands::boundOf(size_t op, const Position &at) {
  Value bound = b.lane(evaluate(op, at, -1, 1, {}), 0);
  auto constant = [&](int64_t v) -> Value {
    return arith::ConstantOp::create(b, b.getIntegerAttr(bound.getType(), v));
  };
  bound = b.createOrFold<arith::MaxSIOp>(bound, constant(0));
  bound = b.createOrFold<arith::MinSIOp>(bound, constant(region.shape.extent(region.shape.key)));
  if (bound.getType() == b.index) return bound;
  if (bound.getType().getIntOrFloatBitWidth() > b.index.getIntOrFloatBitWidth())
    return arith::TruncIOp::create(b, b.index, bound);
  return arith::ExtUIOp::create(b, b.index, bound);
}

bool CascadeOperands::needsWideIndices(const CascadeRegion &region) {
  constexpr double most = double(int64_t(1) << 30);
  auto isFar = [&](const CascadeAccess &a) {
    double reach = 0;
    for (auto [stride, extent] : llvm::zip(a.strides, region.shape.extents)) reach += double(std::abs(stride)) * extent;
    return a.tensor < 0 && reach > most;
  };
  for (const CascadeOp &op : region.shape.ops)
    if (isFar(op.output) || llvm::any_of(op.inputs, isFar)) return true;
  for (linalg::LinalgOp op : region.ops)
    for (memref::LoadOp load : gathersOf(op))
      if (double(load.getMemRefType().getNumElements()) > most) return true;
  return false;
}

Value CascadeOperands::indexValues(int index, const Position &at, int along, int64_t lanes) {
  Value first = b.spread(at[index] ? b.toI32(at[index]) : b.toI32(b.k(0)), lanes);
  if (index != along || lanes == 1) return first;
  SmallVector<int32_t> numbers(lanes);
  std::iota(numbers.begin(), numbers.end(), 0);
  auto type = VectorType::get({lanes}, b.getI32Type());
  return arith::AddIOp::create(b, first, arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef(numbers))));
}

Value CascadeOperands::load(size_t op, unsigned input, const Position &at, int along, int64_t lanes) {
  const size_t number = firstMemory[op] + input;
  const SimtMemory &m = memory[number];
  if (m.constant) {
    auto type = VectorType::get({lanes}, m.constant.getType());
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, Attribute(m.constant)));
  }
  const CascadeAccess &a = region.shape.ops[op].inputs[input];
  Value offset = b.k(0);
  int64_t alignment = std::gcd<int64_t>(16, m.slot.offset);
  for (auto [i, stride] : llvm::enumerate(a.strides)) {
    if (at[i] && stride) offset = b.plus(offset, b.times(at[i], stride));
    alignment = std::gcd(alignment, stride * a.bytes * (int(i) == along ? lanes : 1));
  }
  if (lanes == 1) return b.loadLanes(pointers[number], m.element, offset, 1, a.bytes);
  const int64_t stride = a.strides[along];
  if (stride == 0) return b.spread(b.lane(b.loadLanes(pointers[number], m.element, offset, 1, a.bytes), 0), lanes);
  if (stride != 1) return b.gatherLanes(pointers[number], m.element, offset, stride, lanes);
  return b.loadLanes(pointers[number], m.element, offset, lanes, std::min(alignment, lanes * a.bytes));
}

/// At the places that the body computes: neighbours at once where only the last index moves along the lanes.
Value CascadeOperands::gather(size_t op, memref::LoadOp load, const Position &at, int along, int64_t lanes,
                              llvm::function_ref<Value(Value)> valueOf) {
  linalg::LinalgOp body = region.ops[op];
  SmallVector<memref::LoadOp> loads = gathersOf(body);
  const size_t number = firstMemory[op] + body->getNumOperands() + (llvm::find(loads, load) - loads.begin());
  const SimtMemory &m = memory[number];
  const CascadeAccess &a =
      region.shape.ops[op].inputs[body.getNumDpsInputs() + (llvm::find(loads, load) - loads.begin())];
  bool isRun = lanes > 1 && a.strides[along] == 1 && !llvm::is_contained(a.follows, along);
  int64_t alignment = std::gcd<int64_t>(16, m.slot.offset);
  SmallVector<Value> places;
  for (auto [index, stride] : llvm::zip(load.getIndices(), m.strides)) {
    auto loop = index.getDefiningOp<linalg::IndexOp>();
    const bool runs = loop && region.shape.ops[op].loops[loop.getDim()] == along;
    alignment = std::gcd(alignment, stride * a.bytes * (runs ? lanes : 1));
    if (auto constant = getConstantIntValue(index))
      places.push_back({});
    else
      places.push_back(valueOf(index));
  }
  auto offsetOf = [&](int64_t lane) {
    Value offset = b.k(0);
    for (auto [place, index, stride] : llvm::zip(places, load.getIndices(), m.strides)) {
      if (!place) {
        offset = b.plus(offset, *getConstantIntValue(index) * stride);
        continue;
      }
      Value here = b.lane(place, lane);
      if (here.getType().getIntOrFloatBitWidth() > b.index.getIntOrFloatBitWidth())
        here = arith::TruncIOp::create(b, b.index, here);
      offset = b.plus(offset, b.times(b.toIndex(here), stride));
    }
    return offset;
  };
  Value result;
  if (isRun) {
    result = b.loadLanes(pointers[number], m.element, offsetOf(0), lanes, std::min(alignment, lanes * a.bytes));
  } else {
    SmallVector<Value> elements;
    for (int64_t i = 0; i < lanes; ++i)
      elements.push_back(b.lane(b.loadLanes(pointers[number], m.element, offsetOf(i), 1, a.bytes), 0));
    result = b.vectorOf(elements);
  }
  return m.element.isInteger(1) ? b.convert(result, m.element, true) : result; // bytes are conditions
}

Value CascadeOperands::evaluate(size_t op, const Position &at, int along, int64_t lanes, ArrayRef<Value> given,
                                Value acc, bool keepsWide) {
  linalg::LinalgOp body = region.ops[op];
  SmallVector<Value> inputs;
  for (unsigned i = 0; i < body.getNumDpsInputs(); ++i)
    inputs.push_back(i < given.size() && given[i] ? given[i] : load(op, i, at, along, lanes));
  auto index = [&](int64_t loop) { return indexValues(region.shape.ops[op].loops[loop], at, along, lanes); };
  auto far = [&](memref::LoadOp load, llvm::function_ref<Value(Value)> valueOf) {
    return gather(op, load, at, along, lanes, valueOf);
  };
  BodyEmitter emitter(b, body, lanes, inputs, index, far);
  const Reduction reduction = *analyseReduction(body);
  if (acc) return emitter.accumulate(reduction, acc);
  auto rounding = keepsWide ? reduction.term.getDefiningOp<arith::TruncFOp>() : arith::TruncFOp();
  return emitter.emit(rounding ? rounding.getIn() : reduction.term);
}

} // namespace ein
