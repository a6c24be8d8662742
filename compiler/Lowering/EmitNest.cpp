// The loops and operands of a plain nest: pointwise operations, reductions, thin contractions.
#include "compiler/Lowering/EmitNest.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <functional>

using namespace mlir;

namespace ein {

/// Scratch memory: results of each thread when a reduced loop is split, as many as the output has points;
/// then the staged operands.
static int64_t partBytes(const NestPlan &plan) {
  if (!plan.splitsReduction()) return 0;
  return (plan.threads * plan.shape.points(false) * plan.shape.elementBytes + 63) / 64 * 64;
}

int64_t scratchBytes(const NestPlan &plan) {
  int64_t bytes = partBytes(plan);
  for (unsigned o = 0; o < plan.shape.output(); ++o)
    if (plan.isStaged(o)) bytes += plan.stagedElements(o) * plan.shape.elementBytes;
  return bytes;
}

static int64_t outputStride(const NestPlan &p, ArrayRef<int64_t> parts, int d) {
  return parts.empty() ? p.shape.dims[d].strides.back() : parts[d];
}

void NestEmitter::bind(ValueRange pointers, Value t) {
  thread = t;
  memory.clear();
  position.assign(dims.size(), Value());
  for (auto [o, operand] : llvm::enumerate(operands))
    memory.push_back(operand.pointer ? b.flat(pointers[o], operand.element, operand.extent) : Value());
  int64_t place = partBytes(p);
  for (unsigned o = 0; o < out; ++o) {
    if (!p.isStaged(o)) continue;
    memory[o] = b.flat(b.advance(pointers.back(), b.c(place)), operands[o].element, p.stagedElements(o));
    place += p.stagedElements(o) * p.shape.elementBytes;
  }
  if (!partStrides.empty()) memory[out] = b.flat(pointers.back(), b.element, p.threads * p.shape.points(false));
}

/// A loop's extent, and how often it runs.
Value NestEmitter::extent(int d) { return dims[d].isDynamic() ? b.sizes[dims[d].extentSlot] : b.c(dims[d].extent); }

Value NestEmitter::trips(int d) {
  if (!dims[d].isDynamic()) return b.c(p.trips(d));
  const int64_t width = d == p.lane ? p.width() : d == p.across ? p.lanes : p.factor(d);
  return b.div(b.add(extent(d), width - 1), width);
}

/// `start`, moved back where `width` values from there on would leave the loop.
Value NestEmitter::notBeyond(Value start, int d, int64_t width) {
  const bool fits = width == 1 || (!dims[d].isDynamic() && dims[d].extent % width == 0);
  return fits ? start : b.min(start, b.sub(extent(d), b.c(width)));
}

/// Elements that an operand moves in `by` steps of a loop.
Value NestEmitter::step(unsigned o, int d, Value by) {
  if (o == out && !partStrides.empty()) return b.mul(by, partStrides[d]);
  const int slot = dims[d].strideSlot(o);
  return slot >= 0 ? b.mul(by, b.sizes[slot]) : b.mul(by, p.stride(o, d));
}

NestEmitter::Offsets NestEmitter::moved(const Offsets &from, int d, Value by) {
  Offsets to(from);
  for (unsigned o = 0; o < p.shape.operands; ++o) {
    const int64_t stride = o == out ? outputStride(p, partStrides, d) : p.stride(o, d);
    if (stride) to[o] = b.add(to[o], step(o, d, by));
  }
  return to;
}

/// Trips of loop `d` that this thread does.
std::pair<Value, Value> NestEmitter::bounds(int d) {
  if (d == p.split) return b.chunkBounds(thread, p.threads, trips(d));
  return {b.c(0), trips(d)};
}

/// The parallel loops that the lanes do not follow, outermost first.
SmallVector<int> NestEmitter::parallelOrder() const {
  SmallVector<int> order;
  for (int d = 0; d < int(dims.size()); ++d)
    if (!dims[d].reduced && d != p.lane && d != p.across && d != p.near && d != p.block0 && d != p.block1)
      order.push_back(d);
  if (p.near >= 0) order.insert(order.empty() ? order.end() : order.end() - 1, p.near);
  for (int d : {p.block1, p.block0})
    if (d >= 0) order.push_back(d);
  return order;
}

void NestEmitter::parallelLoops(ArrayRef<int> order, const Offsets &at, Inner inner) {
  if (order.empty()) return inner(at);
  const int d = order.front();
  auto [low, high] = bounds(d);
  const int64_t factor = p.factor(d);
  b.loop(low, high, 1, [&](Value i) {
    // The last block moves back to end with the loop.
    position[d] = notBeyond(b.mul(i, factor), d, factor);
    parallelLoops(order.drop_front(), moved(at, d, position[d]), inner);
  });
}

/// `at` for each combination of values of the blocked loops.
SmallVector<NestEmitter::Offsets> NestEmitter::blockOf(const Offsets &at) {
  SmallVector<Offsets> all;
  for (int64_t i = 0; i < p.factor(p.block0); ++i)
    for (int64_t j = 0; j < p.factor(p.block1); ++j) {
      Offsets now = p.block0 < 0 ? at : moved(at, p.block0, i);
      all.push_back(p.block1 < 0 ? now : moved(now, p.block1, j));
    }
  return all;
}

/// The reduced loops that the lanes do not follow, with what they carry.
SmallVector<Value>
NestEmitter::reducedLoops(int d, const Offsets &at, ValueRange carried,
                          llvm::function_ref<SmallVector<Value>(const Offsets &, ValueRange)> inner) {
  while (d < int(dims.size()) && (!dims[d].reduced || d == p.lane || d == p.hoist)) ++d;
  if (d == int(dims.size())) return inner(at, carried);
  auto [low, high] = bounds(d);
  return b.loop(low, high, 1, carried, [&](Value i, ValueRange now) {
    position[d] = i;
    return reducedLoops(d + 1, moved(at, d, i), now, inner);
  });
}

/// `lanes` elements `stride` apart, one by one.
Value NestEmitter::elementRun(Value from, Value offset, Value stride, int64_t lanes) {
  SmallVector<Value> elements;
  for (int64_t i = 0; i < lanes; ++i) elements.push_back(b.load(from, b.add(offset, b.mul(b.c(i), stride))));
  return vector::FromElementsOp::create(b, VectorType::get({lanes}, elements[0].getType()), elements);
}

Value NestEmitter::loadRun(unsigned o, Value offset, const Run &run) {
  if (!memory[o]) { // a scalar operand
    auto constant = op->getOperand(o).getDefiningOp<arith::ConstantOp>();
    auto type = VectorType::get({run.lanes}, constant.getType());
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef<Attribute>(constant.getValue())));
  }
  const int64_t stride = run.lane < 0 ? 0 : p.stride(o, run.lane);
  if (stride == 1) return b.loadVector(run.lanes, memory[o], offset);
  if (stride == 0) return b.splat(b.load(memory[o], offset), run.lanes);
  return elementRun(memory[o], offset, step(o, run.lane, b.c(1)), run.lanes);
}

