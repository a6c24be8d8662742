// The tile of rows that an attention kernel computes, and the tiles of keys that count for it.
#include "compiler/Gpu/EmitAttention.h"

using namespace mlir;

namespace ein {

/// The keys of a tile's first and last row, where bounds rise from one to the other.
static void findKeys(KernelBuilder &b, const AttentionPlan &plan, AttentionBodyEmitter &bodies, AttentionItem &item) {
  const AttentionDim &d = plan.rows[plan.position];
  Value first = item.rows[plan.position], last = b.add(first, d.tile - 1);
  if (d.extent % d.tile != 0) last = b.min(last, b.c(d.extent - 1));
  if (plan.lowest) item.lowAtFirst = b.add(first, *plan.lowest), item.lowAtLast = b.add(last, *plan.lowest);
  if (plan.highest)
    item.highAtFirst = b.add(first, *plan.highest + 1), item.highAtLast = b.add(last, *plan.highest + 1);
  if (!plan.boundsRise) return;
  SmallVector<Value> lastRow = item.rows;
  lastRow[plan.position] = last;
  if (plan.has(AttentionPlan::Low)) {
    item.lowAtFirst = bodies.bound(true, item.batch, item.rows);
    item.lowAtLast = bodies.bound(true, item.batch, lastRow);
  }
  if (plan.has(AttentionPlan::High)) {
    item.highAtFirst = bodies.bound(false, item.batch, item.rows);
    item.highAtLast = bodies.bound(false, item.batch, lastRow);
  }
}

AttentionItem attentionItem(KernelBuilder &b, const AttentionPlan &plan, AttentionBodyEmitter &bodies, Value index) {
  const int64_t rowTiles = plan.rowTiles(), batches = plan.batches(), height = std::min(plan.section, batches);
  Value first = b.mul(b.div(index, height * rowTiles), height), inSection = b.rem(index, height * rowTiles);
  Value tall = batches % height == 0 ? b.c(height) : b.min(b.sub(b.c(batches), first), b.c(height));
  Value batch = b.add(first, b.rem(inSection, tall));
  Value rowTile = b.sub(b.c(rowTiles - 1), b.div(inSection, tall));
  AttentionItem item;
  auto coordinates = [&](const std::vector<AttentionDim> &dims, Value block) {
    SmallVector<Value> result;
    for (const AttentionDim &d : dims) {
      const bool last = &d == &dims.back();
      result.push_back(b.mul(last ? block : b.rem(block, d.tiles()), d.tile));
      if (!last) block = b.div(block, d.tiles());
    }
    return result;
  };
  item.batch = coordinates(plan.batch, batch);
  item.rows = coordinates(plan.rows, rowTile);
  findKeys(b, plan, bodies, item);
  // At least one tile, also where no key counts.
  const int64_t keys = plan.tileKeys(), most = plan.keyTiles();
  Value low = b.c(0), high = b.c(most);
  if (item.lowAtFirst) low = b.min(b.div(b.max(item.lowAtFirst, b.c(0)), keys), b.c(most - 1));
  if (item.highAtLast) {
    Value end = b.max(item.highAtLast, b.c(0));
    high = b.max(b.min(b.div(b.add(end, keys - 1), keys), b.c(most)), b.add(low, 1));
  }
  item.lastTile = b.sub(high, 1);
  item.tiles = b.sub(high, low);
  return item;
}

SmallVector<Value> rowOf(KernelBuilder &b, const AttentionPlan &plan, const AttentionItem &item, Value row) {
  SmallVector<Value> result;
  for (auto [d, start] : llvm::zip_equal(plan.rows, item.rows)) {
    result.push_back(b.add(start, b.rem(row, d.tile)));
    row = b.div(row, d.tile);
  }
  return result;
}

TensorPlace placeOf(KernelBuilder &b, const AttentionPlan &plan, const AttentionItem &item,
                    AttentionPlan::Tensor tensor, Value row) {
  TensorPlace place{b.c64(0), Value()};
  for (auto [d, x] : llvm::zip_equal(plan.batch, item.batch))
    place.offset = b.add(place.offset, b.mul(b.wide(x), d.strides[tensor]));
  for (auto [d, x] : llvm::zip_equal(plan.rows, rowOf(b, plan, item, row))) {
    place.offset = b.add(place.offset, b.mul(b.wide(x), d.strides[tensor]));
    if (d.extent % d.tile == 0) continue;
    Value fits = b.less(x, b.c(d.extent));
    place.inside = place.inside ? Value(arith::AndIOp::create(b, place.inside, fits)) : fits;
  }
  return place;
}

} // namespace ein
