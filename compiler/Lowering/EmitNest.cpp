// The nest of pointwise operations, reductions and thin contractions: lanes along one loop, no packing.
#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/Emit.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

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

namespace {

class NestEmitter {
public:
  NestEmitter(NestBuilder &b, const NestPlan &plan, linalg::LinalgOp op, ArrayRef<NestOperand> operands,
              bool overwrite, StringRef name)
      : b(b), p(plan), dims(plan.shape.dims), op(op), operands(operands), overwrite(overwrite), name(name),
        reduction(*analyseReduction(op)), out(plan.shape.output()) {}

  void emit(Value scratch);

private:
  using Offsets = SmallVector<Value>;  ///< by operand
  using Inner = llvm::function_ref<void(const Offsets &)>;

  /// How the lanes lie in one evaluation of the body.
  struct Run {
    int64_t lanes;
    int lane;        ///< loop they follow
    Value position;  ///< value of that loop at lane 0
  };

  void bind(ValueRange pointers, Value thread);
  Offsets moved(const Offsets &from, int d, Value by);
  Offsets moved(const Offsets &from, int d, int64_t by) { return moved(from, d, b.c(by)); }
  std::pair<Value, Value> bounds(int d);
  SmallVector<int> parallelOrder() const;
  void parallelLoops(ArrayRef<int> order, const Offsets &at, Inner inner);
  SmallVector<Value> reducedLoops(int d, const Offsets &at, ValueRange carried,
                                  llvm::function_ref<SmallVector<Value>(const Offsets &, ValueRange)> inner);
  SmallVector<Offsets> blockOf(const Offsets &at);
  Value loadRun(unsigned operand, Value offset, const Run &run);
  Value elementRun(Value memory, Value offset, int64_t stride, int64_t lanes);
  Value evaluate(const Offsets &at, const Run &run, Value acc);
  Value indexValues(int64_t source, const Run &run);
  void storeRun(Value value, const Offsets &at, int64_t lanes, bool streaming);
  Value restOf(const Offsets &row, int64_t begin, int64_t end);
  Value initial(int64_t lanes) { return b.constant(identityOf(reduction.combine), lanes); }
  Value fold(Value vector);

  using Trip = llvm::function_ref<void(Value start, const Offsets &)>;
  void laneTrips(const Offsets &at, Trip trip);
  void parallelTrip(Value start, const Offsets &from);
  void lanesParallel(const Offsets &at);
  void sweep(const Offsets &row);
  void hoisted(const Offsets &at);
  void sweepLoops(int d, const Offsets &at, Inner inner);
  void lanesReduced(const Offsets &at);
  void square(const Offsets &at);
  void body(const Offsets &at);
  void combineParts(ValueRange pointers);
  void stage(ValueRange pointers);

