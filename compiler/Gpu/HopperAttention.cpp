// The warp-specialised kernel of an attention plan, role by role.
#include "compiler/Gpu/HopperAttention.h"

#include "compiler/Gpu/EmitAttention.h"
#include "compiler/Gpu/Fragment.h"
#include "compiler/Gpu/HopperBuilder.h"

using namespace mlir;

namespace ein {

namespace {

class AttentionEmitter {
public:
  AttentionEmitter(gpu::GPUModuleOp module, const AttentionPlan &plan, AttentionBodyEmitter &bodies, StringRef name)
      : p(plan), bodies(bodies), b(module, name, signature(plan, bodies)), softmax(b, plan, bodies),
        tileQ{true, 128, p.tileRows() * 128}, tileK{true, 128, p.tileKeys() * 128},
        tileV{false, 128, p.tileKeys() * 128} {}

  void emit();

private:
  using Parameter = KernelSignature::Parameter;
  static KernelSignature signature(const AttentionPlan &plan, const AttentionBodyEmitter &bodies);

  /// What goes from one item to the next.
  struct Rings {
    RingSlot k, v;
    Value roundQ; ///< parity of the items so far
  };
  /// What goes from one tile of keys to the next: probabilities of the tile before wait for its values.
  struct State {
    Rings rings;
    Value output;
    SoftmaxState softmax;
    SmallVector<Value> probabilities;
  };
  SmallVector<Value> flat(const State &state);
  State restored(ValueRange values);

  void prologue();
  void eachItem(function_ref<Rings(const AttentionItem &, Rings)> body);
  void produce();
  void load(AttentionPlan::Tensor tensor, const AttentionItem &item, Value key, Value destination, Value barrier);
  void loadStage(AttentionPlan::Tensor tensor, const AttentionItem &item, Value step, RingSlot slot);
  void consume();
  Value issueScores(RingSlot slot);
  Value issueOutput(const State &state);
  void exponentiate(State &state, Value products, const AttentionItem &item, Value step, Value scale[2]);
  State attend(const AttentionItem &item, Rings rings);
  void store(const AttentionItem &item, State &state);
  void release(Value barrier) {
    b.ifThen(leads, [&] { b.arrive(barrier); });
  }

  // Barriers: queries full and empty, then of each stage keys full, keys empty, values full, values empty.
  Value barrierQ(int64_t which) { return b.barrier(p.offsetBarriers(), b.c(which)); }
  Value barrier(int64_t which, Value stage) { return b.barrier(p.offsetBarriers() + 16 + 8 * which * p.stages, stage); }
  enum { kFull = 0, kEmpty = 1, vFull = 2, vEmpty = 3 };
  /// Hardware barriers: of a warpgroup's own threads, and by which two of them take turns.
  Value ownBarrier() { return b.add(consumer, 1); }
  Value turnBarrier(Value of) { return b.add(of, 3); }

