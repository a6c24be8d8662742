// Packing of panels straight from strided operands: vector copies, in-register transposes, or elements.
#include "compiler/Lowering/EmitContraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/SmallVectorExtras.h"

using namespace mlir;

namespace ein {

/// One side of the contraction as the packing sees it: a tensor, or the several that its elements are computed from.
struct ContractionEmitter::Side {
  /// A tensor; its strides are number `o` of each loop.
  struct Tensor {
    Value memory;
    unsigned o;
    Value base; ///< offset of the batch and the block in it
  };
  const Point &at;
  SmallVector<Tensor, 1> tensors;
  bool isUnsigned;
  const Runs &runs;        ///< where the side's runs begin in the first
  const IndexGroup &group; ///< the side's index
  int64_t width;           ///< elements in a panel
  int64_t perRun;          ///< panels in a run
  int64_t panelStride;
  Packing packing;

  unsigned operand() const { return tensors.front().o; } ///< 0: S, 1: V
  Value memory() const { return tensors.front().memory; }
  const LoopDim &run() const { return group.dims.back(); }
  Offsets bases() const {
    return llvm::map_to_vector<1>(tensors, [](const Tensor &t) { return t.base; });
  }
  int64_t panels() const { return group.runs() * perRun; }
};

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
  const unsigned own = pointerCount();
  return b.function(name + (cols ? "_pack_cols" : "_pack_rows"), own + 1, 3, [&](ValueRange args, ValueRange index) {
    bind(args.take_front(own));
    if (cols)
      packCols(point(index[0], index[1]), colBlock(index[2]), args[own]);
    else
      packRows(point(index[0], index[1]), rowBlock(index[2]), args[own]);
  });
}

void ContractionEmitter::packRows(const Point &at, Range panels, Value pack) {
  packPanels(
      {at, {{memS, 0, at.s}}, s.isUnsigned, rowsS, p.rows, p.mr, p.rowPanelsPerRun(), p.rowPanelStride(), p.packRows},
      panels, pack);
}

void ContractionEmitter::packCols(const Point &at, Range panels, Value pack) {
  packPanels(
      {at, {{memV, 1, at.v}}, v.isUnsigned, colsV, p.cols, p.nr(), p.colPanelsPerRun(), p.colPanelStride(), p.packCols},
      panels, pack);
}

void ContractionEmitter::packPanels(Side side, Range panels, Value pack) {
  if (side.packing == Packing::None) return;
  if (p.computed(side.operand()))
    for (auto [part, offset] : llvm::zip_equal(parts, side.at.parts))
      side.tensors.push_back({part.memory, part.o, offset});
  Value memory = b.flat(pack, b.element, side.panels() * side.panelStride);
  switch (side.packing) {
  case Packing::None: return;
  case Packing::Rows: return packVectors(side, panels, memory);
  case Packing::Transpose: return packTransposed(side, panels, memory);
  case Packing::Cross: return packSquares(side, panels, memory);
  case Packing::Gather: return packElements(side, panels, memory);
  }
}

ContractionEmitter::Offsets ContractionEmitter::sum(const Offsets &a, const Offsets &c) {
  Offsets sums;
  for (auto [x, y] : llvm::zip_equal(a, c)) sums.push_back(b.add(x, y));
  return sums;
}

/// How far some steps of a loop are.
ContractionEmitter::Offsets ContractionEmitter::stepsAlong(const Side &side, Value steps, const LoopDim &loop) {
  Offsets offsets;
  for (const Side::Tensor &tensor : side.tensors) offsets.push_back(b.mul(steps, loop.strides[tensor.o]));
  return offsets;
}

/// How far it is to where the run of a panel begins.
ContractionEmitter::Offsets ContractionEmitter::runOffsets(const Side &side, Value panel) {
  Value run = runOf(side.group, panel, side.width);
  Offsets offsets{runAt(side.runs, run)};
  for (const Side::Tensor &tensor : ArrayRef(side.tensors).drop_front()) {
    Value offset = b.c(0), index = run;
    for (auto d = side.group.dims.rbegin() + 1; d != side.group.dims.rend(); ++d) {
      const bool last = std::next(d) == side.group.dims.rend();
      offset = b.add(offset, b.mul(last ? index : b.rem(index, d->extent), d->strides[tensor.o]));
      if (!last) index = b.div(index, d->extent);
    }
    offsets.push_back(offset);
  }
  return offsets;
}

