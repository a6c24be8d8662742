// Kernels that turn squares through shared memory: both the loads of the staged inputs and the stores are of
// neighbours.
#include "compiler/Gpu/SimtEmitter.h"

#include "compiler/Lowering/PlanAttr.h"

using namespace mlir;

namespace ein {

/// Blocks take squares of the output, counted along `lane`, then `across`, then the other loops.
void SimtEmitter::transpose() {
  constexpr int64_t side = SimtPlan::kTransposeTile;
  int64_t squares = ceilDiv(dims[p.lane].extent, side) * ceilDiv(dims[p.across].extent, side);
  for (int d : p.loops(false))
    if (d != p.lane && d != p.across) squares *= dims[d].extent;
  Value thread = b.threadNumber();
  forItems(squares, b.blockNumber(0), p.strides ? b.blockCount() : Value(),
           [&](Value square) { transposeSquare(square, thread); });
}

/// A warp reads rows along `across` and writes rows along `lane`. Rows in shared memory are one element longer than the
/// square, so that a column of it meets all banks.
void SimtEmitter::transposeSquare(Value square, Value thread) {
  constexpr int64_t side = SimtPlan::kTransposeTile, rows = SimtPlan::kTransposeRows;
  const int x = p.lane, y = p.across;
  const int64_t columns = ceilDiv(dims[x].extent, side), lines = ceilDiv(dims[y].extent, side);
  SmallVector<int> others;
  for (int d : p.loops(false))
    if (d != x && d != y) others.push_back(d);
  Position from(dims.size());
  Value x0 = b.times(b.modulo(square, columns), side), rest = b.over(square, columns);
  Value y0 = b.times(b.modulo(rest, lines), side);
  decompose(b.over(rest, lines), others, from);
  Value warpLane = b.modulo(thread, side), warp = b.over(thread, side);

  // The element of this thread in pass `i`: neighbours along `fast` within a warp.
  auto place = [&](int fast, int64_t i) {
    Position at = from;
    Value slow = b.plus(warp, i * rows);
    at[x] = b.plus(x0, fast == x ? warpLane : slow);
    at[y] = b.plus(y0, fast == x ? slow : warpLane);
    return at;
  };
  auto whenInside = [&](const Position &at, llvm::function_ref<void()> then) {
    b.when(b.less(at[x], dims[x].extent), [&] { b.when(b.less(at[y], dims[y].extent), then); });
  };
  SmallVector<Value> squares(out);
  int64_t begin = 0;
  for (unsigned o = 0; o < out; ++o) {
    if (!p.isStaged(o)) continue;
    squares[o] = b.shared(module, begin);
    begin += (side * (side + 1) * p.operands[o].bytes + 15) / 16 * 16;
  }
  for (int64_t i = 0; i < side / rows; ++i) {
    Position at = place(y, i);
    whenInside(at, [&] {
      for (unsigned o = 0; o < out; ++o) {
        if (!p.isStaged(o)) continue;
        Value offset = b.plus(b.times(warpLane, side + 1), b.plus(warp, i * rows));
        b.storeLanes(load(o, at, -1, 1), squares[o], offset, p.operands[o].bytes);
      }
    });
  }
  b.barrier();
  for (int64_t i = 0; i < side / rows; ++i) {
    Position at = place(x, i);
    whenInside(at, [&] {
      SmallVector<Value> staged(out);
      for (unsigned o = 0; o < out; ++o) {
        if (!p.isStaged(o)) continue;
        Value offset = b.plus(b.times(b.plus(warp, i * rows), side + 1), warpLane);
        staged[o] = b.loadLanes(squares[o], operands[o].element, offset, 1, p.operands[o].bytes);
      }
      store(evaluate(at, -1, 1, {}, staged), at, -1);
    });
  }
  if (p.strides) b.barrier(); // the next square comes to the same place
}

} // namespace ein
