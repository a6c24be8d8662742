// Conversions between element types, in instructions that every target has on vectors.
#include "compiler/Lowering/NestBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace ein {

namespace {

/// `element`, or a vector of it where `like` is one.
Type typeLike(Value like, Type element) {
  auto vector = dyn_cast<VectorType>(like.getType());
  return vector ? Type(vector.clone(element)) : element;
}

/// Integer arithmetic on the bits of f32 values or vectors.
struct Bits {
  NestBuilder &b;
  Type words, halves, floats;

  Bits(NestBuilder &b, Value like)
      : b(b), words(typeLike(like, b.getI32Type())), halves(typeLike(like, b.getI16Type())),
        floats(typeLike(like, b.getF32Type())) {}

  Value k(uint32_t v) {
    Attribute scalar = b.getI32IntegerAttr(int32_t(v));
    if (auto vector = dyn_cast<VectorType>(words))
      return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, scalar));
    return arith::ConstantOp::create(b, cast<TypedAttr>(scalar));
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value both(Value x, Value y) { return arith::AndIOp::create(b, x, y); }
  Value either(Value x, Value y) { return arith::OrIOp::create(b, x, y); }
  Value left(Value x, uint32_t n) { return arith::ShLIOp::create(b, x, k(n)); }
  Value right(Value x, uint32_t n) { return arith::ShRUIOp::create(b, x, k(n)); }
  Value select(arith::CmpIPredicate p, Value x, Value y, Value then, Value otherwise) {
    return arith::SelectOp::create(b, arith::CmpIOp::create(b, p, x, y), then, otherwise);
  }
  Value ofFloat(Value x) { return arith::BitcastOp::create(b, words, x); }
  Value toFloat(Value x) { return arith::BitcastOp::create(b, floats, x); }
  /// The 16 bits of a short float, zero-extended, and back.
  Value widen(Value x) { return arith::ExtUIOp::create(b, words, arith::BitcastOp::create(b, halves, x)); }
  Value narrow(Value x, Type to) { return arith::BitcastOp::create(b, to, arith::TruncIOp::create(b, halves, x)); }
};

} // namespace

using P = arith::CmpIPredicate;

/// A bfloat16 is the upper half of a float.
Value NestBuilder::widenBFloat(Value x) {
  Bits bits(*this, x);
  return bits.toFloat(bits.left(bits.widen(x), 16));
}

/// Adds just less than half of the last place, and one more where that place is odd: to nearest even. Infinity comes
/// out of too large numbers by the carry; NaN is kept apart from it, and quiet.
Value NestBuilder::roundToBFloat(Value x) {
  if (convertsBFloats) return arith::TruncFOp::create(*this, typeLike(x, getBF16Type()), x);
  Bits bits(*this, x);
  Value word = bits.ofFloat(x);
  Value odd = bits.both(bits.right(word, 16), bits.k(1));
  Value rounded = bits.right(bits.add(word, bits.add(odd, bits.k(0x7fff))), 16);
  Value quiet = bits.either(bits.right(word, 16), bits.k(0x40));
  Value size = bits.both(word, bits.k(0x7fffffff));
  return bits.narrow(bits.select(P::ugt, size, bits.k(0x7f800000), quiet, rounded), typeLike(x, getBF16Type()));
}

/// The bits in the place of a float's are the number times 2^-112, subnormal or not; infinity and NaN are out of that.
Value NestBuilder::widenHalf(Value x) {
  Bits bits(*this, x);
  if (convertsHalves) return arith::ExtFOp::create(*this, bits.floats, x);
  Value half = bits.widen(x), size = bits.left(bits.both(half, bits.k(0x7fff)), 13);
  Value scaled = arith::MulFOp::create(*this, bits.toFloat(size), bits.toFloat(bits.k(uint32_t(127 + 112) << 23)));
  Value special = bits.either(size, bits.k(0x7f800000));
  Value value = bits.select(P::uge, size, bits.k(0x7c00u << 13), special, bits.ofFloat(scaled));
  return bits.toFloat(bits.either(value, bits.left(bits.both(half, bits.k(0x8000)), 16)));
}

/// Normal numbers round as bfloat16 does, 13 bits from the end. For a subnormal one the float's own addition of 1/2
/// leaves 10 bits behind the point, rounded, in the last places. From 65520 on it is infinity.
Value NestBuilder::roundToHalf(Value x) {
  Bits bits(*this, x);
  Type to = typeLike(x, getF16Type());
  if (convertsHalves) return arith::TruncFOp::create(*this, to, x);
  Value word = bits.ofFloat(x), size = bits.both(word, bits.k(0x7fffffff));
  Value sign = bits.both(bits.right(word, 16), bits.k(0x8000));
  Value odd = bits.both(bits.right(size, 13), bits.k(1));
  Value normal = bits.right(bits.sub(bits.add(size, bits.add(odd, bits.k(0xfff))), bits.k(112u << 23)), 13);
  Value half = bits.k(126u << 23);
  Value small = bits.sub(bits.ofFloat(arith::AddFOp::create(*this, bits.toFloat(size), bits.toFloat(half))), half);
  Value finite = bits.select(P::ult, size, bits.k(113u << 23), small, normal);
  Value quiet = bits.either(bits.both(bits.right(size, 13), bits.k(0x3ff)), bits.k(0x7e00));
  Value special = bits.select(P::ugt, size, bits.k(0x7f800000), quiet, bits.k(0x7c00));
  Value result = bits.select(P::uge, size, bits.k(0x477ff000), special, finite);
  return bits.narrow(bits.either(result, sign), to);
}

Value NestBuilder::convert(Value value, Type to, bool isUnsigned) {
  Type from = getElementTypeOrSelf(value), type = typeLike(value, to);
  if (from == to) return value;
  auto floatFrom = dyn_cast<FloatType>(from), floatTo = dyn_cast<FloatType>(to);
  if (floatFrom && floatTo) {
    // 16-bit floats go by way of f32.
    if (from.isBF16() || from.isF16()) return convert(from.isBF16() ? widenBFloat(value) : widenHalf(value), to, false);
    if (to.isBF16() || to.isF16()) {
      if (!from.isF32()) value = arith::TruncFOp::create(*this, typeLike(value, getF32Type()), value);
      return to.isBF16() ? roundToBFloat(value) : roundToHalf(value);
    }
    if (floatTo.getWidth() < floatFrom.getWidth()) return arith::TruncFOp::create(*this, type, value);
    return arith::ExtFOp::create(*this, type, value);
  }
  if (floatTo) {
    if (isUnsigned) return arith::UIToFPOp::create(*this, type, value);
    return arith::SIToFPOp::create(*this, type, value);
  }
  if (to.isInteger(1)) {
    TypedAttr zero = getIntegerAttr(from, 0);
    if (auto vector = dyn_cast<VectorType>(value.getType())) zero = DenseElementsAttr::get(vector, Attribute(zero));
    return arith::CmpIOp::create(*this, arith::CmpIPredicate::ne, value, arith::ConstantOp::create(*this, zero));
  }
  if (to.getIntOrFloatBitWidth() < from.getIntOrFloatBitWidth()) return arith::TruncIOp::create(*this, type, value);
  if (isUnsigned) return arith::ExtUIOp::create(*this, type, value);
  return arith::ExtSIOp::create(*this, type, value);
}

} // namespace ein
