// Packing of panels straight from strided operands: vector copies, in-register transposes, or elements.
#include "compiler/Lowering/EmitContraction.h"

using namespace mlir;

namespace ein {

/// One side of the contraction as the packing sees it.
struct ContractionEmitter::Side {
  Value memory;            ///< the operand
  Value batch;             ///< offset of the batch in it
  const Offsets &elements; ///< of the side's own index
  const Offsets &depth;    ///< of the contracted index
  int64_t count;           ///< elements in the whole side
  int64_t width;           ///< elements in a panel
  int64_t run;             ///< Rows: this many from a multiple of it are adjacent
  int64_t panelStride;
  Packing packing;
};

void ContractionEmitter::packRows(const Point &at, Range panels, Value pack) {
  packPanels({memS, at.s, rowsS, depthS, p.rows.size(), p.mr, p.mr, p.rowPanelStride(), p.packRows}, at, panels, pack);
}

void ContractionEmitter::packCols(const Point &at, Range panels, Value pack) {
  const int64_t run = colsV.stride ? p.nr() : p.lanes;
  packPanels({memV, at.v, colsV, depthV, p.cols.size(), p.nr(), run, p.colPanelStride(), p.packCols}, at, panels, pack);
}

void ContractionEmitter::packPanels(const Side &side, const Point &at, Range panels, Value pack) {
  if (side.packing == Packing::None) return;
  const int64_t most = (side.count + side.width - 1) / side.width;
  Value memory = b.flat(pack, b.element, most * side.panelStride);
  switch (side.packing) {
  case Packing::None: return;
  case Packing::Rows: return packVectors(side, at, panels, memory);
  case Packing::Transpose: return packTransposed(side, at, panels, memory);
  case Packing::Cross: return packSquares(side, at, panels, memory);
  case Packing::Gather:
    return b.loop(panels.low, panels.high, 1, [&](Value panel) {
      packElements(side, at, panel, b.mul(b.sub(panel, panels.base), side.panelStride), memory);
    });
  }
}

/// Element by element; elements past the end of the side repeat the last one and are never written back.
void ContractionEmitter::packElements(const Side &side, const Point &at, Value panel, Value to, Value memory) {
  Value first = b.mul(panel, side.width), k0 = b.mul(at.kb, p.kc);
  b.loop(b.c(0), at.depth, 1, [&](Value k) {
    Value from = b.add(side.batch, this->at(side.depth, b.add(k0, k)));
    Value row = b.add(to, b.mul(k, side.width));
    b.loop(b.c(0), b.c(side.width), 1, [&](Value i) {
      Value element = b.min(b.add(first, i), b.c(side.count - 1));
      b.store(b.load(side.memory, b.add(from, this->at(side.elements, element))), memory, b.add(row, i));
    });
  });
}

/// The side's elements are adjacent: the depth is the outer loop, so that the operand is read in long runs.
void ContractionEmitter::packVectors(const Side &side, const Point &at, Range panels, Value memory) {
  // Copies adjacent elements in as few vectors as there are: full ones, then ever narrower.
  auto copy = [&](Value from, Value to, int64_t count) {
    for (int64_t done = 0; done < count;) {
      const int64_t lanes = std::min<int64_t>(p.lanes, llvm::bit_floor<uint64_t>(count - done));
      b.storeVector(b.loadVector(lanes, side.memory, b.add(from, done)), memory, b.add(to, done));
      done += lanes;
    }
  };
  Value k0 = b.mul(at.kb, p.kc);
  b.loop(b.c(0), at.depth, 1, [&](Value k) {
    Value from = b.add(side.batch, this->at(side.depth, b.add(k0, k)));
    b.loop(panels.low, panels.high, 1, [&](Value panel) {
      Value to = b.add(b.mul(b.sub(panel, panels.base), side.panelStride), b.mul(k, side.width));
      Value first = b.mul(panel, side.width);
      auto runs = [&](int64_t count) {
        for (int64_t i = 0; i < count; i += side.run)
          copy(b.add(from, this->at(side.elements, b.add(first, i))), b.add(to, i), std::min(side.run, count - i));
      };
      const int64_t rest = side.count % side.width;
      if (rest == 0) return runs(side.width);
      b.ifThen(b.lessEqual(b.add(first, side.width), b.c(side.count)), [&] { runs(side.width); }, [&] { runs(rest); });
    });
  });
}

/// The contracted index is adjacent: squares of lanes x lanes are transposed in registers, one loop over the
/// squares of a panel so that there is one body. A panel that is no multiple of a vector wide ends in
/// stores that overlap the next row: its last squares come first, so that whole ones repair what they
/// spoil, and the last row spills into the padding between panels.
void ContractionEmitter::packTransposed(const Side &side, const Point &at, Range panels, Value memory) {
  const int64_t lanes = p.lanes, squares = (side.width + lanes - 1) / lanes;
  Value k0 = b.mul(at.kb, p.kc);
  b.loop(panels.low, panels.high, 1, [&](Value panel) {
    Value to = b.mul(b.sub(panel, panels.base), side.panelStride), first = b.mul(panel, side.width);
    b.loop(0, squares, 1, [&](Value i) {
      Value g = b.mul(b.sub(b.c(squares - 1), i), lanes);
      SmallVector<Value> from; // offset of each element of the squares
      for (int64_t j = 0; j < std::min(lanes, side.width); ++j) {
        Value element = b.min(b.add(b.add(first, g), j), b.c(side.count - 1));
        from.push_back(b.add(side.batch, this->at(side.elements, element)));
      }
      // The last square moves back to end with the block; what it repeats is the same.
      b.loop(b.c(0), at.depth, lanes, [&](Value start) {
        Value k = b.min(start, b.sub(at.depth, b.c(lanes)));
        Value along = this->at(side.depth, b.add(k0, k));
        SmallVector<Value> rows;
        for (int64_t j = 0; j < lanes; ++j)
          rows.push_back(j < int64_t(from.size()) ? b.loadVector(lanes, side.memory, b.add(from[j], along))
                                                  : rows.front());
        Value row = b.add(b.add(to, b.mul(k, side.width)), g);
        for (auto [j, column] : llvm::enumerate(b.transpose(rows)))
          b.storeVector(column, memory, b.add(row, j * side.width));
      });
    });
  });
}

/// Adjacent elements of the operand are columns of different panels: squares of the column space are
/// transposed in registers. The innermost two loops of the columns are the square; the range is whole
/// squares (ContractionPlan::colUnit).
void ContractionEmitter::packSquares(const Side &side, const Point &at, Range panels, Value memory) {
  const int64_t q = p.square, unit = p.colUnit(), apart = p.cols.dims.back().strides[1];
  Value k0 = b.mul(at.kb, p.kc);
  // Panels hold one square, or a square spans `unit` panels; nv divides the side, so neither is cut.
  b.loop(b.div(panels.low, unit), b.div(panels.high, unit), 1, [&](Value square) {
    Value from = b.add(side.batch, this->at(side.elements, b.mul(square, q * q)));
    Value to = b.mul(b.sub(b.mul(square, unit), panels.base), side.panelStride);
    b.loop(b.c(0), at.depth, 1, [&](Value k) {
      Value along = b.add(from, this->at(side.depth, b.add(k0, k)));
      SmallVector<Value> rows;
      for (int64_t j = 0; j < q; ++j) rows.push_back(b.loadVector(q, side.memory, b.add(along, j * apart)));
      Value row = b.add(to, b.mul(k, side.width));
      for (auto [j, column] : llvm::enumerate(b.transpose(rows)))
        b.storeVector(column, memory, b.add(row, int64_t(j) / p.nv * side.panelStride + int64_t(j) % p.nv * q));
    });
  });
}

} // namespace ein
