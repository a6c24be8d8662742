// Kernels over items: pointwise operations, reductions, and the operands of all kernels without tensor cores.
#include "compiler/Gpu/SimtEmitter.h"
#include "compiler/Lowering/PlanAttr.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

void SimtEmitter::bind(ValueRange arguments) {
  pointers.clear();
  for (const SimtMemory &m : operands) {
    pointers.push_back(m.constant ? Value() : arguments.front());
    if (!m.constant) arguments = arguments.drop_front();
  }
  parts = arguments.empty() ? Value() : arguments.front();
}

/// `body` for each item of this thread, from `first` on.
void SimtEmitter::forItems(int64_t items, Value first, Value perGrid, llvm::function_ref<void(Value)> body) {
  if (p.strides) return b.forEach(first, b.k(items), perGrid, body);
  b.when(b.less(first, items), [&] { body(first); });
}

/// The value of each of `loops` at a point, or at a run of `laneWidth` points along the lane loop.
void SimtEmitter::decompose(Value number, ArrayRef<int> loops, Position &at, int64_t laneWidth) {
  for (size_t i = loops.size(); i-- > 0;) {
    const int d = loops[i];
    const int64_t width = d == p.lane ? laneWidth : 1, trips = ceilDiv(dims[d].extent, width);
    Value here = i == 0 ? number : b.modulo(number, trips);
    at[d] = b.times(here, width);
    if (i > 0) number = b.over(number, trips);
  }
}

Value SimtEmitter::offsetOf(unsigned o, const Position &at) {
  Value offset = b.k(0);
  for (auto [d, position] : llvm::enumerate(at))
    if (position && dims[d].strides[o]) offset = b.plus(offset, b.times(position, dims[d].strides[o]));
  return offset;
}

Value SimtEmitter::loadElement(unsigned o, Value offset) {
  return b.loadLanes(pointers[o], operands[o].element, offset, 1, p.operands[o].bytes);
}

Value SimtEmitter::load(unsigned o, const Position &at, int lane, int64_t lanes) {
  if (operands[o].constant) {
    auto type = VectorType::get({lanes}, operands[o].constant.getType());
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, Attribute(operands[o].constant)));
  }
  Value offset = offsetOf(o, at);
  const int64_t stride = lane < 0 ? 0 : dims[lane].strides[o];
  if (lanes == 1) return loadElement(o, offset);
  if (stride == 0) return b.spread(b.lane(loadElement(o, offset), 0), lanes);
  if (stride == 1)
    return b.loadLanes(pointers[o], operands[o].element, offset, lanes,
                       std::min<int64_t>({16, lanes * p.operands[o].bytes, p.alignment(o)}));
  return b.gatherLanes(pointers[o], operands[o].element, offset, stride, lanes);
}

/// The value of one of the operation's loops on each lane. Loops of extent 1 are gone: their value is 0.
Value SimtEmitter::indexValues(int64_t source, const Position &at, int lane, int64_t lanes) {
  for (auto [d, dim] : llvm::enumerate(dims)) {
    if (!llvm::is_contained(dim.sources, unsigned(source)) || !at[d]) continue;
    Value first = b.spread(b.toI32(at[d]), lanes);
    if (int(d) != lane || lanes == 1) return first;
    SmallVector<int32_t> numbers(lanes);
    for (int64_t i = 0; i < lanes; ++i) numbers[i] = int32_t(i);
    auto type = VectorType::get({lanes}, b.getI32Type());
    return arith::AddIOp::create(b, first,
                                 arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef(numbers))));
  }
  return arith::ConstantOp::create(
      b, DenseElementsAttr::get(VectorType::get({lanes}, b.getI32Type()), Attribute(b.getI32IntegerAttr(0))));
}

