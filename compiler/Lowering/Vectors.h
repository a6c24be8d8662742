// Arithmetic on vectors of f32 or f64, as elementary functions are written in it.
#pragma once

#include "compiler/Lowering/NestBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

namespace ein {

/// The layout of the element type, and how many terms its precision needs.
struct Format {
  int64_t bits, mantissa, bias;
  int expTerms;             ///< degree of the Taylor polynomial of exp on |r| <= ln 2 / 2
  int atanhTerms;           ///< terms of the series of atanh(t) / t in t^2 on |t| <= 0.1716
  double ln2High, ln2Low;   ///< their sum is ln 2; n * ln2High is exact for every exponent n
  double largest, smallest; ///< arguments beyond which exp overflows or is zero
};

inline Format formatOf(mlir::Type element) {
  if (element.isF32()) return {32, 23, 127, 7, 5, 0.693145751953125, 1.42860682030941723212e-6, 88.8, -104.0};
  return {64, 52, 1023, 13, 11, 6.93147180369123816490e-01, 1.90821492927058770002e-10, 709.8, -745.2};
}

/// Operations on vectors, with constants broadcast to the vector's shape.
struct Vectors {
  NestBuilder &b;
  mlir::VectorType type;
  Format f;
  mlir::VectorType ints;

  Vectors(NestBuilder &b, mlir::Value x)
      : b(b), type(llvm::cast<mlir::VectorType>(x.getType())), f(formatOf(type.getElementType())),
        ints(mlir::VectorType::get(type.getShape(), b.getIntegerType(f.bits))) {}

  mlir::Value k(double v) {
    mlir::Attribute value = b.getFloatAttr(type.getElementType(), v);
    return mlir::arith::ConstantOp::create(b, mlir::DenseElementsAttr::get(type, value));
  }
  mlir::Value k(int64_t v) {
    return mlir::arith::ConstantOp::create(
        b, mlir::DenseElementsAttr::get(ints, llvm::APInt(f.bits, uint64_t(v), true, true)));
  }
  mlir::Value add(mlir::Value x, mlir::Value y) { return mlir::arith::AddFOp::create(b, x, y); }
  mlir::Value sub(mlir::Value x, mlir::Value y) { return mlir::arith::SubFOp::create(b, x, y); }
  mlir::Value mul(mlir::Value x, mlir::Value y) { return mlir::arith::MulFOp::create(b, x, y); }
  /// c[0] + c[1] x + c[2] x^2 + ...
  mlir::Value polynomial(mlir::Value x, llvm::ArrayRef<double> c) {
    mlir::Value y = k(c.back());
    for (double next : llvm::reverse(c.drop_back())) y = fma(y, x, k(next));
    return y;
  }
  mlir::Value div(mlir::Value x, mlir::Value y) { return mlir::arith::DivFOp::create(b, x, y); }
  mlir::Value fma(mlir::Value x, mlir::Value y, mlir::Value z) { return b.multiplyAdd(x, y, z); }
  mlir::Value select(mlir::arith::CmpFPredicate p, mlir::Value x, mlir::Value y, mlir::Value then,
                     mlir::Value otherwise) {
    return mlir::arith::SelectOp::create(b, mlir::arith::CmpFOp::create(b, p, x, y), then, otherwise);
  }
  mlir::Value toBits(mlir::Value x) { return mlir::arith::BitcastOp::create(b, ints, x); }
  mlir::Value fromBits(mlir::Value x) { return mlir::arith::BitcastOp::create(b, type, x); }
  /// 2^n for an integer vector n in the normal range.
  mlir::Value powerOfTwo(mlir::Value n) {
    return fromBits(mlir::arith::ShLIOp::create(b, mlir::arith::AddIOp::create(b, n, k(f.bias)), k(f.mantissa)));
  }
};

} // namespace ein