/// Neighbours along a loop, in the type that is computed in.
Value ContractionEmitter::valuesAt(const Side &side, int64_t lanes, const Offsets &from, const LoopDim &along) {
  if (p.computed(side.operand())) return computedAt(side, lanes, from, along);
  return b.widened(b.loadVector(lanes, side.memory(), from.front()), side.isUnsigned);
}

/// The factor's expression on vectors: a tensor that does not move along the loop is the same on all lanes.
Value ContractionEmitter::computedAt(const Side &side, int64_t lanes, const Offsets &from, const LoopDim &along) {
  SmallVector<Value> inputs(op->getNumOperands());
  for (auto [tensor, offset, input] : llvm::zip_equal(side.tensors, from, factor->inputs)) {
    const int64_t stride = along.strides[tensor.o];
    if (stride == 1) {
      inputs[input] = b.loadVector(lanes, tensor.memory, offset);
      continue;
    }
    SmallVector<Value> elements;
    for (int64_t i = 0; i < (stride ? lanes : 1); ++i)
      elements.push_back(b.load(tensor.memory, b.add(offset, i * stride)));
    inputs[input] = stride
                        ? vector::FromElementsOp::create(b, VectorType::get({lanes}, elements[0].getType()), elements)
                        : b.splat(elements[0], lanes);
  }
  return BodyEmitter(b, op, lanes, inputs, [](int64_t) { return Value(); }).emit(factor->value);
}

