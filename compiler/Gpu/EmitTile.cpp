// Contractions without tensor cores: panels of both operands in shared memory, a square of sums in the registers of
// each thread.
#include "compiler/Gpu/SimtEmitter.h"

#include "compiler/Lowering/PlanAttr.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

namespace {
constexpr int64_t kSide = SimtPlan::kTileThreads, kDepth = SimtPlan::kTileDepth;
/// Sums lie in vectors of neighbours along the columns; rows and columns of a thread come in runs of as many.
constexpr int64_t kRun = 4;
} // namespace

void SimtEmitter::tile() {
  const int64_t rows = ceilDiv(p.points(p.rows), p.tile()), cols = ceilDiv(p.points(p.cols), p.tile());
  Value thread = b.threadNumber();
  forItems(rows * cols * p.points(p.batches), b.blockNumber(0), p.strides ? b.blockCount() : Value(),
           [&](Value square) { tileSquare(square, thread); });
}

/// Copies kDepth x tile elements of an operand to shared memory, converted to what is computed in; the side's elements
/// are neighbours there. What lies beyond the side is some element of it, beyond the depth zero.
void SimtEmitter::fillPanel(unsigned o, ArrayRef<int> side, Value start, Value depth, Value depthEnd, Value thread,
                            const Position &from, Value panel) {
  const std::vector<int> reduced = p.loops(true);
  const int64_t extent = p.points(std::vector<int>(side.begin(), side.end())), width = p.tile();
  // Threads follow what is adjacent in memory.
  const bool alongDepth = dims[reduced.back()].strides[o] == 1 && dims[side.back()].strides[o] != 1;
  for (int64_t i = 0; i < width * kDepth / p.threads; ++i) {
    Value number = b.plus(thread, i * p.threads);
    Value k = alongDepth ? b.modulo(number, kDepth) : b.over(number, width);
    Value s = alongDepth ? b.over(number, kDepth) : b.modulo(number, width);
    Position at = from;
    decompose(b.least(b.plus(start, s), extent - 1), side, at);
    Value deep = b.plus(depth, k), inside = b.less(deep, depthEnd);
    decompose(b.least(deep, p.shape.points(true) - 1), reduced, at);
    Value element = loadElement(o, offsetOf(o, at));
    if (!operands[o].element.isInteger(1) && operands[o].element != b.element)
      element = b.convert(element, b.element, operands[o].isUnsigned);
    auto type = cast<VectorType>(element.getType());
    Value zero = arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(type)));
    b.storeLanes(arith::SelectOp::create(b, inside, element, zero), panel, b.plus(b.times(k, p.panelStride()), s),
                 p.shape.outputBytes);
  }
}

/// The products of one pair of panels added to the sums.
SmallVector<Value> SimtEmitter::multiplyPanels(ValueRange sums, Value depth, Value depthEnd, Value row, Value col,
                                               Value rowPanel, Value colPanel) {
  const int64_t runs = p.registers / kRun, bytes = std::min<int64_t>(16, kRun * p.shape.outputBytes);
  // Whole panels are multiplied several steps at a time.
  const int64_t steps = p.zeroPads ? 4 : 1;
  Value last = p.zeroPads ? b.k(kDepth) : b.least(arith::SubIOp::create(b, depthEnd, depth), kDepth);
  auto runOf = [&](Value panel, Value k, Value first, int64_t run) {
    Value offset = b.plus(b.times(k, p.panelStride()), b.plus(b.times(first, kRun), run * kSide * kRun));
    return b.loadLanes(panel, b.element, offset, kRun, bytes);
  };
  auto step = [&](Value k, ValueRange now) {
    SmallVector<Value> next, columns;
    for (int64_t c = 0; c < runs; ++c) columns.push_back(runOf(colPanel, k, col, c));
    for (int64_t r = 0; r < runs; ++r) {
      Value rows = runOf(rowPanel, k, row, r);
      for (int64_t i = 0; i < kRun; ++i) {
        Value element = b.spread(b.lane(rows, i), kRun);
        for (int64_t c = 0; c < runs; ++c) {
          auto none = [](auto...) { return Value(); };
          BodyEmitter body(b, op, kRun, {element, columns[c]}, none);
          next.push_back(body.accumulate(reduction, now[next.size()]));
        }
      }
    }
    return next;
  };
  return b.forEach(b.k(0), last, b.k(steps), sums, [&](Value k, ValueRange now) {
    SmallVector<Value> next(now);
    for (int64_t i = 0; i < steps; ++i) next = step(b.plus(k, i), next);
    return next;
  });
}

/// Stores the sums that lie within the output, or within the part of a split depth.
void SimtEmitter::storeSquare(ArrayRef<Value> sums, const Position &from, Value rowStart, Value colStart, Value row,
                              Value col) {
  const int64_t rows = p.points(p.rows), cols = p.points(p.cols), runs = p.registers / kRun;
  auto number = [&](Value start, Value thread, int64_t run, int64_t i) {
    return b.plus(start, b.plus(b.times(thread, kRun), run * kSide * kRun + i));
  };
  // Of the batch, in the order of the parts.
  Value batch = b.k(0);
  for (int d : p.batches) batch = b.plus(b.times(batch, dims[d].extent), from[d] ? from[d] : b.k(0));
  for (int64_t r = 0, sum = 0; r < p.registers; ++r) {
    Value y = number(rowStart, row, r / kRun, r % kRun);
    for (int64_t c = 0; c < runs; ++c, ++sum)
      for (int64_t i = 0; i < kRun; ++i) {
        Value x = number(colStart, col, c, i);
        Value inside = arith::AndIOp::create(b, b.less(y, rows), b.less(x, cols));
        b.when(inside, [&] {
          Value value = b.vectorOf(b.lane(sums[sum], i));
          if (p.split > 1) return storePart(value, b.plus(b.times(b.plus(b.times(batch, rows), y), cols), x));
          Position at = from;
          decompose(y, p.rows, at);
          decompose(x, p.cols, at);
          store(value, at, -1);
        });
      }
  }
}

void SimtEmitter::tileSquare(Value square, Value thread) {
  const int64_t rowSquares = ceilDiv(p.points(p.rows), p.tile()), colSquares = ceilDiv(p.points(p.cols), p.tile());
  Position at(dims.size());
  Value colStart = b.times(b.modulo(square, colSquares), p.tile()), rest = b.over(square, colSquares);
  Value rowStart = b.times(b.modulo(rest, rowSquares), p.tile());
  decompose(b.over(rest, rowSquares), p.batches, at);
  Value col = b.modulo(thread, kSide), row = b.over(thread, kSide);
  Value rowPanel = b.shared(module, 0), colPanel = b.shared(module, kDepth * p.panelStride() * p.shape.outputBytes);

  Value low = b.k(0), high = b.k(p.shape.points(true));
  if (p.split > 1) {
    low = b.times(b.blockNumber(1), p.chunk);
    high = b.least(b.plus(low, p.chunk), p.shape.points(true));
  }
  SmallVector<Value> sums(p.registers * p.registers / kRun, identity(kRun));
  sums = b.forEach(low, high, b.k(kDepth), sums, [&](Value depth, ValueRange now) {
    fillPanel(0, p.rows, rowStart, depth, high, thread, at, rowPanel);
    fillPanel(1, p.cols, colStart, depth, high, thread, at, colPanel);
    b.barrier();
    SmallVector<Value> next = multiplyPanels(now, depth, high, row, col, rowPanel, colPanel);
    b.barrier();
    return next;
  });
  storeSquare(sums, at, rowStart, colStart, row, col);
}

} // namespace ein
