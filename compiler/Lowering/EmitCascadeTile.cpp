// One panel and one tile of keys: what follows the inner products, before and after the maximum is known.
#include "compiler/Lowering/EmitCascade.h"

#include "compiler/Lowering/VectorMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace ein {

/// The lanes' index; lanes past the end repeat the last one.
Value CascadeEmitter::laneIndices(Value j) {
  Value numbers = indexVector(b.add(position[flow.lane], b.mul(j, p.lanes)), p.lanes, true);
  Value last = indexVector(b.sub(extent(flow.lane), b.c(1)), p.lanes, false);
  return arith::MinSIOp::create(b, numbers, last);
}

/// Staged on the lanes, or the same for all of them. Rows that pad a tile read its last key.
Value CascadeEmitter::loadAt(size_t op, unsigned input, const Point &at) {
  const CascadeAccess &access = shape.ops[op].inputs[input];
  const int64_t place = layout.staged[op][input];
  Value source = memory[op][input];
  Type type = cast<MemRefType>(source.getType()).getElementType();
  switch (stagingOf(shape, flow, shape.ops[op], access)) {
  case Staging::Row: return b.loadVector(p.lanes, stateAt(place, type, w.nr), b.mul(at.j, p.lanes));
  case Staging::Tile: return b.loadVector(p.lanes, scratchAt(place, type, p.bk * w.nr), lanesAt(at.row, at.j));
  case Staging::None: break;
  }
  Value offset = offsetOf(op, input);
  if (access.moves(shape.key)) {
    Value row = b.min(at.row, b.sub(keys, b.c(1)));
    offset = b.add(offset, b.mul(b.add(firstKey, row), stride(access, shape.key)));
  }
  return b.splat(b.load(source, offset), p.lanes);
}

Value CascadeEmitter::indexAt(int index, const Point &at) {
  if (index == flow.lane) return laneIndices(at.j);
  return indexVector(index == shape.key ? at.key : position[index], p.lanes, false);
}

Value CascadeEmitter::bufferOf(int tensor) {
  return scratchAt(layout.buffers[flow.buffer[tensor]], tileType(tensor), p.bk * w.nr);
}

Value CascadeEmitter::loadTile(int tensor, const Point &at) {
  return b.loadVector(p.lanes, bufferOf(tensor), lanesAt(at.row, at.j));
}

void CascadeEmitter::storeTile(int tensor, Value value, const Point &at) {
  b.storeVector(value, bufferOf(tensor), lanesAt(at.row, at.j));
}

/// memory[j] = memory[j] combined with every row of values[row * nv + j].
void CascadeEmitter::accumulate(Value memory, ArrayRef<Value> values, bool isMax) {
  auto combine = [&](Value a, Value c) { return isMax ? larger(a, c) : emitCombine(b, Combine::Add, a, c); };
  for (int64_t j = 0; j < w.nv; ++j) {
    Value all = isMax ? b.loadVector(p.lanes, memory, b.c(j * p.lanes)) : values[j];
    for (size_t i = isMax ? j : j + w.nv; i < values.size(); i += w.nv) all = combine(values[i], all);
    if (!isMax) all = combine(b.loadVector(p.lanes, memory, b.c(j * p.lanes)), all);
    b.storeVector(all, memory, b.c(j * p.lanes));
  }
}

