// The nest of a packed contraction: blocks, teams and the loops around the micro-kernel.
#include "compiler/Lowering/EmitContraction.h"

#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/PlanAttr.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

static int64_t align64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/// Where everything lies in the scratch memory of a contraction, in bytes.
ContractionScratch::ContractionScratch(const ContractionPlan &p) {
  auto table = [&](const IndexGroup &g, unsigned o) {
    if (g.runStride(o)) return int64_t(-1);
    const int64_t at = total;
    total += align64(g.runs() * 8);
    return at;
  };
  rowsS = table(p.rows, 0), rowsC = table(p.rows, 2);
  colsV = table(p.cols, 1), colsC = table(p.cols, 2);
  const int64_t rowBytes = p.packRows == Packing::None ? 0 : align64(p.rowPanels * p.rowPanelStride() * p.elementBytes);
  const int64_t colBytes = p.packCols == Packing::None ? 0 : align64(p.colPanels * p.colPanelStride() * p.elementBytes);
  tileBytes = align64(p.mr * p.nr() * p.elementBytes);
  sharedBytes = p.colsOuter ? colBytes : rowBytes;
  privateBytes = (p.colsOuter ? rowBytes : colBytes) + tileBytes;
  shared = total;
  total += sharedBytes * (p.split == Split::Batch || p.split == Split::Depth ? p.threads : 1);
  own = total;
  total += privateBytes * p.threads;
  if (p.split != Split::Depth) return;
  parts = total;
  partElements = p.batch.size() * p.rows.size() * p.cols.size();
  total += align64(partElements * p.threads * p.elementBytes);
}

int64_t scratchBytes(const ContractionPlan &plan) { return ContractionScratch(plan).total; }

ContractionEmitter::ContractionEmitter(NestBuilder &b, const ContractionPlan &plan, linalg::LinalgOp op,
                                       ArrayRef<NestOperand> operands, bool overwrite, StringRef name,
                                       const NestFinish *finish)
    : b(b), p(plan), op(op), reduction(*analyseReduction(op)), overwrite(overwrite), finish(finish), name(name),
      layout(plan) {
  if (b.element.isInteger(1)) b.element = b.getI8Type(); // as in memory
  if (p.computes) factor = computedFactor(op);
  s = operands[factor ? factor->inputs[0] : 0], v = operands[factor ? factor->element : 1];
  out = operands[op->getNumOperands() - 1];
  if (p.swapped) std::swap(s, v);
  if (factor)
    for (auto [i, input] : llvm::enumerate(ArrayRef(factor->inputs).drop_front()))
      parts.push_back({operands[input], unsigned(3 + i), {}});
  if (!finish) return;
  for (const NestOperand &input : finish->inputs)
    if (input.pointer) reads.push_back({input, unsigned(3 + parts.size() + reads.size()), {}, {}, {}});
}

/// Views of the operands and the scratch memory inside the current function. Where the depth is split, the output is
/// a thread's own.
void ContractionEmitter::bind(ValueRange pointers) {
  given.assign(pointers.begin(), pointers.end());
  const bool isPart = p.split == Split::Depth;
  memS = b.flat(pointers[0], s.element, s.extent);
  memV = b.flat(pointers[1], v.element, v.extent);
  memC = b.flat(pointers[2], finish ? out.element : b.element, isPart ? layout.partElements : out.extent);
  scratch = pointers[3];
  for (auto [part, pointer] : llvm::zip(parts, pointers.drop_front(4)))
    part.memory = b.flat(pointer, part.operand.element, part.operand.extent);
  auto runs = [&](const IndexGroup &g, unsigned o, int64_t place) {
    Runs r{g.runStride(o), {}, g.stride(o)};
    if (!r.perRun) r.table = b.flat(b.advance(scratch, b.c(place)), b.getIndexType(), g.runs());
    return r;
  };
  rowsS = runs(p.rows, 0, layout.rowsS);
  colsV = runs(p.cols, 1, layout.colsV);
  rowsC = isPart ? Runs{p.rows.run() * p.cols.size(), {}, p.cols.size()} : runs(p.rows, 2, layout.rowsC);
  colsC = isPart ? Runs{p.cols.run(), {}, 1} : runs(p.cols, 2, layout.colsC);
  firstBlock = b.c(0), lastBlock = b.c(p.depthBlocks());
  if (p.streaming) aligned = b.aligned(b.advance(pointers[2], b.c(out.offset * bytesOf(b.element))));
  bindReads(pointers);
}

