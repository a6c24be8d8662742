// Nests whose lanes follow one loop: runs of the output, sweeps over it, and sums along the lanes.
#include "compiler/Lowering/EmitNest.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

/// Trips of the lane loop; the last one moves back to end with it.
void NestEmitter::laneTrips(const Offsets &at, Trip trip) {
  if (p.lane < 0) return trip(b.c(0), at);
  auto [low, high] = bounds(p.lane);
  b.loop(low, high, 1, [&](Value i) {
    Value start = notBeyond(b.mul(i, p.width()), p.lane, p.width());
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
  if (p.transposed) {
    for (auto [i, vector] : llvm::enumerate(b.transpose(results)))
      b.storeVector(vector, memory[out], moved(from, p.lane, int64_t(i))[out]);
    return;
  }
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
  if (p.transposed) return lanesTransposed(at);
  laneTrips(at, [&](Value start, const Offsets &from) {
    parallelLoops(parallelOrder(), from, [&](const Offsets &inner) { parallelTrip(start, inner); });
  });
}

/// Squares of the lanes and of a loop that is adjacent in the output. What a square takes of the operands that move
/// along that loop stays in cache while the loops turn that do not move them.
void NestEmitter::lanesTransposed(const Offsets &at) {
  SmallVector<int> moving, resting;
  for (int d : parallelOrder()) {
    bool moves = d == p.block0;
    for (unsigned o = 0; o < out; ++o) moves |= dims[p.block0].strides[o] && dims[d].strides[o];
    (moves ? moving : resting).push_back(d);
  }
  parallelLoops(moving, at, [&](const Offsets &outer) {
    laneTrips(outer, [&](Value start, const Offsets &from) {
      parallelLoops(resting, from, [&](const Offsets &inner) { parallelTrip(start, inner); });
    });
  });
}

/// Passes over stretches of the output that stay in L1, each adding `sweep` steps of the innermost reduced
/// loop. What is no whole trip of the lane loop is summed vector by vector at the end.
void NestEmitter::sweep(const Offsets &row) {
  const int64_t extent = dims[p.lane].extent, width = p.width(), whole = extent / width;
  Value allWhole = b.div(this->extent(p.lane), width);
  const int64_t stretch = std::max<int64_t>(1, (16 << 10) / (width * p.shape.elementBytes));
  const int inner = int(dims.size()) - 1;
  const bool splitHere = p.split == p.lane;
  auto [low, high] = splitHere ? b.chunkBounds(thread, p.threads, allWhole) : std::pair{b.c(0), allWhole};
  // One pass: `steps` values of the innermost reduced loop added to every vector of the stretch.
  auto pass = [&](Value first, Value last, const Offsets &at, Value step, int64_t steps) {
    b.loop(first, last, 1, [&](Value i) {
      Value start = b.mul(i, width);
      for (int64_t u = 0; u < p.unroll; ++u) {
        Offsets from = moved(moved(at, p.lane, start), p.lane, u * p.lanes);
        Value sum = steps ? b.widened(b.loadVector(p.lanes, memory[out], from[out])) : initial(p.lanes);
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
  const bool isSized = dims[p.lane].isDynamic();
  if (!isSized && whole * width == extent) return;
  auto rest = [&] {
    if (isSized) return sizedRest(row);
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

/// What a number of whole trips that comes at run time leaves of the lane loop, vector by vector; the last one moves
/// back to end with the loop.
void NestEmitter::sizedRest(const Offsets &row) {
  Value end = extent(p.lane), begin = b.mul(b.div(end, p.width()), p.width());
  b.loop(begin, end, p.lanes, [&](Value i) {
    Value start = notBeyond(i, p.lane, p.lanes);
    Offsets at = moved(row, p.lane, start);
    SmallVector<Value> sum = reducedLoops(0, at, initial(p.lanes), [&](const Offsets &now, ValueRange carried) {
      return SmallVector<Value>{evaluate(now, {p.lanes, p.lane, start}, carried[0])};
    });
    storeRun(sum[0], at, p.lanes, false);
  });
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

/// Combines the lanes of a vector into a vector of one, halving it.
Value NestEmitter::fold(Value vector) {
  for (int64_t n = cast<VectorType>(vector.getType()).getNumElements(); n > 1; n /= 2) {
    vector = emitCombine(b, reduction.combine, b.slice(vector, 0, n / 2), b.slice(vector, n / 2, n / 2));
  }
  return vector;
}

/// Lanes along a reduced loop: whole vectors, then what is left in ever narrower ones. Carried are the
/// sums of the vectors of every row of the block, then a vector of one per row for what is left.
void NestEmitter::lanesReduced(const Offsets &at) {
  const bool isSized = dims[p.lane].isDynamic();
  const int64_t extent = dims[p.lane].extent, whole = extent / p.width();
  const int64_t rest = isSized ? 1 : extent - whole * p.width(), rows = p.factor(p.block0) * p.factor(p.block1);
  const bool splitHere = p.split == p.lane;
  SmallVector<Value> init(rows * p.unroll, initial(p.lanes));
  if (rest) init.append(rows, initial(1));
  SmallVector<Value> sums = reducedLoops(0, at, init, [&](const Offsets &now, ValueRange carried) {
    Value allWhole = isSized ? b.div(this->extent(p.lane), p.width()) : b.c(whole);
    auto [low, high] = splitHere ? b.chunkBounds(thread, p.threads, allWhole) : std::pair{b.c(0), allWhole};
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
      next.push_back(emitCombine(b, reduction.combine, single,
                                 isSized ? sizedRestOf(row) : restOf(row, whole * p.width(), extent)));
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

/// The same of a loop whose extent comes at run time: whole vectors, of which the last moves back to end with the loop;
/// what it repeats does not count.
Value NestEmitter::sizedRestOf(const Offsets &row) {
  Value end = extent(p.lane), begin = b.mul(b.div(end, p.width()), p.width());
  SmallVector<int32_t> numbers;
  for (int64_t i = 0; i < p.lanes; ++i) numbers.push_back(int32_t(i));
  Value lane = arith::ConstantOp::create(b, b.getI32VectorAttr(numbers));
  SmallVector<Value> sum = b.loop(begin, end, p.lanes, initial(p.lanes), [&](Value i, ValueRange carried) {
    Value start = notBeyond(i, p.lane, p.lanes);
    Value part = evaluate(moved(row, p.lane, start), {p.lanes, p.lane, start}, initial(p.lanes));
    Value repeated = b.splat(arith::IndexCastOp::create(b, b.getI32Type(), b.sub(i, start)), p.lanes);
    Value counts = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, lane, repeated);
    part = arith::SelectOp::create(b, counts, part, initial(p.lanes));
    return SmallVector<Value>{emitCombine(b, reduction.combine, carried[0], part)};
  });
  return fold(sum[0]);
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

} // namespace ein
