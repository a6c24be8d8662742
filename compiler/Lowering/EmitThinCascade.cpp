// The nest of a cascade of few rows: the team, groups of batches, parts of the keys.
#include "compiler/Lowering/EmitThinCascade.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

/// Bytes of states from which on the team merges them.
static constexpr int64_t kMergeBytes = 1 << 18;

ThinCascadeEmitter::ThinCascadeEmitter(NestBuilder &b, const ThinCascadePlan &plan, const CascadeRegion &cascade,
                                       ArrayRef<SmallVector<NestOperand>> operands, StringRef name)
    : CascadeFrame(b, cascade, operands, name, analyseThinFlow(cascade.shape), plan.lanes), p(plan),
      layout(shape, flow, plan), rows(sharedRows(shape, flow)) {}

/// A function of a batch and its state.
func::FuncOp ThinCascadeEmitter::functionOf(StringRef part, unsigned more, llvm::function_ref<void(ValueRange)> body) {
  return b.function((name + part).str(), pointers.size() + 2, 1 + more, [&](ValueRange args, ValueRange index) {
    bind(args);
    state = args[pointers.size()];
    bindBatch(index[0]);
    body(index.drop_front());
  });
}

void ThinCascadeEmitter::call(func::FuncOp function, Value state, ValueRange indices) {
  Values all(arguments.begin(), arguments.begin() + pointers.size());
  all.push_back(state);
  all.push_back(scratch);
  llvm::append_range(all, indices);
  llvm::append_range(all, b.sizes);
  func::CallOp::create(b, function, all);
}

Value ThinCascadeEmitter::statePointer(Value shared, Value slot) {
  return b.advance(shared, b.add(b.mul(slot, layout.stateBytes), layout.total * p.threads));
}

Value ThinCascadeEmitter::maximaIn(Value state, int tensor) {
  return viewAt(state, layout.states[tensor], b.element, layout.rows);
}

/// A sum over the key: [rows][pitch].
Value ThinCascadeEmitter::sumIn(Value state, size_t op) {
  const CascadeProduct *product = flow.product(op);
  const int64_t place =
      product ? layout.laneSide[product - flow.products.data()] : layout.states[shape.ops[op].output.tensor];
  return viewAt(state, place, b.element, layout.rows * sumPitch(op));
}

int64_t ThinCascadeEmitter::sumPitch(size_t op) const {
  const CascadeProduct *product = flow.product(op);
  return product ? layout.pitch[product - flow.products.data()] : p.lanes;
}

void ThinCascadeEmitter::overRows(llvm::function_ref<void(Value)> body) {
  const Values before(position);
  b.loop(0, rows, 1, [&](Value row) {
    bindRow(position, row);
    body(row);
  });
  position = before;
}

void ThinCascadeEmitter::overBatches(Value first, Value last, llvm::function_ref<void(Value)> body) {
  if (p.batches == 1) return body(first);
  b.loop(first, last, 1, body);
}

/// The keys that count for some row of a group.
std::pair<Value, Value> ThinCascadeEmitter::keyRange(Value first, Value last,
                                                     llvm::function_ref<Value(Value)> stateOf) {
  if (!hasBounds()) return {b.c(0), extent(shape.key)};
  auto rangeOf = [&](Value batch) {
    Value range = b.flat(b.advance(stateOf(batch), b.c(layout.range)), b.getIndexType(), 2);
    return std::pair{b.load(range, b.c(0)), b.load(range, b.c(1))};
  };
  auto [low, high] = rangeOf(first);
  if (p.batches > 1) {
    Value init[] = {low, high};
    Values all = b.loop(b.add(first, 1), last, 1, init, [&](Value batch, ValueRange now) {
      auto [from, to] = rangeOf(batch);
      return Values{b.min(now[0], from), b.max(now[1], to)};
    });
    low = all[0], high = all[1];
  }
  return {low, b.max(low, high)};
}