Value ContractionEmitter::runAt(const Runs &r, Value run) {
  return r.perRun ? b.mul(run, *r.perRun) : b.load(r.table, run);
}

/// The run that a panel `width` wide belongs to, and its first element there.
Value ContractionEmitter::runOf(const IndexGroup &side, Value panel, int64_t width) {
  return side.runs() == 1 ? b.c(0) : b.div(panel, ceilDiv(side.run(), width));
}

Value ContractionEmitter::placeInRun(const IndexGroup &side, Value panel, int64_t width) {
  return b.mul(side.runs() == 1 ? panel : b.rem(panel, ceilDiv(side.run(), width)), width);
}

/// Offset of the first element of a panel.
Value ContractionEmitter::panelAt(const Runs &r, const IndexGroup &side, Value panel, int64_t width) {
  return b.add(runAt(r, runOf(side, panel, width)), b.mul(placeInRun(side, panel, width), r.perElement));
}

/// Offset of a batch in operand `o`, from its linear index.
Value ContractionEmitter::batchOffset(Value index, unsigned o, int64_t base) {
  Value sum = b.c(base);
  for (auto d = p.batch.dims.rbegin(); d != p.batch.dims.rend(); ++d) {
    const bool last = std::next(d) == p.batch.dims.rend();
    sum = b.add(sum, b.mul(last ? index : b.rem(index, d->extent), d->strides[o]));
    if (!last) index = b.div(index, d->extent);
  }
  return sum;
}

/// Fills the tables of runs that no single stride walks.
void ContractionEmitter::emitTables(ValueRange pointers) {
  const std::tuple<const IndexGroup *, unsigned, int64_t> tables[] = {
      {&p.rows, 0, layout.rowsS}, {&p.rows, 2, layout.rowsC}, {&p.cols, 1, layout.colsV}, {&p.cols, 2, layout.colsC}};
  if (llvm::all_of(tables, [](auto &t) { return std::get<2>(t) < 0; })) return;
  auto fn = b.function(name + "_runs", pointerCount(), 1, [&](ValueRange args, ValueRange) {
    for (auto [group, operand, place] : tables) {
      if (place < 0) continue;
      Value table = b.flat(b.advance(args[3], b.c(place)), b.getIndexType(), group->runs());
      fillTable(*group, operand, 0, b.c(0), b.c(0), table);
    }
  });
  b.parallelChunks(1, fn, pointers);
}

/// One loop per dimension around the runs: table[run] = offset.
void ContractionEmitter::fillTable(const IndexGroup &g, unsigned o, size_t dim, Value run, Value offset, Value table) {
  if (dim + 1 == g.dims.size()) return b.store(offset, table, run);
  const LoopDim &d = g.dims[dim];
  b.loop(0, d.extent, 1, [&](Value i) {
    fillTable(g, o, dim + 1, b.add(b.mul(run, d.extent), i), b.add(offset, b.mul(i, d.strides[o])), table);
  });
}

ContractionEmitter::Range ContractionEmitter::rowBlock(Value index) {
  if (p.rowBlocks() == 1) index = b.c(0);
  Value first = b.mul(index, p.rowPanels), end = b.add(first, p.rowPanels);
  return {first, p.allRowPanels() % p.rowPanels == 0 ? end : b.min(end, b.c(p.allRowPanels())), first, index};
}

