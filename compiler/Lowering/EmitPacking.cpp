// Packing of panels straight from strided operands: vector copies, in-register transposes, or elements.
#include "compiler/Lowering/EmitContraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

/// One side of the contraction as the packing sees it.
struct ContractionEmitter::Side {
  unsigned operand;        ///< 0: S, 1: V
  Value memory;            ///< the operand
  Value base;              ///< offset of the batch and the block in it
  const Runs &runs;        ///< where the side's runs begin
  const IndexGroup &group; ///< the side's index
  int64_t width;           ///< elements in a panel
  int64_t perRun;          ///< panels in a run
  int64_t panelStride;
  Packing packing;

  int64_t panels() const { return group.runs() * perRun; }
};

Value ContractionEmitter::widened(const Side &side, Value value) {
  return b.widened(value, side.operand == 0 ? s.isUnsigned : v.isUnsigned);
}

/// A side's panels, by its function where there is one.
void ContractionEmitter::packSide(bool cols, const Point &at, Range panels, Value pack) {
  func::FuncOp function = cols ? packsCols : packsRows;
  if (function && panels.block) return call(function, pack, {at.batch, at.kb, panels.block});
  if (cols)
    packCols(at, panels, pack);
  else
    packRows(at, panels, pack);
}

func::FuncOp ContractionEmitter::packFunction(bool cols) {
  return b.function(name + (cols ? "_pack_cols" : "_pack_rows"), 5, 3, [&](ValueRange args, ValueRange index) {
    bind(args.take_front(4));
    if (cols)
      packCols(point(index[0], index[1]), colBlock(index[2]), args[4]);
    else
      packRows(point(index[0], index[1]), rowBlock(index[2]), args[4]);
  });
}

void ContractionEmitter::packRows(const Point &at, Range panels, Value pack) {
  packPanels({0, memS, at.s, rowsS, p.rows, p.mr, p.rowPanelsPerRun(), p.rowPanelStride(), p.packRows}, at, panels,
             pack);
}

void ContractionEmitter::packCols(const Point &at, Range panels, Value pack) {
  packPanels({1, memV, at.v, colsV, p.cols, p.nr(), p.colPanelsPerRun(), p.colPanelStride(), p.packCols}, at, panels,
             pack);
}

void ContractionEmitter::packPanels(const Side &side, const Point &at, Range panels, Value pack) {
  if (side.packing == Packing::None) return;
  Value memory = b.flat(pack, b.element, side.panels() * side.panelStride);
  switch (side.packing) {
  case Packing::None: return;
  case Packing::Rows: return packVectors(side, at, panels, memory);
  case Packing::Transpose: return packTransposed(side, at, panels, memory);
  case Packing::Cross: return packSquares(side, at, panels, memory);
  case Packing::Gather: return packElements(side, at, panels, memory);
  }
}

void ContractionEmitter::overDepth(const Point &at, unsigned o, int without,
                                   llvm::function_ref<void(Value offset, Value place)> body) {
  std::function<void(int, Value, Value)> loops = [&](int d, Value offset, Value place) {
    if (d == int(p.depth.dims.size())) return body(offset, place);
    if (d == without) return loops(d + 1, offset, b.mul(place, at.extents[d]));
    b.loop(b.c(0), at.extents[d], 1, [&](Value i) {
      loops(d + 1, b.add(offset, b.mul(i, p.depth.dims[d].strides[o])), b.add(b.mul(place, at.extents[d]), i));
    });
  };
  loops(0, b.c(0), b.c(0));
}

/// How many steps of the block one step of a loop of the depth is.
Value ContractionEmitter::placesPerStep(const Point &at, int loop) {
  Value places = b.c(1);
  for (size_t d = loop + 1; d < p.depth.dims.size(); ++d) places = b.mul(places, at.extents[d]);
  return places;
}

/// Where a step of the depth begins in a panel.
Value ContractionEmitter::rowOf(const Side &side, Value place) {
  return b.mul(p.paired ? b.div(place, 2) : place, side.width);
}

