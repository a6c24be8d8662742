// The state of a batch of few rows: before the first key, after the last, and two of them merged.
#include "compiler/Lowering/EmitThinCascade.h"

#include "compiler/Lowering/VectorMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;

namespace ein {

void ThinCascadeEmitter::bindRow(Values &at, Value row) {
  for (auto i = flow.shared.rbegin(); i != flow.shared.rend(); ++i) {
    const bool isLast = std::next(i) == flow.shared.rend();
    at[*i] = isLast ? row : b.rem(row, shape.extent(*i));
    if (!isLast) row = b.div(row, shape.extent(*i));
  }
}

void ThinCascadeEmitter::begin() {
  for (auto [i, product] : llvm::enumerate(flow.products)) {
    // Products that share a side have one place for it.
    if (llvm::find(layout.laneSide, layout.laneSide[i]) != layout.laneSide.begin() + i) continue;
    const int64_t elements = layout.rows * layout.pitch[i];
    fill(stateAt(layout.laneSide[i], b.element, elements), elements, 0);
    if (!product.isState) stageLaneSide(i);
  }
  for (auto [op, info] : llvm::enumerate(shape.ops)) {
    if (info.isPlainSum()) fill(sumIn(state, op), layout.rows * p.lanes, 0);
  }
  for (const CascadeScore &score : flow.scores) {
    Value start = b.constant(startOfMax()), maxima = maximaIn(state, score.max);
    b.loop(0, layout.rows, 1, [&](Value row) { b.store(start, maxima, row); });
  }
  if (hasBounds()) findRange();
}

/// Copies the side of an inner product that all keys share, times the factor. Rows that pad a register tile are zero.
void ThinCascadeEmitter::stageLaneSide(size_t number) {
  const CascadeProduct &product = flow.products[number];
  const CascadeAccess &side = shape.ops[product.op].inputs[product.laneSide];
  const int64_t pitch = layout.pitch[number];
  const bool isUnsigned = operands[product.op][product.laneSide].isUnsigned;
  Value source = memory[product.op][product.laneSide];
  Value to = stateAt(layout.laneSide[number], b.element, layout.rows * pitch);
  Value factor = b.constant(shape.ops[product.op].factor);
  overRows([&](Value row) {
    Value base = rowOffset(product.op, product.laneSide), first = b.mul(row, pitch);
    overAcross(product, side, product.across.size(), [&](Value offset, Value place) {
      Value value = b.widened(b.load(source, b.add(base, offset)), isUnsigned);
      b.store(arith::MulFOp::create(b, value, factor), to, b.add(first, place));
    });
  });
}

/// The keys that count for each row, and for some row of the batch.
void ThinCascadeEmitter::findRange() {
  auto boundOf = [&](CascadeRole role, int64_t place, Value otherwise) -> Value {
    const CascadeOp *info = shape.find(role);
    if (!info) return otherwise;
    const size_t op = info - shape.ops.data();
    auto load = [&](unsigned i) { return b.splat(b.load(memory[op][i], rowOffset(op, i)), 1); };
    Value keys = withinKeys(evaluate(op, 1, load, [&](int i) { return indexVector(position[i], 1, false); }));
    Value number = vector::ExtractOp::create(b, keys, ArrayRef<int64_t>{0});
    b.store(number, stateAt(place, b.getI32Type(), layout.rows), row);
    return arith::IndexCastOp::create(b, b.getIndexType(), number);
  };
  Value range = stateAt(layout.range, b.getIndexType(), 2);
  b.store(extent(shape.key), range, b.c(0));
  b.store(b.c(0), range, b.c(1));
  overRows([&](Value here) {
    row = here;
    Value low = boundOf(CascadeRole::Low, layout.low, b.c(0));
    Value high = boundOf(CascadeRole::High, layout.high, extent(shape.key));
    b.store(b.min(b.load(range, b.c(0)), low), range, b.c(0));
    b.store(b.max(b.load(range, b.c(1)), high), range, b.c(1));
  });
}

/// Adds the state of other keys to this one; both are scaled to the larger of their references.
void ThinCascadeEmitter::merge(Value other) {
  b.loop(0, rows, 1, [&](Value row) {
    SmallVector<std::pair<Value, Value>> factors; // by score
    for (const CascadeScore &score : flow.scores) {
      Value maxima = maximaIn(state, score.max), own = b.splat(b.load(maxima, row), p.lanes);
      Value theirs = b.splat(b.load(maximaIn(other, score.max), row), p.lanes), most = larger(own, theirs);
      factors.emplace_back(emitShortExp2(b, arith::SubFOp::create(b, own, most)),
                           emitShortExp2(b, arith::SubFOp::create(b, theirs, most)));
      b.store(vector::ExtractOp::create(b, most, ArrayRef<int64_t>{0}), maxima, row);
    }
    for (auto [op, info] : llvm::enumerate(shape.ops)) {
      if (info.role != CascadeRole::Sum) continue;
      const int64_t pitch = sumPitch(op);
      b.loop(0, pitch, p.lanes, [&](Value lane) {
        Value at = b.add(b.mul(row, pitch), lane);
        Value own = b.loadVector(p.lanes, sumIn(state, op), at), theirs = b.loadVector(p.lanes, sumIn(other, op), at);
        if (isLate(info)) {
          own = arith::MulFOp::create(b, own, factors[flow.scoreNeeded(info)].first);
          theirs = arith::MulFOp::create(b, theirs, factors[flow.scoreNeeded(info)].second);
        }
        b.storeVector(arith::AddFOp::create(b, own, theirs), sumIn(state, op), at);
      });
    }
  });
}

void ThinCascadeEmitter::finish() {
  b.loop(0, rows, 1, [&](Value row) {
    // The reference is a power of two; results are told of it as an exponent of e.
    for (const CascadeScore &score : flow.scores) {
      Value maxima = maximaIn(state, score.max);
      b.store(arith::MulFOp::create(b, b.load(maxima, row), b.constant(std::log(2.0))), maxima, row);
    }
    for (auto [op, info] : llvm::enumerate(shape.ops)) {
      if (!info.isPlainSum()) continue;
      Value at = b.mul(row, p.lanes), lanes = b.loadVector(p.lanes, sumIn(state, op), at);
      b.store(vector::ReductionOp::create(b, vector::CombiningKind::ADD, lanes), sumIn(state, op), at);
    }
  });
  b.loop(0, rows, 1, [&](Value row) {
    for (size_t op = 0; op < shape.ops.size(); ++op)
      if (shape.ops[op].role == CascadeRole::Finish) finishRow(op, row);
  });
}

Value ThinCascadeEmitter::rowValue(int tensor, Value row) {
  const size_t op = shape.producer(tensor);
  if (shape.ops[op].role == CascadeRole::Max) return b.load(maximaIn(state, tensor), row);
  return b.load(sumIn(state, op), b.mul(row, sumPitch(op)));
}

std::pair<Value, int64_t> ThinCascadeEmitter::rowsOfSum(size_t product) {
  return {sumIn(state, flow.products[product].op), layout.pitch[product]};
}

} // namespace ein