/// Columns that are transposed across runs come in even pieces of the loop around the runs.
ContractionEmitter::Range ContractionEmitter::colBlock(Value index) {
  if (p.colBlocks() == 1) index = b.c(0);
  if (p.colPieces > 1) {
    const int64_t around = p.cols.dims[p.cols.dims.size() - 2].extent, perRun = p.colPanelsPerRun();
    Value piece = b.rem(index, p.colPieces), start = b.mul(b.div(index, p.colPieces), around);
    auto bound = [&](Value i) { return b.mul(b.add(start, b.div(b.mul(i, around), p.colPieces)), perRun); };
    Value first = bound(piece);
    return {first, bound(b.add(piece, 1)), first, index};
  }
  Value first = b.mul(index, p.colPanels), end = b.add(first, p.colPanels);
  return {first, p.allColPanels() % p.colPanels == 0 ? end : b.min(end, b.c(p.allColPanels())), first, index};
}

/// The block that is packed by each thread for itself, and the micro-kernels over it.
void ContractionEmitter::privateBlock(const Point &at, Range shared, Value sharedPack, Value index, Value own) {
  Value tile = own, pack = b.advance(own, b.c(layout.tileBytes));
  Range mine = p.colsOuter ? rowBlock(index) : colBlock(index);
  packSide(!p.colsOuter, at, mine, pack);
  if (p.colsOuter)
    compute(at, mine, shared, {pack, sharedPack, tile});
  else
    compute(at, shared, mine, {sharedPack, pack, tile});
}

/// for shared block, for depth block: pack it, then every private block. `inBlock` does what is inside.
void ContractionEmitter::sharedBlocks(llvm::function_ref<void(Value block, Value kb)> inBlock) {
  b.loop(0, sharedBlockCount(), 1,
         [&](Value block) { b.loop(firstBlock, lastBlock, 1, [&](Value kb) { inBlock(block, kb); }); });
}

/// A batch, and a block of the depth: a piece of each of its loops. What there is one of is known.
ContractionEmitter::Point ContractionEmitter::point(Value batch, Value kb) {
  if (p.batch.size() == 1) batch = b.c(0);
  if (p.depthBlocks() == 1) kb = b.c(0);
  Point at{batch,
           batchOffset(batch, 0, s.offset),
           batchOffset(batch, 1, v.offset),
           p.split == Split::Depth ? b.mul(batch, p.rows.size() * p.cols.size()) : batchOffset(batch, 2, out.offset),
           {},
           {},
           kb,
           b.c(1),
           {}};
  for (const Read &read : reads) at.reads.push_back(batchOffset(batch, read.stride, read.operand.offset));
  for (const Part &part : parts) at.parts.push_back(batchOffset(batch, part.o, part.operand.offset));
  at.extents.resize(p.depth.dims.size());
  Value index = kb;
  for (int i = int(p.depth.dims.size()) - 1; i >= 0; --i) {
    const LoopDim &d = p.depth.dims[i];
    const int64_t piece = p.depthPieces[i], pieces = d.extent / piece;
    Value number = i == 0 ? index : b.rem(index, pieces), low = b.mul(number, piece);
    // The last piece takes what is left over.
    const int64_t rest = d.extent % piece;
    Value last = b.equal(number, b.c(pieces - 1));
    at.extents[i] = rest ? b.createOrFold<arith::SelectOp>(last, b.c(piece + rest), b.c(piece)) : b.c(piece);
    at.s = b.add(at.s, b.mul(low, d.strides[0]));
    at.v = b.add(at.v, b.mul(low, d.strides[1]));
    for (auto [offset, part] : llvm::zip_equal(at.parts, parts)) offset = b.add(offset, b.mul(low, d.strides[part.o]));
    at.depth = b.mul(at.depth, at.extents[i]);
    index = b.div(index, pieces);
  }
  return at;
}

