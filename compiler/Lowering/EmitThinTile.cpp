// One batch of few rows and one tile of keys: what lies between the products has its lanes along the key.
#include "compiler/Lowering/EmitThinCascade.h"

#include "compiler/Lowering/VectorMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

/// Where an operand is for the row that is bound.
Value ThinCascadeEmitter::rowOffset(size_t op, unsigned operand) {
  const CascadeOp &info = shape.ops[op];
  const CascadeAccess &access = operand < info.inputs.size() ? info.inputs[operand] : info.output;
  Value sum = offsetOf(op, operand);
  for (int i : flow.shared) sum = b.add(sum, b.mul(position[i], stride(access, i)));
  return sum;
}

Value ThinCascadeEmitter::loadAt(size_t op, unsigned input, const Point &at) {
  return loadKeys(op, input, rowOffset(op, input), at.row);
}

Value ThinCascadeEmitter::indexAt(int index, const Point &at) {
  const bool isKey = index == shape.key;
  return indexVector(isKey ? at.key : position[index], p.lanes, isKey);
}

Value ThinCascadeEmitter::bufferOf(int tensor) {
  return scratchAt(layout.buffers[flow.buffer[tensor]], tileType(tensor), layout.rows * p.bk);
}

Value ThinCascadeEmitter::loadTile(int tensor, const Point &at) {
  return b.loadVector(p.lanes, bufferOf(tensor), b.add(b.mul(row, p.bk), at.row));
}

void ThinCascadeEmitter::storeTile(int tensor, Value value, const Point &at) {
  b.storeVector(value, bufferOf(tensor), b.add(b.mul(row, p.bk), at.row));
}

/// Which lanes are keys that count; null where all are.
Value ThinCascadeEmitter::countsAt(const Point &at) {
  if (!hasBounds() && !shape.isDynamic(shape.key) && shape.extent(shape.key) % p.bk == 0) return Value();
  Value numbers = b.numbers(at.key, p.lanes);
  Value end = arith::IndexCastOp::create(b, b.getI32Type(), b.add(firstKey, keys));
  auto compare = [&](arith::CmpIPredicate predicate, Value bound) {
    return arith::CmpIOp::create(b, predicate, numbers, b.splat(bound, p.lanes));
  };
  if (shape.has(CascadeRole::High))
    end = arith::MinSIOp::create(b, end, b.load(stateAt(layout.high, b.getI32Type(), layout.rows), row));
  Value counts = compare(arith::CmpIPredicate::slt, end);
  if (!shape.has(CascadeRole::Low)) return counts;
  Value low = b.load(stateAt(layout.low, b.getI32Type(), layout.rows), row);
  return arith::AndIOp::create(b, counts, compare(arith::CmpIPredicate::sge, low));
}

/// Where a score exceeds the row's reference by far: a new reference, an integer power of two, and everything summed so
/// far scaled to it.
void ThinCascadeEmitter::rescale(Value row, int score, Value largest) {
  Value maxima = maximaIn(state, flow.scores[score].max);
  Value powers = arith::MulFOp::create(b, largest, b.constant(kLog2E, p.lanes)), now = b.load(maxima, row);
  Value limit = b.splat(arith::AddFOp::create(b, now, b.constant(kLazyPowers)), p.lanes);
  Value exceeds = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, powers, limit);
  b.ifThen(vector::ReductionOp::create(b, vector::CombiningKind::OR, exceeds), [&] {
    Value most = vector::ReductionOp::create(b, vector::CombiningKind::MAXNUMF, powers);
    Value next = LLVM::FCeilOp::create(b, most);
    Value factor = emitShortExp2(b, b.splat(arith::SubFOp::create(b, now, next), p.lanes));
    b.store(next, maxima, row);
    for (auto [op, info] : llvm::enumerate(shape.ops)) {
      if (info.role != CascadeRole::Sum || flow.scoreNeeded(info) != score) continue;
      const int64_t pitch = sumPitch(op);
      b.loop(0, pitch, p.lanes, [&](Value lane) {
        Value at = b.add(b.mul(row, pitch), lane);
        Value scaled = arith::MulFOp::create(b, b.loadVector(p.lanes, sumIn(state, op), at), factor);
        b.storeVector(scaled, sumIn(state, op), at);
      });
    }
  });
}

/// The values of one row: early ones, masked; a new reference where it takes one; late ones. Sums of a tile start from
/// zero: fewer roundings meet a large number.
void ThinCascadeEmitter::tileRow(Value here) {
  row = here;
  SmallVector<size_t> early, late;
  for (size_t op = 0; op < shape.ops.size(); ++op)
    if (shape.ops[op].isPlainSum()) (isLate(shape.ops[op]) ? late : early).push_back(op);
  const CascadeOp *guard = shape.find(CascadeRole::Guard);
  auto pointAt = [&](Value key) { return Point{key, b.add(firstKey, key), Value()}; };
  auto addTo = [&](size_t op, Value lanes) {
    Value at = b.mul(row, p.lanes), sum = b.loadVector(p.lanes, sumIn(state, op), at);
    b.storeVector(arith::AddFOp::create(b, sum, lanes), sumIn(state, op), at);
  };

  Values start(early.size(), b.constant(0, p.lanes));
  start.append(flow.scores.size(), b.constant(-kInfinity, p.lanes));
  Values sums = b.loop(b.c(0), keys, p.lanes, start, [&](Value key, ValueRange carried) {
    const Point at = pointAt(key);
    Known known = earlyValues(at, Value());
    Value counts = countsAt(at);
    if (guard) {
      Value open = known.lookup(guard->output.tensor);
      counts = counts ? arith::AndIOp::create(b, counts, open).getResult() : open;
    }
    auto masked = [&](Value value, double other) { return counts ? orElse(counts, value, other) : value; };
    Values next(carried);
    for (int tensor : flow.kept) {
      const int score = flow.scoreNumber(tensor);
      Value value = masked(known.lookup(tensor), score >= 0 ? -kInfinity : 0);
      storeTile(tensor, value, at);
      if (score >= 0) next[early.size() + score] = larger(value, next[early.size() + score]);
    }
    for (auto [i, op] : llvm::enumerate(early))
      next[i] = arith::AddFOp::create(b, next[i], masked(evaluateAt(op, at, known), 0));
    return next;
  });
  for (auto [i, op] : llvm::enumerate(early)) addTo(op, sums[i]);
  if (flow.scores.empty()) return;
  Values references;
  for (auto [i, score] : llvm::enumerate(flow.scores)) {
    rescale(row, int(i), sums[early.size() + i]);
    references.push_back(b.splat(b.load(maximaIn(state, score.max), row), p.lanes));
  }
  start.assign(late.size(), b.constant(0, p.lanes));
  sums = b.loop(b.c(0), keys, p.lanes, start, [&](Value key, ValueRange carried) {
    Values next(carried);
    lateValues(pointAt(key), references, [&](size_t op, Value term) {
      Value &sum = next[llvm::find(late, op) - late.begin()];
      sum = arith::AddFOp::create(b, sum, term);
    });
    return next;
  });
  for (auto [i, op] : llvm::enumerate(late)) addTo(op, sums[i]);
}

void ThinCascadeEmitter::tile() {
  for (size_t i = 0; i < flow.products.size(); ++i)
    if (!flow.products[i].isState) product(i);
  overRows([&](Value row) { tileRow(row); });
  for (size_t i = 0; i < flow.products.size(); ++i)
    if (flow.products[i].isState) product(i);
}

} // namespace ein
