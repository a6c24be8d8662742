// Attention by mma.sync: a block keeps a tile of rows, keys and values come by cp.async while the other is multiplied.
#include "compiler/Gpu/MmaAttention.h"

#include "compiler/Gpu/EmitAttention.h"
#include "compiler/Gpu/MmaBuilder.h"

using namespace mlir;

namespace ein {

namespace {

/// Four warps take 16 rows of every 64 each. Scores, probabilities and results stay in registers, where two
/// accumulators beside each other are what a product takes as A; a fragment of keys or values is loaded once for all
/// rows of a warp.
class MmaAttentionEmitter {
public:
  MmaAttentionEmitter(gpu::GPUModuleOp module, const AttentionPlan &plan, AttentionBodyEmitter &bodies, StringRef name)
      : p(plan), bodies(bodies), b(module, name, signature(plan, bodies)),
        softmax(size_t(plan.consumers), SoftmaxEmitter(b, plan, bodies)) {}

  void emit();

private:
  using Parameter = KernelSignature::Parameter;
  static KernelSignature signature(const AttentionPlan &plan, const AttentionBodyEmitter &bodies);

  /// Of 64 rows: this thread's part of the sums of values, and its softmax.
  struct Rows {
    SmallVector<Value> output;
    SoftmaxState softmax;
  };
  using AllRows = SmallVector<Rows, 2>;
  SmallVector<Value> flat(const AllRows &all);
  AllRows restored(ValueRange values);

  /// Where a row of a tile lies in shared memory: pieces of 16 bytes change places by the number of the row.
  Value place(Value row, Value byte, int64_t rowBytes);
  void copy(AttentionPlan::Tensor tensor, function_ref<TensorPlace(Value row)> source);
  void copyQueries();
  void copyKeys(AttentionPlan::Tensor tensor, Value tile);
  SmallVector<Value> zeros(int64_t count) { return SmallVector<Value>(size_t(count), b.f(0)); }
  void multiply(ValueRange a, const MmaBuilder::Registers &both, MutableArrayRef<Value> sums);
  SmallVector<SmallVector<Value>> scores();
  void addValues(ArrayRef<SmallVector<Value>> probabilities, AllRows &all);
  AllRows step(Value number, AllRows all);
  void store(Rows &rows, int64_t number);