/// Work of one call below which a function of its own would cost: multiplications by a panel of rows.
static constexpr int64_t kWorthACall = 32 << 10;

/// Packing, and the tiles of a panel of rows, as functions: several small ones take less time to generate than one that
/// holds all of them, and several threads can share them.
void ContractionEmitter::makeFunctions() {
  const int64_t cols = std::min(p.cols.size(), p.colPanels * p.nr());
  if (p.mr * cols * p.kc() < kWorthACall) return;
  // A team packs together what its members share (emitByBlock).
  const bool sharesRows = splitsBlocks() && !p.colsOuter, sharesCols = splitsBlocks() && p.colsOuter;
  if (p.packRows != Packing::None && !sharesRows) packsRows = packFunction(false);
  if (p.packCols != Packing::None && !sharesCols) packsCols = packFunction(true);
  if (p.rows.run() >= p.mr) wholeTiles = rowTilesFunction(p.mr);
  if (p.rows.run() % p.mr) restTiles = rowTilesFunction(p.rows.run() % p.mr);
}

void ContractionEmitter::call(func::FuncOp function, ArrayRef<Value> with, ArrayRef<Value> indices) {
  SmallVector<Value> arguments(given.begin(), given.end());
  arguments.append(with.begin(), with.end());
  arguments.append(indices.begin(), indices.end());
  arguments.append(b.sizes);
  func::CallOp::create(b, function, arguments);
}

/// Whole batches, or a part of the depth, per thread: every thread runs the serial nest with its own scratch
/// memory. Parts of the depth go to results of the threads' own, row-major over batch, rows and columns.
void ContractionEmitter::emitByBatch(ValueRange pointers) {
  auto fn = b.function(name, pointerCount(), 1, [&](ValueRange args, ValueRange index) {
    const bool splitsDepth = p.split == Split::Depth;
    SmallVector<Value> own(args);
    if (splitsDepth)
      own[2] = b.advance(args[3], b.add(b.mul(index[0], layout.partElements * bytesOf(b.element)), layout.parts));
    bind(own);
    Value shared = b.advance(scratch, b.add(b.mul(index[0], layout.sharedBytes), layout.shared));
    Value mine = b.advance(scratch, b.add(b.mul(index[0], layout.privateBytes), layout.own));
    if (splitsDepth) std::tie(firstBlock, lastBlock) = b.chunkBounds(index[0], p.threads, p.depthBlocks());
    auto [low, high] = b.chunkBounds(index[0], splitsDepth ? 1 : p.threads, p.batch.size());
    auto one = [&](Value batch) {
      sharedBlocks([&](Value block, Value kb) {
        Point at = point(batch, kb);
        Range range = sharedRange(block);
        packShared(at, range, shared);
        b.loop(0, privateBlockCount(), 1, [&](Value i) { privateBlock(at, range, shared, i, mine); });
      });
    };
    if (p.batch.size() == 1)
      one(b.c(0));
    else
      b.loop(low, high, 1, one);
  });
  b.parallelChunks(p.threads, fn, pointers);
}