/// Element by element, at the places that the body computes.
Value SimtEmitter::gather(memref::LoadOp load, llvm::function_ref<Value(Value)> valueOf, int64_t lanes) {
  const size_t number = op->getNumOperands() + (llvm::find(gathers, load) - gathers.begin());
  const SmallVector<int64_t> &strides = operands[number].strides;
  Type element = load.getMemRefType().getElementType();
  SmallVector<Value> elements;
  for (int64_t i = 0; i < lanes; ++i) {
    Value offset = b.k(0);
    for (auto [index, stride] : llvm::zip(load.getIndices(), strides)) {
      Value place;
      if (auto constant = getConstantIntValue(index)) {
        place = b.k(*constant);
      } else {
        place = b.lane(valueOf(index), i);
        if (place.getType().isInteger(64) && b.index.isInteger(32))
          place = arith::TruncIOp::create(b, b.index, place);
        else
          place = b.toIndex(place);
      }
      offset = b.plus(offset, b.times(place, stride));
    }
    elements.push_back(b.lane(b.loadLanes(pointers[number], element, offset, 1, bytesOf(inMemory(element))), 0));
  }
  Value result = b.vectorOf(elements);
  return element.isInteger(1) ? b.convert(result, element, true) : result; // bytes are conditions
}

/// The body at a place: combined with `acc` where there is one. `staged`: vectors of inputs that are at hand.
Value SimtEmitter::evaluate(const Position &at, int lane, int64_t lanes, Value acc, ArrayRef<Value> staged) {
  SmallVector<Value> inputs;
  for (unsigned o = 0; o < out; ++o)
    inputs.push_back(o < staged.size() && staged[o] ? staged[o] : load(o, at, lane, lanes));
  auto index = [&](int64_t source) { return indexValues(source, at, lane, lanes); };
  auto far = [&](memref::LoadOp load, llvm::function_ref<Value(Value)> valueOf) {
    return gather(load, valueOf, lanes);
  };
  BodyEmitter body(b, op, lanes, inputs, index, far);
  return acc ? body.accumulate(reduction, acc) : body.emit(reduction.term);
}

void SimtEmitter::store(Value value, const Position &at, int lane) {
  const int64_t lanes = cast<VectorType>(value.getType()).getNumElements();
  const int64_t stride = lane < 0 ? 1 : dims[lane].strides[out];
  Value offset = offsetOf(out, at);
  if (adds()) {
    Value before = b.gatherLanes(pointers[out], b.element, offset, stride, lanes);
    if (b.element.isInteger(1)) before = b.convert(before, b.element, true);
    value = emitCombine(b, reduction.combine, before, value);
  }
  if (lanes > 1 && stride != 1) return b.scatterLanes(value, pointers[out], offset, stride);
  b.storeLanes(value, pointers[out], offset,
               lanes == 1 ? p.operands[out].bytes
                          : std::min<int64_t>({16, lanes * p.operands[out].bytes, p.alignment(out)}));
}

/// Combines the lanes of a vector into a vector of one.
Value SimtEmitter::fold(Value vector) {
  Value total = b.lane(vector, 0);
  for (int64_t i = 1; i < cast<VectorType>(vector.getType()).getNumElements(); ++i)
    total = emitCombine(b, reduction.combine, total, b.lane(vector, i));
  return b.vectorOf(total);
}

/// Combines one value of each thread of a group; every one of them gets the result.
Value SimtEmitter::foldGroup(Value value, Value thread) {
  if (p.group == 1) return value;
  Value total = b.lane(value, 0);
  for (int32_t mask = 16; mask > 0; mask /= 2)
    total = emitCombine(b, reduction.combine, total, b.exchange(total, mask));
  if (p.group == 32) return b.vectorOf(total);
  Value memory = b.shared(module, 0);
  const int64_t bytes = p.shape.outputBytes;
  b.when(b.isZero(b.modulo(thread, 32)), [&] { b.storeLanes(b.vectorOf(total), memory, b.over(thread, 32), bytes); });
  b.barrier();
  Value sum;
  for (int64_t warp = 0; warp < p.threads / 32; ++warp) {
    Value other = b.loadLanes(memory, b.element, b.k(warp), 1, bytes);
    if (b.element.isInteger(1)) other = b.convert(other, b.element, true);
    sum = sum ? emitCombine(b, reduction.combine, sum, other) : other;
  }
  if (p.strides) b.barrier(); // the next item's sums come to the same place
  return sum;
}

