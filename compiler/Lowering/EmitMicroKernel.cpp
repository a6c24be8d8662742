// The register tile: multiply two slivers, combine the tile with the output.
#include "compiler/Lowering/EmitContraction.h"

using namespace mlir;

namespace ein {

/// Columns in place are asked for this many steps ahead where they do not fit L1.
static constexpr int64_t kStepsAhead = 16, kNearBytes = 32 << 10;

/// Every panel of a range: whole ones, and the narrower one at the end of each run.
void ContractionEmitter::panels(Range range, const IndexGroup &side, int64_t width, TileBody body) {
  const int64_t whole = side.run() / width, rest = side.run() % width, perRun = whole + (rest ? 1 : 0);
  if (rest == 0 || whole == 0) return b.loop(range.low, range.high, 1, [&](Value i) { body(i, rest ? rest : width); });
  if (side.runs() > 1)
    return b.loop(range.low, range.high, 1, [&](Value i) {
      b.ifThen(b.equal(b.rem(i, perRun), b.c(whole)), [&] { body(i, rest); }, [&] { body(i, width); });
    });
  b.loop(range.low, b.min(range.high, b.c(whole)), 1, [&](Value i) { body(i, width); });
  b.ifThen(b.lessEqual(b.c(whole + 1), range.high), [&] { body(b.c(whole), rest); });
}

/// Every tile of a block. Rows outer: a sliver of rows stays in L1 while the columns stream past it.
void ContractionEmitter::compute(const Point &at, Range rows, Range cols, const Packs &packs) {
  panels(rows, p.rows, p.mr, [&](Value i, int64_t rowsHere) {
    if (func::FuncOp function = rowsHere == p.mr ? wholeTiles : restTiles)
      call(function, {packs.rows, packs.cols, packs.spill}, {at.batch, at.kb, firstBlock, rows.block, cols.block, i});
    else
      rowTiles(at, i, rowsHere, rows, cols, packs);
  });
}

func::FuncOp ContractionEmitter::rowTilesFunction(int64_t rowsHere) {
  const unsigned own = pointerCount();
  return b.function(name + "_rows" + std::to_string(rowsHere), own + 3, 6, [&](ValueRange args, ValueRange index) {
    bind(args.take_front(own));
    firstBlock = index[2];
    rowTiles(point(index[0], index[1]), index[5], rowsHere, rowBlock(index[3]), colBlock(index[4]),
             {args[own], args[own + 1], args[own + 2]});
  });
}

/// The tiles of panel `i` of rows.
void ContractionEmitter::rowTiles(const Point &at, Value i, int64_t rowsHere, Range rows, Range cols,
                                  const Packs &packs) {
  Value packedS = b.flat(packs.rows, b.element, p.allRowPanels() * p.rowPanelStride());
  Value packedV = b.flat(packs.cols, b.element, p.allColPanels() * p.colPanelStride());
  // Columns read in place lie a stride apart that no hardware foresees.
  const bool large = p.cols.size() * p.depth.size() * p.elementBytes > kNearBytes;
  const int64_t ahead = p.packCols == Packing::None && large ? kStepsAhead * *p.depthStride(1) : 0;
  Sliver s = p.packRows == Packing::None
                 ? Sliver{memS, b.add(at.s, panelAt(rowsS, p.rows, i, p.mr)), *p.depthStride(0), rowsS.perElement}
                 : Sliver{packedS, b.mul(b.sub(i, rows.base), p.rowPanelStride()), p.mr, 1};
  panels(cols, p.cols, p.nr(), [&](Value j, int64_t colsHere) {
    Sliver v = p.packCols == Packing::None
                   ? Sliver{memV, b.add(at.v, panelAt(colsV, p.cols, j, p.nr())), *p.depthStride(1), 1, ahead}
                   : Sliver{packedV, b.mul(b.sub(j, cols.base), p.colPanelStride()), p.nr(), 1};
    const Tile tile{rowsHere, colsHere};
    SmallVector<Value> sums = multiply(tile, s, v, at.depth);
    writeTile(at, tile, placeOf(at, i, j), sums, packs.spill);
  });
}

/// The body on an element of S on all lanes and a vector of V, combined with `sum`.
Value ContractionEmitter::accumulate(Value fromRows, Value fromCols, Value sum) {
  if (p.paired) return combine(sum, b.multiplyPairs(fromRows, fromCols));
  if (factor) return b.multiplyAdd(fromRows, fromCols, sum);
  auto noIndex = [](int64_t) { return Value(); };
  Value inputs[] = {p.swapped ? fromCols : fromRows, p.swapped ? fromRows : fromCols};
  return BodyEmitter(b, op, p.lanes, inputs, noIndex).accumulate(reduction, sum);
}

/// sums[r * vectors + c] = sum over k of rows(k, r) * cols(k, c...), in the semiring of the body: accumulators never
/// leave registers.
SmallVector<Value> ContractionEmitter::multiply(Tile tile, const Sliver &rows, const Sliver &cols, Value depth) {
  const int64_t vectors = vectorsOf(tile.cols);
  SmallVector<Value> zero(tile.rows * vectors, emitIdentity(b, reduction.combine, p.lanes));
  auto step = [&](Value k, SmallVector<Value> sums) {
    Value fromRows = b.add(rows.base, b.mul(k, rows.perDepth)), fromCols = b.add(cols.base, b.mul(k, cols.perDepth));
    SmallVector<Value> vector;
    for (int64_t c = 0; c < vectors; ++c) {
      vector.push_back(b.widened(b.loadVector(p.lanes, cols.memory, b.add(fromCols, c * p.lanes)), v.isUnsigned));
      if (cols.ahead) b.prefetch(cols.memory, b.add(fromCols, c * p.lanes + cols.ahead));
    }
    for (int64_t r = 0; r < tile.rows; ++r) {
      Value scalar =
          b.splat(b.widened(b.load(rows.memory, b.add(fromRows, r * rows.perElement)), s.isUnsigned), p.lanes);
      for (int64_t c = 0; c < vectors; ++c)
        sums[r * vectors + c] = accumulate(scalar, vector[c], sums[r * vectors + c]);
    }
    return sums;
  };
  const int64_t u = p.kUnroll;
  bool even = p.kc() % (p.paired ? 2 * u : u) == 0; // every block is as deep, and its depth a multiple
  for (auto [d, piece] : llvm::zip(p.depth.dims, p.depthPieces)) even &= d.extent % piece == 0;
  if (p.paired) depth = b.div(b.add(depth, 1), 2);
  Value whole = even ? depth : b.mul(b.div(depth, u), u);
  SmallVector<Value> sums = b.loop(b.c(0), whole, u, zero, [&](Value k, ValueRange carried) {
    SmallVector<Value> now(carried);
    for (int64_t i = 0; i < u; ++i) now = step(b.add(k, i), now);
    return now;
  });
  if (even) return sums;
  return b.loop(whole, depth, 1, sums,
                [&](Value k, ValueRange carried) { return step(k, SmallVector<Value>(carried)); });
}

void ContractionEmitter::writeTile(const Point &at, Tile tile, const Place &place, ArrayRef<Value> sums, Value spill) {
  auto write = [&](bool combines) {
    if (colsC.perElement == 1)
      writeVectors(tile, place.to, sums, combines);
    else
      writeElements(tile, place.to, sums, spill, combines);
  };
  auto last = [&](bool combines, bool past) {
    if (finish) return finishTile(tile, place, sums, spill, past);
    if (past) return writeVectors(tile, place.to, sums, combines, past);
    write(combines);
  };
  if (!overwrite && p.split != Split::Depth) return write(true);
  if (p.streaming && colsC.perElement == 1 && tile.cols % p.lanes == 0)
    return b.ifThen(aligned, [&] { last(false, true); }, [&] { last(false, false); });
  if (p.depthBlocks() == 1) return last(false, false);
  // The first block of the depth writes, the others combine.
  auto others = [&] {
    if (!finish) return write(true);
    Value isLast = b.equal(at.kb, b.sub(lastBlock, b.c(1)));
    b.ifThen(isLast, [&] { last(true, false); }, [&] { write(true); });
  };
  b.ifThen(b.equal(at.kb, firstBlock), [&] { write(false); }, others);
}

/// Rows of the tile are adjacent in the output. The last vector of an edge is stored in halving pieces.
void ContractionEmitter::writeVectors(Tile tile, Value to, ArrayRef<Value> sums, bool combines, bool past) {
  const int64_t vectors = vectorsOf(tile.cols);
  for (int64_t r = 0; r < tile.rows; ++r)
    for (int64_t c = 0; c < vectors; ++c) {
      const int64_t valid = std::min(p.lanes, tile.cols - c * p.lanes);
      Value from = b.add(to, r * rowsC.perElement + c * p.lanes);
      for (int64_t done = 0; done < valid;) {
        const int64_t lanes = llvm::bit_floor<uint64_t>(valid - done);
        Value part = b.slice(sums[r * vectors + c], done, lanes), offset = b.add(from, done);
        if (combines) part = combine(b.loadVector(lanes, memC, offset), part);
        b.storeVector(part, memC, offset, past);
        done += lanes;
      }
    }
}

void ContractionEmitter::spillTile(ArrayRef<Value> sums, Value memory) {
  for (auto [i, sum] : llvm::enumerate(sums)) b.storeVector(sum, memory, b.c(i * p.lanes));
}

/// The tile's columns are scattered over the output: element by element from memory.
void ContractionEmitter::writeElements(Tile tile, Value to, ArrayRef<Value> sums, Value spill, bool combines) {
  Value memory = b.flat(spill, b.element, p.mr * p.nr());
  const int64_t width = vectorsOf(tile.cols) * p.lanes;
  spillTile(sums, memory);
  b.loop(0, tile.rows, 1, [&](Value r) {
    Value row = b.add(to, b.mul(r, rowsC.perElement)), from = b.mul(r, width);
    b.loop(0, tile.cols, 1, [&](Value c) {
      Value offset = b.add(row, b.mul(c, colsC.perElement)), value = b.load(memory, b.add(from, c));
      if (combines) value = combine(b.load(memC, offset), value);
      b.store(value, memC, offset);
    });
  });
}

} // namespace ein
