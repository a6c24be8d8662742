// Fused cascades by warps: scores, maxima, weights and sums of 32 keys.
#include "compiler/Gpu/SimtCascadeEmitter.h"
#include "compiler/Lowering/VectorMath.h"

#include <limits>

using namespace mlir;

namespace ein {

Value SimtCascadeEmitter::reference(Value maximum) {
  Value none = b.constant(-std::numeric_limits<double>::infinity(), 1);
  Value isNone = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, maximum, none);
  return arith::SelectOp::create(b, isNone, b.constant(0, 1), maximum);
}

Value SimtCascadeEmitter::rescaling(Value before, Value reference) {
  return emitExp(b, arith::SubFOp::create(b, before, reference));
}

/// Combines one value of each thread of a warp; every one of them gets the result.
Value SimtCascadeEmitter::foldWarp(Combine combine, Value vector) {
  Value total = b.lane(vector, 0);
  for (int32_t mask = 16; mask > 0; mask /= 2) total = emitCombine(b, combine, total, b.exchange(total, mask));
  return b.vectorOf(total);
}

/// Of each row with the lane's key: one loop over the depth for all rows.
void SimtCascadeEmitter::innerProducts(size_t op, MutableArrayRef<Row> rows, ArrayRef<Position> places) {
  const int product = p.productOf(op);
  const std::vector<int> &across = p.flow.products[product].across;
  const int64_t lanes = p.lanes[product];
  const int along = across.empty() ? -1 : across.back();
  Values sums(rows.size(), emitIdentity(b, Combine::Add, lanes));
  sums = b.forEach(b.k(0), b.k(p.points(across) / lanes), b.k(1), sums, [&](Value run, ValueRange carried) {
    Values next;
    for (auto [place, sum] : llvm::zip(places, carried)) {
      Position at = place;
      decompose(run, across, at, lanes);
      next.push_back(evaluate(op, at, along, lanes, {}, sum));
    }
    return next;
  });
  const double factor = shape.ops[op].factor;
  for (auto [row, sum] : llvm::zip(rows, sums)) {
    Value total = b.lane(sum, 0);
    for (int64_t i = 1; i < lanes; ++i) total = arith::AddFOp::create(b, total, b.lane(sum, i));
    Value vector = b.vectorOf(total);
    if (factor != 1) vector = arith::MulFOp::create(b, vector, b.constant(factor, 1));
    row.tensors[shape.ops[op].output.tensor] = {vector};
  }
}

/// The maximum with the scores of these keys; `scales` tells what sums against the one before are worth now.
void SimtCascadeEmitter::takeMaximum(size_t op, Row &row, Value mask, Values &scales) {
  const CascadeOp &info = shape.ops[op];
  Value score = row.tensors[info.inputs[0].tensor][0], before = row.tensors[info.output.tensor][0];
  Value none = b.constant(-std::numeric_limits<double>::infinity(), 1);
  Value highest = foldWarp(Combine::Max, arith::SelectOp::create(b, mask, score, none));
  Value maximum = emitCombine(b, Combine::Max, before, highest);
  row.tensors[info.output.tensor][0] = maximum;
  scales[p.flow.scoreNumber(info.inputs[0].tensor)] = rescaling(before, reference(maximum));
}

/// Each lane sums over its own keys.
void SimtCascadeEmitter::addToSum(size_t op, Row &row, const Position &at, Value mask, ArrayRef<Value> scales) {
  const CascadeOp &info = shape.ops[op];
  Value &sum = row.tensors[info.output.tensor][0];
  const int score = p.flow.scoreOf[info.output.tensor];
  if (score >= 0) sum = arith::MulFOp::create(b, sum, scales[score]);
  Value term = evaluate(op, at, -1, 1, given(op, row));
  sum = arith::AddFOp::create(b, sum, arith::SelectOp::create(b, mask, term, b.constant(0, 1)));
}

