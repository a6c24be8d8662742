// Copies of a cascade's operands to where register tiles and lanes find them close together.
#include "compiler/Lowering/EmitCascade.h"

using namespace mlir;

namespace ein {

/// Whether the key is what is adjacent on a key side.
bool CascadeEmitter::isKeyAdjacent(const CascadeProduct &product) const {
  const CascadeAccess &side = shape.ops[product.op].inputs[product.keySide];
  return side.hasStride(shape.key, 1) && !product.across.empty() && !side.hasStride(product.across.back(), 1);
}

CascadeEmitter::KeySide CascadeEmitter::keySide(size_t number) {
  const CascadeProduct &product = flow.products[number];
  const CascadeAccess &side = shape.ops[product.op].inputs[product.keySide];
  const int64_t size = product.size(shape);
  switch (KeyPacking(p.packing[number])) {
  case KeyPacking::None:
    return {memory[product.op][product.keySide],
            b.add(offsetOf(product.op, product.keySide), b.mul(firstKey, stride(side, shape.key))),
            stride(side, shape.key), product.across.empty() ? b.c(1) : stride(side, product.across.back())};
  case KeyPacking::Head:
    return {scratchAt(layout.packs[number], b.element, size * shape.extent(shape.key)), b.mul(firstKey, size),
            b.c(size), b.c(1)};
  case KeyPacking::Tile: break;
  }
  Value pack = scratchAt(layout.packs[number], b.element, size * p.bk);
  if (isKeyAdjacent(product)) return {pack, b.c(0), b.c(1), b.c(p.bk)};
  return {pack, b.c(0), b.c(size), b.c(1)};
}

/// Copies adjacent elements: vectors, then single ones.
void CascadeEmitter::copyRun(Value from, Value fromOffset, Value to, Value toOffset, Value count, bool isUnsigned) {
  Value whole = b.mul(b.div(count, p.lanes), p.lanes);
  b.loop(b.c(0), whole, p.lanes, [&](Value i) {
    b.storeVector(b.widened(b.loadVector(p.lanes, from, b.add(fromOffset, i)), isUnsigned), to, b.add(toOffset, i));
  });
  b.loop(whole, count, 1,
         [&](Value i) { b.store(b.widened(b.load(from, b.add(fromOffset, i)), isUnsigned), to, b.add(toOffset, i)); });
}

/// Packs `count` keys of a product's key side: what is adjacent in the operand stays adjacent.
void CascadeEmitter::packKeys(size_t number, Value from, Value count) {
  const CascadeProduct &product = flow.products[number];
  const CascadeAccess &side = shape.ops[product.op].inputs[product.keySide];
  const bool isHead = KeyPacking(p.packing[number]) == KeyPacking::Head;
  const int64_t size = product.size(shape);
  const size_t loops = product.across.size();
  const bool isUnsigned = operands[product.op][product.keySide].isUnsigned;
  Value source = memory[product.op][product.keySide], perKey = stride(side, shape.key);
  Value base = b.add(offsetOf(product.op, product.keySide), b.mul(from, perKey));
  Value pack = scratchAt(layout.packs[number], b.element, size * (isHead ? shape.extent(shape.key) : p.bk));
  if (!isHead && isKeyAdjacent(product))
    return overAcross(product, side, loops, [&](Value offset, Value place) {
      copyRun(source, b.add(base, offset), pack, b.mul(place, p.bk), count, isUnsigned);
    });
  if (side.gathered) findPlaces(product, layout.places[number], p.bk);
  b.loop(b.c(0), count, 1, [&](Value key) {
    Value at = b.add(base, side.gathered ? placeOf(layout.places[number], p.bk, key) : b.mul(key, perKey));
    Value to = b.mul(key, size);
    if (loops && side.hasStride(product.across.back(), 1)) {
      const int64_t run = shape.extent(product.across.back());
      return overAcross(product, side, loops - 1, [&](Value offset, Value place) {
        copyRun(source, b.add(at, offset), pack, b.add(to, b.mul(place, run)), b.c(run), isUnsigned);
      });
    }
    overAcross(product, side, loops, [&](Value offset, Value place) {
      b.store(b.widened(b.load(source, b.add(at, offset)), isUnsigned), pack, b.add(to, place));
    });
  });
}

/// Packs all keys where the batch has moved to others.
void CascadeEmitter::packHeads() {
  for (size_t i = 0; i < flow.products.size(); ++i) {
    if (KeyPacking(p.packing[i]) != KeyPacking::Head) continue;
    const CascadeProduct &product = flow.products[i];
    Value slot = scratchAt(layout.packedAt[i], b.getIndexType(), 1), here = offsetOf(product.op, product.keySide);
    b.ifThen(
        b.equal(b.load(slot, b.c(0)), here), [] {},
        [&] {
          packKeys(i, b.c(0), extent(shape.key));
          b.store(here, slot, b.c(0));
        });
  }
}

void CascadeEmitter::copyTiles() {
  for (size_t op = 0; op < shape.ops.size(); ++op)
    for (size_t input = 0; input < shape.ops[op].inputs.size(); ++input)
      if (stagingOf(shape, flow, shape.ops[op], shape.ops[op].inputs[input]) == Staging::Tile) copyTile(op, input);
}

/// Copies what an operation reads by lane and key to [bk][nr], as it is in memory: squares are transposed in registers
/// where keys are adjacent. Lanes past the end repeat the last point.
void CascadeEmitter::copyTile(size_t op, unsigned input) {
  const CascadeAccess &access = shape.ops[op].inputs[input];
  const int64_t n = p.lanes;
  Value perLane = stride(access, flow.lane), perKey = stride(access, shape.key);
  Value source = memory[op][input], base = b.add(offsetOf(op, input), b.mul(firstKey, perKey));
  base = b.add(base, b.mul(position[flow.lane], perLane));
  Value to = scratchAt(layout.staged[op][input], cast<MemRefType>(source.getType()).getElementType(), p.bk * w.nr);
  auto laneAt = [&](Value lane) { return b.add(base, b.mul(b.min(lane, b.sub(valid, b.c(1))), perLane)); };
  auto elements = [&] {
    b.loop(b.c(0), keys, 1, [&](Value key) {
      b.loop(0, w.nr, 1, [&](Value lane) {
        Value value = b.load(source, b.add(laneAt(lane), b.mul(key, perKey)));
        b.store(value, to, b.add(b.mul(key, w.nr), lane));
      });
    });
  };
  auto rows = [&] {
    b.loop(b.c(0), keys, 1, [&](Value key) {
      b.loop(0, w.nr, n, [&](Value lane) {
        Value from = b.add(b.add(base, lane), b.mul(key, perKey));
        b.storeVector(b.loadVector(n, source, from), to, b.add(b.mul(key, w.nr), lane));
      });
    });
  };
  auto squares = [&] {
    b.loop(0, w.nr, n, [&](Value lane) {
      Values from;
      for (int64_t i = 0; i < n; ++i) from.push_back(laneAt(b.add(lane, i)));
      // The last square moves back to end with the tile.
      b.loop(b.c(0), keys, n, [&](Value start) {
        Value key = b.min(start, b.sub(keys, b.c(n)));
        Values vectors;
        for (Value at : from) vectors.push_back(b.loadVector(n, source, b.add(at, key)));
        for (auto [i, vector] : llvm::enumerate(b.transpose(vectors)))
          b.storeVector(vector, to, b.add(b.mul(b.add(key, i), w.nr), lane));
      });
    });
  };
  if (access.hasStride(shape.key, 1)) return b.ifThen(b.lessEqual(b.c(n), keys), squares, elements);
  if (access.hasStride(flow.lane, 1)) return b.ifThen(b.equal(valid, b.c(w.nr)), rows, elements);
  elements();
}

} // namespace ein