/// The reduced points that this thread takes, in runs along the lane loop where that is reduced.
Value SimtEmitter::reduceItem(const Position &from, Value thread) {
  const int64_t lanes = p.lane < 0 ? 1 : p.lanes, runs = p.runs();
  const std::vector<int> reduced = p.loops(true);
  Value low = b.k(0), high = b.k(p.chunk);
  if (p.split > 1) {
    low = b.times(b.blockNumber(1), p.chunk);
    high = b.least(b.plus(low, p.chunk), runs);
  }
  if (p.group > 1) low = b.plus(low, b.modulo(thread, p.group));
  auto step = [&](Value run, ValueRange sums) -> SmallVector<Value> {
    Position at = from;
    decompose(run, reduced, at, p.laneIsReduced() ? lanes : 1);
    return {evaluate(at, p.lane, lanes, sums[0])};
  };
  Value sum = b.forEach(low, high, b.k(p.group), ValueRange{identity(lanes)}, step)[0];
  if (p.laneIsReduced()) sum = fold(sum);
  return foldGroup(sum, thread);
}

/// The loops of the points of a part, outermost first.
SmallVector<int> SimtEmitter::partOrder() const {
  SmallVector<int> order;
  if (p.kind == SimtKind::Map) return llvm::to_vector(p.loops(false));
  for (const std::vector<int> *side : {&p.batches, &p.rows, &p.cols}) order.append(side->begin(), side->end());
  return order;
}

void SimtEmitter::storePart(Value value, Value point) {
  Value offset = b.plus(b.times(b.blockNumber(1), p.shape.points(false)), point);
  b.storeLanes(value, parts, offset, p.shape.outputBytes);
}

/// A run of elements that nothing is reduced to: a vector, or what is left at the end of the lane loop one by one.
void SimtEmitter::mapRun(const Position &at) {
  auto whole = [&] { store(evaluate(at, p.lane, p.lane < 0 ? 1 : p.lanes, {}), at, p.lane); };
  if (!p.endsWithin()) return whole();
  Value end = b.k(dims[p.lane].extent), fits = b.less(at[p.lane], dims[p.lane].extent - p.lanes + 1);
  b.when(fits, whole);
  b.forEach(arith::SelectOp::create(b, fits, end, at[p.lane]), end, b.k(1), [&](Value element) {
    Position here = at;
    here[p.lane] = element;
    store(evaluate(here, -1, 1, {}), here, -1);
  });
}

void SimtEmitter::mapItem(Value item, Value thread) {
  Position at(dims.size());
  decompose(item, p.loops(false), at, p.lanes);
  const int lane = p.laneIsReduced() ? -1 : p.lane;
  if (reduction.combine == Combine::None) return mapRun(at);
  Value sum = reduceItem(at, thread);
  auto finish = [&] {
    if (p.split == 1) return store(sum, at, lane);
    storePart(sum, lane < 0 ? item : b.times(item, p.lanes));
  };
  if (p.group == 1) return finish();
  b.when(b.isZero(b.modulo(thread, p.group)), finish);
}

