// The register tile: multiply two slivers, add the tile to the output.
#include "compiler/Lowering/EmitContraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

/// Every tile of a block. Rows outer: a sliver of rows stays in L1 while the columns stream past it.
void ContractionEmitter::compute(const Point &at, Range rows, Range cols, Value rowPack, Value colPack, Value tile) {
  Value packedS = b.flat(rowPack, b.element, p.allRowPanels() * p.rowPanelStride());
  Value packedV = b.flat(colPack, b.element, p.allColPanels() * p.colPanelStride());
  Value k0 = b.mul(at.kb, p.kc);
  b.loop(rows.low, rows.high, 1, [&](Value i) {
    Value row = b.mul(i, p.mr);
    Sliver s = p.packRows == Packing::None
                   ? Sliver{memS, b.add(b.add(at.s, b.mul(row, *rowsS.stride)), b.mul(k0, *depthS.stride)),
                            *depthS.stride, *rowsS.stride}
                   : Sliver{packedS, b.mul(b.sub(i, rows.base), p.rowPanelStride()), p.mr, 1};
    b.loop(cols.low, cols.high, 1, [&](Value j) {
      Value col = b.mul(j, p.nr());
      Sliver v = p.packCols == Packing::None
                     ? Sliver{memV, b.add(b.add(at.v, col), b.mul(k0, *depthV.stride)), *depthV.stride, 1}
                     : Sliver{packedV, b.mul(b.sub(j, cols.base), p.colPanelStride()), p.nr(), 1};
      writeTile(at, row, col, multiply(s, v, at.depth), tile);
    });
  });
}

/// sums[r * nv + c] = sum over k of rows(k, r) * cols(k, c...): the accumulators never leave registers.
SmallVector<Value> ContractionEmitter::multiply(const Sliver &rows, const Sliver &cols, Value depth) {
  SmallVector<Value> zero(p.mr * p.nv, b.constant(0, p.lanes));
  auto step = [&](Value k, SmallVector<Value> sums) {
    Value fromRows = b.add(rows.base, b.mul(k, rows.perDepth)), fromCols = b.add(cols.base, b.mul(k, cols.perDepth));
    SmallVector<Value> vectors;
    for (int64_t c = 0; c < p.nv; ++c)
      vectors.push_back(b.loadVector(p.lanes, cols.memory, b.add(fromCols, c * p.lanes)));
    for (int64_t r = 0; r < p.mr; ++r) {
      Value scalar = b.splat(b.load(rows.memory, b.add(fromRows, r * rows.perElement)), p.lanes);
      for (int64_t c = 0; c < p.nv; ++c)
        sums[r * p.nv + c] = b.multiplyAdd(scalar, vectors[c], sums[r * p.nv + c]);
    }
    return sums;
  };
  const int64_t u = p.kUnroll, k = p.depth.size();
  const bool even = k % u == 0 && (k <= p.kc || p.kc % u == 0);
  Value whole = even ? depth : b.mul(b.div(depth, u), u);
  SmallVector<Value> sums = b.loop(b.c(0), whole, u, zero, [&](Value k, ValueRange carried) {
    SmallVector<Value> now(carried);
    for (int64_t i = 0; i < u; ++i) now = step(b.add(k, i), now);
    return now;
  });
  if (even) return sums;
  return b.loop(whole, depth, 1, sums, [&](Value k, ValueRange carried) { return step(k, SmallVector<Value>(carried)); });
}

/// Writes `sum` (a vector or a scalar) to the output, or adds it after the first block of the depth.
void ContractionEmitter::update(Value sum, Value offset, Value first) {
  auto vector = dyn_cast<VectorType>(sum.getType());
  auto put = [&](Value value) { vector ? b.storeVector(value, memC, offset) : b.store(value, memC, offset); };
  if (!first) return put(sum);
  Value old = vector ? b.loadVector(vector.getNumElements(), memC, offset) : b.load(memC, offset);
  Value sums = arith::AddFOp::create(b, old, sum);
  put(overwrite ? arith::SelectOp::create(b, first, sum, sums).getResult() : sums);
}

