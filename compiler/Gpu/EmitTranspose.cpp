// Kernels that turn squares through shared memory: both the loads of the staged inputs and the stores are of
// neighbours.
#include "compiler/Gpu/SimtEmitter.h"

#include "compiler/Lowering/PlanAttr.h"

using namespace mlir;

namespace ein {

/// Blocks take squares of the output, counted along `lane`, then `across`, then the other loops.
void SimtEmitter::transpose() {
  int64_t squares = ceilDiv(dims[p.lane].extent, p.side) * ceilDiv(dims[p.across].extent, p.side);
  for (int d : p.loops(false))
    if (d != p.lane && d != p.across) squares *= dims[d].extent;
  Value thread = b.threadNumber();
  forItems(squares, b.blockNumber(0), p.strides ? b.blockCount() : Value(),
           [&](Value square) { transposeSquare(square, thread); });
}

/// Calls `body` for each run of `lanes` neighbours along `fast` in a square that this thread takes: threads follow runs
/// of 128 bytes, and the rows of a warp lie `rowStep` apart.
void SimtEmitter::eachRun(Value thread, int64_t lanes, int64_t bytes,
                          llvm::function_ref<void(Value row, Value column)> body) {
  const int64_t perRow = std::min({int64_t(32), 128 / (lanes * bytes), p.side / lanes}), step = p.rowStep();
  for (int64_t i = 0; i < p.side * p.side / (lanes * p.threads); ++i) {
    Value number = b.plus(thread, i * p.threads), line = b.over(number, perRow);
    Value column = b.plus(b.modulo(number, perRow), b.times(b.over(line, p.side), perRow));
    Value row = b.modulo(line, p.side);
    if (step > 1) row = b.plus(b.modulo(b.times(row, step), p.side), b.over(row, p.side / step));
    body(row, b.times(column, lanes));
  }
}

/// A warp reads rows along `across` and writes rows along `lane`.
void SimtEmitter::transposeSquare(Value square, Value thread) {
  const int x = p.lane, y = p.across;
  const int64_t columns = ceilDiv(dims[x].extent, p.side), lines = ceilDiv(dims[y].extent, p.side);
  SmallVector<int> others;
  for (int d : p.loops(false))
    if (d != x && d != y) others.push_back(d);
  Position from(dims.size());
  Value x0 = b.times(b.modulo(square, columns), p.side), rest = b.over(square, columns);
  Value y0 = b.times(b.modulo(rest, lines), p.side);
  decompose(b.over(rest, lines), others, from);
  auto whenInside = [&](Value dx, Value dy, llvm::function_ref<void(const Position &)> then) {
    Position at = from;
    at[x] = b.plus(x0, dx), at[y] = b.plus(y0, dy);
    Value inside;
    for (int d : {x, y})
      if (dims[d].extent % p.side != 0) inside = b.both(inside, b.less(at[d], dims[d].extent));
    if (!inside) return then(at);
    b.when(inside, [&] { then(at); });
  };
  SmallVector<Value> squares(out);
  int64_t begin = 0;
  for (unsigned o = 0; o < out; ++o) {
    if (!p.isStaged(o)) continue;
    squares[o] = b.shared(module, begin);
    begin += p.squareBytes(o);
    const int64_t lanes = p.stagedLanes(o), bytes = p.operands[o].bytes;
    eachRun(thread, lanes, bytes, [&](Value dx, Value dy) {
      whenInside(dx, dy, [&](const Position &at) {
        Value run = b.loadLanes(pointers[o], operands[o].element, offsetOf(o, at), lanes, lanes * bytes);
        b.scatterLanes(run, squares[o], b.plus(b.times(dy, p.pitch()), dx), p.pitch());
      });
    });
  }
  b.barrier();
  eachRun(thread, p.lanes, p.operands[out].bytes, [&](Value dy, Value dx) {
    whenInside(dx, dy, [&](const Position &at) {
      SmallVector<Value> staged(out);
      for (unsigned o = 0; o < out; ++o)
        if (p.isStaged(o))
          staged[o] = b.gatherLanes(squares[o], operands[o].element, b.plus(b.times(dy, p.pitch()), dx), 1, p.lanes);
      store(evaluate(at, x, p.lanes, {}, staged), at, x);
    });
  });
  if (p.strides) b.barrier(); // the next square comes to the same place
}

} // namespace ein