/// values[(part * rows + i) * nv + j], with the identity of its part where key `i` does not count for a lane. Only rows
/// that some lane does not count are looked at.
CascadeEmitter::Values CascadeEmitter::masked(Value row, int64_t rows, const Values &values,
                                              ArrayRef<double> identities) {
  Value key = b.add(firstKey, row), end = b.add(key, rows);
  const bool hasLow = shape.has(CascadeRole::Low), hasHigh = shape.has(CascadeRole::High);
  Value partial = b.lessEqual(b.add(rangeAt(AllEnd), 1), end);
  if (hasLow) partial = arith::OrIOp::create(b, partial, b.lessEqual(b.add(key, 1), rangeAt(All)));
  SmallVector<Type> types(ValueRange(values).getTypes());
  auto choice = scf::IfOp::create(b, types, partial, /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  Values result(values);
  Value last = indexVector(extent(shape.key), p.lanes, false);
  for (int64_t j = 0; j < w.nv; ++j) {
    auto boundAt = [&](int64_t place) {
      return b.loadVector(p.lanes, stateAt(place, b.getI32Type(), w.nr), b.c(j * p.lanes));
    };
    Value high = hasHigh ? boundAt(layout.high) : last, low = hasLow ? boundAt(layout.low) : Value();
    for (int64_t i = 0; i < rows; ++i) {
      Value number = indexVector(b.add(key, i), p.lanes, false);
      Value counts = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, number, high);
      if (hasLow)
        counts = arith::AndIOp::create(b, counts, arith::CmpIOp::create(b, arith::CmpIPredicate::sge, number, low));
      for (size_t part = 0; part < identities.size(); ++part) {
        Value &value = result[(part * rows + i) * w.nv + j];
        value = orElse(counts, value, identities[part]);
      }
    }
  }
  scf::YieldOp::create(b, result);
  b.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(b, values);
  return Values(choice.getResults());
}

/// Rows [row, row + rows) of the tile up to the maximum: early values, masked; those that are needed again are stored,
/// the score's maximum and plain sums of early values are taken.
void CascadeEmitter::early(Value row, int64_t rows, ArrayRef<Value> direct) {
  SmallVector<size_t> sums;
  for (size_t op = 0; op < shape.ops.size(); ++op)
    if (shape.ops[op].isPlainSum() && !isLate(shape.ops[op])) sums.push_back(op);
  const size_t parts = flow.kept.size() + sums.size();
  if (!parts) return;
  SmallVector<double> identities(parts, 0);
  for (auto [part, tensor] : llvm::enumerate(flow.kept))
    if (flow.scoreNumber(tensor) >= 0) identities[part] = -kInfinity;
  Values values(parts * rows * w.nv);
  const CascadeOp *guard = shape.find(CascadeRole::Guard);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < w.nv; ++j) {
      Point at{b.add(row, i), b.add(firstKey, b.add(row, i)), b.c(j)};
      Known known = earlyValues(at, direct.empty() ? Value() : direct[i * w.nv + j]);
      for (size_t part = 0; part < parts; ++part) {
        Value value = part < flow.kept.size() ? known.lookup(flow.kept[part])
                                              : evaluateAt(sums[part - flow.kept.size()], at, known);
        if (guard) value = orElse(known.lookup(guard->output.tensor), value, identities[part]);
        values[(part * rows + i) * w.nv + j] = value;
      }
    }
  values = masked(row, rows, values, identities);
  for (size_t part = 0; part < parts; ++part) {
    ArrayRef<Value> own = ArrayRef<Value>(values).slice(part * rows * w.nv, rows * w.nv);
    if (part >= flow.kept.size()) {
      accumulate(tileSumOf(shape.ops[sums[part - flow.kept.size()]].output.tensor), own, false);
      continue;
    }
    const int tensor = flow.kept[part];
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < w.nv; ++j) storeTile(tensor, own[i * w.nv + j], {b.add(row, i), Value(), b.c(j)});
    if (const int score = flow.scoreNumber(tensor); score >= 0) accumulate(tileMaxOf(score), own, true);
  }
}

