// A panel before its first key and after its last: lane sides, keys that count, results.
#include "compiler/Lowering/EmitCascade.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;

namespace ein {

void CascadeEmitter::begin() {
  for (auto [i, product] : llvm::enumerate(flow.products)) {
    if (!product.isState) {
      // Products that put the same on the lanes have one place.
      if (llvm::find(layout.laneSide, layout.laneSide[i]) == layout.laneSide.begin() + i) packLanes(i);
      continue;
    }
    const int64_t elements = CascadeScratch::turnedPitch(p, product.size(shape)) * w.nr;
    fill(stateAt(layout.laneSide[i], b.element, elements), elements, 0);
  }
  for (auto [op, info] : llvm::enumerate(shape.ops)) {
    const bool isMax = info.role == CascadeRole::Max;
    if (isMax || info.isPlainSum()) fill(stateOf(info.output.tensor), w.nr, isMax ? startOfMax() : 0);
    if (info.role != CascadeRole::Finish) stageRows(op);
  }
  if (hasBounds()) findRange();
}

/// Puts the lane side of an inner product on the lanes: [across][nr], in register transposes where it is adjacent
/// across. Lanes past the end repeat the last point.
void CascadeEmitter::packLanes(size_t number) {
  const CascadeProduct &product = flow.products[number];
  const CascadeAccess &side = shape.ops[product.op].inputs[product.laneSide];
  const int64_t n = p.lanes, size = product.size(shape);
  const int64_t run = product.across.empty() ? 1 : shape.extent(product.across.back());
  Value source = memory[product.op][product.laneSide], to = stateAt(layout.laneSide[number], b.element, size * w.nr);
  Value perLane = stride(side, flow.lane);
  Value base = b.add(offsetOf(product.op, product.laneSide), b.mul(position[flow.lane], perLane));
  auto laneAt = [&](Value lane) { return b.add(base, b.mul(b.min(lane, b.sub(valid, b.c(1))), perLane)); };
  const bool isUnsigned = operands[product.op][product.laneSide].isUnsigned;
  const double factor = shape.ops[product.op].factor;
  auto scaled = [&](Value value, int64_t lanes) -> Value {
    if (factor == 1) return value;
    return arith::MulFOp::create(b, value, b.constant(factor, lanes));
  };
  if (run < n || !side.hasStride(product.across.back(), 1))
    return overAcross(product, side, product.across.size(), [&](Value offset, Value place) {
      b.loop(0, w.nr, 1, [&](Value lane) {
        Value value = scaled(b.widened(b.load(source, b.add(laneAt(lane), offset)), isUnsigned), 0);
        b.store(value, to, b.add(b.mul(place, w.nr), lane));
      });
    });
  overAcross(product, side, product.across.size() - 1, [&](Value offset, Value place) {
    b.loop(0, w.nr, n, [&](Value lane) {
      Values from;
      for (int64_t i = 0; i < n; ++i) from.push_back(b.add(laneAt(b.add(lane, i)), offset));
      // The last square moves back to end with the run; what it repeats is the same.
      b.loop(0, run, n, [&](Value start) {
        Value at = run % n ? b.min(start, b.c(run - n)) : start;
        Values vectors;
        for (Value row : from) vectors.push_back(b.widened(b.loadVector(n, source, b.add(row, at)), isUnsigned));
        Value first = b.add(b.mul(place, run), at);
        for (auto [i, vector] : llvm::enumerate(b.transpose(vectors)))
          b.storeVector(scaled(vector, n), to, b.add(b.mul(b.add(first, i), w.nr), lane));
      });
    });
  });
}

/// Copies what an operation reads by lane only to the lanes.
void CascadeEmitter::stageRows(size_t op) {
  const CascadeOp &info = shape.ops[op];
  for (auto [i, access] : llvm::enumerate(info.inputs)) {
    if (stagingOf(shape, flow, info, access) != Staging::Row) continue;
    Value source = memory[op][i], perLane = stride(access, flow.lane);
    Value to = stateAt(layout.staged[op][i], cast<MemRefType>(source.getType()).getElementType(), w.nr);
    Value base = b.add(offsetOf(op, i), b.mul(position[flow.lane], perLane)), last = b.sub(valid, b.c(1));
    b.loop(0, w.nr, 1,
           [&](Value lane) { b.store(b.load(source, b.add(base, b.mul(b.min(lane, last), perLane))), to, lane); });
  }
}

/// The keys that count for each lane, and for some and all lanes of the panel.
void CascadeEmitter::findRange() {
  Value range = stateAt(layout.range, b.getIndexType(), 4);
  auto bounds = [&](CascadeRole role, int64_t place, Value otherwise) {
    Value least, most;
    const CascadeOp *info = shape.find(role);
    for (int64_t j = 0; j < w.nv; ++j) {
      Value keys = indexVector(otherwise, p.lanes, false);
      if (info) {
        keys = withinKeys(evaluateAt(info - shape.ops.data(), {Value(), Value(), b.c(j)}, Known()));
        b.storeVector(keys, stateAt(place, b.getI32Type(), w.nr), b.c(j * p.lanes));
      }
      least = j ? Value(arith::MinSIOp::create(b, least, keys)) : keys;
      most = j ? Value(arith::MaxSIOp::create(b, most, keys)) : keys;
    }
    auto reduce = [&](vector::CombiningKind kind, Value vector) -> Value {
      return arith::IndexCastOp::create(b, b.getIndexType(), vector::ReductionOp::create(b, kind, vector));
    };
    return std::pair{reduce(vector::CombiningKind::MINSI, least), reduce(vector::CombiningKind::MAXSI, most)};
  };
  auto [some, all] = bounds(CascadeRole::Low, layout.low, b.c(0));
  auto [allEnd, someEnd] = bounds(CascadeRole::High, layout.high, extent(shape.key));
  for (auto [place, bound] : {std::pair{Some, some}, {SomeEnd, someEnd}, {All, all}, {AllEnd, allEnd}})
    b.store(bound, range, b.c(place));
}

void CascadeEmitter::finish() {
  // The reference is a power of two; results are told of it as an exponent of e.
  for (const CascadeScore &score : flow.scores) {
    Value reference = stateOf(score.max), ln2 = b.constant(std::log(2.0), p.lanes);
    b.loop(0, w.nr, p.lanes, [&](Value lane) {
      b.storeVector(arith::MulFOp::create(b, b.loadVector(p.lanes, reference, lane), ln2), reference, lane);
    });
  }
  for (size_t i = 0; i < flow.products.size(); ++i)
    if (flow.products[i].isState && !flow.products[i].across.empty()) turn(i);
  for (auto [op, info] : llvm::enumerate(shape.ops)) {
    if (info.role != CascadeRole::Finish) continue;
    if (ownIndices(info).empty())
      finishLanes(op);
    else
      b.loop(b.c(0), valid, 1, [&](Value row) { finishRow(op, row); });
  }
}

/// Transposes a state to [nr][across].
void CascadeEmitter::turn(size_t number) {
  const int64_t n = p.lanes, pitch = CascadeScratch::turnedPitch(p, flow.products[number].size(shape));
  Value from = stateAt(layout.laneSide[number], b.element, pitch * w.nr);
  Value to = scratchAt(layout.turned[number], b.element, pitch * w.nr);
  b.loop(0, w.nr, n, [&](Value lane) {
    b.loop(0, pitch, n, [&](Value across) {
      Values vectors;
      for (int64_t i = 0; i < n; ++i)
        vectors.push_back(b.loadVector(n, from, b.add(b.mul(b.add(across, i), w.nr), lane)));
      for (auto [i, vector] : llvm::enumerate(b.transpose(vectors)))
        b.storeVector(vector, to, b.add(b.mul(b.add(lane, i), pitch), across));
    });
  });
}

void CascadeEmitter::bindRow(Values &at, Value row) { at[flow.lane] = b.add(position[flow.lane], row); }

Value CascadeEmitter::rowValue(int tensor, Value row) { return b.load(rowState(tensor), row); }

std::pair<Value, int64_t> CascadeEmitter::rowsOfSum(size_t product) {
  const int64_t pitch = CascadeScratch::turnedPitch(p, flow.products[product].size(shape));
  return {scratchAt(layout.turned[product], b.element, pitch * w.nr), pitch};
}

/// A state of one element per row.
Value CascadeEmitter::rowState(int tensor) {
  const CascadeProduct *product = flow.product(shape.producer(tensor));
  if (!product) return stateOf(tensor);
  return stateAt(layout.laneSide[product - flow.products.data()], b.element, w.nr);
}

/// Results by row: on the lanes, then one by one to where they belong.
void CascadeEmitter::finishLanes(size_t op) {
  const CascadeOp &info = shape.ops[op];
  stageRows(op);
  Value output = memory[op].back();
  Value result = scratchAt(layout.result, cast<MemRefType>(output.getType()).getElementType(), w.nr);
  b.loop(0, w.nv, 1, [&](Value j) {
    Known known;
    for (const CascadeAccess &a : info.inputs)
      if (a.tensor >= 0) known[a.tensor] = b.loadVector(p.lanes, rowState(a.tensor), b.mul(j, p.lanes));
    b.storeVector(evaluateAt(op, {Value(), Value(), j}, known), result, b.mul(j, p.lanes));
  });
  Value perLane = stride(info.output, flow.lane);
  Value base = b.add(offsetOf(op, info.inputs.size()), b.mul(position[flow.lane], perLane));
  b.loop(b.c(0), valid, 1,
         [&](Value lane) { b.store(b.load(result, lane), output, b.add(base, b.mul(lane, perLane))); });
}

} // namespace ein