/// One batch at a time: the team packs the shared block together, then each thread takes its blocks.
void ContractionEmitter::emitByBlock(ValueRange pointers) {
  const bool packs = (p.colsOuter ? p.packCols : p.packRows) != Packing::None;
  auto pack = packs ? b.function(name + "_pack", pointerCount(), 4,
                                 [&](ValueRange args, ValueRange index) {
                                   bind(args);
                                   Range range = sharedRange(index[1]);
                                   const int64_t unit = p.colsOuter ? p.colUnit() : 1;
                                   Value units = b.div(b.sub(range.high, range.low), unit), t = index[3];
                                   auto share = [&](Value i) {
                                     if (p.colsOuter &&
                                         p.colPieces > 1) // one piece cannot be packed apart: it is the first thread's
                                       return b.min(b.add(range.low, b.mul(i, unit)), range.high);
                                     return b.add(range.low, b.mul(b.div(b.mul(i, units), p.threads), unit));
                                   };
                                   packShared(point(index[0], index[2]), {share(t), share(b.add(t, 1)), range.base, {}},
                                              b.advance(scratch, b.c(layout.shared)));
                                 })
                    : func::FuncOp();
  auto fn = b.function(name, pointerCount(), 4, [&](ValueRange args, ValueRange index) {
    bind(args);
    Value own = b.advance(scratch, b.add(b.mul(index[3], layout.privateBytes), layout.own));
    Value shared = b.advance(scratch, b.c(layout.shared));
    Range range = sharedRange(index[1]);
    Point at = point(index[0], index[2]);
    auto [low, high] = b.chunkBounds(index[3], p.threads, privateBlockCount());
    b.loop(low, high, 1, [&](Value i) { privateBlock(at, range, shared, i, own); });
  });
  firstBlock = b.c(0), lastBlock = b.c(p.depthBlocks());
  b.loop(0, p.batch.size(), 1, [&](Value batch) {
    sharedBlocks([&](Value first, Value kb) {
      SmallVector<Value> arguments(pointers);
      arguments.append({batch, first, kb});
      if (pack) b.parallelChunks(p.threads, pack, arguments);
      b.parallelChunks(p.threads, fn, arguments);
    });
  });
}

/// Loops over batch, rows and columns of the output: `place` counts them, `offset` is where they are.
void ContractionEmitter::overOutput(size_t group, size_t dim, Value place, Value offset,
                                    llvm::function_ref<void(Value, Value)> body) {
  const IndexGroup *const groups[] = {&p.batch, &p.rows, &p.cols};
  if (group == 3) return body(place, offset);
  if (dim == groups[group]->dims.size()) return overOutput(group + 1, 0, place, offset, body);
  const LoopDim &d = groups[group]->dims[dim];
  b.loop(0, d.extent, 1, [&](Value i) {
    overOutput(group, dim + 1, b.add(b.mul(place, d.extent), i), b.add(offset, b.mul(i, d.strides[2])), body);
  });
}

/// Combines the threads' results, always in the same order.
void ContractionEmitter::combineParts(ValueRange pointers) {
  auto fn = b.function(name + "_combine", pointerCount(), 1, [&](ValueRange args, ValueRange) {
    Value parts = b.flat(b.advance(args[3], b.c(layout.parts)), b.element, layout.partElements * p.threads);
    Value result = b.flat(args[2], b.element, out.extent);
    overOutput(0, 0, b.c(0), b.c(out.offset), [&](Value place, Value offset) {
      Value sum = b.load(parts, place);
      for (int64_t t = 1; t < p.threads; ++t) sum = combine(sum, b.load(parts, b.add(place, t * layout.partElements)));
      if (!overwrite) sum = combine(b.load(result, offset), sum);
      b.store(sum, result, offset);
    });
  });
  b.parallelChunks(1, fn, pointers);
}

void ContractionEmitter::emit(Value scratchPointer) {
  SmallVector<Value> pointers{s.pointer, v.pointer, out.pointer, scratchPointer};
  for (const Part &part : parts) pointers.push_back(part.operand.pointer);
  for (const Read &read : reads) pointers.push_back(read.operand.pointer);
  emitTables(pointers);
  makeFinishes();
  makeFunctions();
  if (splitsBlocks()) return emitByBlock(pointers);
  emitByBatch(pointers);
  if (p.split == Split::Depth) combineParts(pointers);
}

void emitContraction(NestBuilder &b, const ContractionPlan &plan, linalg::LinalgOp op, ArrayRef<NestOperand> operands,
                     Value scratch, bool overwrite, StringRef name, const NestFinish *finish) {
  ContractionEmitter(b, plan, op, operands, overwrite, name, finish).emit(scratch);
}

} // namespace ein
