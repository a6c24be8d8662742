// Products of few rows: each vector of the key side is loaded once and multiplied by all rows of a register tile.
#include "compiler/Lowering/EmitThinCascade.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

void ThinCascadeEmitter::product(size_t number) {
  const CascadeProduct &product = flow.products[number];
  const CascadeOp &op = shape.ops[product.op];
  const ThinSide side = thinSideOf(shape, product);
  const int64_t size = product.size(shape);
  const bool isGathered = op.inputs[product.keySide].gathered, prefetches = p.prefetch && !side.packed;
  const int64_t places = layout.places[number], nextPlaces = places + p.bk * 8;
  if (isGathered) findPlaces(product, places, p.bk);
  if (isGathered && prefetches) bindNext([&] { findPlaces(product, nextPlaces, p.bk); });
  if (side.packed) packTile(number);
  Value laneSide = stateAt(layout.laneSide[number], b.element, layout.rows * layout.pitch[number]);
  Value tile = bufferOf(product.isState ? op.inputs[product.laneSide].tensor : op.output.tensor);
  Value base, nextBase;
  base = nextBase = offsetOf(product.op, product.keySide);
  if (prefetches) bindNext([&] { nextBase = offsetOf(product.op, product.keySide); });
  Value perKey = side.packed ? b.c(size) : stride(op.inputs[product.keySide], shape.key);
  Value perAcross =
      side.packed || product.across.empty() ? b.c(1) : stride(op.inputs[product.keySide], product.across.back());
  auto placeIn = [&](Value base, int64_t table, Value from, Value outer) {
    if (side.packed) return b.mul(outer, perKey);
    if (isGathered) return b.add(base, placeOf(table, p.bk, outer));
    Value start = b.add(base, b.mul(from, perKey));
    return b.add(start, b.mul(outer, side.acrossLanes ? perKey : perAcross));
  };
  auto at = [&](Value outer) { return placeIn(base, places, firstKey, outer); };
  auto next = [&](Value outer) { return placeIn(nextBase, nextPlaces, nextKey, outer); };
  Multiplication m{product.isState ? tile : laneSide,
                   side.packed ? scratchAt(layout.packs[number], b.element, size * p.bk)
                               : memory[product.op][product.keySide],
                   product.isState ? laneSide : tile,
                   product.isState ? p.bk : layout.pitch[number],
                   product.isState ? layout.pitch[number] : p.bk,
                   product.isState,
                   operands[product.op][product.keySide].isUnsigned,
                   side.acrossLanes ? keys : b.c(size),
                   side.acrossLanes ? std::optional(size) : std::nullopt,
                   at,
                   {}};
  if (prefetches) m.next = next;
  if (product.isState == side.acrossLanes)
    addUp(m);
  else
    dot(m);
}

/// Emits `body` as if the next tile were this one; past the last key it has none.
void ThinCascadeEmitter::bindNext(llvm::function_ref<void()> body) {
  const Values here(position);
  Value ownKey = firstKey, ownKeys = keys, end = extent(shape.key);
  bindBatch(nextBatch);
  firstKey = b.min(nextKey, end);
  keys = b.min(b.c(p.bk), b.sub(end, firstKey));
  body();
  position = here, firstKey = ownKey, keys = ownKeys;
}

/// Copies a tile's key side element by element, converted.
void ThinCascadeEmitter::packTile(size_t number) {
  const CascadeProduct &product = flow.products[number];
  const CascadeAccess &side = shape.ops[product.op].inputs[product.keySide];
  const int64_t size = product.size(shape);
  const bool isUnsigned = operands[product.op][product.keySide].isUnsigned;
  Value source = memory[product.op][product.keySide], pack = scratchAt(layout.packs[number], b.element, size * p.bk);
  Value base = offsetOf(product.op, product.keySide), perKey = stride(side, shape.key);
  b.loop(b.c(0), keys, 1, [&](Value key) {
    Value from =
        b.add(base, side.gathered ? placeOf(layout.places[number], p.bk, key) : b.mul(b.add(firstKey, key), perKey));
    overAcross(product, side, product.across.size(), [&](Value offset, Value place) {
      b.store(b.widened(b.load(source, b.add(from, offset)), isUnsigned), pack, b.add(b.mul(key, size), place));
    });
  });
}

/// A vector of B, `count` elements of it where that is not all; the line that the next tile has there is asked for.
Value ThinCascadeEmitter::lanesOf(const Multiplication &m, Value start, Value next, Value lane,
                                  std::optional<int64_t> count) {
  Value at = b.add(start, lane), vector;
  if (!m.size)
    vector = b.loadSome(p.lanes, m.b, at, b.sub(keys, lane));
  else
    vector = count ? b.loadSome(p.lanes, m.b, at, b.c(*count)) : b.loadVector(p.lanes, m.b, at);
  if (next) b.prefetch(m.b, b.add(next, lane));
  return b.widened(vector, m.isUnsigned);
}

