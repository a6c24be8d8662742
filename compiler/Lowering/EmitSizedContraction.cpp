// Contractions whose extents come at run time: both sides packed into panels, tiles at the edges written through
// memory.
#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/Emit.h"
#include "compiler/Lowering/PlanAttr.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

namespace {

int64_t align64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/// Elements from one panel to the next: room for the deepest block and for an overlapping store.
int64_t panelStride(const ContractionPlan &p, int64_t width) { return p.depthPieces.back() * width + p.lanes; }

/// Places in the scratch memory, in bytes.
struct Layout {
  explicit Layout(const ContractionPlan &p) {
    rowBytes = align64(p.rowPanels * panelStride(p, p.mr) * p.elementBytes);
    colBytes = align64(p.colPanels * panelStride(p, p.nr()) * p.elementBytes);
    tileBytes = align64(p.mr * p.nr() * p.elementBytes);
    shared = p.colsOuter ? colBytes : rowBytes;
    own = tileBytes + (p.colsOuter ? rowBytes : colBytes);
    ownFrom = shared * (p.split == Split::Batch ? p.threads : 1);
    total = ownFrom + own * p.threads;
  }
  int64_t rowBytes, colBytes, tileBytes, shared, own, ownFrom, total;
};

/// Emits one contraction. Methods emit into the function the builder is in.
class SizedContraction {
public:
  SizedContraction(NestBuilder &b, const ContractionPlan &plan, linalg::LinalgOp op, ArrayRef<NestOperand> operands,
                   bool overwrite, StringRef name)
      : b(b), p(plan), op(op), reduction(*analyseReduction(op)), layout(plan), overwrite(overwrite), name(name),
        memories{operands[plan.swapped ? 1 : 0], operands[plan.swapped ? 0 : 1], operands[2]} {
    if (b.element.isInteger(1)) b.element = b.getI8Type(); // as in memory
  }

  void emit(Value scratch);

private:
  /// Offsets in the three tensors of a batch and a block of the depth, and how deep it is.
  struct Point {
    Value at[3], block, depth;
  };
  /// Panels [low, high) of a side.
  struct Range {
    Value low, high;
  };
  /// A side as the packing sees it.
  struct Side {
    const IndexGroup &group;
    unsigned operand;
    int64_t width;
  };

  Value extent(const LoopDim &d) { return d.isDynamic() ? b.sizes[d.extentSlot] : b.c(d.extent); }
  Value stride(const LoopDim &d, unsigned o) {
    const int slot = d.strideSlot(o);
    return slot >= 0 ? b.sizes[slot] : b.c(d.strides[o]);
  }
  bool adjacent(const LoopDim &d, unsigned o) const { return d.strideSlot(o) < 0 && d.strides[o] == 1; }
  Value points(ArrayRef<LoopDim> loops);
  Value offsetOf(ArrayRef<LoopDim> loops, Value linear, unsigned o);
  Value panelsPerRun(const Side &side) {
    return b.div(b.add(extent(side.group.dims.back()), side.width - 1), side.width);
  }
  Value allPanels(const Side &side) { return b.mul(points(ArrayRef(side.group.dims).drop_back()), panelsPerRun(side)); }
  Value pieces() { return b.div(b.add(extent(p.depth.dims.back()), p.depthPieces.back() - 1), p.depthPieces.back()); }
  Value depthBlocks() { return b.mul(points(ArrayRef(p.depth.dims).drop_back()), pieces()); }

