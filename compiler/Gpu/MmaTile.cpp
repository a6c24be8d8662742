// Tiles of an mma kernel: from global to shared memory, from there to fragments.
#include "compiler/Gpu/EmitMma.h"

using namespace mlir;

namespace ein {

SmallVector<Value> coordinatesIn(KernelBuilder &b, const GemmDims &dims, Value number) {
  SmallVector<Value> at;
  for (const GemmDim &d : dims) {
    const bool last = &d == &dims.back();
    at.push_back(last ? number : b.rem(number, d.extent));
    if (!last) number = b.div(number, d.extent);
  }
  return at;
}

Value offsetIn(KernelBuilder &b, const GemmDims &dims, unsigned tensor, Value number) {
  Value offset = b.c64(0);
  for (auto [d, x] : llvm::zip_equal(dims, coordinatesIn(b, dims, number)))
    offset = b.add(offset, b.mul(b.wide(x), d.strides[tensor]));
  return offset;
}

MmaTile::MmaTile(MmaBuilder &b, const MmaPlan &plan, unsigned operand)
    : b(b), p(plan), operand(operand), dims(operand ? plan.n : plan.m),
      kMajor(plan.operands[operand].major == GemmMajor::K), rowBytes(plan.width(operand) * plan.elementBytes()),
      chunk(plan.operands[operand].chunk) {
  // ldmatrix reads 16 bytes of eight rows; loads of elements 32 bytes of four.
  const bool byElement = p.input == DType::F64 || (!kMajor && p.input == DType::F32);
  turns = byElement ? 2 : 1;
}

Value MmaTile::place(Value row, Value byte) {
  const int64_t rowsPerLine = std::max<int64_t>(1, 128 / rowBytes), pieces = std::min<int64_t>(8, rowBytes / 16);
  Value turn = b.rem(b.mul(b.div(row, rowsPerLine), turns), pieces);
  Value piece = b.bitXor(b.div(byte, 16), turn);
  return b.add(b.add(b.mul(row, rowBytes), b.mul(piece, 16)), b.rem(byte, 16));
}

void MmaTile::copy(Value stage, const MmaBlock &block, Value depth) {
  const int64_t total = p.rows(operand) * (p.width(operand) / chunk), threads = p.threads();
  Value thread = b.threadIndex();
  auto one = [&](Value number) {
    if (total % threads == 0) return copyChunk(stage, block, depth, number);
    b.ifThen(b.less(number, b.c(total)), [&] { copyChunk(stage, block, depth, number); });
  };
  constexpr int64_t kUnrolled = 8;
  const int64_t trips = (total + threads - 1) / threads;
  if (trips <= kUnrolled) {
    for (int64_t i = 0; i < trips; ++i) one(b.add(thread, i * threads));
    return;
  }
  b.loop(thread, b.c(trips * threads), b.c(threads), {}, [&](Value number, ValueRange) {
    one(number);
    return SmallVector<Value>();
  });
}

/// How many elements of a chunk exist: of the one that begins at position `along` of the index that it follows, if
/// position `across` of the other side is there. Null where all chunks are whole.
Value MmaTile::validElements(Value across, Value along) {
  const int64_t tile = operand ? p.tileN() : p.tileM(), extent = p.extent(dims), depth = p.extent(p.k);
  const int64_t alongExtent = kMajor ? depth : extent, acrossExtent = kMajor ? extent : depth;
  Value valid;
  if (alongExtent % (kMajor ? p.depth : tile) != 0) {
    valid = alongExtent % chunk != 0 ? b.max(b.min(b.sub(b.c(alongExtent), along), b.c(chunk)), b.c(0))
                                     : b.select(b.less(along, b.c(alongExtent)), b.c(chunk), b.c(0));
  }
  if (acrossExtent % (kMajor ? tile : p.depth) != 0)
    valid = b.select(b.less(across, b.c(acrossExtent)), valid ? valid : b.c(chunk), b.c(0));
  return valid;
}

void MmaTile::copyChunk(Value stage, const MmaBlock &block, Value depth, Value number) {
  const int64_t perRow = p.width(operand) / chunk, bytes = chunk * p.elementBytes();
  Value row = b.div(number, perRow), column = b.mul(b.rem(number, perRow), chunk);
  Value mn = b.add(operand ? block.col : block.row, kMajor ? row : column), k = b.add(depth, kMajor ? column : row);
  Value offset = offsetIn(b, p.batch, operand, block.batch);
  offset = b.add(b.add(offset, offsetIn(b, dims, operand, mn)), offsetIn(b, p.k, operand, k));
  Value source = b.element(b.argument(operand), b.getIntegerType(unsigned(8 * p.elementBytes())), offset);
  Value destination = b.shared(b.add(stage, place(row, b.mul(column, p.elementBytes()))));
  Value valid = validElements(kMajor ? mn : k, kMajor ? k : mn);
  if (bytes < 4) return copyThroughRegisters(destination, source, valid);
  // Where nothing is valid nothing is read, wherever the source may be.
  b.copyAsync(destination, source, bytes, valid ? b.mul(valid, p.elementBytes()) : Value());
}

/// Single elements that are too small for cp.async.
void MmaTile::copyThroughRegisters(Value destination, Value source, Value valid) {
  Type type = b.getIntegerType(unsigned(8 * p.elementBytes()));
  auto load = [&] { return SmallVector<Value>{b.load(type, source, unsigned(p.elementBytes()))}; };
  Value zero = arith::ConstantOp::create(b, b.getIntegerAttr(type, 0));
  Value element = valid ? b.replaceIf(b.less(b.c(0), valid), zero, load)[0] : load()[0];
  b.store(element, destination, unsigned(p.elementBytes()));
}

/// An element where rows and the depth are what they are in the contraction.
Value MmaTile::element(Value stage, Value mn, Value k, Type type) {
  const int64_t bytes = p.elementBytes();
  Value at = kMajor ? place(mn, b.mul(k, bytes)) : place(k, b.mul(mn, bytes));
  return b.load(type, b.shared(b.add(stage, at)), unsigned(bytes));
}

/// Four bytes along the depth, which lie in as many rows.
Value MmaTile::bytesOfColumn(Value stage, Value mn, Value k) {
  Value word;
  for (int64_t i = 0; i < 4; ++i) {
    Value byte = arith::ExtUIOp::create(b, b.getI32Type(), element(stage, mn, b.add(k, i), b.getI8Type()));
    Value there = i ? arith::ShLIOp::create(b, byte, b.c(8 * i)).getResult() : byte;
    word = word ? arith::OrIOp::create(b, word, there).getResult() : there;
  }
  return word;
}

MmaBuilder::Registers MmaTile::fragment(Value stage, Value first, int64_t step) {
  Value lane = b.lane(), inEight = b.rem(lane, 8), eight = b.rem(b.div(lane, 8), 2), half = b.div(lane, 16);
  const int64_t bytes = p.elementBytes();
  if (kMajor && p.input != DType::F64) {
    Value row = b.add(first, b.add(b.mul(eight, 8), inEight));
    return b.loadMatrices(b.add(stage, place(row, b.add(b.mul(half, 16), step * 32))), /*transposed=*/false);
  }
  if (bytes == 2) {
    Value row = b.add(b.add(b.mul(half, 8), inEight), step * 16);
    Value mn = b.add(first, b.mul(eight, 8));
    return b.loadMatrices(b.add(stage, place(row, b.mul(mn, 2))), /*transposed=*/true);
  }
  MmaBuilder::Registers registers;
  const int64_t depth = p.instructionDepth(), halves = p.input == DType::F64 ? 1 : 2, here = depth / halves;
  Value mn = b.add(first, b.div(lane, 4)), k = b.add(b.mul(b.rem(lane, 4), here / 4), step * depth);
  for (int64_t h = 0; h < halves; ++h)
    for (int64_t g = 0; g < 2; ++g) {
      Value row = b.add(mn, 8 * g), deep = b.add(k, h * here);
      registers.push_back(bytes == 1 ? bytesOfColumn(stage, row, deep)
                                     : element(stage, row, deep, bytes == 8 ? Type(b.getF64Type()) : b.getI32Type()));
    }
  return registers;
}

} // namespace ein
