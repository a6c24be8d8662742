// How results leave a gemm kernel: by TMA through shared memory, straight from registers, or as partial sums.
#include "compiler/Gpu/EmitGemm.h"
#include "compiler/Gpu/Fragment.h"

using namespace mlir;

namespace ein {

/// Coordinates that exist: behind its end an index is what it is there, or `before` it.
static void clamp(KernelBuilder &b, const GemmDims &dims, MutableArrayRef<Value> at, int64_t before = 0) {
  for (auto [d, x] : llvm::zip_equal(dims, at)) {
    const int64_t last = d.extent - 1 - (&d == &dims.front() ? before : 0);
    if (d.extent % d.tile != 0) x = b.min(x, b.c(last));
  }
}

SmallVector<Value> GemmEpilogueEmitter::finished(const GemmTile &tile, ValueRange accumulators, Value consumer,
                                                 Value column) {
  SmallVector<Value> results(accumulators);
  if (p.alpha != 1)
    for (Value &v : results) v = arith::MulFOp::create(b, v, b.f(p.alpha));
  if (!finish) return results;
  const size_t lanes = p.n.front().extent % 2 ? 1 : 2;
  Value first = b.add(b.mul(consumer, 64), fragmentRow(b)), own = b.mul(b.rem(b.lane(), 4), 2);
  for (size_t half = 0; half < 4; half += 2) {
    SmallVector<Value> m = addEach(b, tile.m, offsetsIn(b, p.m, b.add(first, int64_t(4 * half))));
    clamp(b, p.m, m);
    for (size_t group = 0; group < results.size() / 4; ++group)
      for (size_t i = 0; i < 2; i += lanes) {
        SmallVector<Value> n = addEach(b, tile.n, offsetsIn(b, p.n, b.add(column, int64_t(8 * group))));
        n[0] = b.add(n[0], b.add(own, int64_t(i)));
        clamp(b, p.n, n, int64_t(lanes) - 1);
        SmallVector<Value> at(tile.batch);
        llvm::append_range(at, m);
        llvm::append_range(at, n);
        const size_t first = 4 * group + half + i;
        llvm::copy(finish.results(at, ValueRange(results).slice(first, lanes)), results.begin() + first);
      }
  }
  return results;
}

void GemmEpilogueEmitter::tensor(const GemmTile &tile, Value accumulator, Value consumer, Value map) {
  const TmaTransfer t = p.transfer(2);
  const int64_t panelBytes = 64 * p.widthD() * byteSize(p.result);
  Value base = b.add(b.mul(consumer, 64 * p.tileN() * byteSize(p.result)), p.offsetD());
  Value leads = b.equal(b.threadOfGroup(), 0), id = b.add(consumer, 1);
  // The panels may still be read by the stores of the tile before.
  b.ifThen(leads, [&] { b.waitStores(0, true); });
  b.syncGroup(id);
  stageFragment(b, finished(tile, b.unpack(accumulator), consumer, b.c(0)), p.result, base, p.widthD(), panelBytes);
  b.fenceSharedWrites();
  b.syncGroup(id);
  b.ifThen(leads, [&] {
    const SmallVector<Value> m = addEach(b, tile.m, offsetsIn(b, p.m, b.mul(consumer, 64)));
    for (int64_t column = 0; column < p.tileN(); column += t.rows) {
      const SmallVector<Value> n = addEach(b, tile.n, offsetsIn(b, p.n, b.c(column)));
      b.storeBox(map, b.shared(b.add(base, column / t.rows * panelBytes)),
                 b.boxCoordinates(t, [&](TileGroup group, unsigned dim) {
                   return group == TileGroup::Batch ? tile.batch[dim] : group == TileGroup::M ? m[dim] : n[dim];
                 }));
    }
    b.commitStores();
  });
}

/// Moves `place` along the dimensions to `at`.
static void locate(KernelBuilder &b, const GemmDims &dims, ValueRange at, TensorPlace &place) {
  for (auto [d, x] : llvm::zip_equal(dims, at)) {
    place.offset = b.add(place.offset, b.mul(b.wide(x), d.strides[2]));
    if (d.extent % d.tile == 0) continue;
    Value fits = b.less(x, b.c(d.extent));
    place.inside = place.inside ? Value(arith::AndIOp::create(b, place.inside, fits)) : fits;
  }
}

void GemmEpilogueEmitter::direct(const GemmTile &tile, ValueRange accumulators, Value consumer, Value column,
                                 Value pointer) {
  auto row = [&](Value row) {
    TensorPlace place{b.c64(0), Value()};
    locate(b, p.batch, tile.batch, place);
    locate(b, p.m, addEach(b, tile.m, offsetsIn(b, p.m, b.add(b.mul(consumer, 64), row))), place);
    return place;
  };
  const SmallVector<Value> results = finished(tile, accumulators, consumer, column);
  storeFragment(b, results, p.result, p.pair, pointer, row, [&](int64_t first, Value own) {
    TensorPlace place{b.c64(0), Value()};
    SmallVector<Value> n = addEach(b, tile.n, offsetsIn(b, p.n, b.add(column, first)));
    n[0] = b.add(n[0], own);
    locate(b, p.n, n, place);
    return place;
  });
}

Value GemmEpilogueEmitter::partialOffset(Value tile, Value consumer, Value part) {
  Value number = b.add(b.mul(part, p.tiles()), tile);
  Value group = b.add(b.mul(number, p.consumers), consumer);
  return b.add(b.mul(b.wide(group), 64 * p.tileN()), b.wide(b.mul(b.threadOfGroup(), 4)));
}

void GemmEpilogueEmitter::partial(const GemmTile &tile, Value accumulator, Value consumer, Value part, Value pointer) {
  Value offset = partialOffset(tile.number, consumer, part);
  SmallVector<Value> values = b.unpack(accumulator);
  for (size_t i = 0; i < values.size(); i += 4)
    b.store(b.vectorOf(ValueRange(values).slice(i, 4)),
            b.element(pointer, b.getF32Type(), b.add(offset, int64_t(128 * i))), 16);
}

} // namespace ein
