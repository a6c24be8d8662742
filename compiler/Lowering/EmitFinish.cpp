// What follows a contraction point by point, on each tile while it is in L1.
#include "compiler/Lowering/EmitContraction.h"

using namespace mlir;

namespace ein {

void ContractionEmitter::bindReads(ValueRange pointers) {
  for (auto [n, read] : llvm::enumerate(reads)) {
    read.memory = b.flat(pointers[4 + parts.size() + n], read.operand.element, read.operand.extent);
    auto runs = [&](const IndexGroup &g) {
      return Runs{g.runStride(read.stride).value_or(0), {}, g.stride(read.stride)};
    };
    read.rows = runs(p.rows), read.cols = runs(p.cols);
  }
}

ContractionEmitter::Place ContractionEmitter::placeOf(const Point &at, Value rowPanel, Value colPanel) {
  auto place = [&](Value batch, const Runs &rows, const Runs &cols) {
    return b.add(b.add(batch, panelAt(rows, p.rows, rowPanel, p.mr)), panelAt(cols, p.cols, colPanel, p.nr()));
  };
  Place result{place(at.c, rowsC, colsC), {}};
  for (auto [read, batch] : llvm::zip(reads, at.reads)) result.reads.push_back(place(batch, read.rows, read.cols));
  return result;
}

/// The finish on `lanes` elements of a row of the tile.
void ContractionEmitter::finishRun(int64_t lanes, Value sum, Value to, ArrayRef<Value> from, bool combines, bool past) {
  if (combines) sum = combine(b.loadVector(lanes, memC, to), sum);
  SmallVector<Value> inputs;
  const auto *offset = from.begin();
  const auto *read = reads.begin();
  for (const NestOperand &input : finish->inputs) {
    if (!input.pointer) {
      inputs.push_back(sum);
      continue;
    }
    inputs.push_back(read->cols.perElement == 0 ? b.splat(b.load(read->memory, *offset), lanes)
                                                : b.loadVector(lanes, read->memory, *offset));
    ++read, ++offset;
  }
  auto noIndex = [](int64_t) { return Value(); };
  linalg::LinalgOp op = finish->op;
  Value result = BodyEmitter(b, op, lanes, inputs, noIndex).emit(op.getBlock()->getTerminator()->getOperand(0));
  b.storeVector(result, memC, to, past);
}

/// Rows of a tile from its spill area, one after the other, so that there is one body whatever the tile's height:
/// vectors, and what is left of a row in ever narrower ones; element by element where the output is scattered. In a
/// function of its own, for its constants would take the registers of the tile.
func::FuncOp ContractionEmitter::finishFunction(int64_t cols, bool past) {
  const unsigned own = pointerCount(), indices = 2 + reads.size();
  const std::string suffix = "_finish" + std::to_string(cols) + (past ? "_past" : "");
  return b.function(name + suffix, own + 1, indices, [&](ValueRange args, ValueRange index) {
    bind(args.take_front(own));
    Value memory = b.flat(args[own], b.element, p.mr * p.nr());
    const int64_t width = vectorsOf(cols) * p.lanes;
    b.loop(b.c(0), index[1], 1, [&](Value r) {
      auto run = [&](int64_t lanes, Value c) {
        auto at = [&](Value base, const Runs &rows, const Runs &cols) {
          return b.add(b.add(base, b.mul(r, rows.perElement)), b.mul(c, cols.perElement));
        };
        SmallVector<Value> from;
        for (auto [read, base] : llvm::zip(reads, index.drop_front(2))) from.push_back(at(base, read.rows, read.cols));
        Value sum = b.loadVector(lanes, memory, b.add(b.mul(r, width), c));
        finishRun(lanes, sum, at(index[0], rowsC, colsC), from, p.depthBlocks() > 1, past);
      };
      const int64_t step = colsC.perElement == 1 ? p.lanes : 1, whole = cols / step * step;
      b.loop(0, whole, step, [&](Value c) { run(step, c); });
      for (int64_t done = whole, lanes; done < cols; done += lanes) {
        lanes = llvm::bit_floor<uint64_t>(cols - done);
        run(lanes, b.c(done));
      }
    });
  });
}

void ContractionEmitter::makeFinishes() {
  if (!finish) return;
  for (int64_t cols : {p.nr(), p.cols.run() % p.nr()})
    for (bool past : {false, true})
      if (cols > 0 && cols <= p.cols.run() && (!past || p.streaming))
        finishes[{cols, past}] = finishFunction(cols, past);
}

void ContractionEmitter::finishTile(Tile tile, const Place &place, ArrayRef<Value> sums, Value spill, bool past) {
  spillTile(sums, b.flat(spill, b.element, p.mr * p.nr()));
  SmallVector<Value> indices{place.to, b.c(tile.rows)};
  indices.append(place.reads.begin(), place.reads.end());
  call(finishes.at({tile.cols, past}), spill, indices);
}

} // namespace ein
