// How results leave a gemm kernel: by TMA through shared memory, straight from registers, or as partial sums.
#include "compiler/Gpu/EmitGemm.h"

using namespace mlir;

namespace ein {

Value GemmEpilogueEmitter::finished(Value accumulator) {
  if (p.alpha != 1) accumulator = arith::MulFOp::create(b, accumulator, b.f(p.alpha));
  return finish ? finish(b, accumulator) : accumulator;
}

/// Writes 64 rows as wgmma left them into swizzled panels of `widthD` columns, from byte `base` on.
void GemmEpilogueEmitter::stage(ValueRange accumulators, Value base) {
  const int64_t width = p.widthD(), rowBytes = width * byteSize(p.result);
  Value lane = b.lane();
  Value row = b.add(b.mul(b.rem(b.warp(), 4), 16), b.rem(lane, 16));
  Value half = b.div(lane, 16); // of the 16 columns, for which this lane gives the address
  // 16-byte pieces of a row change places by the bits of the address above them: rows per 128 bytes.
  Value turn = b.rem(b.div(row, 128 / rowBytes), rowBytes / 16);
  Value start = b.add(base, b.mul(row, rowBytes));
  Type type = b.halfType(p.result);
  for (int64_t column = 0; column < p.tileN(); column += 16) {
    SmallVector<Value> sources; // rows 0-7 and 8-15 of columns 0-7, then of columns 8-15
    for (int64_t i = column / 2; i < column / 2 + 8; i += 2)
      sources.push_back(b.packHalves(finished(accumulators[i]), finished(accumulators[i + 1]), type));
    Value piece = b.bitXor(b.add(half, column % width / 8), turn);
    Value place = b.add(b.add(start, b.mul(piece, 16)), column / width * 64 * rowBytes);
    NVVM::StMatrixOp::create(b, b.shared(place), sources,
                             NVVM::MMALayoutAttr::get(b.getContext(), NVVM::MMALayout::row),
                             NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8),
                             NVVM::LdStMatrixEltTypeAttr::get(b.getContext(), NVVM::LdStMatrixEltType::B16));
  }
}

void GemmEpilogueEmitter::tensor(const GemmTile &tile, Value accumulator, Value consumer, Value map) {
  const GemmTransfer t = p.transfer(2);
  const int64_t panelBytes = 64 * p.widthD() * byteSize(p.result);
  Value base = b.add(b.mul(consumer, 64 * p.tileN() * byteSize(p.result)), p.offsetD());
  Value leads = b.equal(b.threadOfGroup(), 0), id = b.add(consumer, 1);
  // The panels may still be read by the stores of the tile before.
  b.ifThen(leads, [&] { b.waitStores(0, true); });
  b.syncGroup(id);
  stage(b.unpack(accumulator), base);
  b.fenceSharedWrites();
  b.syncGroup(id);
  b.ifThen(leads, [&] {
    const SmallVector<Value> m = addEach(b, tile.m, offsetsIn(b, p.m, b.mul(consumer, 64)));
    for (int64_t column = 0; column < p.tileN(); column += t.rows) {
      const SmallVector<Value> n = addEach(b, tile.n, offsetsIn(b, p.n, b.c(column)));
      SmallVector<Value> box;
      for (const auto &sum : t.coordinates) {
        Value coordinate = b.c(0);
        for (const GemmCoordinate &c : sum) {
          const auto &of = c.group == GemmGroup::Batch ? tile.batch : c.group == GemmGroup::M ? m : n;
          coordinate = b.add(coordinate, b.mul(of[c.dim], c.factor));
        }
        box.push_back(coordinate);
      }
      b.storeBox(map, b.shared(b.add(base, column / t.rows * panelBytes)), box);
    }
    b.commitStores();
  });
}

/// Moves `offset` to a point, and adds to `inside` whether it exists.
static void locate(KernelBuilder &b, const GemmDims &dims, ValueRange at, Value &offset, Value &inside) {
  for (auto [d, x] : llvm::zip_equal(dims, at)) {
    offset = b.add(offset, b.mul(b.wide(x), d.strides[2]));
    if (d.extent % d.tile == 0) continue;
    Value fits = b.less(x, b.c(d.extent));
    inside = inside ? Value(arith::AndIOp::create(b, inside, fits)) : fits;
  }
}

void GemmEpilogueEmitter::storeRow(const GemmTile &tile, ValueRange accumulators, int64_t first, Value row,
                                   Value column, Value pointer) {
  Type type = p.result == DType::F32 ? Type(b.getF32Type()) : b.halfType(p.result);
  auto stored = [&](Value v) { return p.result == DType::F32 ? v : Value(LLVM::FPTruncOp::create(b, type, v)); };
  Value rowOffset = b.c64(0), rowInside;
  locate(b, p.batch, tile.batch, rowOffset, rowInside);
  locate(b, p.m, addEach(b, tile.m, offsetsIn(b, p.m, row)), rowOffset, rowInside);
  Value own = b.mul(b.rem(b.lane(), 4), 2);
  for (size_t group = 0; group < accumulators.size() / 4; ++group) {
    SmallVector<Value> n = addEach(b, tile.n, offsetsIn(b, p.n, b.add(column, int64_t(8 * group))));
    n[0] = b.add(n[0], own);
    Value x = finished(accumulators[4 * group + first]), y = finished(accumulators[4 * group + first + 1]);
    for (int64_t i = 0; i < 2; i += p.pair, n[0] = b.add(n[0], 1)) {
      Value offset = rowOffset, inside = rowInside;
      locate(b, p.n, n, offset, inside);
      auto store = [&] {
        Value place = b.element(pointer, type, offset);
        Value value = p.pair == 2 ? b.vectorOf({stored(x), stored(y)}) : stored(i ? y : x);
        b.store(value, place, unsigned(p.pair * byteSize(p.result)));
      };
      if (inside)
        b.ifThen(inside, store);
      else
        store();
    }
  }
}

void GemmEpilogueEmitter::direct(const GemmTile &tile, ValueRange accumulators, Value consumer, Value column,
                                 Value pointer) {
  Value row = b.add(b.mul(consumer, 64), b.add(b.mul(b.rem(b.warp(), 4), 16), b.div(b.lane(), 4)));
  storeRow(tile, accumulators, 0, row, column, pointer);
  storeRow(tile, accumulators, 2, b.add(row, 8), column, pointer);
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
