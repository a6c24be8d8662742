// Fused cascades by warps: what becomes of maxima and sums: results, or parts that a second kernel adds up.
#include "compiler/Gpu/SimtCascadeEmitter.h"

#include <numeric>

using namespace mlir;

namespace ein {

/// What lasts of a row, for the part of the keys that this block takes.
void SimtCascadeEmitter::storeState(const Row &row) {
  Value part = b.plus(b.times(b.blockNumber(1), p.allRows()), row.number);
  Value offset = b.times(part, p.stateSize());
  int64_t slot = 0;
  for (auto [i, op] : llvm::enumerate(shape.ops)) {
    if (!p.lasts(i)) continue;
    const int product = p.productOf(i);
    const int64_t elements = p.stateElements(i), lanes = product < 0 ? 1 : p.lanes[product];
    for (auto [j, value] : llvm::enumerate(row.tensors[op.output.tensor])) {
      Value run = b.plus(warpLane, int64_t(j) * SimtCascadePlan::kWarp);
      Value place = product < 0 ? b.plus(offset, slot) : b.plus(b.plus(offset, slot), b.times(run, lanes));
      b.when(b.both(row.inside, b.less(run, elements / lanes)),
             [&] { b.storeLanes(value, parts, place, p.shape.elementBytes); });
    }
    slot += elements;
  }
}

void SimtCascadeEmitter::storeAt(size_t op, const Position &at, int along, Value value, Value condition) {
  const CascadeAccess &out = shape.ops[op].output;
  const size_t number = firstMemory[op] + linalg::LinalgOp(region.ops[op]).getNumDpsInputs();
  const int64_t lanes = cast<VectorType>(value.getType()).getNumElements();
  Value offset = b.k(0);
  int64_t alignment = std::gcd<int64_t>(16, memory[number].slot.offset);
  for (auto [i, stride] : llvm::enumerate(out.strides)) {
    if (at[i] && stride) offset = b.plus(offset, b.times(at[i], stride));
    alignment = std::gcd(alignment, stride * out.bytes * (int(i) == along ? lanes : 1));
  }
  auto store = [&] {
    if (lanes > 1 && out.strides[along] != 1)
      b.scatterLanes(value, pointers[number], offset, out.strides[along]);
    else
      b.storeLanes(value, pointers[number], offset, lanes == 1 ? out.bytes : std::min(alignment, lanes * out.bytes));
  };
  if (condition)
    b.when(condition, store);
  else
    store();
}

/// The results of a row, from its maxima and sums.
void SimtCascadeEmitter::storeResults(Row &row) {
  for (auto [i, op] : llvm::enumerate(shape.ops))
    if (op.role == CascadeRole::Max) {
      Value &maximum = row.tensors[op.output.tensor][0];
      maximum = reference(maximum);
    }
  for (auto [i, op] : llvm::enumerate(shape.ops)) {
    if (op.role != CascadeRole::Finish) continue;
    int product = -1;
    for (const CascadeAccess &input : op.inputs)
      if (int maker = input.tensor < 0 ? -1 : p.productOf(shape.producer(input.tensor)); maker >= 0) product = maker;
    if (product < 0 || p.flow.products[product].across.empty()) {
      storeAt(i, row.at, -1, evaluate(i, row.at, -1, 1, given(i, row)), b.both(row.inside, b.isZero(warpLane)));
      continue;
    }
    const std::vector<int> &across = p.flow.products[product].across;
    const int64_t lanes = p.lanes[product];
    for (int64_t j = 0; j < runs(p.flow.products[product].op); ++j) {
      Value inside;
      const Position place = sumPlace(across, row.at, j, lanes, inside);
      Values inputs = given(i, row);
      for (auto [input, value] : llvm::zip(op.inputs, inputs)) {
        if (!value) continue;
        const bool isSum = p.productOf(shape.producer(input.tensor)) >= 0;
        value = isSum ? row.tensors[input.tensor][j] : b.spread(b.lane(value, 0), lanes);
      }
      storeAt(i, place, across.back(), evaluate(i, place, across.back(), lanes, inputs), b.both(row.inside, inside));
    }
  }
}

/// The state with what a part left.
SimtCascadeEmitter::Values SimtCascadeEmitter::addPart(Value part, MutableArrayRef<Row> rows, ValueRange carried) {
  setState(rows, carried);
  Row &row = rows[0];
  Value offset = b.times(b.plus(b.times(part, p.allRows()), row.number), p.stateSize());
  Values before(p.flow.scores.size()), here(p.flow.scores.size());
  for (auto [i, op] : llvm::enumerate(shape.ops)) {
    if (!p.lasts(i)) continue;
    const int product = p.productOf(i);
    const int64_t lanes = product < 0 ? 1 : p.lanes[product], trips = p.stateElements(i) / lanes;
    const bool isMaximum = op.role == CascadeRole::Max;
    const int score = isMaximum ? p.flow.scoreNumber(op.inputs[0].tensor) : p.flow.scoreOf[op.output.tensor];
    auto scaled = [&](Value sum, Value by) -> Value {
      return arith::MulFOp::create(b, sum, b.spread(b.lane(by, 0), lanes));
    };
    for (auto [j, sum] : llvm::enumerate(row.tensors[op.output.tensor])) {
      Value run = b.least(b.plus(warpLane, int64_t(j) * SimtCascadePlan::kWarp), trips - 1);
      Value place = product < 0 ? offset : b.plus(offset, b.times(run, lanes));
      Value other = b.loadLanes(parts, b.element, place, lanes, shape.elementBytes);
      if (isMaximum) {
        Value maximum = emitCombine(b, Combine::Max, sum, other), at = reference(maximum);
        before[score] = rescaling(sum, at), here[score] = rescaling(other, at);
        sum = maximum;
        continue;
      }
      if (score >= 0) sum = scaled(sum, before[score]), other = scaled(other, here[score]);
      sum = arith::AddFOp::create(b, sum, other);
    }
    offset = b.plus(offset, p.stateElements(i));
  }
  return stateOf(rows);
}

/// A warp for each row: adds up what the parts left.
void SimtCascadeEmitter::combineKernel(ValueRange values) {
  start(values);
  b.when(b.less(item, p.allRows()), [&] {
    SmallVector<Row> rows = rowsOf(item, 1);
    auto add = [&](Value part, ValueRange carried) { return addPart(part, rows, carried); };
    setState(rows, b.forEach(b.k(0), b.k(p.split), b.k(1), initialState(1), add));
    storeResults(rows[0]);
  });
}

} // namespace ein