  NestBuilder &b;
  const NestPlan &p;
  const std::vector<LoopDim> &dims;
  linalg::LinalgOp op;
  ArrayRef<NestOperand> operands;
  bool overwrite;
  std::string name;
  Reduction reduction;
  unsigned out;
  SmallVector<Value> memory;
  SmallVector<Value> position;  ///< value of each loop, where it is known
  SmallVector<int64_t> partStrides;  ///< of the output when each thread writes its own part
  Value thread, aligned;
};

int64_t outputStride(const NestPlan &p, ArrayRef<int64_t> parts, int d) {
  return parts.empty() ? p.shape.dims[d].strides.back() : parts[d];
}

void NestEmitter::bind(ValueRange pointers, Value t) {
  thread = t;
  memory.clear();
  position.assign(dims.size(), Value());
  for (auto [o, operand] : llvm::enumerate(operands))
    memory.push_back(operand.pointer ? b.flat(pointers[o], b.element, operand.extent) : Value());
  int64_t place = partBytes(p);
  for (unsigned o = 0; o < out; ++o) {
    if (!p.isStaged(o)) continue;
    memory[o] = b.flat(b.advance(pointers.back(), b.c(place)), b.element, p.stagedElements(o));
    place += p.stagedElements(o) * p.shape.elementBytes;
  }
  if (!partStrides.empty()) memory[out] = b.flat(pointers.back(), b.element, p.threads * p.shape.points(false));
}

NestEmitter::Offsets NestEmitter::moved(const Offsets &from, int d, Value by) {
  Offsets to(from);
  for (unsigned o = 0; o < p.shape.operands; ++o) {
    const int64_t stride = o == out ? outputStride(p, partStrides, d) : p.stride(o, d);
    if (stride) to[o] = b.add(to[o], b.mul(by, stride));
  }
  return to;
}

/// Trips of loop `d` that this thread does.
std::pair<Value, Value> NestEmitter::bounds(int d) {
  if (d == p.split) return b.chunkBounds(thread, p.threads, p.trips(d));
  return {b.c(0), b.c(p.trips(d))};
}

/// The parallel loops that the lanes do not follow, outermost first.
SmallVector<int> NestEmitter::parallelOrder() const {
  SmallVector<int> order;
  for (int d = 0; d < int(dims.size()); ++d)
    if (!dims[d].reduced && d != p.lane && d != p.across && d != p.near) order.push_back(d);
  if (p.near >= 0) order.insert(order.empty() ? order.end() : order.end() - 1, p.near);
  return order;
}

void NestEmitter::parallelLoops(ArrayRef<int> order, const Offsets &at, Inner inner) {
  if (order.empty()) return inner(at);
  const int d = order.front();
  auto [low, high] = bounds(d);
  const int64_t factor = p.factor(d), extent = dims[d].extent;
  b.loop(low, high, 1, [&](Value i) {
    // The last block moves back to end with the loop.
    Value start = b.mul(i, factor);
    position[d] = extent % factor ? b.min(start, b.c(extent - factor)) : start;
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
Value NestEmitter::elementRun(Value from, Value offset, int64_t stride, int64_t lanes) {
  SmallVector<Value> elements;
  for (int64_t i = 0; i < lanes; ++i) elements.push_back(b.load(from, b.add(offset, i * stride)));
  return vector::FromElementsOp::create(b, b.vectorType(lanes), elements);
}

Value NestEmitter::loadRun(unsigned o, Value offset, const Run &run) {
  if (!memory[o]) {  // a scalar operand
    auto constant = op->getOperand(o).getDefiningOp<arith::ConstantOp>();
    return b.constant(cast<FloatAttr>(constant.getValue()).getValueAsDouble(), run.lanes);
  }
  const int64_t stride = run.lane < 0 ? 0 : p.stride(o, run.lane);
  if (stride == 1) return b.loadVector(run.lanes, memory[o], offset);
  if (stride == 0) return b.splat(b.load(memory[o], offset), run.lanes);
  return elementRun(memory[o], offset, stride, run.lanes);
}

/// The value of one of the operation's loops on each lane. Loops of extent 1 are gone: their value is 0.
Value NestEmitter::indexValues(int64_t source, const Run &run) {
  Type i32 = b.getI32Type();
  for (int d = 0; d < int(dims.size()); ++d) {
    if (!llvm::is_contained(dims[d].sources, unsigned(source))) continue;
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
  BodyEmitter body(b, op, run.lanes, inputs, index);
  return acc ? body.accumulate(reduction, acc) : body.emit(reduction.term);
}

void NestEmitter::storeRun(Value value, const Offsets &at, int64_t lanes, bool streaming) {
  const int64_t stride = p.lane < 0 || p.kind == Lanes::Reduced ? 0 : outputStride(p, partStrides, p.lane);
  const bool adds = (!overwrite && partStrides.empty() && reduction.combine != Combine::None) || p.hoist >= 0;
  if (stride == 1 || lanes == 1) {
    if (adds) value = emitCombine(b, reduction.combine, b.loadVector(lanes, memory[out], at[out]), value);
    return b.storeVector(value, memory[out], at[out], streaming);
  }
  for (int64_t i = 0; i < lanes; ++i) {
    Value element = vector::ExtractOp::create(b, value, ArrayRef<int64_t>{i}), offset = b.add(at[out], i * stride);
    if (adds) element = emitCombine(b, reduction.combine, b.load(memory[out], offset), element);
    b.store(element, memory[out], offset);
  }
}

/// Combines the lanes of a vector into a vector of one, halving it.
Value NestEmitter::fold(Value vector) {
  for (int64_t n = cast<VectorType>(vector.getType()).getNumElements(); n > 1; n /= 2) {
    vector = emitCombine(b, reduction.combine, b.slice(vector, 0, n / 2), b.slice(vector, n / 2, n / 2));
  }
  return vector;
}

/// Trips of the lane loop; the last one moves back to end with it.
void NestEmitter::laneTrips(const Offsets &at, Trip trip) {
  if (p.lane < 0) return trip(b.c(0), at);
  const int64_t extent = dims[p.lane].extent;
  auto [low, high] = bounds(p.lane);
  b.loop(low, high, 1, [&](Value i) {
    Value start = b.mul(i, p.width());
    if (extent % p.width()) start = b.min(start, b.c(extent - p.width()));
    trip(start, moved(at, p.lane, start));
  });
}

/// The vectors of one trip for every value of the blocked loops, with their reductions.
void NestEmitter::parallelTrip(Value start, const Offsets &from) {
  auto along = [&](const Offsets &at, int64_t u) { return p.lane < 0 ? at : moved(at, p.lane, u * p.lanes); };
  auto term = [&](const Offsets &now, ValueRange carried) {
    SmallVector<Value> next;
    for (const Offsets &block : blockOf(now))
      for (int64_t u = 0; u < p.unroll; ++u) {
        Value acc = carried.empty() ? Value() : carried[next.size()];
        next.push_back(evaluate(along(block, u), {p.lanes, p.lane, b.add(start, u * p.lanes)}, acc));
      }
    return next;
  };
  const int64_t sums = p.unroll * p.factor(p.block0) * p.factor(p.block1);
  SmallVector<Value> results = reduction.combine == Combine::None
                                   ? term(from, {})
                                   : reducedLoops(0, from, SmallVector<Value>(sums, initial(p.lanes)), term);
  auto put = [&](bool streaming) {
    auto *result = results.begin();
    for (const Offsets &block : blockOf(from))
      for (int64_t u = 0; u < p.unroll; ++u) storeRun(*result++, along(block, u), p.lanes, streaming);
  };
  if (!p.streaming) return put(false);
  b.ifThen(aligned, [&] { put(true); }, [&] { put(false); });
}

/// Lanes along a parallel loop. Where other loops are blocked for reuse the lanes go outermost: what one
/// vector's width of the operands takes then stays in cache.
void NestEmitter::lanesParallel(const Offsets &at) {
  auto trip = [&](Value start, const Offsets &from) { parallelTrip(start, from); };
  if (p.sweep) return parallelLoops(parallelOrder(), at, [&](const Offsets &row) { sweep(row); });
  if (p.block0 < 0) return parallelLoops(parallelOrder(), at, [&](const Offsets &row) { laneTrips(row, trip); });
  laneTrips(at, [&](Value start, const Offsets &from) {
    parallelLoops(parallelOrder(), from, [&](const Offsets &inner) { parallelTrip(start, inner); });
  });
}

/// Passes over stretches of the output that stay in L1, each adding `sweep` steps of the innermost reduced
/// loop. What is no whole trip of the lane loop is summed vector by vector at the end.
void NestEmitter::sweep(const Offsets &row) {
  const int64_t extent = dims[p.lane].extent, width = p.width(), whole = extent / width;
  const int64_t stretch = std::max<int64_t>(1, (16 << 10) / (width * p.shape.elementBytes));
  const int inner = int(dims.size()) - 1;
  const bool splitHere = p.split == p.lane;
  auto [low, high] = splitHere ? b.chunkBounds(thread, p.threads, whole) : std::pair{b.c(0), b.c(whole)};
  // One pass: `steps` values of the innermost reduced loop added to every vector of the stretch.
  auto pass = [&](Value first, Value last, const Offsets &at, Value step, int64_t steps) {
    b.loop(first, last, 1, [&](Value i) {
      Value start = b.mul(i, width);
      for (int64_t u = 0; u < p.unroll; ++u) {
        Offsets from = moved(moved(at, p.lane, start), p.lane, u * p.lanes);
        Value sum = steps ? b.loadVector(p.lanes, memory[out], from[out]) : initial(p.lanes);
        for (int64_t s = 0; s < steps; ++s) {
          position[inner] = b.add(step, s);
          sum = evaluate(moved(from, inner, s), {p.lanes, p.lane, b.add(start, u * p.lanes)}, sum);
        }
        b.storeVector(sum, memory[out], from[out]);
      }
    });
  };
  b.loop(low, high, stretch, [&](Value first) {
    Value last = b.min(b.add(first, stretch), high);
    pass(first, last, row, b.c(0), 0);
    sweepLoops(0, row, [&](const Offsets &at) {
      auto [from, to] = bounds(inner);
      Value many = b.add(from, b.mul(b.div(b.sub(to, from), p.sweep), p.sweep));
      b.loop(from, many, p.sweep, [&](Value k) { pass(first, last, moved(at, inner, k), k, p.sweep); });
      b.loop(many, to, 1, [&](Value k) { pass(first, last, moved(at, inner, k), k, 1); });
    });
  });
  if (whole * width == extent) return;
  auto rest = [&] {
    for (int64_t done = whole * width; done < extent;) {
      const int64_t lanes = std::min<int64_t>(p.lanes, llvm::bit_floor<uint64_t>(extent - done));
      Offsets at = moved(row, p.lane, done);
      SmallVector<Value> sum = reducedLoops(0, at, initial(lanes), [&](const Offsets &now, ValueRange carried) {
        return SmallVector<Value>{evaluate(now, {lanes, p.lane, b.c(done)}, carried[0])};
      });
      storeRun(sum[0], at, lanes, false);
      done += lanes;
    }
  };
  if (!splitHere) return rest();
  b.ifThen(b.equal(thread, b.c(p.threads - 1)), rest);
}

/// The reduced loops but the innermost.
void NestEmitter::sweepLoops(int d, const Offsets &at, Inner inner) {
  while (d < int(dims.size()) && !dims[d].reduced) ++d;
  if (d + 1 >= int(dims.size())) return inner(at);
  auto [low, high] = bounds(d);
  b.loop(low, high, 1, [&](Value i) {
    position[d] = i;
    sweepLoops(d + 1, moved(at, d, i), inner);
  });
}

/// Lanes along a reduced loop: whole vectors, then what is left in ever narrower ones. Carried are the
/// sums of the vectors of every row of the block, then a vector of one per row for what is left.
void NestEmitter::lanesReduced(const Offsets &at) {
  const int64_t extent = dims[p.lane].extent, whole = extent / p.width();
  const int64_t rest = extent - whole * p.width(), rows = p.factor(p.block0) * p.factor(p.block1);
  const bool splitHere = p.split == p.lane;
  SmallVector<Value> init(rows * p.unroll, initial(p.lanes));
  if (rest) init.append(rows, initial(1));
  SmallVector<Value> sums = reducedLoops(0, at, init, [&](const Offsets &now, ValueRange carried) {
    auto [low, high] = splitHere ? b.chunkBounds(thread, p.threads, whole) : std::pair{b.c(0), b.c(whole)};
    ValueRange vectors = carried.take_front(rows * p.unroll);
    SmallVector<Value> next = b.loop(low, high, 1, vectors, [&](Value i, ValueRange accs) {
      Value start = b.mul(i, p.width());
      SmallVector<Value> result;
      for (const Offsets &row : blockOf(moved(now, p.lane, start)))
        for (int64_t u = 0; u < p.unroll; ++u)
          result.push_back(evaluate(moved(row, p.lane, u * p.lanes), {p.lanes, p.lane, b.add(start, u * p.lanes)},
                                    accs[result.size()]));
      return result;
    });
    if (!rest) return next;
    for (auto [row, single] : llvm::zip(blockOf(now), carried.drop_front(rows * p.unroll)))
      next.push_back(emitCombine(b, reduction.combine, single, restOf(row, whole * p.width(), extent)));
    return next;
  });
  for (auto [i, row] : llvm::enumerate(blockOf(at))) {
    Value total = sums[i * p.unroll];
    for (int64_t u = 1; u < p.unroll; ++u) total = emitCombine(b, reduction.combine, total, sums[i * p.unroll + u]);
    total = fold(total);
    if (rest) {
      Value single = sums[rows * p.unroll + i];
      // Every thread evaluates what is left; only the first keeps it.
      if (splitHere) single = arith::SelectOp::create(b, b.equal(thread, b.c(0)), single, initial(1));
      total = emitCombine(b, reduction.combine, total, single);
    }
    storeRun(total, row, 1, false);
  }
}

/// The body over [begin, end) of the lane loop in vectors that halve, folded into a vector of one.
Value NestEmitter::restOf(const Offsets &row, int64_t begin, int64_t end) {
  Value single = initial(1);
  for (int64_t lanes = p.lanes; begin < end; begin += lanes) {
    lanes = std::min<int64_t>(lanes, llvm::bit_floor<uint64_t>(end - begin));
    Value from = b.c(begin);
    Value part = evaluate(moved(row, p.lane, from), {lanes, p.lane, from}, initial(lanes));
    single = emitCombine(b, reduction.combine, single, fold(part));
  }
  return single;
}

/// lanes x lanes squares: inputs adjacent along `across` are transposed in registers.
void NestEmitter::square(const Offsets &at) {
  const int64_t n = p.lanes, lanes = dims[p.lane].extent, across = dims[p.across].extent;
  auto clamp = [&](Value i, int64_t extent) {
    Value start = b.mul(i, n);
    return extent % n ? b.min(start, b.c(extent - n)) : start;
  };
  auto [laneLow, laneHigh] = bounds(p.lane);
  auto [acrossLow, acrossHigh] = bounds(p.across);
  b.loop(acrossLow, acrossHigh, p.run, [&](Value firstRun) {
    Value lastRun = b.min(b.add(firstRun, p.run), acrossHigh);
    b.loop(laneLow, laneHigh, 1, [&](Value i) {
      Value lane = clamp(i, lanes);
      Offsets row = moved(at, p.lane, lane);
      b.loop(firstRun, lastRun, 1, [&](Value j) {
        Value first = clamp(j, across);
        Offsets from = moved(row, p.across, first);
        SmallVector<SmallVector<Value>> inputs;  // by operand, then by position across
        for (unsigned o = 0; o < out; ++o) {
          SmallVector<Value> vectors;
          const int64_t along = dims[p.lane].strides[o];
          const bool transposes = along != 0 && along != 1;
          for (int64_t t = 0; t < n; ++t)
            vectors.push_back(transposes
                                  ? b.loadVector(n, memory[o], b.add(from[o], t * along))
                                  : loadRun(o, moved(from, p.across, t)[o], {n, p.lane, lane}));
          inputs.push_back(transposes ? b.transpose(vectors) : vectors);
        }
        SmallVector<Value> results;
        for (int64_t t = 0; t < n; ++t) {
          SmallVector<Value> vectors;
          for (auto &input : inputs) vectors.push_back(input[t]);
          position[p.across] = b.add(first, t);
          auto index = [&](int64_t source) { return indexValues(source, {n, p.lane, lane}); };
          results.push_back(BodyEmitter(b, op, n, vectors, index).emit(reduction.term));
        }
        auto put = [&](bool streaming) {
          for (int64_t t = 0; t < n; ++t)
            b.storeVector(results[t], memory[out], moved(from, p.across, t)[out], streaming);
        };
        if (!p.streaming) return put(false);
        b.ifThen(aligned, [&] { put(true); }, [&] { put(false); });
      });
    });
  });
}

/// Lanes along a reduced loop, with the hoisted one around everything.
void NestEmitter::hoisted(const Offsets &at) {
  auto sums = [&](const Offsets &from) {
    parallelLoops(parallelOrder(), from, [&](const Offsets &inner) { lanesReduced(inner); });
  };
  if (p.hoist < 0) return sums(at);
  parallelLoops(parallelOrder(), at, [&](const Offsets &inner) {
    for (const Offsets &row : blockOf(inner)) b.storeVector(initial(1), memory[out], row[out]);
  });
  auto [low, high] = bounds(p.hoist);
  b.loop(low, high, 1, [&](Value i) {
    position[p.hoist] = i;
    sums(moved(at, p.hoist, i));
  });
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
      Value from = b.flat(args[o], b.element, operands[o].extent);
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
  auto fn = b.function(name + "_combine", p.shape.operands + 1, 1, [&](ValueRange args, ValueRange) {
    const int64_t points = p.shape.points(false);
    Value to = b.flat(args[out], b.element, operands[out].extent);
    Value parts = b.flat(args.back(), b.element, p.threads * points);
    SmallVector<Value> offsets(2, b.c(0));
    offsets[0] = b.c(operands[out].offset);
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
    loops(0, offsets[0], offsets[1]);
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
    for (auto [o, operand] : llvm::enumerate(operands)) start.push_back(b.c(p.isStaged(o) ? 0 : operand.offset));
    if (!partStrides.empty()) start[out] = b.mul(index[0], p.shape.points(false));
    if (p.streaming) {
      Value first = b.advance(args[out], b.c(operands[out].offset * p.shape.elementBytes));
      Value address = LLVM::PtrToIntOp::create(b, b.getI64Type(), first);
      aligned = b.equal(b.rem(arith::IndexCastOp::create(b, b.getIndexType(), address), 64), b.c(0));
    }
    body(start);
  });
  b.parallelChunks(p.threads, fn, pointers);
  if (!partStrides.empty()) combineParts(pointers);
}

} // namespace

void emitNest(NestBuilder &b, const NestPlan &plan, linalg::LinalgOp op, ArrayRef<NestOperand> operands, Value scratch,
              bool overwrite, StringRef name) {
  NestEmitter(b, plan, op, operands, overwrite, name).emit(scratch);
}

} // namespace ein