/// As many dot products at once as there are lanes: their sums are one vector. Where nothing is asked for ahead of time
/// the vectors of B come in the order of memory, else from several places at once, which share the vectors of A.
void ThinCascadeEmitter::dot(const Multiplication &m) {
  const int64_t wide = p.lanes / p.mr, together = p.prefetch ? wide : 1;
  Value last = b.sub(m.outer, b.c(1));
  b.loop(b.c(0), m.outer, wide, [&](Value outer) {
    Values starts, nexts;
    for (int64_t i = 0; i < wide; ++i) {
      Value number = b.min(b.add(outer, i), last);
      starts.push_back(m.at(number));
      nexts.push_back(m.next ? m.next(number) : Value());
    }
    b.loop(0, layout.rows, p.mr, [&](Value row) {
      int64_t first = 0;
      auto trip = [&](Value lane, ValueRange carried, std::optional<int64_t> count) {
        Values sums(carried), left;
        for (int64_t u = 0; u < p.mr; ++u)
          left.push_back(b.loadVector(p.lanes, m.a, b.add(b.mul(b.add(row, u), m.pitchA), lane)));
        for (int64_t i = 0; i < together; ++i) {
          Value right = lanesOf(m, starts[first + i], nexts[first + i], lane, count);
          for (int64_t u = 0; u < p.mr; ++u) {
            Value &sum = sums[u * together + i];
            sum = b.multiplyAdd(left[u], right, sum);
          }
        }
        return sums;
      };
      Values all(p.lanes);
      for (; first < wide; first += together) {
        Values sums(p.mr * together, b.constant(0, p.lanes));
        const int64_t whole = m.size ? *m.size / p.lanes * p.lanes : 0;
        Value end = m.size ? b.c(whole) : keys;
        if (!m.size || whole)
          sums = b.loop(b.c(0), end, p.lanes, sums,
                        [&](Value lane, ValueRange carried) { return trip(lane, carried, std::nullopt); });
        if (m.size && *m.size > whole) sums = trip(b.c(whole), sums, *m.size - whole);
        for (int64_t u = 0; u < p.mr; ++u)
          for (int64_t i = 0; i < together; ++i) all[u * wide + first + i] = sums[u * together + i];
      }
      Value products = b.sumRows(all);
      for (int64_t u = 0; u < p.mr; ++u) {
        Value to = b.add(b.mul(b.add(row, u), m.pitchC), outer), value = b.slice(products, u * wide, wide);
        if (m.adds) value = arith::AddFOp::create(b, value, b.loadVector(wide, m.c, to));
        b.storeVector(value, m.c, to);
      }
    });
  });
}

/// Multiples of B's vectors, added up in registers over all of `outer`.
void ThinCascadeEmitter::addUp(const Multiplication &m) {
  auto part = [&](Value first, int64_t vectors, std::optional<int64_t> count) {
    b.loop(0, layout.rows, p.mr, [&](Value row) {
      Values zero(p.mr * vectors, b.constant(0, p.lanes));
      Values sums = b.loop(b.c(0), m.outer, 1, zero, [&](Value outer, ValueRange carried) {
        Values next(carried), left;
        Value start = m.at(outer), ahead = m.next ? m.next(outer) : Value();
        for (int64_t u = 0; u < p.mr; ++u)
          left.push_back(b.splat(b.load(m.a, b.add(b.mul(b.add(row, u), m.pitchA), outer)), p.lanes));
        for (int64_t j = 0; j < vectors; ++j) {
          Value right =
              lanesOf(m, start, ahead, b.add(first, j * p.lanes), j + 1 == vectors ? count : std::optional<int64_t>());
          for (int64_t u = 0; u < p.mr; ++u)
            next[u * vectors + j] = b.multiplyAdd(left[u], right, next[u * vectors + j]);
        }
        return next;
      });
      for (int64_t u = 0; u < p.mr; ++u)
        for (int64_t j = 0; j < vectors; ++j) {
          Value to = b.add(b.add(b.mul(b.add(row, u), m.pitchC), first), j * p.lanes), value = sums[u * vectors + j];
          if (m.adds) value = arith::AddFOp::create(b, value, b.loadVector(p.lanes, m.c, to));
          b.storeVector(value, m.c, to);
        }
    });
  };
  if (!m.size) {
    int64_t vectors = p.nv;
    while (p.bk / p.lanes % vectors) --vectors;
    return b.loop(b.c(0), keys, vectors * p.lanes, [&](Value first) { part(first, vectors, std::nullopt); });
  }
  // The last tile has what is left, the last vector perhaps some of its elements.
  const int64_t vectors = ceilDiv(*m.size, p.lanes), left = (vectors - 1) % p.nv + 1, rest = *m.size % p.lanes;
  b.loop(0, (vectors - left) * p.lanes, p.nv * p.lanes, [&](Value first) { part(first, p.nv, std::nullopt); });
  part(b.c((vectors - left) * p.lanes), left, rest ? std::optional(rest) : std::nullopt);
}

} // namespace ein