/// The loop of the nest that one of the operation's loops has become; -1 for a loop of extent 1.
int NestEmitter::loopOf(int64_t source) const {
  for (int d = 0; d < int(dims.size()); ++d)
    if (llvm::is_contained(dims[d].sources, unsigned(source))) return d;
  return -1;
}

/// The value of one of the operation's loops on each lane. Loops of extent 1 are gone: their value is 0.
Value NestEmitter::indexValues(int64_t source, const Run &run) {
  Type i32 = b.getI32Type();
  if (const int d = loopOf(source); d >= 0) {
    if (d != run.lane) return b.splat(arith::IndexCastOp::create(b, i32, position[d]), run.lanes);
    SmallVector<int32_t> lane;
    for (int64_t i = 0; i < run.lanes; ++i) lane.push_back(int32_t(i));
    Value base = b.splat(arith::IndexCastOp::create(b, i32, run.position), run.lanes);
    return arith::AddIOp::create(b, base, arith::ConstantOp::create(b, b.getI32VectorAttr(lane)));
  }
  return b.splat(arith::ConstantOp::create(b, b.getI32IntegerAttr(0)), run.lanes);
}

/// The body on one run: combined with `acc` where there is one.
Value NestEmitter::evaluate(const Offsets &at, const Run &run, Value acc) {
  SmallVector<Value> inputs;
  for (unsigned o = 0; o < out; ++o) inputs.push_back(loadRun(o, at[o], run));
  auto index = [&](int64_t source) { return indexValues(source, run); };
  auto load = [&](memref::LoadOp load, llvm::function_ref<Value(Value)> valueOf) { return gather(load, valueOf, run); };
  BodyEmitter body(b, op, run.lanes, inputs, index, load);
  return acc ? body.accumulate(reduction, acc) : body.emit(reduction.term);
}

void NestEmitter::storeRun(Value value, const Offsets &at, int64_t lanes, bool streaming) {
  const int64_t stride = p.lane < 0 || p.kind == Lanes::Reduced ? 0 : outputStride(p, partStrides, p.lane);
  const bool adds = (!overwrite && partStrides.empty() && reduction.combine != Combine::None) || p.hoist >= 0;
  if (stride == 1 || lanes == 1) {
    if (adds) value = emitCombine(b, reduction.combine, b.widened(b.loadVector(lanes, memory[out], at[out])), value);
    return b.storeVector(value, memory[out], at[out], streaming);
  }
  for (int64_t i = 0; i < lanes; ++i) {
    Value element = vector::ExtractOp::create(b, value, ArrayRef<int64_t>{i});
    Value offset = b.add(at[out], step(out, p.lane, b.c(i)));
    if (adds) element = emitCombine(b, reduction.combine, b.widened(b.load(memory[out], offset)), element);
    b.store(element, memory[out], offset);
  }
}