/// The groups of one thread, or its parts of their keys.
void ThinCascadeEmitter::thread(Value shared, Value t) {
  scratch = b.advance(shared, b.mul(t, layout.total));
  Value batches = countOf(flow.batch);
  Value items = b.mul(b.div(b.add(batches, p.batches - 1), p.batches), p.splits);
  auto [low, high] = b.chunkBounds(t, p.threads, items);
  b.loop(low, high, 1, [&](Value item) {
    Value first = b.mul(b.div(item, p.splits), p.batches), last = b.min(b.add(first, p.batches), batches);
    Value slot = b.mul(p.splits > 1 ? item : t, p.batches);
    auto stateOf = [&](Value batch) { return statePointer(shared, b.add(slot, b.sub(batch, first))); };
    overBatches(first, last, [&](Value batch) { call(beginFn, stateOf(batch), {batch}); });
    auto [from, end] = keyRange(first, last, stateOf);
    if (p.splits > 1) {
      // Parts are whole tiles.
      Value tiles = b.div(b.add(b.sub(end, from), p.bk - 1), p.bk), part = b.rem(item, p.splits);
      Value begin = b.div(b.mul(tiles, part), p.splits), stop = b.div(b.mul(tiles, b.add(part, 1)), p.splits);
      end = b.min(end, b.add(from, b.mul(stop, p.bk)));
      from = b.add(from, b.mul(begin, p.bk));
    }
    b.loop(from, end, p.bk, [&](Value key) {
      Value count = b.min(b.c(p.bk), b.sub(end, key));
      overBatches(first, last, [&](Value batch) {
        Value next = batch, nextKey = b.add(key, p.bk);
        if (p.batches > 1) {
          Value isLast = b.lessEqual(last, b.add(batch, 1));
          next = arith::SelectOp::create(b, isLast, first, b.add(batch, 1));
          nextKey = arith::SelectOp::create(b, isLast, nextKey, key);
        }
        call(tileFn, stateOf(batch), {batch, key, count, next, nextKey});
      });
    });
    if (p.splits == 1) overBatches(first, last, [&](Value batch) { call(finishFn, stateOf(batch), {batch}); });
  });
}

/// Batches of a chunk: the states of their parts become one, and the results are written.
void ThinCascadeEmitter::mergeChunk(Value shared, Value t, int64_t chunks) {
  auto [low, high] = b.chunkBounds(t, chunks, countOf(flow.batch));
  b.loop(low, high, 1, [&](Value batch) {
    Value group = b.div(batch, p.batches);
    Value slot = b.add(b.mul(group, p.splits * p.batches), b.rem(batch, p.batches));
    Value whole = statePointer(shared, slot);
    b.loop(1, p.splits, 1, [&](Value part) {
      Value other = statePointer(shared, b.add(slot, b.mul(part, p.batches)));
      Values all{whole, other};
      llvm::append_range(all, b.sizes);
      func::CallOp::create(b, mergeFn, all);
    });
    call(finishFn, whole, {batch});
  });
}

void ThinCascadeEmitter::emit(Value shared) {
  b.element = cascade.element;
  beginFn = functionOf("_begin", 0, [&](ValueRange) { begin(); });
  tileFn = functionOf("_tile", 4, [&](ValueRange more) {
    firstKey = more[0], keys = more[1], nextBatch = more[2], nextKey = more[3];
    tile();
  });
  finishFn = functionOf("_finish", 0, [&](ValueRange) { finish(); });
  auto chunked = [&](const std::string &name, llvm::function_ref<void(Value shared, Value t)> body) {
    return b.function(name, pointers.size() + 1, 1, [&](ValueRange args, ValueRange index) {
      bind(args);
      body(args.back(), index[0]);
    });
  };
  Values all(pointers);
  all.push_back(shared);
  auto fn = chunked(name, [&](Value shared, Value t) { thread(shared, t); });
  b.parallelChunks(p.threads, fn, all);
  if (p.splits == 1) return;
  mergeFn = b.function(name + "_merge", 2, 0, [&](ValueRange args, ValueRange) {
    views.clear();
    state = args[0];
    merge(args[1]);
  });
  const int64_t batches = batchCount(shape, flow); // known, or there are no splits
  const int64_t chunks =
      batches * p.splits * layout.stateBytes < kMergeBytes ? 1 : std::min<int64_t>(p.threads, batches);
  auto results = chunked(name + "_results", [&](Value shared, Value t) { mergeChunk(shared, t, chunks); });
  b.parallelChunks(chunks, results, all);
}

int64_t scratchBytes(const ThinCascadePlan &plan, const CascadeRegion &cascade) {
  const CascadeFlow flow = analyseThinFlow(cascade.shape);
  return ThinCascadeScratch(cascade.shape, flow, plan).bytes(cascade.shape, flow, plan);
}

void emitCascade(NestBuilder &b, const ThinCascadePlan &plan, const CascadeRegion &cascade,
                 ArrayRef<SmallVector<NestOperand>> operands, Value scratch, StringRef name) {
  ThinCascadeEmitter(b, plan, cascade, operands, name).emit(scratch);
}

} // namespace ein
