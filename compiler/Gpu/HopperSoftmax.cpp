// The running softmax in registers: masks, maxima over quads of threads, exponentials as powers of two.
#include "compiler/Gpu/EmitAttention.h"
#include "compiler/Gpu/Fragment.h"

#include <limits>

using namespace mlir;

namespace ein {

static constexpr double kLog2E = 1.4426950408889634074, kLn2 = 0.69314718055994530942;

SoftmaxEmitter::SoftmaxEmitter(HopperBuilder &b, const AttentionPlan &plan)
    : b(b), p(plan), transformed(plan.softcap != 0 || !(plan.scale > 0)),
      factor(kLog2E * (plan.softcap != 0 ? plan.softcap
                       : transformed     ? 1
                                         : plan.scale)) {}

SoftmaxState SoftmaxEmitter::initial() {
  Value none = b.f(-std::numeric_limits<double>::infinity()), zero = b.f(0);
  return {{none, none}, {zero, zero}};
}

/// tanh(scale * product / softcap), or scale * product.
Value SoftmaxEmitter::capped(Value product) {
  if (p.softcap == 0) return arith::MulFOp::create(b, product, b.f(p.scale));
  // tanh(x) = 1 - 2 / (exp(2x) + 1): exact at both ends, where the hardware's tanh has 11 bits.
  Value power = b.exp2(arith::MulFOp::create(b, product, b.f(2 * kLog2E * p.scale / p.softcap)));
  Value ratio = b.reciprocal(arith::AddFOp::create(b, power, b.f(1)));
  return arith::SubFOp::create(b, b.f(1), arith::MulFOp::create(b, ratio, b.f(2)));
}

/// Whether some key of the tile that begins at `start` does not count for some row; nothing if all always do.
Value SoftmaxEmitter::cutsTile(const AttentionItem &item, Value start) {
  Value cuts;
  auto also = [&](Value v) { cuts = cuts ? Value(arith::OrIOp::create(b, cuts, v)) : v; };
  Value end = b.add(start, p.tileKeys());
  if (p.key.extent % p.tileKeys() != 0) also(b.less(b.c(p.key.extent), end));
  if (p.highest) also(b.less(b.add(item.firstPosition, *p.highest + 1), end));
  if (p.lowest) also(b.less(start, b.add(item.lastPosition, *p.lowest)));
  return cuts;
}

SmallVector<Value> SoftmaxEmitter::masked(ValueRange scores, const AttentionItem &item, Value start, Value consumer) {
  Value none = b.f(-std::numeric_limits<double>::infinity());
  Value first = b.add(b.mul(consumer, 64), fragmentRow(b)), origin = b.add(start, b.mul(b.rem(b.lane(), 4), 2));
  Value low[2], high[2];
  for (int64_t half : {0, 1}) {
    Value position = rowOf(b, p, item, b.add(first, 8 * half))[p.position];
    high[half] = b.c(p.key.extent);
    if (p.highest) high[half] = b.min(high[half], b.add(position, *p.highest + 1));
    high[half] = b.sub(high[half], origin);
    if (p.lowest) low[half] = b.sub(b.add(position, *p.lowest), origin);
  }
  SmallVector<Value> result;
  for (auto [i, score] : llvm::enumerate(scores)) {
    const unsigned half = i % 4 / 2;
    Value column = b.c(int64_t(8 * (i / 4) + i % 2));
    Value kept = b.select(b.less(column, high[half]), score, none);
    if (p.lowest) kept = b.select(b.less(column, low[half]), none, kept);
    result.push_back(kept);
  }
  return result;
}

SmallVector<Value> SoftmaxEmitter::scores(ValueRange products, const AttentionItem &item, Value tile, Value consumer) {
  SmallVector<Value> values(products);
  if (transformed)
    for (Value &v : values) v = capped(v);
  Value start = b.mul(tile, p.tileKeys());
  if (Value cuts = cutsTile(item, start))
    return b.replaceIf(cuts, values, [&] { return masked(values, item, start, consumer); });
  return values;
}

Value SoftmaxEmitter::reference(Value maximum) {
  if (!p.masked()) return maximum; // the first tile has a key that counts for every row
  Value none = b.f(-std::numeric_limits<double>::infinity());
  return b.select(arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, maximum, none), b.f(0), maximum);
}

SmallVector<Value> SoftmaxEmitter::step(ValueRange scores, SoftmaxState &state, Value scale[2]) {
  SmallVector<Value> results(scores.size());
  for (size_t row : {0, 1}) {
    // Two chains each: an addition waits four cycles for the one before.
    Value highest[2] = {state.maximum[row], scores[2 * row + 1]};
    for (size_t i = 2 * row; i < scores.size(); i += 4)
      for (size_t e : {0, 1})
        if (i + e != 2 * row + 1) highest[e] = arith::MaxNumFOp::create(b, highest[e], scores[i + e]);
    Value maximum = arith::MaxNumFOp::create(b, highest[0], highest[1]);
    for (int64_t lanes : {1, 2}) maximum = arith::MaxNumFOp::create(b, maximum, b.shuffleXor(maximum, lanes));
    Value shift = arith::MulFOp::create(b, reference(maximum), b.f(factor));
    scale[row] = b.exp2(arith::SubFOp::create(b, arith::MulFOp::create(b, state.maximum[row], b.f(factor)), shift));
    Value minus = arith::NegFOp::create(b, shift);
    Value sums[2] = {arith::MulFOp::create(b, state.sum[row], scale[row]), Value()};
    for (size_t i = 2 * row; i < scores.size(); i += 4)
      for (size_t e : {0, 1}) {
        Value weight = b.exp2(LLVM::FMAOp::create(b, scores[i + e], b.f(factor), minus));
        sums[e] = sums[e] ? Value(arith::AddFOp::create(b, sums[e], weight)) : weight;
        results[i + e] = weight;
      }
    Value sum = arith::AddFOp::create(b, sums[0], sums[1]);
    state.maximum[row] = maximum;
    state.sum[row] = sum;
  }
  return results;
}

void SoftmaxEmitter::finish(SoftmaxState &state) {
  for (Value &sum : state.sum)
    for (int64_t lanes : {1, 2}) sum = arith::AddFOp::create(b, sum, b.shuffleXor(sum, lanes));
}

Value SoftmaxEmitter::inverse(const SoftmaxState &state, unsigned row) {
  Value inverse = b.reciprocal(state.sum[row]);
  if (!p.masked() || !p.zeroEmpty) return inverse;
  Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, state.sum[row], b.f(0));
  return b.select(isEmpty, b.f(0), inverse);
}

Value SoftmaxEmitter::logSum(const SoftmaxState &state, unsigned row) {
  Value shift = arith::MulFOp::create(b, reference(state.maximum[row]), b.f(factor));
  return arith::MulFOp::create(b, arith::AddFOp::create(b, shift, b.log2(state.sum[row])), b.f(kLn2));
}

} // namespace ein