  const AttentionPlan &p;
  AttentionBodyEmitter &bodies;
  MmaBuilder b;
  std::vector<SoftmaxEmitter> softmax; ///< of each 64 rows
  AttentionItem item;
};

KernelSignature MmaAttentionEmitter::signature(const AttentionPlan &plan, const AttentionBodyEmitter &bodies) {
  const size_t pointers = (plan.logSum ? 5 : 4) + bodies.parameters().size();
  return {std::vector<Parameter>(pointers, Parameter::Pointer), plan.threads(), 1};
}

SmallVector<Value> MmaAttentionEmitter::flat(const AllRows &all) {
  SmallVector<Value> values;
  for (const Rows &rows : all) {
    llvm::append_range(values, rows.output);
    llvm::append_range(values, rows.softmax.maximum);
    llvm::append_range(values, rows.softmax.sum);
  }
  return values;
}

MmaAttentionEmitter::AllRows MmaAttentionEmitter::restored(ValueRange values) {
  AllRows all;
  const size_t outputs = size_t(p.tileWidth() / 2);
  for (int64_t i = 0; i < p.consumers; ++i, values = values.drop_front(outputs + 4)) {
    ValueRange state = values.drop_front(outputs);
    all.push_back({SmallVector<Value>(values.take_front(outputs)), {{state[0], state[1]}, {state[2], state[3]}}});
  }
  return all;
}

Value MmaAttentionEmitter::place(Value row, Value byte, int64_t rowBytes) {
  Value piece = b.bitXor(b.div(byte, 16), b.rem(row, 8));
  return b.add(b.mul(row, rowBytes), b.mul(piece, 16));
}

/// Asks for the copies of a tile, 8 features at a time. What lies behind the end of rows or features is zero.
void MmaAttentionEmitter::copy(AttentionPlan::Tensor tensor, function_ref<TensorPlace(Value row)> source) {
  const bool ofValues = tensor == AttentionPlan::V;
  const int64_t rows = tensor == AttentionPlan::Q ? p.tileRows() : p.tileKeys();
  const int64_t features = ofValues ? p.width : p.depth, width = ofValues ? p.tileWidth() : p.tileDepth();
  const int64_t begin = tensor == AttentionPlan::Q ? 0 : ofValues ? p.offsetV() : p.offsetK();
  const int64_t perRow = width / 8, rowsAtOnce = p.threads() / perRow;
  for (int64_t i = 0; i < rows * perRow; i += p.threads()) {
    // Where all of a thread's pieces are of one column, their addresses differ by constants.
    const bool isAligned = p.threads() % perRow == 0;
    Value number = b.add(b.threadIndex(), isAligned ? 0 : i);
    Value row = b.add(b.div(number, perRow), isAligned ? i / p.threads() * rowsAtOnce : 0);
    Value feature = b.mul(b.rem(number, perRow), 8);
    const TensorPlace from = source(row);
    Value inside = from.inside;
    if (features != width) {
      Value fits = b.less(feature, b.c(features));
      inside = inside ? Value(arith::AndIOp::create(b, inside, fits)) : fits;
    }
    Value address = b.element(b.argument(tensor), b.halfType(p.input), b.add(from.offset, b.wide(feature)));
    Value to = b.shared(b.add(place(row, b.mul(feature, 2), width * 2), begin));
    b.copyAsync(to, address, 16, inside ? b.select(inside, b.c(16), b.c(0)) : Value());
  }
}

void MmaAttentionEmitter::copyQueries() {
  copy(AttentionPlan::Q, [&](Value row) { return placeOf(b, p, item, AttentionPlan::Q, row); });
}

void MmaAttentionEmitter::copyKeys(AttentionPlan::Tensor tensor, Value tile) {
  Value first = b.mul(tile, p.tileKeys()), offset = b.mul(b.wide(first), p.key.strides[tensor]);
  for (auto [d, x] : llvm::zip_equal(p.batch, item.batch)) offset = b.add(offset, b.mul(b.wide(x), d.strides[tensor]));
  copy(tensor, [&](Value row) {
    TensorPlace place{b.add(offset, b.mul(b.wide(row), p.key.strides[tensor])), Value()};
    if (p.key.extent % p.tileKeys() != 0) place.inside = b.less(b.add(first, row), b.c(p.key.extent));
    return place;
  });
  b.commitCopies();
}

/// Adds products of 16 rows with 16 columns, of which `both` are loaded as rows 0-7 and 8-15.
void MmaAttentionEmitter::multiply(ValueRange a, const MmaBuilder::Registers &both, MutableArrayRef<Value> sums) {
  for (size_t eight : {0, 1})
    llvm::copy(b.multiply(p.input, a, {both[eight], both[eight + 2]}, ValueRange(sums.slice(4 * eight, 4))),
               sums.begin() + 4 * eight);
}

/// Products of queries and keys, of each 64 rows.
SmallVector<SmallVector<Value>> MmaAttentionEmitter::scores() {
  Value lane = b.lane(), half = b.mul(b.div(lane, 16), 16), inSixteen = b.rem(lane, 16);
  Value warpRow = b.add(b.mul(b.warp(), 16), inSixteen);
  const int64_t rowBytes = p.tileDepth() * 2, steps = (p.depth + 15) / 16;
  SmallVector<SmallVector<Value>> sums(size_t(p.consumers), zeros(p.tileKeys() / 2));
  for (int64_t step = 0; step < steps; ++step) {
    Value byte = b.add(half, 32 * step);
    SmallVector<MmaBuilder::Registers> queries;
    for (int64_t i = 0; i < p.consumers; ++i)
      queries.push_back(b.loadMatrices(place(b.add(warpRow, 64 * i), byte, rowBytes), /*transposed=*/false));
    for (int64_t key = 0; key < p.tileKeys(); key += 16) {
      Value keys = b.add(place(b.add(inSixteen, key), byte, rowBytes), p.offsetK());
      const MmaBuilder::Registers both = b.loadMatrices(keys, /*transposed=*/false);
      for (auto [a, all] : llvm::zip_equal(queries, sums))
        multiply(a, both, MutableArrayRef<Value>(all).slice(size_t(key / 2), 8));
    }
  }
  return sums;
}

void MmaAttentionEmitter::addValues(ArrayRef<SmallVector<Value>> probabilities, AllRows &all) {
  Value lane = b.lane(), inEight = b.rem(lane, 8), half = b.div(lane, 16), eight = b.rem(b.div(lane, 8), 2);
  for (int64_t key = 0; key < p.tileKeys(); key += 16) {
    Value row = b.add(b.add(b.mul(half, 8), inEight), key);
    for (int64_t column = 0; column < p.width; column += 16) {
      Value values = b.add(place(row, b.add(b.mul(eight, 16), 2 * column), p.tileWidth() * 2), p.offsetV());
      const MmaBuilder::Registers both = b.loadMatrices(values, /*transposed=*/true);
      for (auto [a, rows] : llvm::zip_equal(probabilities, all))
        multiply(ValueRange(a).slice(size_t(key / 4), 4), both,
                 MutableArrayRef<Value>(rows.output).slice(size_t(column / 2), 8));
    }
  }
}

/// One tile of keys, from the last one down: those that masks cut come first.
MmaAttentionEmitter::AllRows MmaAttentionEmitter::step(Value number, AllRows all) {
  Value tile = b.sub(item.lastTile, number);
  // The keys are here, and all warps are done with the values before.
  b.waitCopies(0);
  b.syncBlock();
  copyKeys(AttentionPlan::V, tile);
  const SmallVector<SmallVector<Value>> products = scores();
  // The values are here, and all warps are done with the keys.
  b.waitCopies(0);
  b.syncBlock();
  b.ifThen(b.less(b.add(number, 1), item.tiles), [&] { copyKeys(AttentionPlan::K, b.sub(tile, 1)); });
  SmallVector<SmallVector<Value>> probabilities;
  for (auto [i, rows] : llvm::enumerate(all)) {
    Value scale[2];
    const SmallVector<Value> weights = softmax[i].step(softmax[i].scores(products[i], item, tile), rows.softmax, scale);
    for (auto [n, v] : llvm::enumerate(rows.output)) v = arith::MulFOp::create(b, v, scale[n % 4 / 2]);
    SmallVector<Value> &halves = probabilities.emplace_back();
    for (size_t n = 0; n < weights.size(); n += 2)
      halves.push_back(b.packHalves(weights[n], weights[n + 1], b.halfType(p.input)));
  }
  addValues(probabilities, all);
  return all;
}

void MmaAttentionEmitter::store(Rows &rows, int64_t number) {
  SoftmaxEmitter &own = softmax[size_t(number)];
  own.finish(rows.softmax);
  own.divide(rows.softmax, rows.output);
  Value first = b.c(64 * number);
  if (p.logSum) storeLogSum(b, p, item, own, rows.softmax, first, b.argument(4));
  auto row = [&](Value row) { return placeOf(b, p, item, AttentionPlan::O, b.add(first, row)); };
  storeFragment(b, rows.output, p.result, 2, b.argument(3), row, [&](int64_t column, Value own) {
    Value x = b.add(own, column);
    return TensorPlace{b.wide(x), p.width == p.tileWidth() ? Value() : b.less(x, b.c(p.width))};
  });
}

void MmaAttentionEmitter::emit() {
  bodies.bind(b, p.logSum ? 5 : 4);
  item = attentionItem(b, p, bodies, NVVM::BlockIdXOp::create(b, b.getI32Type()));
  AllRows all;
  for (auto [i, own] : llvm::enumerate(softmax)) {
    own.begin(item, b.c(int64_t(i)));
    all.push_back({zeros(p.tileWidth() / 2), own.initial()});
  }
  copyQueries();
  copyKeys(AttentionPlan::K, item.lastTile);
  const auto results = b.loop(b.c(0), item.tiles, b.c(1), flat(all),
                              [&](Value number, ValueRange carried) { return flat(step(number, restored(carried))); });
  all = restored(results);
  for (auto [i, rows] : llvm::enumerate(all)) store(rows, int64_t(i));
}

} // namespace

std::vector<GpuArgument> emitMmaAttention(gpu::GPUModuleOp module, const AttentionPlan &plan, StringRef name,
                                          const AttentionBodies *bodies) {
  assert(plan.byWarps && plan.obstacle().empty() && "a plan that no kernel can follow");
  AttentionBodyEmitter bodyEmitter(module, plan, plan.bodies ? bodies : nullptr);
  MmaAttentionEmitter(module, plan, bodyEmitter, name).emit();
  return bodyEmitter.parameters();
}

} // namespace ein