void ContractionEmitter::writeTile(const Point &at, Value row, Value col, ArrayRef<Value> sums, Value tile) {
  // Null: the output is only written. Otherwise: whether this is the first block of the depth.
  Value first;
  if (!overwrite || p.depthBlocks() > 1) first = b.equal(at.kb, b.c(0));
  auto edge = [&] {
    Value memory = b.flat(tile, b.element, p.mr * p.nr());
    for (auto [i, sum] : llvm::enumerate(sums)) b.storeVector(sum, memory, b.c(i * p.lanes));
    writeEdge(at, row, col, memory, first);
  };
  if (!p.contiguousStore) return edge();
  const bool evenRows = p.rows.size() % p.mr == 0, evenCols = p.cols.size() % p.nr() == 0;
  if (evenRows && evenCols) return writeFull(at, row, col, sums, first);
  Value full = b.both(b.lessEqual(b.add(row, p.mr), b.c(p.rows.size())),
                      b.lessEqual(b.add(col, p.nr()), b.c(p.cols.size())));
  b.ifThen(full, [&] { writeFull(at, row, col, sums, first); }, edge);
}

void ContractionEmitter::writeFull(const Point &at, Value row, Value col, ArrayRef<Value> sums, Value first) {
  SmallVector<Value> cols;
  for (int64_t c = 0; c < p.nv; ++c)
    cols.push_back(c && colsC.stride ? b.add(cols[0], c * p.lanes) : this->at(colsC, b.add(col, c * p.lanes)));
  auto rowsOf = [&](auto put) {
    Value from = rowsC.stride ? b.add(at.c, b.mul(row, *rowsC.stride)) : Value();
    for (int64_t r = 0; r < p.mr; ++r) {
      Value base = from ? b.add(from, r * *rowsC.stride) : b.add(at.c, this->at(rowsC, b.add(row, r)));
      for (int64_t c = 0; c < p.nv; ++c) put(sums[r * p.nv + c], b.add(base, cols[c]));
    }
  };
  if (!first || !overwrite) return rowsOf([&](Value sum, Value offset) { update(sum, offset, first); });
  b.ifThen(first, [&] { rowsOf([&](Value sum, Value offset) { b.storeVector(sum, memC, offset); }); },
           [&] {
             rowsOf([&](Value sum, Value offset) {
               b.storeVector(arith::AddFOp::create(b, b.loadVector(p.lanes, memC, offset), sum), memC, offset);
             });
           });
}

/// A tile that reaches past the output, or whose columns are not adjacent: row by row from memory.
void ContractionEmitter::writeEdge(const Point &at, Value row, Value col, Value tile, Value first) {
  Value rows = b.min(b.c(p.mr), b.sub(b.c(p.rows.size()), row));
  Value cols = b.min(b.c(p.nr()), b.sub(b.c(p.cols.size()), col));
  const int64_t rest = p.cols.size() % p.nr();
  b.loop(b.c(0), rows, 1, [&](Value r) {
    Value to = b.add(at.c, this->at(rowsC, b.add(row, r))), from = b.mul(r, p.nr());
    if (!p.contiguousStore)
      return b.loop(b.c(0), cols, 1, [&](Value c) {
        update(b.load(tile, b.add(from, c)), b.add(to, this->at(colsC, b.add(col, c))), first);
      });
    auto copy = [&](int64_t width) {
      for (int64_t done = 0; done < width;) {
        const int64_t lanes = std::min<int64_t>(p.lanes, llvm::bit_floor<uint64_t>(width - done));
        Value start = b.add(col, done / p.lanes * p.lanes);
        Value offset = b.add(b.add(to, this->at(colsC, start)), done % p.lanes);
        update(b.loadVector(lanes, tile, b.add(from, done)), offset, first);
        done += lanes;
      }
    };
    if (rest == 0) return copy(p.nr());
    b.ifThen(b.equal(cols, b.c(p.nr())), [&] { copy(p.nr()); }, [&] { copy(rest); });
  });
}

} // namespace ein
