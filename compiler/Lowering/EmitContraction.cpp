// The nest of a packed contraction: blocks, teams and the loops around the micro-kernel.
#include "compiler/Lowering/EmitContraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

static int64_t align64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/// Where everything lies in the scratch memory of a contraction, in bytes.
ContractionScratch::ContractionScratch(const ContractionPlan &p) {
  auto table = [&](const IndexGroup &g, unsigned o) {
    if (g.affine(o)) return int64_t(-1);
    const int64_t at = total;
    total += align64(g.size() * 8);
    return at;
  };
  rowsS = table(p.rows, 0), rowsC = table(p.rows, 2);
  colsV = table(p.cols, 1), colsC = table(p.cols, 2);
  depthS = table(p.depth, 0), depthV = table(p.depth, 1);
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

ContractionEmitter::ContractionEmitter(NestBuilder &b, const ContractionPlan &plan, ArrayRef<NestOperand> operands,
                                       bool overwrite, StringRef name)
    : b(b), p(plan), s(operands[plan.swapped ? 1 : 0]), v(operands[plan.swapped ? 0 : 1]), out(operands[2]),
      overwrite(overwrite), name(name), layout(plan) {}

/// Views of the operands and the scratch memory inside the current function.
void ContractionEmitter::bind(ValueRange pointers) {
  memS = b.flat(pointers[0], b.element, s.extent);
  memV = b.flat(pointers[1], b.element, v.extent);
  memC = b.flat(pointers[2], b.element, out.extent);
  scratch = pointers[3];
  auto offsets = [&](const IndexGroup &g, unsigned o, int64_t place) {
    Offsets f;
    f.stride = g.affine(o);
    if (!f.stride) f.table = b.flat(b.advance(scratch, b.c(place)), b.getIndexType(), g.size());
    return f;
  };
  rowsS = offsets(p.rows, 0, layout.rowsS), rowsC = offsets(p.rows, 2, layout.rowsC);
  colsV = offsets(p.cols, 1, layout.colsV), colsC = offsets(p.cols, 2, layout.colsC);
  depthS = offsets(p.depth, 0, layout.depthS), depthV = offsets(p.depth, 1, layout.depthV);
  firstBlock = b.c(0), lastBlock = b.c(p.depthBlocks());
}

Value ContractionEmitter::at(const Offsets &f, Value index) {
  return f.stride ? b.mul(index, *f.stride) : b.load(f.table, index);
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

/// Fills the offset tables of the groups that no single stride walks.
void ContractionEmitter::emitTables(ValueRange pointers) {
  const std::tuple<const IndexGroup *, unsigned, int64_t> tables[] = {
      {&p.rows, 0, layout.rowsS}, {&p.rows, 2, layout.rowsC},   {&p.cols, 1, layout.colsV},
      {&p.cols, 2, layout.colsC}, {&p.depth, 0, layout.depthS}, {&p.depth, 1, layout.depthV}};
  if (llvm::all_of(tables, [](auto &t) { return std::get<2>(t) < 0; })) return;
  auto fn = b.function(name + "_offsets", 4, 1, [&](ValueRange args, ValueRange) {
    for (auto [group, operand, place] : tables) {
      if (place < 0) continue;
      Value table = b.flat(b.advance(args[3], b.c(place)), b.getIndexType(), group->size());
      fillTable(*group, operand, 0, b.c(0), b.c(0), table);
    }
  });
  b.parallelChunks(1, fn, pointers);
}

/// One loop per dimension of the group: table[linear index] = offset.
void ContractionEmitter::fillTable(const IndexGroup &g, unsigned o, size_t dim, Value linear, Value offset,
                                   Value table) {
  if (dim == g.dims.size()) return b.store(offset, table, linear);
  const LoopDim &d = g.dims[dim];
  b.loop(0, d.extent, 1, [&](Value i) {
    fillTable(g, o, dim + 1, b.add(b.mul(linear, d.extent), i), b.add(offset, b.mul(i, d.strides[o])), table);
  });
}

/// Elements of the contracted index in block `kb`.
Value ContractionEmitter::blockDepth(Value kb) {
  const int64_t k = p.depth.size();
  if (k % p.kc == 0) return b.c(p.kc);
  return b.min(b.c(p.kc), b.sub(b.c(k), b.mul(kb, p.kc)));
}

ContractionEmitter::Range ContractionEmitter::block(Value first, int64_t panels, int64_t all) {
  return {first, all % panels == 0 ? b.add(first, panels) : b.min(b.add(first, panels), b.c(all)), first};
}

/// The block that is packed by each thread for itself, and the micro-kernels over it.
void ContractionEmitter::privateBlock(const Point &at, Range shared, Value sharedPack, Value first, Value own) {
  Value tile = own, pack = b.advance(own, b.c(layout.tileBytes));
  if (p.colsOuter) {
    Range rows = block(first, p.rowPanels, p.allRowPanels());
    packRows(at, rows, pack);
    compute(at, rows, shared, pack, sharedPack, tile);
  } else {
    Range cols = block(first, p.colPanels, p.allColPanels());
    packCols(at, cols, pack);
    compute(at, shared, cols, sharedPack, pack, tile);
  }
}

/// for shared block, for depth block: pack it, then every private block. `inBlock` does what is inside.
void ContractionEmitter::sharedBlocks(llvm::function_ref<void(Value first, Value kb)> inBlock) {
  const int64_t all = p.colsOuter ? p.allColPanels() : p.allRowPanels();
  b.loop(0, all, p.colsOuter ? p.colPanels : p.rowPanels,
         [&](Value first) { b.loop(firstBlock, lastBlock, 1, [&](Value kb) { inBlock(first, kb); }); });
}

void ContractionEmitter::packShared(const Point &at, Range range, Value pack) {
  if (p.colsOuter)
    packCols(at, range, pack);
  else
    packRows(at, range, pack);
}

ContractionEmitter::Range ContractionEmitter::sharedRange(Value first) {
  return p.colsOuter ? block(first, p.colPanels, p.allColPanels()) : block(first, p.rowPanels, p.allRowPanels());
}

int64_t ContractionEmitter::privateBlocks() const {
  const int64_t all = p.colsOuter ? p.allRowPanels() : p.allColPanels();
  return (all + privatePanels() - 1) / privatePanels();
}

ContractionEmitter::Point ContractionEmitter::point(Value batch, Value kb) {
  return {batchOffset(batch, 0, s.offset), batchOffset(batch, 1, v.offset), batchOffset(batch, 2, out.offset), kb,
          blockDepth(kb)};
}

/// Whole batches, or a part of the depth, per thread: every thread runs the serial nest with its own scratch
/// memory. Parts of the depth go to results of the threads' own, row-major over batch, rows and columns.
void ContractionEmitter::emitByBatch(ValueRange pointers) {
  auto fn = b.function(name, 4, 1, [&](ValueRange args, ValueRange index) {
    bind(args);
    Value shared = b.advance(scratch, b.add(b.mul(index[0], layout.sharedBytes), layout.shared));
    Value own = b.advance(scratch, b.add(b.mul(index[0], layout.privateBytes), layout.own));
    const bool splitsDepth = p.split == Split::Depth;
    if (splitsDepth) {
      std::tie(firstBlock, lastBlock) = b.chunkBounds(index[0], p.threads, p.depthBlocks());
      Value part = b.advance(scratch, b.add(b.mul(index[0], layout.partElements * p.elementBytes), layout.parts));
      memC = b.flat(part, b.element, layout.partElements);
      rowsC.stride = p.cols.size(), colsC.stride = 1;
    }
    auto [low, high] = b.chunkBounds(index[0], splitsDepth ? 1 : p.threads, p.batch.size());
    auto one = [&](Value batch) {
      sharedBlocks([&](Value first, Value kb) {
        Point at = point(batch, kb);
        if (splitsDepth) at.c = b.mul(batch, p.rows.size() * p.cols.size());
        Range range = sharedRange(first);
        packShared(at, range, shared);
        b.loop(0, p.colsOuter ? p.allRowPanels() : p.allColPanels(), privatePanels(),
               [&](Value mine) { privateBlock(at, range, shared, mine, own); });
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
  auto pack = packs ? b.function(name + "_pack", 4, 4,
                                 [&](ValueRange args, ValueRange index) {
                                   bind(args);
                                   Range range = sharedRange(index[1]);
                                   const int64_t unit = p.colsOuter ? p.colUnit() : 1;
                                   Value units = b.div(b.sub(range.high, range.low), unit), t = index[3];
                                   auto share = [&](Value i) {
                                     return b.add(range.low, b.mul(b.div(b.mul(i, units), p.threads), unit));
                                   };
                                   packShared(point(index[0], index[2]), {share(t), share(b.add(t, 1)), range.base},
                                              b.advance(scratch, b.c(layout.shared)));
                                 })
                    : func::FuncOp();
  auto fn = b.function(name, 4, 4, [&](ValueRange args, ValueRange index) {
    bind(args);
    Value own = b.advance(scratch, b.add(b.mul(index[3], layout.privateBytes), layout.own));
    Value shared = b.advance(scratch, b.c(layout.shared));
    Range range = sharedRange(index[1]);
    Point at = point(index[0], index[2]);
    auto [low, high] = b.chunkBounds(index[3], p.threads, privateBlocks());
    b.loop(low, high, 1, [&](Value i) { privateBlock(at, range, shared, b.mul(i, privatePanels()), own); });
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

/// Adds up the threads' results, always in the same order.
void ContractionEmitter::combineParts(ValueRange pointers) {
  auto fn = b.function(name + "_combine", 4, 1, [&](ValueRange args, ValueRange) {
    Value parts = b.flat(b.advance(args[3], b.c(layout.parts)), b.element, layout.partElements * p.threads);
    Value result = b.flat(args[2], b.element, out.extent);
    overOutput(0, 0, b.c(0), b.c(out.offset), [&](Value place, Value offset) {
      Value sum = b.load(parts, place);
      for (int64_t t = 1; t < p.threads; ++t)
        sum = arith::AddFOp::create(b, sum, b.load(parts, b.add(place, t * layout.partElements)));
      if (!overwrite) sum = arith::AddFOp::create(b, b.load(result, offset), sum);
      b.store(sum, result, offset);
    });
  });
  b.parallelChunks(1, fn, pointers);
}

void ContractionEmitter::emit(Value scratchPointer) {
  Value pointers[] = {s.pointer, v.pointer, out.pointer, scratchPointer};
  emitTables(pointers);
  if (p.split == Split::Cols || p.split == Split::Rows) return emitByBlock(pointers);
  emitByBatch(pointers);
  if (p.split == Split::Depth) combineParts(pointers);
}

void emitContraction(NestBuilder &b, const ContractionPlan &plan, ArrayRef<NestOperand> operands, Value scratch,
                     bool overwrite, StringRef name) {
  ContractionEmitter(b, plan, operands, overwrite, name).emit(scratch);
}

} // namespace ein
