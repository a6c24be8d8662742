// What moves with the key of a cascade: neighbouring keys on the lanes, and keys at computed places.
#include "compiler/Lowering/EmitCascadeFrame.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

/// Keys of the tile from `row` on, of an operand that is at `base` without them; past the last one anything.
Value CascadeFrame::loadKeys(size_t op, unsigned input, Value base, Value row) {
  const CascadeAccess &access = shape.ops[op].inputs[input];
  Value source = memory[op][input], perKey = stride(access, shape.key);
  if (!access.moves(shape.key) || access.hasStride(shape.key, 0)) return b.splat(b.load(source, base), lanes);
  if (access.hasStride(shape.key, 1))
    return b.loadSome(lanes, source, b.add(base, b.add(firstKey, row)), b.sub(keys, row));
  Values elements;
  for (int64_t i = 0; i < lanes; ++i) {
    Value key = b.add(firstKey, b.min(b.add(row, i), b.sub(keys, b.c(1))));
    elements.push_back(b.load(source, b.add(base, b.mul(key, perKey))));
  }
  return vector::FromElementsOp::create(b, VectorType::get({lanes}, elements[0].getType()), elements);
}

/// How far keys from `key` on move through what `load` reads, as i64; what the batch moves is not in it.
Value CascadeFrame::placesOf(size_t op, memref::LoadOp load, Value key, llvm::function_ref<Value(Value)> valueOf) {
  auto type = VectorType::get({lanes}, b.getI64Type());
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, b.getI64IntegerAttr(value)));
  };
  SmallVector<int64_t> strides;
  int64_t offset;
  (void)load.getMemRefType().getStridesAndOffset(strides, offset); // CascadeRegion has looked
  Value sum = constant(0);
  for (auto [index, stride] : llvm::zip(load.getIndices(), strides)) {
    Value moved;
    if (auto loop = index.getDefiningOp<linalg::IndexOp>()) {
      if (shape.ops[op].loops[loop.getDim()] == shape.key) moved = b.numbers(key, lanes);
    } else if (auto known = index.getDefiningOp<arith::ConstantIndexOp>()) {
      moved = constant(known.value());
    } else {
      moved = valueOf(index);
    }
    if (!moved) continue;
    Value wide = b.convert(moved, b.getI64Type(), false);
    sum = arith::AddIOp::create(b, sum, arith::MulIOp::create(b, wide, constant(stride)));
  }
  return sum;
}

/// Writes where each key of the tile is in what a product gathers, from the batch on, to a table at `place`.
void CascadeFrame::findPlaces(const CascadeProduct &product, int64_t place, int64_t tileKeys) {
  const size_t op = product.op;
  linalg::LinalgOp linalg = cascade.ops[op];
  const CascadeOp &info = shape.ops[op];
  const SmallVector<memref::LoadOp> loads = gathersOf(linalg);
  const size_t plain = info.inputs.size() - loads.size();
  auto isPlace = [&](int i) { return i == shape.key || llvm::is_contained(flow.batch, i); };
  auto none = [&](Type type) { return arith::ConstantOp::create(b, b.getZeroAttr(VectorType::get({lanes}, type))); };
  b.loop(b.c(0), keys, lanes, [&](Value row) {
    Value key = b.add(firstKey, row);
    Values inputs; // what moves with anything else is no part of a place
    for (unsigned i = 0; i < plain; ++i) {
      const bool isKnown = memory[op][i] && llvm::all_of(info.loops, [&](int loop) {
                             return isPlace(loop) || !info.inputs[i].moves(loop);
                           });
      inputs.push_back(isKnown ? loadKeys(op, i, offsetOf(op, i), row)
                               : none(linalg.getBlock()->getArgument(i).getType()));
    }
    auto index = [&](int64_t loop) -> Value {
      const int i = info.loops[loop];
      if (i == shape.key) return b.numbers(key, lanes);
      return isPlace(i) ? indexVector(position[i], lanes, false) : none(b.getI32Type());
    };
    auto gather = [&](memref::LoadOp load, llvm::function_ref<Value(Value)> valueOf) -> Value {
      const unsigned number = unsigned(plain + (llvm::find(loads, load) - loads.begin()));
      Value places = placesOf(op, load, key, valueOf), base = offsetOf(op, number);
      Values elements;
      for (int64_t i = 0; i < lanes; ++i) {
        Value at = vector::ExtractOp::create(b, places, ArrayRef<int64_t>{i});
        at = arith::IndexCastOp::create(b, b.getIndexType(), at);
        elements.push_back(b.load(memory[op][number], b.add(base, at)));
      }
      return vector::FromElementsOp::create(b, VectorType::get({lanes}, elements[0].getType()), elements);
    };
    BodyEmitter body(b, linalg, lanes, inputs, index, gather);
    Value places = placesOf(op, loads[product.keySide - plain], key, [&](Value value) { return body.emit(value); });
    b.storeVector(places, scratchAt(place, b.getI64Type(), tileKeys), row);
  });
}

Value CascadeFrame::placeOf(int64_t place, int64_t tileKeys, Value row) {
  Value at = b.load(scratchAt(place, b.getI64Type(), tileKeys), row);
  return arith::IndexCastOp::create(b, b.getIndexType(), at);
}

} // namespace ein