void NestEmitter::body(const Offsets &at) {
  switch (p.kind) {
  case Lanes::Parallel: return lanesParallel(at);
  case Lanes::Reduced: return hoisted(at);
  case Lanes::Square: return parallelLoops(parallelOrder(), at, [&](const Offsets &inner) { square(inner); });
  }
}

/// Copies small operands to scratch memory in the order in which the nest walks them.
void NestEmitter::stage(ValueRange pointers) {
  auto fn = b.function(name + "_stage", pointers.size(), 1, [&](ValueRange args, ValueRange index) {
    bind(args, index[0]);
    for (unsigned o = 0; o < out; ++o) {
      if (!p.isStaged(o)) continue;
      Value from = b.flat(args[o], operands[o].element, operands[o].extent);
      std::function<void(int, Value, Value)> loops = [&](int d, Value source, Value target) {
        while (d < int(dims.size()) && dims[d].strides[o] == 0) ++d;
        if (d == int(dims.size())) return b.store(b.load(from, source), memory[o], target);
        b.loop(0, dims[d].extent, 1, [&](Value i) {
          loops(d + 1, b.add(source, b.mul(i, dims[d].strides[o])), b.add(target, b.mul(i, p.stride(o, d))));
        });
      };
      loops(0, b.c(operands[o].offset), b.c(0));
    }
  });
  b.parallelChunks(1, fn, pointers);
}

/// Adds up what the threads left in scratch memory.
void NestEmitter::combineParts(ValueRange pointers) {
  auto fn = b.function(name + "_combine", pointers.size(), 1, [&](ValueRange args, ValueRange) {
    const int64_t points = p.shape.points(false);
    Value to = b.flat(args[out], b.element, operands[out].extent);
    Value parts = b.flat(args.back(), b.element, p.threads * points);
    std::function<void(size_t, Value, Value)> loops = [&](size_t d, Value result, Value part) {
      while (d < dims.size() && dims[d].reduced) ++d;
      if (d < dims.size())
        return b.loop(0, dims[d].extent, 1, [&](Value i) {
          loops(d + 1, b.add(result, b.mul(i, dims[d].strides[out])), b.add(part, b.mul(i, partStrides[d])));
        });
      Value sum = b.load(parts, part);
      for (int64_t t = 1; t < p.threads; ++t)
        sum = emitCombine(b, reduction.combine, sum, b.load(parts, b.add(part, t * points)));
      if (!overwrite) sum = emitCombine(b, reduction.combine, b.load(to, result), sum);
      b.store(sum, to, result);
    };
    loops(0, b.c(operands[out].offset), b.c(0));
  });
  b.parallelChunks(1, fn, pointers);
}

void NestEmitter::emit(Value scratch) {
  SmallVector<Value> pointers;
  for (const NestOperand &o : operands) pointers.push_back(o.pointer ? o.pointer : operands[out].pointer);
  pointers.push_back(scratch);
  if (p.splitsReduction()) {
    partStrides.assign(dims.size(), 0);
    int64_t size = 1;
    for (int d = int(dims.size()) - 1; d >= 0; --d)
      if (!dims[d].reduced) partStrides[d] = size, size *= dims[d].extent;
  }
  if (p.staged) stage(pointers);
  auto fn = b.function(name, pointers.size(), 1, [&](ValueRange args, ValueRange index) {
    bind(args, index[0]);
    Offsets start;
    for (auto [o, operand] : llvm::enumerate(operands))
      start.push_back(operand.offsetSlot >= 0 ? b.sizes[operand.offsetSlot] : b.c(p.isStaged(o) ? 0 : operand.offset));
    if (!partStrides.empty()) start[out] = b.mul(index[0], p.shape.points(false));
    if (p.streaming) {
      aligned = b.aligned(b.advance(args[out], b.mul(start[out], p.shape.outputBytes)));
    }
    body(start);
  });
  b.parallelChunks(p.threads, fn, pointers);
  if (!partStrides.empty()) combineParts(pointers);
}

void emitNest(NestBuilder &b, const NestPlan &plan, linalg::LinalgOp op, ArrayRef<NestOperand> operands, Value scratch,
              bool overwrite, StringRef name) {
  NestEmitter(b, plan, op, operands, overwrite, name).emit(scratch);
}

} // namespace ein
