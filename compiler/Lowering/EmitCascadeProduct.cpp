// Inner products of a tile, and sums over its keys: register tiles of broadcasts times lanes.
#include "compiler/Lowering/EmitCascade.h"

using namespace mlir;

namespace ein {

/// result[i * nv + j] = sum over d < depth of broadcast[at[i] + d * step] * onLanes[from + d * nr + j...].
CascadeEmitter::Values CascadeEmitter::multiply(Value broadcast, ArrayRef<Value> at, Value step, Value onLanes,
                                                Value from, Value depth) {
  Values zero(at.size() * w.nv, b.constant(0, p.lanes));
  // Not unrolled: a trip has enough to do, and the code is soon compiled.
  return b.loop(b.c(0), depth, 1, zero, [&](Value d, ValueRange carried) {
    Values sums(carried), vectors;
    for (int64_t j = 0; j < w.nv; ++j)
      vectors.push_back(b.loadVector(p.lanes, onLanes, b.add(from, b.add(b.mul(d, w.nr), j * p.lanes))));
    for (size_t i = 0; i < at.size(); ++i) {
      Value scalar = b.splat(b.load(broadcast, b.add(at[i], b.mul(d, step))), p.lanes);
      for (int64_t j = 0; j < w.nv; ++j) sums[i * w.nv + j] = b.multiplyAdd(scalar, vectors[j], sums[i * w.nv + j]);
    }
    return sums;
  });
}

/// Every register tile of an inner product. Rows past the tile's last key repeat it.
void CascadeEmitter::innerProduct(size_t number, llvm::function_ref<void(Value row, const Values &sums)> use) {
  const CascadeProduct &product = flow.products[number];
  const int64_t size = product.size(shape);
  KeySide side = keySide(number);
  Value onLanes = stateAt(layout.laneSide[number], b.element, size * w.nr), last = b.sub(keys, b.c(1));
  b.loop(0, size, p.depthBlock, [&](Value from) {
    Value depth = b.min(b.c(p.depthBlock), b.sub(b.c(size), from));
    b.loop(b.c(0), keys, w.mr, [&](Value row) {
      Values at;
      for (int64_t i = 0; i < w.mr; ++i)
        at.push_back(
            b.add(b.add(side.base, b.mul(b.min(b.add(row, i), last), side.perKey)), b.mul(from, side.perAcross)));
      use(row, multiply(side.memory, at, side.perAcross, onLanes, b.mul(from, w.nr), depth));
    });
  });
}

/// An inner product that is summed up in its buffer, block by block of its depth.
void CascadeEmitter::stagedProduct(size_t number) {
  const CascadeProduct &product = flow.products[number];
  const int buffer = flow.buffer[shape.ops[product.op].output.tensor];
  Value sum = scratchAt(layout.buffers[buffer], b.element, p.bk * w.nr);
  const bool isWhole = p.depthBlock >= product.size(shape);
  if (!isWhole) fill(sum, p.bk * w.nr, 0);
  innerProduct(number, [&](Value row, const Values &sums) {
    for (int64_t i = 0; i < w.mr; ++i)
      for (int64_t j = 0; j < w.nv; ++j) {
        Value to = lanesAt(b.add(row, i), b.c(j)), value = sums[i * w.nv + j];
        if (!isWhole) value = emitCombine(b, Combine::Add, b.loadVector(p.lanes, sum, to), value);
        b.storeVector(value, sum, to);
      }
  });
}

/// state[across][lanes] += sum over the tile's keys of key side times tile: register tiles from zero, in two sizes that
/// share out the indices across evenly.
void CascadeEmitter::sumOver(size_t number) {
  const CascadeProduct &product = flow.products[number];
  const int64_t size = product.size(shape), slivers = ceilDiv(size, w.mr), small = size / slivers,
                rest = size % slivers;
  const int buffer = flow.buffer[shape.ops[product.op].inputs[product.laneSide].tensor];
  KeySide side = keySide(number);
  Value tile = scratchAt(layout.buffers[buffer], b.element, p.bk * w.nr);
  Value state = stateAt(layout.laneSide[number], b.element, size * w.nr);
  auto part = [&](int64_t begin, int64_t end, int64_t rows) {
    b.loop(begin, end, rows, [&](Value first) {
      Values at;
      for (int64_t i = 0; i < rows; ++i) at.push_back(b.add(side.base, b.mul(b.add(first, i), side.perAcross)));
      Values sums = multiply(side.memory, at, side.perKey, tile, b.c(0), keys);
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < w.nv; ++j) {
          Value to = lanesAt(b.add(first, i), b.c(j));
          b.storeVector(emitCombine(b, Combine::Add, b.loadVector(p.lanes, state, to), sums[i * w.nv + j]), state, to);
        }
    });
  };
  part(0, rest * (small + 1), small + 1);
  part(rest * (small + 1), size, small);
}

} // namespace ein