/// Lanes are indices of the sums now: a key after the other, whose tile comes from the lane that has computed it.
void SimtCascadeEmitter::addProducts(size_t op, MutableArrayRef<Row> rows, Value base, Value end, ArrayRef<Value> masks,
                                     ArrayRef<Values> scales) {
  const CascadeOp &info = shape.ops[op];
  const int number = p.productOf(op);
  const CascadeProduct &product = p.flow.products[number];
  const int64_t lanes = p.lanes[number];
  const int along = product.across.empty() ? -1 : product.across.back();
  const int score = p.flow.scoreOf[info.output.tensor];
  Values sums, tiles;
  for (auto [row, mask, scale] : llvm::zip(rows, masks, scales)) {
    Value value = row.tensors[info.inputs[product.laneSide].tensor][0];
    tiles.push_back(b.lane(arith::SelectOp::create(b, mask, value, b.constant(0, 1)), 0));
    for (Value sum : row.tensors[info.output.tensor])
      sums.push_back(score < 0 ? sum
                               : arith::MulFOp::create(b, sum, b.spread(b.lane(scale[score], 0), lanes)).getResult());
  }
  Value count = b.least(b.createOrFold<arith::SubIOp>(end, base), SimtCascadePlan::kWarp);
  sums = b.forEach(b.k(0), count, b.k(1), sums, [&](Value key, ValueRange carried) {
    Values next;
    for (auto [row, tile] : llvm::zip(rows, tiles)) {
      Value value = b.spread(b.fromLane(tile, key), lanes);
      Position at = row.at;
      at[shape.key] = b.createOrFold<arith::AddIOp>(base, key);
      for (int64_t j = 0; j < runs(op); ++j) {
        Value inside;
        const Position place = sumPlace(product.across, at, j, lanes, inside);
        Values inputs(info.inputs.size());
        inputs[product.laneSide] = value;
        next.push_back(evaluate(op, place, along, lanes, inputs, carried[next.size()]));
      }
    }
    return next;
  });
  for (Row &row : rows) {
    Values &state = row.tensors[info.output.tensor];
    state.assign(sums.begin(), sums.begin() + state.size());
    sums.erase(sums.begin(), sums.begin() + state.size());
  }
}

/// Keys from `base` up to `end`, 32 at most: every lane computes with one, where there are fewer with the last.
SimtCascadeEmitter::Values SimtCascadeEmitter::tile(Value base, Value end, ArrayRef<Row> before, ValueRange carried) {
  SmallVector<Row> rows(before);
  setState(rows, carried);
  Value key = b.plus(base, warpLane), exists = b.less(key, end);
  Value place = b.least(key, p.keys() - 1);
  SmallVector<Position> places;
  SmallVector<Value> masks;
  SmallVector<Values> scales(rows.size(), Values(p.flow.scores.size()));
  for (Row &row : rows) {
    places.push_back(row.at);
    places.back()[shape.key] = place;
    Value mask = exists;
    if (row.low) mask = b.both(mask, b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ule, row.low, key));
    if (row.high) mask = b.both(mask, b.less(key, row.high));
    masks.push_back(b.vectorOf(mask));
  }
  for (auto [i, op] : llvm::enumerate(shape.ops)) {
    if (op.role == CascadeRole::Tile && op.contracts) innerProducts(i, rows, places);
    if (op.role == CascadeRole::Sum && op.contracts) addProducts(i, rows, base, end, masks, scales);
    if (op.contracts) continue;
    for (auto [row, at, mask, scale] : llvm::zip(rows, places, masks, scales)) {
      const int tensor = op.output.tensor;
      switch (op.role) {
      case CascadeRole::Tile: row.tensors[tensor] = {evaluate(i, at, -1, 1, given(i, row))}; break;
      case CascadeRole::Guard: mask = b.both(mask, evaluate(i, at, -1, 1, given(i, row))); break;
      case CascadeRole::Max: takeMaximum(i, row, mask, scale); break;
      case CascadeRole::Weight: {
        Values inputs = given(i, row);
        inputs[1] = reference(inputs[1]);
        Value weight = evaluate(i, at, -1, 1, inputs);
        row.tensors[tensor] = {arith::SelectOp::create(b, mask, weight, b.constant(0, 1)).getResult()};
        break;
      }
      case CascadeRole::Sum: addToSum(i, row, at, mask, scale); break;
      default: break;
      }
    }
  }
  return stateOf(rows);
}

} // namespace ein
