// Fragments through stmatrix to shared memory, or straight to global memory.
#include "compiler/Gpu/Fragment.h"

using namespace mlir;

namespace ein {

Value fragmentRow(KernelBuilder &b) { return b.add(b.mul(b.rem(b.warp(), 4), 16), b.div(b.lane(), 4)); }

void stageFragment(KernelBuilder &b, ValueRange values, DType type, Value base, int64_t width, int64_t panelStride) {
  const int64_t rowBytes = width * byteSize(type);
  Value lane = b.lane();
  Value row = b.add(b.mul(b.rem(b.warp(), 4), 16), b.rem(lane, 16));
  Value half = b.div(lane, 16); // of the 16 columns, for which this lane gives the address
  // 16-byte pieces of a row change places by the bits of the address above them: rows per 128 bytes.
  Value turn = b.rem(b.div(row, 128 / rowBytes), rowBytes / 16);
  Value start = b.add(base, b.mul(row, rowBytes));
  MLIRContext *context = b.getContext();
  for (int64_t column = 0; column < int64_t(values.size()) * 2; column += 16) {
    SmallVector<Value> sources; // rows 0-7 and 8-15 of columns 0-7, then of columns 8-15
    for (int64_t i = column / 2; i < column / 2 + 8; i += 2)
      sources.push_back(b.packHalves(values[i], values[i + 1], b.halfType(type)));
    Value piece = b.bitXor(b.add(half, column % width / 8), turn);
    Value place = b.add(b.add(start, b.mul(piece, 16)), column / width * panelStride);
    NVVM::StMatrixOp::create(b, b.shared(place), sources, NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::row),
                             NVVM::LdStMatrixShapeAttr::get(context, 8, 8),
                             NVVM::LdStMatrixEltTypeAttr::get(context, NVVM::LdStMatrixEltType::B16));
  }
}

static Value both(KernelBuilder &b, Value x, Value y) {
  return x && y ? Value(arith::AndIOp::create(b, x, y)) : x ? x : y;
}

void storeFragment(KernelBuilder &b, ValueRange values, DType type, int64_t pair, Value pointer,
                   function_ref<TensorPlace(Value row)> row,
                   function_ref<TensorPlace(int64_t first, Value own)> column) {
  Type element = type == DType::F32 ? Type(b.getF32Type()) : b.halfType(type);
  auto rounded = [&](Value v) { return type == DType::F32 ? v : Value(LLVM::FPTruncOp::create(b, element, v)); };
  Value first = fragmentRow(b), own = b.mul(b.rem(b.lane(), 4), 2);
  for (size_t half = 0; half < 4; half += 2) {
    const TensorPlace rowPlace = row(b.add(first, int64_t(4 * half)));
    for (size_t group = 0; group < values.size() / 4; ++group)
      for (int64_t i = 0; i < 2; i += pair) {
        const TensorPlace columnPlace = column(int64_t(8 * group), b.add(own, i));
        auto store = [&] {
          Value place = b.element(pointer, element, b.add(rowPlace.offset, columnPlace.offset));
          Value x = rounded(values[4 * group + half + i]);
          Value value = pair == 1 ? x : b.vectorOf({x, rounded(values[4 * group + half + 1])});
          b.store(value, place, unsigned(pair * byteSize(type)));
        };
        if (Value inside = both(b, rowPlace.inside, columnPlace.inside))
          b.ifThen(inside, store);
        else
          store();
      }
  }
}

} // namespace ein