  void bind(ValueRange pointers);
  Point point(Value batch, Value block);
  void overPanels(const Side &side, Range range,
                  llvm::function_ref<void(Value panel, Value run, Value place, Value valid)> body);
  void pack(const Side &side, const Point &at, Range range, Value base, Value memory);
  void packVectors(const Side &side, const Point &at, Range range, Value base, Value memory);
  void packSquares(const Side &side, const Point &at, Range range, Value base, Value memory, int64_t square);
  void packElements(const Side &side, const Point &at, Range range, Value base, Value memory, bool onlyEdges);
  Value panelMemory(Value pointer, const Side &side);
  void compute(const Point &at, Range rowRange, Value rowBase, Value rowPack, Range colRange, Value colBase,
               Value colPack, Value tile);
  SmallVector<Value> multiply(Value packedRows, Value row, Value packedCols, Value col, Value depth);
  void writeTile(const Point &at, Value to, Value validRows, Value validCols, ArrayRef<Value> sums, Value tile);
  void writeEdge(Value to, Value validRows, Value validCols, ArrayRef<Value> sums, Value tile, bool combines);
  Range block(Value index, Value size, Value all) {
    Value low = b.mul(index, size);
    return {low, b.min(b.add(low, size), all)};
  }
  Value ownSize(int64_t members);
  void ownBlock(const Point &at, Range shared, Value sharedPack, Value index, Value size, Value own);
  void emitByBatch(ValueRange pointers);
  void emitByBlock(ValueRange pointers);

  Side shares() { return p.colsOuter ? cols() : rows(); }
  Side owns() { return p.colsOuter ? rows() : cols(); }
  Side rows() { return {p.rows, 0, p.mr}; }
  Side cols() { return {p.cols, 1, p.nr()}; }
  int64_t sharedPanels() const { return p.colsOuter ? p.colPanels : p.rowPanels; }