/// Where a score exceeds the reference by far: a new reference, an integer power of two, and everything summed so far
/// scaled to it.
void CascadeEmitter::rescale(int score) {
  Value largest = tileMaxOf(score), reference = stateOf(flow.scores[score].max);
  Values powers, now;
  Value exceeds;
  for (int64_t j = 0; j < w.nv; ++j) {
    Value most = b.loadVector(p.lanes, largest, b.c(j * p.lanes));
    powers.push_back(arith::MulFOp::create(b, most, b.constant(kLog2E, p.lanes)));
    now.push_back(b.loadVector(p.lanes, reference, b.c(j * p.lanes)));
    Value limit = arith::AddFOp::create(b, now[j], b.constant(kLazyPowers, p.lanes));
    Value here = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, powers[j], limit);
    exceeds = exceeds ? arith::OrIOp::create(b, exceeds, here).getResult() : here;
  }
  Value any = vector::ReductionOp::create(b, vector::CombiningKind::OR, exceeds);
  b.ifThen(any, [&] {
    Values factors;
    for (int64_t j = 0; j < w.nv; ++j) {
      Value next = larger(LLVM::FCeilOp::create(b, powers[j]), now[j]);
      factors.push_back(emitShortExp2(b, arith::SubFOp::create(b, now[j], next)));
      b.storeVector(next, reference, b.c(j * p.lanes));
    }
    auto scale = [&](Value state, int64_t rows) {
      b.loop(0, rows, 1, [&](Value row) {
        for (int64_t j = 0; j < w.nv; ++j) {
          Value at = lanesAt(row, b.c(j));
          b.storeVector(arith::MulFOp::create(b, b.loadVector(p.lanes, state, at), factors[j]), state, at);
        }
      });
    };
    for (auto [op, info] : llvm::enumerate(shape.ops)) {
      if (info.role != CascadeRole::Sum || flow.scoreNeeded(info) != score) continue;
      if (!info.contracts) {
        scale(stateOf(info.output.tensor), 1);
        continue;
      }
      const CascadeProduct *product = flow.product(op);
      const int64_t size = product->size(shape);
      scale(stateAt(layout.laneSide[product - flow.products.data()], b.element, size * w.nr), size);
    }
  });
}

/// Rows [row, row + rows) once the reference is known: weights, in the place of the scores, and what needs them.
void CascadeEmitter::late(Value row, int64_t rows) {
  llvm::MapVector<size_t, Values> terms; // by operation
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < w.nv; ++j) {
      Values references;
      for (const CascadeScore &score : flow.scores)
        references.push_back(b.loadVector(p.lanes, stateOf(score.max), b.c(j * p.lanes)));
      lateValues({b.add(row, i), b.add(firstKey, b.add(row, i)), b.c(j)}, references,
                 [&](size_t op, Value term) { terms[op].push_back(term); });
    }
  for (auto &[op, values] : terms) accumulate(tileSumOf(shape.ops[op].output.tensor), values, false);
}

bool CascadeEmitter::hasPlainSums() const {
  return llvm::any_of(shape.ops, [](const CascadeOp &op) { return op.isPlainSum(); });
}

bool CascadeEmitter::hasStates() const {
  return llvm::any_of(flow.products, [](const CascadeProduct &product) { return product.isState; });
}

/// Up to the maximum of the tile's scores.
void CascadeEmitter::tile() {
  copyTiles();
  for (size_t i = 0; i < flow.scores.size(); ++i) fill(tileMaxOf(int(i)), w.nr, -kInfinity);
  // Sums of a tile start from zero: fewer roundings meet a large number.
  for (const CascadeOp &op : shape.ops)
    if (op.isPlainSum()) fill(tileSumOf(op.output.tensor), w.nr, 0);
  const CascadeProduct *last = p.direct ? flow.lastTile() : nullptr;
  for (auto [i, product] : llvm::enumerate(flow.products))
    if (!product.isState && &product != last) stagedProduct(i);
  const int64_t trip = p.thinTrips ? 1 : rowsPerTrip();
  if (last)
    innerProduct(last - flow.products.data(), [&](Value row, const Values &sums) { early(row, w.mr, sums); });
  else
    b.loop(b.c(0), paddedRows(), trip, [&](Value row) { early(row, trip, {}); });
}

/// What needs the reference, and the tile's plain sums.
void CascadeEmitter::weights() {
  if (!flow.scores.empty()) {
    for (size_t i = 0; i < flow.scores.size(); ++i) rescale(int(i));
    b.loop(b.c(0), paddedRows(), rowsPerTrip(), [&](Value row) { late(row, rowsPerTrip()); });
  }
  for (const CascadeOp &op : shape.ops) {
    if (!op.isPlainSum()) continue;
    Value from = tileSumOf(op.output.tensor), state = stateOf(op.output.tensor);
    b.loop(0, w.nr, p.lanes, [&](Value lane) {
      Value sum = emitCombine(b, Combine::Add, b.loadVector(p.lanes, state, lane), b.loadVector(p.lanes, from, lane));
      b.storeVector(sum, state, lane);
    });
  }
}

/// Products of the tile with the keys.
void CascadeEmitter::sums() {
  for (auto [i, product] : llvm::enumerate(flow.products))
    if (product.isState) sumOver(i);
}

} // namespace ein