/// One thread for each point: the sum of what the parts left.
void SimtEmitter::combineParts() {
  const int64_t points = p.shape.points(false), bytes = p.shape.outputBytes;
  Value first = b.plus(b.times(b.blockNumber(0), p.threads), b.threadNumber());
  b.forEach(first, b.k(points), b.times(b.blockCount(), p.threads), [&](Value point) {
    auto part = [&](Value offset) {
      Value sum = b.loadLanes(parts, b.element, offset, 1, bytes);
      return b.element.isInteger(1) ? b.convert(sum, b.element, true) : sum;
    };
    Value sum = b.forEach(b.k(1), b.k(p.split), b.k(1), ValueRange{part(point)},
                          [&](Value number, ValueRange sums) -> SmallVector<Value> {
                            Value offset = b.plus(b.times(number, points), point);
                            return {emitCombine(b, reduction.combine, sums[0], part(offset))};
                          })[0];
    Position at(dims.size());
    decompose(point, partOrder(), at);
    store(sum, at, -1);
  });
}

void SimtEmitter::emit(StringRef name, int64_t scratch, std::vector<GpuLaunch> &launches) {
  GpuLaunch launch;
  launch.name = name.str();
  launch.grid = p.grid;
  launch.block = {p.threads, 1, 1};
  launch.sharedBytes = p.sharedBytes;
  for (const SimtMemory &m : operands)
    if (!m.constant) launch.arguments.push_back(GpuArgument::pointer(m.slot));
  const GpuArgument partsArgument = GpuArgument::pointer({GpuSlot::Kind::Workspace, 0, scratch});
  if (p.split > 1) launch.arguments.push_back(partsArgument);
  b.kernel(module, name, p.threads, launch.arguments.size(), [&](ValueRange arguments) {
    bind(arguments);
    if (p.kind == SimtKind::Transpose) return transpose();
    if (p.kind == SimtKind::Tile) return tile();
    const int64_t perBlock = p.threads / p.group;
    Value thread = b.threadNumber();
    Value first = b.plus(b.times(b.blockNumber(0), perBlock), b.over(thread, p.group));
    Value perGrid = p.strides ? b.times(b.blockCount(), perBlock) : Value();
    forItems(p.items(), first, perGrid, [&](Value item) { mapItem(item, thread); });
  });
  launches.push_back(launch);
  if (p.split == 1) return;
  GpuLaunch combine;
  combine.name = name.str() + "_combine";
  combine.grid[0] = simtBlocks(ceilDiv(p.shape.points(false), p.threads));
  combine.block = {p.threads, 1, 1};
  combine.arguments = {GpuArgument::pointer(operands[out].slot), partsArgument};
  b.kernel(module, combine.name, p.threads, 2, [&](ValueRange arguments) {
    pointers.assign(operands.size(), Value());
    pointers[out] = arguments[0], parts = arguments[1];
    combineParts();
  });
  launches.push_back(combine);
}

/// Whether some offset, number of points or step over them needs more than 31 bits.
static bool needsWideIndices(const SimtPlan &p, ArrayRef<SimtMemory> operands, linalg::LinalgOp op) {
  constexpr double most = double(int64_t(1) << 30);
  for (unsigned o = 0; o < p.shape.operands; ++o) {
    double reach = 0;
    for (const LoopDim &d : p.shape.dims) reach += double(d.extent) * double(std::abs(d.strides[o]));
    if (reach > most) return true;
  }
  for (memref::LoadOp load : gathersOf(op))
    if (double(load.getMemRefType().getNumElements()) > most) return true;
  for (size_t o = p.shape.operands; o < operands.size(); ++o)
    for (int64_t stride : operands[o].strides)
      if (double(std::abs(stride)) > most) return true;
  return double(p.shape.points(false)) * double(p.split) > most || double(p.shape.points(true)) > most;
}

void emitSimt(gpu::GPUModuleOp module, const SimtPlan &plan, linalg::LinalgOp op, ArrayRef<SimtMemory> operands,
              bool overwrite, int64_t scratch, StringRef name, std::vector<GpuLaunch> &launches) {
  Type element = operands[plan.shape.output()].element;
  SimtBuilder b(op.getLoc(), op.getContext(), element, needsWideIndices(plan, operands, op));
  SimtEmitter(b, module, plan, op, operands, overwrite).emit(name, scratch, launches);
}

} // namespace ein