  NestBuilder &b;
  const ContractionPlan &p;
  linalg::LinalgOp op;
  Reduction reduction;
  Layout layout;
  bool overwrite;
  std::string name;
  NestOperand memories[3]; ///< S, V, output
  Value memory[3], scratch;
};

Value SizedContraction::points(ArrayRef<LoopDim> loops) {
  Value n = b.c(1);
  for (const LoopDim &d : loops) n = b.mul(n, extent(d));
  return n;
}

/// Where point number `linear` of some loops is in operand `o`.
Value SizedContraction::offsetOf(ArrayRef<LoopDim> loops, Value linear, unsigned o) {
  Value offset = b.c(0);
  for (size_t i = loops.size(); i-- > 0;) {
    Value here = i == 0 ? linear : b.rem(linear, extent(loops[i]));
    offset = b.add(offset, b.mul(here, stride(loops[i], o)));
    if (i > 0) linear = b.div(linear, extent(loops[i]));
  }
  return offset;
}

void SizedContraction::bind(ValueRange pointers) {
  for (int o = 0; o < 3; ++o)
    memory[o] = b.flat(pointers[o], o == 2 ? b.element : memories[o].element, memories[o].extent);
  scratch = pointers[3];
}

/// Blocks are even pieces of the innermost loop of the depth, at one point of the others.
SizedContraction::Point SizedContraction::point(Value batch, Value block) {
  Point at;
  at.block = block;
  ArrayRef<LoopDim> depth = p.depth.dims;
  Value count = pieces(), piece = depth.size() == 1 ? block : b.rem(block, count);
  Value low = b.div(b.mul(piece, extent(depth.back())), count);
  at.depth = b.sub(b.div(b.mul(b.add(piece, 1), extent(depth.back())), count), low);
  for (unsigned o = 0; o < 3; ++o) {
    const NestOperand &operand = memories[o];
    at.at[o] = operand.offsetSlot >= 0 ? b.sizes[operand.offsetSlot] : b.c(operand.offset);
    at.at[o] = b.add(at.at[o], offsetOf(p.batch.dims, batch, o));
    if (o == 2) continue;
    at.at[o] = b.add(at.at[o], b.mul(low, stride(depth.back(), o)));
    if (depth.size() > 1) at.at[o] = b.add(at.at[o], offsetOf(depth.drop_back(), b.div(block, count), o));
  }
  return at;
}

/// Each panel with the offset-giving run it belongs to, its first place there, and how many elements it really has.
void SizedContraction::overPanels(const Side &side, Range range,
                                  llvm::function_ref<void(Value, Value, Value, Value)> body) {
  const bool oneRun = side.group.dims.size() == 1;
  Value perRun = panelsPerRun(side), run = extent(side.group.dims.back());
  b.loop(range.low, range.high, 1, [&](Value panel) {
    Value place = b.mul(oneRun ? panel : b.rem(panel, perRun), side.width);
    Value valid = b.min(b.sub(run, place), b.c(side.width));
    body(panel, oneRun ? b.c(0) : b.div(panel, perRun), place, valid);
  });
}

/// Copies panels [range), of which `base` is the first in `memory`.
void SizedContraction::pack(const Side &side, const Point &at, Range range, Value base, Value memory) {
  const unsigned o = side.operand;
  const LoopDim &depth = p.depth.dims.back();
  const int64_t square = std::min<int64_t>(p.lanes, 16);
  const bool deep = depth.isDynamic() ? depth.least >= square : depth.extent >= square;
  if (adjacent(side.group.dims.back(), o)) {
    packVectors(side, at, range, base, memory);
    packElements(side, at, range, base, memory, true);
  } else if (adjacent(depth, o) && deep && square >= 4) {
    packSquares(side, at, range, base, memory, square);
  } else {
    packElements(side, at, range, base, memory, false);
  }
}

/// Whole panels whose elements are neighbours in the operand.
void SizedContraction::packVectors(const Side &side, const Point &at, Range range, Value base, Value memory) {
  const unsigned o = side.operand;
  ArrayRef<LoopDim> around = ArrayRef(side.group.dims).drop_back();
  b.loop(b.c(0), at.depth, 1, [&](Value k) {
    Value from = b.add(at.at[o], b.mul(k, stride(p.depth.dims.back(), o)));
    overPanels(side, range, [&](Value panel, Value run, Value place, Value valid) {
      b.ifThen(b.equal(valid, b.c(side.width)), [&] {
        Value source = b.add(b.add(from, offsetOf(around, run, o)), place);
        Value to = b.add(b.mul(b.sub(panel, base), panelStride(p, side.width)), b.mul(k, side.width));
        for (int64_t done = 0; done < side.width;) {
          const int64_t lanes = std::min<int64_t>(p.lanes, llvm::bit_floor<uint64_t>(side.width - done));
          Value value = b.loadVector(lanes, this->memory[o], b.add(source, done));
          b.storeVector(b.widened(value, memories[o].isUnsigned), memory, b.add(to, done));
          done += lanes;
        }
      });
    });
  });
}

/// Element by element, zeros where the panel is wider than what is left of its run. `onlyEdges`: only such panels.
void SizedContraction::packElements(const Side &side, const Point &at, Range range, Value base, Value memory,
                                    bool onlyEdges) {
  const unsigned o = side.operand;
  overPanels(side, range, [&](Value panel, Value run, Value place, Value valid) {
    auto copy = [&] {
      Value step = stride(side.group.dims.back(), o), to = b.mul(b.sub(panel, base), panelStride(p, side.width));
      Value from = b.add(at.at[o], offsetOf(ArrayRef(side.group.dims).drop_back(), run, o));
      b.loop(b.c(0), at.depth, 1, [&](Value k) {
        Value row = b.add(to, b.mul(k, side.width));
        Value source = b.add(b.add(from, b.mul(place, step)), b.mul(k, stride(p.depth.dims.back(), o)));
        b.loop(b.c(0), valid, 1, [&](Value i) {
          Value value = b.load(this->memory[o], b.add(source, b.mul(i, step)));
          b.store(b.widened(value, memories[o].isUnsigned), memory, b.add(row, i));
        });
        b.loop(valid, b.c(side.width), 1, [&](Value i) { b.store(b.constant(0), memory, b.add(row, i)); });
      });
    };
    if (!onlyEdges) return copy();
    b.ifThen(b.equal(valid, b.c(side.width)), [] {}, copy);
  });
}

/// The innermost loop of the depth is adjacent: squares are transposed in registers. What is past the end of a run
/// repeats its last element. Stores are whole vectors that spoil the begin of the next row, which comes next; so the
/// last squares of a panel come first, and the last row spoils the room between panels.
void SizedContraction::packSquares(const Side &side, const Point &at, Range range, Value base, Value memory,
                                   int64_t square) {
  const unsigned o = side.operand;
  const LoopDim &along = side.group.dims.back();
  overPanels(side, range, [&](Value panel, Value run, Value place, Value) {
    Value from = b.add(at.at[o], offsetOf(ArrayRef(side.group.dims).drop_back(), run, o));
    Value to = b.mul(b.sub(panel, base), panelStride(p, side.width)), last = b.sub(extent(along), b.c(1));
    for (int64_t group = (side.width - 1) / square * square; group >= 0; group -= square) {
      SmallVector<Value> starts;
      for (int64_t j = 0; j < std::min(square, side.width - group); ++j)
        starts.push_back(b.add(from, b.mul(b.min(b.add(place, group + j), last), stride(along, o))));
      b.loop(b.c(0), at.depth, square, [&](Value start) {
        Value k = b.min(start, b.sub(at.depth, b.c(square)));
        SmallVector<Value> vectors;
        for (int64_t j = 0; j < square; ++j)
          vectors.push_back(
              j < int64_t(starts.size())
                  ? b.widened(b.loadVector(square, this->memory[o], b.add(starts[j], k)), memories[o].isUnsigned)
                  : vectors.front());
        Value row = b.add(to, b.add(b.mul(k, side.width), group));
        for (auto [j, column] : llvm::enumerate(b.transpose(vectors)))
          b.storeVector(column, memory, b.add(row, j * side.width));
      });
    }
  });
}

Value SizedContraction::panelMemory(Value pointer, const Side &side) {
  const int64_t panels = side.operand == 0 ? p.rowPanels : p.colPanels;
  return b.flat(pointer, b.element, panels * panelStride(p, side.width));
}

/// Every tile of two packed blocks. Rows outer: a sliver of rows stays in L1 while the columns stream past it.
void SizedContraction::compute(const Point &at, Range rowRange, Value rowBase, Value rowPack, Range colRange,
                               Value colBase, Value colPack, Value tile) {
  Value packedRows = panelMemory(rowPack, rows()), packedCols = panelMemory(colPack, cols());
  overPanels(rows(), rowRange, [&](Value i, Value rowRun, Value rowPlace, Value validRows) {
    Value row = b.mul(b.sub(i, rowBase), panelStride(p, p.mr));
    Value to = b.add(at.at[2], offsetOf(ArrayRef(p.rows.dims).drop_back(), rowRun, 2));
    to = b.add(to, b.mul(rowPlace, stride(p.rows.dims.back(), 2)));
    overPanels(cols(), colRange, [&](Value j, Value colRun, Value colPlace, Value validCols) {
      Value col = b.mul(b.sub(j, colBase), panelStride(p, p.nr()));
      SmallVector<Value> sums = multiply(packedRows, row, packedCols, col, at.depth);
      Value corner = b.add(to, offsetOf(ArrayRef(p.cols.dims).drop_back(), colRun, 2));
      corner = b.add(corner, b.mul(colPlace, stride(p.cols.dims.back(), 2)));
      writeTile(at, corner, validRows, validCols, sums, tile);
    });
  });
}

/// sums[r * nv + c] over the depth of a block, in the semiring of the body: accumulators never leave registers.
SmallVector<Value> SizedContraction::multiply(Value packedRows, Value row, Value packedCols, Value col, Value depth) {
  auto noIndex = [](int64_t) { return Value(); };
  auto step = [&](Value k, SmallVector<Value> sums) {
    Value fromRows = b.add(row, b.mul(k, p.mr)), fromCols = b.add(col, b.mul(k, p.nr()));
    SmallVector<Value> vectors;
    for (int64_t c = 0; c < p.nv; ++c)
      vectors.push_back(b.loadVector(p.lanes, packedCols, b.add(fromCols, c * p.lanes)));
    for (int64_t r = 0; r < p.mr; ++r) {
      Value scalar = b.splat(b.load(packedRows, b.add(fromRows, r)), p.lanes);
      for (int64_t c = 0; c < p.nv; ++c) {
        Value inputs[] = {p.swapped ? vectors[c] : scalar, p.swapped ? scalar : vectors[c]};
        Value &sum = sums[r * p.nv + c];
        sum = BodyEmitter(b, op, p.lanes, inputs, noIndex).accumulate(reduction, sum);
      }
    }
    return sums;
  };
  const int64_t unroll = 2;
  Value whole = b.mul(b.div(depth, unroll), unroll);
  SmallVector<Value> zero(p.mr * p.nv, emitIdentity(b, reduction.combine, p.lanes));
  SmallVector<Value> sums = b.loop(b.c(0), whole, unroll, zero, [&](Value k, ValueRange carried) {
    SmallVector<Value> now(carried);
    for (int64_t i = 0; i < unroll; ++i) now = step(b.add(k, i), now);
    return now;
  });
  return b.loop(whole, depth, 1, sums,
                [&](Value k, ValueRange carried) { return step(k, SmallVector<Value>(carried)); });
}

/// The first block of the depth writes, the others combine.
void SizedContraction::writeTile(const Point &at, Value to, Value validRows, Value validCols, ArrayRef<Value> sums,
                                 Value tile) {
  auto write = [&](bool combines) {
    auto edge = [&] { writeEdge(to, validRows, validCols, sums, tile, combines); };
    if (!adjacent(p.cols.dims.back(), 2)) return edge();
    auto whole = [&] {
      for (int64_t r = 0; r < p.mr; ++r)
        for (int64_t c = 0; c < p.nv; ++c) {
          Value offset = b.add(b.add(to, b.mul(b.c(r), stride(p.rows.dims.back(), 2))), c * p.lanes);
          Value sum = sums[r * p.nv + c];
          if (combines) sum = emitCombine(b, reduction.combine, b.loadVector(p.lanes, memory[2], offset), sum);
          b.storeVector(sum, memory[2], offset);
        }
    };
    Value missing = b.add(b.sub(b.c(p.mr), validRows), b.sub(b.c(p.nr()), validCols));
    b.ifThen(b.equal(missing, b.c(0)), whole, edge);
  };
  if (!overwrite) return write(true);
  b.ifThen(b.equal(at.block, b.c(0)), [&] { write(false); }, [&] { write(true); });
}

/// What is valid of a tile, from memory.
void SizedContraction::writeEdge(Value to, Value validRows, Value validCols, ArrayRef<Value> sums, Value tile,
                                 bool combines) {
  Value spill = b.flat(tile, b.element, p.mr * p.nr());
  for (auto [i, sum] : llvm::enumerate(sums)) b.storeVector(sum, spill, b.c(i * p.lanes));
  b.loop(b.c(0), validRows, 1, [&](Value r) {
    Value row = b.add(to, b.mul(r, stride(p.rows.dims.back(), 2))), from = b.mul(r, p.nr());
    auto put = [&](Value c, int64_t lanes) {
      Value offset = b.add(row, b.mul(c, stride(p.cols.dims.back(), 2))), value;
      if (lanes > 1)
        value = b.loadVector(lanes, spill, b.add(from, c));
      else
        value = b.load(spill, b.add(from, c));
      if (combines)
        value = emitCombine(b, reduction.combine,
                            lanes > 1 ? b.loadVector(lanes, memory[2], offset) : b.load(memory[2], offset), value);
      lanes > 1 ? b.storeVector(value, memory[2], offset) : b.store(value, memory[2], offset);
    };
    Value vectors = b.c(0);
    if (adjacent(p.cols.dims.back(), 2) && p.lanes > 1) {
      vectors = b.mul(b.div(validCols, p.lanes), p.lanes);
      b.loop(b.c(0), vectors, p.lanes, [&](Value c) { put(c, p.lanes); });
    }
    b.loop(vectors, validCols, 1, [&](Value c) { put(c, 1); });
  });
}

/// Panels in the blocks that each member of a team packs for itself: as many for each member.
Value SizedContraction::ownSize(int64_t members) {
  const int64_t most = p.colsOuter ? p.rowPanels : p.colPanels;
  Value all = allPanels(owns());
  if (members == 1) return b.c(most);
  Value rounds = b.div(b.add(all, most * members - 1), most * members), parts = b.mul(rounds, members);
  return b.div(b.sub(b.add(all, parts), b.c(1)), b.max(parts, b.c(1)));
}

void SizedContraction::ownBlock(const Point &at, Range shared, Value sharedPack, Value index, Value size, Value own) {
  Value packed = b.advance(own, b.c(layout.tileBytes));
  Range mine = block(index, size, allPanels(owns()));
  pack(owns(), at, mine, mine.low, panelMemory(packed, owns()));
  if (p.colsOuter)
    compute(at, mine, mine.low, packed, shared, shared.low, sharedPack, own);
  else
    compute(at, shared, shared.low, sharedPack, mine, mine.low, packed, own);
}

/// Whole batches per thread.
void SizedContraction::emitByBatch(ValueRange pointers) {
  auto fn = b.function(name, 4, 1, [&](ValueRange args, ValueRange index) {
    bind(args);
    Value shared = b.advance(scratch, b.mul(index[0], layout.shared));
    Value own = b.advance(scratch, b.add(b.mul(index[0], layout.own), layout.ownFrom));
    Value all = allPanels(shares()), size = ownSize(1);
    Value sharedBlocks = b.div(b.add(all, sharedPanels() - 1), sharedPanels());
    Value ownBlocks = b.div(b.sub(b.add(allPanels(owns()), size), b.c(1)), size);
    auto [low, high] = b.chunkBounds(index[0], p.threads, points(p.batch.dims));
    b.loop(low, high, 1, [&](Value batch) {
      b.loop(b.c(0), sharedBlocks, 1, [&](Value i) {
        b.loop(b.c(0), depthBlocks(), 1, [&](Value k) {
          Point at = point(batch, k);
          Range range = block(i, b.c(sharedPanels()), all);
          pack(shares(), at, range, range.low, panelMemory(shared, shares()));
          b.loop(b.c(0), ownBlocks, 1, [&](Value j) { ownBlock(at, range, shared, j, size, own); });
        });
      });
    });
  });
  b.parallelChunks(p.threads, fn, pointers);
}

/// One batch at a time: the team packs the shared block together, then each thread takes its blocks.
void SizedContraction::emitByBlock(ValueRange pointers) {
  auto packing = b.function(name + "_pack", 4, 4, [&](ValueRange args, ValueRange index) {
    bind(args);
    Range range = block(index[1], b.c(sharedPanels()), allPanels(shares()));
    auto [low, high] = b.chunkBounds(index[3], p.threads, b.sub(range.high, range.low));
    pack(shares(), point(index[0], index[2]), {b.add(range.low, low), b.add(range.low, high)}, range.low,
         panelMemory(scratch, shares()));
  });
  auto fn = b.function(name, 4, 4, [&](ValueRange args, ValueRange index) {
    bind(args);
    Value own = b.advance(scratch, b.add(b.mul(index[3], layout.own), layout.ownFrom));
    Range range = block(index[1], b.c(sharedPanels()), allPanels(shares()));
    Value size = ownSize(p.threads), blocks = b.div(b.sub(b.add(allPanels(owns()), size), b.c(1)), size);
    Point at = point(index[0], index[2]);
    auto [low, high] = b.chunkBounds(index[3], p.threads, blocks);
    b.loop(low, high, 1, [&](Value i) { ownBlock(at, range, scratch, i, size, own); });
  });
  Value sharedBlocks = b.div(b.add(allPanels(shares()), sharedPanels() - 1), sharedPanels());
  b.loop(b.c(0), points(p.batch.dims), 1, [&](Value batch) {
    b.loop(b.c(0), sharedBlocks, 1, [&](Value i) {
      b.loop(b.c(0), depthBlocks(), 1, [&](Value k) {
        SmallVector<Value> arguments(pointers);
        arguments.append({batch, i, k});
        b.parallelChunks(p.threads, packing, arguments);
        b.parallelChunks(p.threads, fn, arguments);
      });
    });
  });
}

void SizedContraction::emit(Value scratchPointer) {
  Value pointers[] = {memories[0].pointer, memories[1].pointer, memories[2].pointer, scratchPointer};
  if (p.split == Split::Cols || p.split == Split::Rows)
    emitByBlock(pointers);
  else
    emitByBatch(pointers);
}

} // namespace

int64_t sizedScratchBytes(const ContractionPlan &plan) { return Layout(plan).total; }

void emitSizedContraction(NestBuilder &b, const ContractionPlan &plan, linalg::LinalgOp op,
                          ArrayRef<NestOperand> operands, Value scratch, bool overwrite, StringRef name) {
  SizedContraction(b, plan, op, operands, overwrite, name).emit(scratch);
}

} // namespace ein