/// What a pair is after a step of the depth: an even one is its low half, an odd one joins `before` as the high half.
Value ContractionEmitter::halfOf(Value value, Value before, Value place) {
  Value odd = arith::IndexCastOp::create(b, b.getI32Type(), b.rem(place, 2));
  auto number = [&](int32_t n) -> Value { return arith::ConstantOp::create(b, b.getI32IntegerAttr(n)); };
  auto like = [&](Value scalar) {
    auto vector = dyn_cast<VectorType>(value.getType());
    return vector ? b.splat(scalar, vector.getNumElements()) : scalar;
  };
  Value shift = like(arith::MulIOp::create(b, odd, number(16)));
  Value kept = arith::AndIOp::create(b, before, like(arith::SubIOp::create(b, number(0), odd)));
  Value half = arith::ShLIOp::create(b, arith::AndIOp::create(b, value, like(number(0xffff))), shift);
  return arith::OrIOp::create(b, kept, half);
}

/// Element by element; elements past the end of a run repeat its last one and are never written back.
void ContractionEmitter::packElements(const Side &side, const Point &at, Range panels, Value memory) {
  const int64_t run = side.group.run();
  b.loop(panels.low, panels.high, 1, [&](Value panel) {
    Value from = b.add(side.base, runAt(side.runs, runOf(side.group, panel, side.width)));
    Value first = placeInRun(side.group, panel, side.width);
    Value to = b.mul(b.sub(panel, panels.base), side.panelStride);
    overDepth(at, side.operand, -1, [&](Value offset, Value place) {
      Value source = b.add(from, offset), row = b.add(to, rowOf(side, place));
      b.loop(0, side.width, 1, [&](Value i) {
        Value element = b.min(b.add(first, i), b.c(run - 1));
        Value from = b.add(source, b.mul(element, side.runs.perElement));
        Value value = widened(side, b.load(side.memory, from)), at = b.add(row, i);
        b.store(p.paired ? halfOf(value, b.load(memory, at), place) : value, memory, at);
      });
    });
  });
}

/// The elements of a run are adjacent: the depth is the outer loop, so that the operand is read in long stretches.
void ContractionEmitter::packVectors(const Side &side, const Point &at, Range panels, Value memory) {
  // Copies adjacent elements in as few vectors as there are: full ones, then ever narrower.
  auto copy = [&](Value from, Value to, int64_t count, Value place) {
    for (int64_t done = 0; done < count;) {
      const int64_t lanes = std::min<int64_t>(p.lanes, llvm::bit_floor<uint64_t>(count - done));
      Value value = widened(side, b.loadVector(lanes, side.memory, b.add(from, done))), at = b.add(to, done);
      b.storeVector(p.paired ? halfOf(value, b.loadVector(lanes, memory, at), place) : value, memory, at);
      b.prefetch(side.memory, b.add(b.add(from, done), p.depth.dims.back().strides[side.operand]));
      done += lanes;
    }
  };
  overDepth(at, side.operand, -1, [&](Value offset, Value place) {
    Value from = b.add(side.base, offset), row = rowOf(side, place);
    this->panels(panels, side.group, side.width, [&](Value panel, int64_t width) {
      Value to = b.add(b.mul(b.sub(panel, panels.base), side.panelStride), row);
      copy(b.add(from, panelAt(side.runs, side.group, panel, side.width)), to, width, place);
    });
  });
}

