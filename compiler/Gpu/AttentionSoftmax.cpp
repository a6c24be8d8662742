// The running softmax in registers: masks, maxima over quads of threads, exponentials as powers of two.
#include "compiler/Gpu/EmitAttention.h"
#include "compiler/Gpu/Fragment.h"

#include <limits>

using namespace mlir;

namespace ein {

static constexpr double kLog2E = 1.4426950408889634074, kLn2 = 0.69314718055994530942;

SoftmaxEmitter::SoftmaxEmitter(KernelBuilder &b, const AttentionPlan &plan, AttentionBodyEmitter &bodies)
    : b(b), p(plan), bodies(bodies),
      transformed(plan.softcap != 0 || !(plan.scale > 0) || plan.has(AttentionPlan::Score)),
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

void SoftmaxEmitter::begin(const AttentionItem &item, Value consumer) {
  Value first = b.add(b.mul(consumer, 64), fragmentRow(b));
  batch = item.batch;
  for (int64_t half : {0, 1}) {
    rows[half] = rowOf(b, p, item, b.add(first, 8 * half));
    Value position = rows[half][p.position];
    low[half] = p.has(AttentionPlan::Low) ? bodies.bound(true, batch, rows[half])
                : p.lowest                ? b.add(position, *p.lowest)
                                          : Value();
    high[half] = p.has(AttentionPlan::High) ? bodies.bound(false, batch, rows[half])
                 : p.highest                ? b.min(b.add(position, *p.highest + 1), b.c(p.key.extent))
                                            : b.c(p.key.extent);
  }
}

/// Whether some key of the tile that begins at `start` does not count for some row; nothing if all always do.
Value SoftmaxEmitter::cutsTile(const AttentionItem &item, Value start) {
  Value cuts;
  auto also = [&](Value v) { cuts = cuts ? Value(arith::OrIOp::create(b, cuts, v)) : v; };
  Value end = b.add(start, p.tileKeys());
  if (p.key.extent % p.tileKeys() != 0) also(b.less(b.c(p.key.extent), end));
  if (item.highAtFirst) also(b.less(item.highAtFirst, end));
  if (item.lowAtLast) also(b.less(start, item.lowAtLast));
  return cuts;
}

SmallVector<Value> SoftmaxEmitter::masked(ValueRange scores, Value start) {
  Value none = b.f(-std::numeric_limits<double>::infinity());
  Value origin = b.add(start, b.mul(b.rem(b.lane(), 4), 2));
  Value from[2], to[2];
  for (int64_t half : {0, 1}) {
    to[half] = b.sub(high[half], origin);
    if (low[half]) from[half] = b.sub(low[half], origin);
  }
  SmallVector<Value> result;
  for (auto [i, score] : llvm::enumerate(scores)) {
    const unsigned half = i % 4 / 2;
    const int64_t first = int64_t(8 * (i / 4));
    Value column = b.c(first + int64_t(i % 2));
    Value kept = b.select(b.less(column, to[half]), score, none);
    if (low[half]) kept = b.select(b.less(column, from[half]), none, kept);
    result.push_back(kept);
    if (!p.has(AttentionPlan::Guard) || i % 2 == 0) continue;
    const auto [one, other] = bodies.counts(batch, rows[half], b.add(origin, first));
    result[i - 1] = b.select(one, result[i - 1], none);
    result[i] = b.select(other, result[i], none);
  }
  return result;
}

SmallVector<Value> SoftmaxEmitter::scores(ValueRange products, const AttentionItem &item, Value tile) {
  SmallVector<Value> values(products);
  if (transformed)
    for (Value &v : values) v = capped(v);
  Value start = b.mul(tile, p.tileKeys());
  if (p.has(AttentionPlan::Score)) {
    Value origin = b.add(start, b.mul(b.rem(b.lane(), 4), 2));
    for (size_t i = 0; i < values.size(); i += 2) {
      Value key = b.add(origin, int64_t(8 * (i / 4)));
      std::tie(values[i], values[i + 1]) = bodies.scores(batch, rows[i % 4 / 2], key, values[i], values[i + 1]);
    }
  }
  if (p.masksAll()) return masked(values, start);
  if (Value cuts = cutsTile(item, start)) return b.replaceIf(cuts, values, [&] { return masked(values, start); });
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

Value SoftmaxEmitter::maximum(const SoftmaxState &state, unsigned row) {
  return arith::MulFOp::create(b, reference(state.maximum[row]), b.f(factor * kLn2));
}

void SoftmaxEmitter::divide(const SoftmaxState &state, MutableArrayRef<Value> output) {
  if (!p.has(AttentionPlan::Result)) {
    const Value factors[2] = {inverse(state, 0), inverse(state, 1)};
    for (auto [i, v] : llvm::enumerate(output)) v = arith::MulFOp::create(b, v, factors[i % 4 / 2]);
    return;
  }
  const Value maxima[2] = {maximum(state, 0), maximum(state, 1)};
  Value own = b.mul(b.rem(b.lane(), 4), 2);
  for (size_t i = 0; i < output.size(); i += 2) {
    const unsigned row = i % 4 / 2;
    std::tie(output[i], output[i + 1]) = bodies.results(batch, rows[row], b.add(own, int64_t(8 * (i / 4))), output[i],
                                                        output[i + 1], state.sum[row], maxima[row]);
  }
}

Value SoftmaxEmitter::logSum(const SoftmaxState &state, unsigned row) {
  if (p.has(AttentionPlan::LogSum)) return bodies.logSum(batch, rows[row], state.sum[row], maximum(state, row));
  Value shift = arith::MulFOp::create(b, reference(state.maximum[row]), b.f(factor));
  return arith::MulFOp::create(b, arith::AddFOp::create(b, shift, b.log2(state.sum[row])), b.f(kLn2));
}

void storeLogSum(KernelBuilder &b, const AttentionPlan &plan, const AttentionItem &item, SoftmaxEmitter &softmax,
                 const SoftmaxState &state, Value first, Value pointer) {
  Value row = b.add(first, fragmentRow(b));
  b.ifThen(b.equal(b.rem(b.lane(), 4), 0), [&] {
    for (unsigned half : {0u, 1u}) {
      const TensorPlace at = placeOf(b, plan, item, AttentionPlan::L, b.add(row, int64_t(8 * half)));
      auto store = [&] {
        Value sum = softmax.logSum(state, half);
        if (*plan.logSum != DType::F32) sum = LLVM::FPTruncOp::create(b, b.halfType(*plan.logSum), sum);
        b.store(sum, b.element(pointer, sum.getType(), at.offset), unsigned(byteSize(*plan.logSum)));
      };
      if (at.inside)
        b.ifThen(at.inside, store);
      else
        store();
    }
  });
}

} // namespace ein