  const AttentionPlan &p;
  AttentionBodyEmitter &bodies;
  HopperBuilder b;
  SoftmaxEmitter softmax;
  WgmmaTile tileQ, tileK, tileV;
  Value group, consumer, leads;
};

KernelSignature AttentionEmitter::signature(const AttentionPlan &plan, const AttentionBodyEmitter &bodies) {
  KernelSignature s{{Parameter::TensorMap, Parameter::TensorMap, Parameter::TensorMap}, plan.threads(), 1};
  s.parameters.push_back(plan.tensorStore ? Parameter::TensorMap : Parameter::Pointer);
  if (plan.logSum) s.parameters.push_back(Parameter::Pointer);
  s.parameters.resize(s.parameters.size() + bodies.parameters().size(), Parameter::Pointer);
  return s;
}

void AttentionEmitter::emit() {
  bodies.bind(b, p.logSum ? 5 : 4);
  prologue();
  b.ifThen(b.equal(group, 0), [&] { produce(); }, [&] { consume(); });
}

void AttentionEmitter::prologue() {
  group = b.warpgroup();
  b.oneThread([&] {
    for (unsigned i = 0; i < (p.tensorStore ? 4 : 3); ++i) b.prefetchMap(b.argument(i));
    b.initBarrier(barrierQ(0), 1);
    b.initBarrier(barrierQ(1), p.consumers);
    for (int64_t s = 0; s < p.stages; ++s)
      for (int64_t which : {kFull, kEmpty, vFull, vEmpty})
        b.initBarrier(barrier(which, b.c(s)), which == kFull || which == vFull ? 1 : p.consumers);
    b.fenceBarrierInit();
  });
  b.syncBlock();
}

void AttentionEmitter::eachItem(function_ref<Rings(const AttentionItem &, Rings)> body) {
  Value first = NVVM::BlockIdXOp::create(b, b.getI32Type()), step = NVVM::GridDimXOp::create(b, b.getI32Type());
  Value zero = b.c(0);
  b.loop(first, b.c(p.rowTiles() * p.batches()), step, {zero, zero, zero, zero, zero}, [&](Value index, ValueRange v) {
    const Rings next = body(attentionItem(b, p, bodies, index), {{v[0], v[1]}, {v[2], v[3]}, v[4]});
    return SmallVector<Value>{next.k.index, next.k.phase, next.v.index, next.v.phase, next.roundQ};
  });
}

/// One thread loads: tiles of keys one step ahead of the values, as they are needed.
void AttentionEmitter::produce() {
  if (p.consumers == 2) b.setRegisters(24, false);
  b.oneThreadOfGroup([&] {
    eachItem([&](const AttentionItem &item, Rings rings) {
      b.waitBarrier(barrierQ(1), b.bitXor(rings.roundQ, b.c(1)));
      b.expectBytes(barrierQ(0), p.bytesQ());
      load(AttentionPlan::Q, item, Value(), b.c(0), barrierQ(0));
      loadStage(AttentionPlan::K, item, b.c(0), rings.k);
      const RingSlot k = b.advance(rings.k, p.stages);
      auto next = b.loop(b.c(1), item.tiles, b.c(1), {k.index, k.phase, rings.v.index, rings.v.phase},
                         [&](Value step, ValueRange carried) {
                           const RingSlot k{carried[0], carried[1]}, v{carried[2], carried[3]};
                           loadStage(AttentionPlan::K, item, step, k);
                           loadStage(AttentionPlan::V, item, b.sub(step, 1), v);
                           const RingSlot nextK = b.advance(k, p.stages), nextV = b.advance(v, p.stages);
                           return SmallVector<Value>{nextK.index, nextK.phase, nextV.index, nextV.phase};
                         });
      const RingSlot v{next[2], next[3]};
      loadStage(AttentionPlan::V, item, b.sub(item.tiles, 1), v);
      return Rings{{next[0], next[1]}, b.advance(v, p.stages), b.bitXor(rings.roundQ, b.c(1))};
    });
  });
}

/// All panels of 64 features of a tile.
void AttentionEmitter::load(AttentionPlan::Tensor tensor, const AttentionItem &item, Value key, Value destination,
                            Value barrier) {
  const TmaTransfer t = p.transfer(tensor);
  const int64_t features = tensor == AttentionPlan::V ? p.tileWidth() : p.tileDepth();
  for (int64_t feature = 0; feature < features; feature += 64) {
    const SmallVector<Value> box = b.boxCoordinates(t, [&](TileGroup group, unsigned dim) {
      switch (group) {
      case TileGroup::Batch: return item.batch[dim];
      case TileGroup::M: return item.rows[dim];
      case TileGroup::N: return dim == 1 ? key : b.c(feature);
      case TileGroup::K: break;
      }
      return b.c(feature);
    });
    b.loadBox(b.shared(b.add(destination, feature / 64 * t.rows * 128)), b.argument(tensor), box, barrier);
  }
}

/// Tiles of keys go from the last one down: those that masks cut come first.
void AttentionEmitter::loadStage(AttentionPlan::Tensor tensor, const AttentionItem &item, Value step, RingSlot slot) {
  const bool ofKeys = tensor == AttentionPlan::K;
  Value full = barrier(ofKeys ? kFull : vFull, slot.index), empty = barrier(ofKeys ? kEmpty : vEmpty, slot.index);
  const int64_t bytes = ofKeys ? p.bytesK() : p.bytesV();
  b.waitBarrier(empty, b.bitXor(slot.phase, b.c(1)));
  b.expectBytes(full, bytes);
  Value key = b.mul(b.sub(item.lastTile, step), p.tileKeys());
  load(tensor, item, key, b.add(b.mul(slot.index, bytes), ofKeys ? p.offsetK() : p.offsetV()), full);
}

void AttentionEmitter::consume() {
  if (p.consumers == 2) b.setRegisters(240, true);
  consumer = b.sub(group, 1);
  leads = b.equal(b.threadOfGroup(), 0);
  // The first turn is the first warpgroup's; the last call for it is answered at the end.
  if (p.consumers == 2) b.ifThen(b.equal(consumer, 1), [&] { b.arriveGroup(turnBarrier(b.c(0)), 256); });
  eachItem([&](const AttentionItem &item, Rings rings) {
    State state = attend(item, rings);
    store(item, state);
    return state.rings;
  });
  if (p.tensorStore) b.ifThen(leads, [&] { b.waitStores(0, false); });
  if (p.consumers == 2) b.ifThen(b.equal(consumer, 0), [&] { b.syncGroup(turnBarrier(b.c(0)), 256); });
}

/// Queries times a tile of keys, committed.
Value AttentionEmitter::issueScores(RingSlot slot) {
  b.waitBarrier(barrier(kFull, slot.index), slot.phase);
  Value base = b.sharedAddress();
  Value q = b.descriptor(b.add(b.mul(consumer, tileQ.rowOffset(64)), base), tileQ);
  Value k = b.descriptor(b.add(b.add(b.mul(slot.index, p.bytesK()), p.offsetK()), base), tileK);
  Value scores = b.undefined(b.registers(b.getF32Type(), p.tileKeys() / 2));
  b.fenceProducts();
  for (int64_t d = 0; d < p.tileDepth(); d += 16)
    scores = b.multiply(b.add(q, tileQ.depthOffset(d) >> 4), b.add(k, tileK.depthOffset(d) >> 4), scores, tileQ, tileK,
                        p.input, /*accumulate=*/d > 0);
  b.commitProducts();
  return scores;
}

/// Adds probabilities times a tile of values to the output, committed.
Value AttentionEmitter::issueOutput(const State &state) {
  const RingSlot slot = state.rings.v;
  b.waitBarrier(barrier(vFull, slot.index), slot.phase);
  Value v = b.descriptor(b.add(b.add(b.mul(slot.index, p.bytesV()), p.offsetV()), b.sharedAddress()), tileV);
  Value output = state.output;
  b.fenceProducts();
  for (int64_t k = 0; k < p.tileKeys(); k += 16)
    output = b.multiplyRegisters(ValueRange(state.probabilities).slice(k / 4, 4), b.add(v, tileV.depthOffset(k) >> 4),
                                 output, tileV, p.input, /*accumulate=*/true);
  b.commitProducts();
  return output;
}

void AttentionEmitter::exponentiate(State &state, Value products, const AttentionItem &item, Value step,
                                    Value scale[2]) {
  Value tile = b.sub(item.lastTile, step);
  const SmallVector<Value> scores = softmax.scores(b.unpack(products), item, tile);
  const SmallVector<Value> weights = softmax.step(scores, state.softmax, scale);
  // Two accumulators beside each other are what a product takes as A.
  state.probabilities.clear();
  for (size_t i = 0; i < weights.size(); i += 2)
    state.probabilities.push_back(b.packHalves(weights[i], weights[i + 1], b.halfType(p.input)));
}

SmallVector<Value> AttentionEmitter::flat(const State &state) {
  SmallVector<Value> values{state.rings.k.index,      state.rings.k.phase,  state.rings.v.index,
                            state.rings.v.phase,      state.output,         state.softmax.maximum[0],
                            state.softmax.maximum[1], state.softmax.sum[0], state.softmax.sum[1]};
  llvm::append_range(values, state.probabilities);
  return values;
}

AttentionEmitter::State AttentionEmitter::restored(ValueRange v) {
  return {
      {{v[0], v[1]}, {v[2], v[3]}, Value()}, v[4], {{v[5], v[6]}, {v[7], v[8]}}, SmallVector<Value>(v.drop_front(9))};
}

/// All tiles of keys of an item. The rings come back where the next item begins.
AttentionEmitter::State AttentionEmitter::attend(const AttentionItem &item, Rings rings) {
  softmax.begin(item, consumer);
  b.waitBarrier(barrierQ(0), rings.roundQ);
  Value scale[2];
  State state{rings, Value(), softmax.initial(), {}};
  Value products = issueScores(rings.k);
  b.waitProducts(0);
  products = b.pin(products);
  release(barrier(kEmpty, rings.k.index));
  exponentiate(state, products, item, b.c(0), scale);
  state.rings.k = b.advance(rings.k, p.stages);
  state.output = b.pack(SmallVector<Value>(p.tileWidth() / 2, b.f(0)));
  auto results = b.loop(b.c(1), item.tiles, b.c(1), flat(state), [&](Value step, ValueRange carried) {
    State state = restored(carried);
    if (p.consumers == 2) b.syncGroup(turnBarrier(consumer), 256);
    Value products = issueScores(state.rings.k);
    state.output = issueOutput(state);
    if (p.consumers == 2) b.arriveGroup(turnBarrier(b.sub(b.c(1), consumer)), 256);
    b.waitProducts(1);
    products = b.pin(products);
    release(barrier(kEmpty, state.rings.k.index));
    Value scale[2];
    exponentiate(state, products, item, step, scale);
    b.waitProducts(0);
    SmallVector<Value> output = b.unpack(b.pin(state.output));
    release(barrier(vEmpty, state.rings.v.index));
    for (auto [i, v] : llvm::enumerate(output)) v = arith::MulFOp::create(b, v, scale[i % 4 / 2]);
    state.output = b.pack(output);
    state.rings.k = b.advance(state.rings.k, p.stages);
    state.rings.v = b.advance(state.rings.v, p.stages);
    return flat(state);
  });
  state = restored(results);
  state.output = issueOutput(state);
  b.waitProducts(0);
  state.output = b.pin(state.output);
  release(barrier(vEmpty, state.rings.v.index));
  state.rings.v = b.advance(state.rings.v, p.stages);
  state.rings.roundQ = b.bitXor(rings.roundQ, b.c(1));
  return state;
}

void AttentionEmitter::store(const AttentionItem &item, State &state) {
  softmax.finish(state.softmax);
  SmallVector<Value> output = b.unpack(state.output);
  softmax.divide(state.softmax, output);
  Value first = b.mul(consumer, 64);
  if (p.logSum) storeLogSum(b, p, item, softmax, state.softmax, first, b.argument(4));
  if (!p.tensorStore) {
    release(barrierQ(1));
    auto row = [&](Value row) { return placeOf(b, p, item, AttentionPlan::O, b.add(first, row)); };
    return storeFragment(b, output, p.result, 2, b.argument(3), row, [&](int64_t column, Value own) {
      Value x = b.add(own, column);
      return TensorPlace{b.wide(x), p.width == p.tileWidth() ? Value() : b.less(x, b.c(p.width))};
    });
  }
  // Panels lie where this warpgroup's queries were: all products that read them have retired.
  const TmaTransfer t = p.transfer(AttentionPlan::O);
  Value base = b.mul(first, 128);
  const int64_t panelStride = p.tileRows() * 128;
  b.syncGroup(ownBarrier());
  stageFragment(b, output, p.result, base, 64, panelStride);
  b.fenceSharedWrites();
  b.syncGroup(ownBarrier());
  b.ifThen(leads, [&] {
    const SmallVector<Value> rows = rowOf(b, p, item, first);
    for (int64_t feature = 0; feature < p.tileWidth(); feature += 64)
      b.storeBox(
          b.argument(3), b.shared(b.add(base, feature / 64 * panelStride)),
          b.boxCoordinates(t, [&](TileGroup group, unsigned dim) {
            return group == TileGroup::Batch ? item.batch[dim] : group == TileGroup::M ? rows[dim] : b.c(feature);
          }));
    b.commitStores();
    b.waitStores(0, true);
    b.arrive(barrierQ(1));
  });
}

} // namespace

std::vector<GpuArgument> emitHopperAttention(gpu::GPUModuleOp module, const AttentionPlan &plan, StringRef name,
                                             const AttentionBodies *bodies) {
  assert(plan.obstacle().empty() && "a plan that no kernel can follow");
  AttentionBodyEmitter bodyEmitter(module, plan, plan.bodies ? bodies : nullptr);
  AttentionEmitter(module, plan, bodyEmitter, name).emit();
  return bodyEmitter.parameters();
}

} // namespace ein