void ContractionEmitter::overDepth(const Side &side, int without,
                                   llvm::function_ref<void(const Offsets &moved, Value place)> body) {
  std::function<void(int, Offsets, Value)> loops = [&](int d, Offsets offsets, Value place) {
    if (d == int(p.depth.dims.size())) return body(offsets, place);
    if (d == without) return loops(d + 1, offsets, b.mul(place, side.at.extents[d]));
    b.loop(b.c(0), side.at.extents[d], 1, [&](Value i) {
      loops(d + 1, sum(offsets, stepsAlong(side, i, p.depth.dims[d])), b.add(b.mul(place, side.at.extents[d]), i));
    });
  };
  loops(0, Offsets(side.tensors.size(), b.c(0)), b.c(0));
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
void ContractionEmitter::packElements(const Side &side, Range panels, Value memory) {
  const int64_t run = side.group.run();
  b.loop(panels.low, panels.high, 1, [&](Value panel) {
    Offsets from = sum(side.bases(), runOffsets(side, panel));
    Value first = placeInRun(side.group, panel, side.width);
    Value to = b.mul(b.sub(panel, panels.base), side.panelStride);
    overDepth(side, -1, [&](const Offsets &offset, Value place) {
      Offsets source = sum(from, offset);
      Value row = b.add(to, rowOf(side, place));
      b.loop(0, side.width, 1, [&](Value i) {
        Value element = b.min(b.add(first, i), b.c(run - 1));
        Offsets from = sum(source, stepsAlong(side, element, side.run()));
        Value at = b.add(row, i);
        if (p.computed(side.operand())) return b.storeVector(computedAt(side, 1, from, side.run()), memory, at);
        Value value = b.widened(b.load(side.memory(), from.front()), side.isUnsigned);
        b.store(p.paired ? halfOf(value, b.load(memory, at), place) : value, memory, at);
      });
    });
  });
}

/// The elements of a run are adjacent: the depth is the outer loop, so that the operand is read in long stretches.
void ContractionEmitter::packVectors(const Side &side, Range panels, Value memory) {
  // Copies adjacent elements in as few vectors as there are: full ones, then ever narrower.
  auto copy = [&](const Offsets &from, Value to, int64_t count, Value place) {
    for (int64_t done = 0; done < count;) {
      const int64_t lanes = std::min<int64_t>(p.lanes, llvm::bit_floor<uint64_t>(count - done));
      Offsets here = sum(from, stepsAlong(side, b.c(done), side.run()));
      Value value = valuesAt(side, lanes, here, side.run()), at = b.add(to, done);
      b.storeVector(p.paired ? halfOf(value, b.loadVector(lanes, memory, at), place) : value, memory, at);
      b.prefetch(side.memory(), b.add(here.front(), p.depth.dims.back().strides[side.operand()]));
      done += lanes;
    }
  };
  overDepth(side, -1, [&](const Offsets &offset, Value place) {
    Offsets from = sum(side.bases(), offset);
    Value row = rowOf(side, place);
    this->panels(panels, side.group, side.width, [&](Value panel, int64_t width) {
      Value to = b.add(b.mul(b.sub(panel, panels.base), side.panelStride), row);
      Offsets inRun = stepsAlong(side, placeInRun(side.group, panel, side.width), side.run());
      copy(sum(from, sum(runOffsets(side, panel), inRun)), to, width, place);
    });
  });
}

/// A loop of the depth is adjacent: squares are transposed in registers, one loop over the squares of a panel so
/// that there is one body. A panel that is no multiple of a square wide ends in stores that overlap the next row:
/// its last squares come first, so that whole ones repair what they spoil, and the last row spills into the padding
/// between panels. Where rows do not come in order of their places, nothing is spoilt: narrower stores.
void ContractionEmitter::packTransposed(const Side &side, Range panels, Value memory) {
  const int loop = p.adjacentDepth(side.operand());
  const int64_t q = p.square(side.operand()), squares = (side.width + q - 1) / q, run = side.group.run();
  const bool inOrder = side.width % q == 0 || loop + 1 == int(p.depth.dims.size());
  const LoopDim &along = p.depth.dims[loop];
  Value apart = b.mul(placesPerStep(side.at, loop), side.width), extent = side.at.extents[loop];
  // Elements g to g + q of a panel, or the `valid` first of them.
  auto squaresAt = [&](Value panel, Value g, int64_t valid) {
    Value first = b.add(placeInRun(side.group, panel, side.width), g);
    Offsets base = sum(side.bases(), runOffsets(side, panel));
    SmallVector<Offsets> from; // of each element of the squares
    for (int64_t j = 0; j < std::min(q, side.width); ++j)
      from.push_back(sum(base, stepsAlong(side, b.min(b.add(first, j), b.c(run - 1)), side.run())));
    Value to = b.add(b.mul(b.sub(panel, panels.base), side.panelStride), g);
    overDepth(side, loop, [&](const Offsets &offset, Value place) {
      Value begin = b.add(to, b.mul(place, side.width));
      // The last square moves back to end with the block; what it repeats is the same.
      b.loop(b.c(0), extent, q, [&](Value start) {
        Value k = b.min(start, b.sub(extent, b.c(q)));
        SmallVector<Value> rows;
        for (int64_t j = 0; j < q; ++j)
          rows.push_back(j < int64_t(from.size())
                             ? valuesAt(side, q, sum(sum(from[j], offset), stepsAlong(side, k, along)), along)
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
void ContractionEmitter::packSquares(const Side &side, Range panels, Value memory) {
  const int64_t q = p.squareAcross(), run = side.group.run();
  const int64_t around = p.cols.dims[p.cols.dims.size() - 2].extent;
  Value low = b.div(panels.low, side.perRun), high = b.div(panels.high, side.perRun);
  Value base = b.div(panels.base, side.perRun);
  Value ahead = b.c(p.depth.dims.back().strides[1]);
  auto turn = [&](Value outer) {
    Value start = b.mul(outer, around), first = b.sub(b.max(low, start), start);
    Value last = b.min(b.sub(high, start), b.c(around));
    Value from = b.add(side.tensors.front().base, runAt(side.runs, start));
    overDepth(side, -1, [&](const Offsets &offset, Value place) {
      Value source = b.add(from, offset.front()), row = b.mul(place, side.width);
      b.loop(0, run, q, [&](Value e) {
        Value panel = b.div(e, side.width), lane = b.rem(e, side.width);
        b.loop(first, last, q, [&](Value begin) {
          Value r = b.min(begin, b.sub(last, b.c(q)));
          SmallVector<Value> rows;
          for (int64_t j = 0; j < q; ++j) {
            Value element = b.mul(b.min(b.add(e, j), b.c(run - 1)), side.runs.perElement);
            Value here = b.add(b.add(source, r), element);
            rows.push_back(b.widened(b.loadVector(q, side.memory(), here), side.isUnsigned));
            b.prefetch(side.memory(), b.add(here, ahead));
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
