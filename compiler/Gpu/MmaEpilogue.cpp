// How sums leave an mma kernel: rounded to any strides, or as parts of a split depth, which a second kernel adds up.
#include "compiler/Gpu/EmitMma.h"

using namespace mlir;

namespace ein {

Type MmaEpilogue::sumType() {
  const DType type = p.accumulator();
  return type == DType::F64 ? Type(b.getF64Type()) : type == DType::I32 ? Type(b.getI32Type()) : Type(b.getF32Type());
}

Type MmaEpilogue::resultType() { return byteSize(p.result) == 2 ? b.halfType(p.result) : sumType(); }

SmallVector<Value> MmaEpilogue::finished(ArrayRef<Value> sums, Value batch, Value row, Value col) {
  SmallVector<Value> results(sums);
  if (p.alpha != 1) {
    Value alpha = arith::ConstantOp::create(b, b.getFloatAttr(sumType(), p.alpha));
    for (Value &v : results) v = arith::MulFOp::create(b, v, alpha);
  }
  if (finish) {
    SmallVector<Value> at = coordinatesIn(b, p.batch, batch);
    llvm::append_range(at, coordinatesIn(b, p.m, row));
    llvm::append_range(at, coordinatesIn(b, p.n, col));
    results = finish.results(at, results);
  }
  if (resultType() != sumType())
    for (Value &v : results) v = LLVM::FPTruncOp::create(b, resultType(), v);
  return results;
}

/// Calls `store` with 1 or 2 neighbours that exist, and the number of their row and column in the whole.
void MmaEpilogue::eachPair(ValueRange sums, Value row, Value col, int64_t pair, Store store) {
  const int64_t rows = p.extent(p.m), cols = p.extent(p.n);
  Value lane = b.lane();
  Value ownRow = b.add(row, b.div(lane, 4)), ownCol = b.add(col, b.mul(b.rem(lane, 4), 2));
  for (int64_t r = 0; r < p.warpM; r += 8)
    for (int64_t c = 0; c < p.warpN; c += 8)
      for (int64_t i = 0; i < 2; i += pair) {
        const int64_t first = (r / 16 * (p.warpN / 8) + c / 8) * 4 + r % 16 / 8 * 2 + i;
        Value y = b.add(ownRow, r), x = b.add(ownCol, c + i);
        auto here = [&] { store(SmallVector<Value>(sums.slice(size_t(first), size_t(pair))), y, x); };
        Value rowFits = rows % p.tileM() ? b.less(y, b.c(rows)) : Value();
        Value colFits = cols % p.tileN() ? b.less(x, b.c(cols)) : Value();
        Value fits = rowFits && colFits ? arith::AndIOp::create(b, rowFits, colFits).getResult()
                     : rowFits          ? rowFits
                                        : colFits;
        if (fits)
          b.ifThen(fits, here);
        else
          here();
      }
}

void MmaEpilogue::direct(const MmaBlock &block, ValueRange sums, Value row, Value col, Value pointer) {
  Value batch = offsetIn(b, p.batch, 2, block.batch);
  eachPair(sums, row, col, p.pair, [&](ArrayRef<Value> values, Value y, Value x) {
    const SmallVector<Value> results = finished(values, block.batch, y, x);
    Value offset = b.add(batch, b.add(offsetIn(b, p.m, 2, y), offsetIn(b, p.n, 2, x)));
    b.store(p.pair == 1 ? results[0] : b.vectorOf(results), b.element(pointer, resultType(), offset),
            unsigned(p.pair * byteSize(p.result)));
  });
}

void MmaEpilogue::partial(const MmaBlock &block, ValueRange sums, Value row, Value col, Value pointer) {
  const int64_t batches = p.extent(p.batch), rows = p.extent(p.m), cols = p.extent(p.n);
  const int64_t pair = cols % 2 ? 1 : 2;
  Value matrix = b.add(b.mul(block.part, batches), block.batch);
  eachPair(sums, row, col, pair, [&](ArrayRef<Value> values, Value y, Value x) {
    Value offset = b.add(b.mul(b.add(b.mul(matrix, rows), y), cols), x);
    b.store(pair == 1 ? values[0] : b.vectorOf(values), b.element(pointer, sumType(), b.wide(offset)),
            unsigned(pair * byteSize(p.accumulator())));
  });
}

void MmaEpilogue::sumParts(Value number, Value partials, Value pointer) {
  const int64_t rows = p.extent(p.m), cols = p.extent(p.n), all = p.extent(p.batch) * rows * cols;
  const unsigned bytes = unsigned(byteSize(p.accumulator()));
  auto part = [&](Value i) {
    return b.load(sumType(), b.element(partials, sumType(), b.wide(b.add(b.mul(i, all), number))), bytes);
  };
  Value sum = b.loop(b.c(1), b.c(p.split), b.c(1), {part(b.c(0))}, [&](Value i, ValueRange sums) -> SmallVector<Value> {
    Value next = part(i);
    if (isa<IntegerType>(sumType())) return {b.add(sums[0], next)};
    return {arith::AddFOp::create(b, sums[0], next)};
  })[0];
  Value x = b.rem(number, cols), y = b.div(number, cols), batch = b.div(y, rows);
  y = b.rem(y, rows);
  Value offset = b.add(offsetIn(b, p.batch, 2, batch), b.add(offsetIn(b, p.m, 2, y), offsetIn(b, p.n, 2, x)));
  b.store(finished(sum, batch, y, x)[0], b.element(pointer, resultType(), offset), unsigned(byteSize(p.result)));
}

} // namespace ein