/// A loop of the depth is adjacent: squares are transposed in registers, one loop over the squares of a panel so
/// that there is one body. A panel that is no multiple of a square wide ends in stores that overlap the next row:
/// its last squares come first, so that whole ones repair what they spoil, and the last row spills into the padding
/// between panels. Where rows do not come in order of their places, nothing is spoilt: narrower stores.
void ContractionEmitter::packTransposed(const Side &side, const Point &at, Range panels, Value memory) {
  const int loop = p.adjacentDepth(side.operand);
  const int64_t q = p.square(side.operand), squares = (side.width + q - 1) / q, run = side.group.run();
  const bool inOrder = side.width % q == 0 || loop + 1 == int(p.depth.dims.size());
  Value apart = b.mul(placesPerStep(at, loop), side.width), extent = at.extents[loop];
  // Elements g to g + q of a panel, or the `valid` first of them.
  auto squaresAt = [&](Value panel, Value g, int64_t valid) {
    Value first = b.add(placeInRun(side.group, panel, side.width), g);
    Value base = b.add(side.base, runAt(side.runs, runOf(side.group, panel, side.width)));
    SmallVector<Value> from; // offset of each element of the squares
    for (int64_t j = 0; j < std::min(q, side.width); ++j)
      from.push_back(b.add(base, b.mul(b.min(b.add(first, j), b.c(run - 1)), side.runs.perElement)));
    Value to = b.add(b.mul(b.sub(panel, panels.base), side.panelStride), g);
    overDepth(at, side.operand, loop, [&](Value offset, Value place) {
      Value begin = b.add(to, b.mul(place, side.width));
      // The last square moves back to end with the block; what it repeats is the same.
      b.loop(b.c(0), extent, q, [&](Value start) {
        Value k = b.min(start, b.sub(extent, b.c(q)));
        SmallVector<Value> rows;
        for (int64_t j = 0; j < q; ++j)
          rows.push_back(j < int64_t(from.size())
                             ? widened(side, b.loadVector(q, side.memory, b.add(b.add(from[j], offset), k)))
                             : rows.front());
        Value row = b.add(begin, b.mul(k, apart));
        for (auto [j, column] : llvm::enumerate(b.transpose(rows)))
          storePieces(column, valid, memory, b.add(row, b.mul(apart, j)));
      });
    });
  };
  b.loop(panels.low, panels.high, 1, [&](Value panel) {
    if (inOrder) {
      b.loop(0, squares, 1, [&](Value i) { squaresAt(panel, b.mul(b.sub(b.c(squares - 1), i), q), q); });
    } else {
      b.loop(0, side.width / q, 1, [&](Value i) { squaresAt(panel, b.mul(i, q), q); });
      squaresAt(panel, b.c(side.width / q * q), side.width % q);
    }
  });
}

/// Stores the first `count` elements of a vector, in halving pieces.
void ContractionEmitter::storePieces(Value vector, int64_t count, Value memory, Value offset) {
  for (int64_t done = 0; done < count;) {
    const int64_t lanes = llvm::bit_floor<uint64_t>(count - done);
    b.storeVector(b.slice(vector, done, lanes), memory, b.add(offset, done));
    done += lanes;
  }
}

/// Adjacent elements of the operand lie in runs that follow each other: squares of runs by elements are transposed
/// in registers. The range is whole turns of the loop around the runs, or a piece of one (ContractionPlan::colUnit).
void ContractionEmitter::packSquares(const Side &side, const Point &at, Range panels, Value memory) {
  const int64_t q = p.squareAcross(), run = side.group.run();
  const int64_t around = p.cols.dims[p.cols.dims.size() - 2].extent;
  Value low = b.div(panels.low, side.perRun), high = b.div(panels.high, side.perRun);
  Value base = b.div(panels.base, side.perRun);
  Value ahead = b.c(p.depth.dims.back().strides[1]);
  auto turn = [&](Value outer) {
    Value start = b.mul(outer, around), first = b.sub(b.max(low, start), start);
    Value last = b.min(b.sub(high, start), b.c(around));
    Value from = b.add(side.base, runAt(side.runs, start));
    overDepth(at, side.operand, -1, [&](Value offset, Value place) {
      Value source = b.add(from, offset), row = b.mul(place, side.width);
      b.loop(0, run, q, [&](Value e) {
        Value panel = b.div(e, side.width), lane = b.rem(e, side.width);
        b.loop(first, last, q, [&](Value begin) {
          Value r = b.min(begin, b.sub(last, b.c(q)));
          SmallVector<Value> rows;
          for (int64_t j = 0; j < q; ++j) {
            Value element = b.mul(b.min(b.add(e, j), b.c(run - 1)), side.runs.perElement);
            rows.push_back(widened(side, b.loadVector(q, side.memory, b.add(b.add(source, r), element))));
            b.prefetch(side.memory, b.add(b.add(b.add(source, r), element), ahead));
          }
          Value here = b.add(panel, b.mul(b.sub(b.add(start, r), base), side.perRun));
          Value to = b.add(b.add(b.mul(here, side.panelStride), lane), row);
          for (auto [j, column] : llvm::enumerate(b.transpose(rows)))
            b.storeVector(column, memory, b.add(to, j * side.perRun * side.panelStride));
        });
      });
    });
  };
  b.loop(b.div(low, around), b.div(b.add(high, around - 1), around), 1, turn);
}

} // namespace ein
