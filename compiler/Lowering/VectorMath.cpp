// Elementary functions by argument reduction and polynomials.
#include "compiler/Lowering/VectorMath.h"
#include "compiler/Lowering/Vectors.h"

#include <limits>

using namespace mlir;

namespace ein {

namespace {

/// x = n ln 2 + r with |r| <= ln 2 / 2, and expm1(r) = r + r^2 (1/2 + r/6 + ...).
struct Reduced {
  Value n, expm1;
};

/// With `binary` the same of x ln 2.
Reduced reduce(Vectors &v, Value x, bool binary = false) {
  // Adding 1.5 * 2^mantissa rounds to the nearest integer, whose bits are then the low bits of the sum.
  Value magic = v.k(1.5 * std::ldexp(1.0, int(v.f.mantissa)));
  Value shifted = binary ? v.add(x, magic) : v.fma(x, v.k(1 / std::log(2.0)), magic);
  Value rounded = v.sub(shifted, magic);
  Value n = arith::SubIOp::create(v.b, v.toBits(shifted), v.toBits(magic));
  Value r = binary ? v.mul(v.sub(x, rounded), v.k(std::log(2.0)))
                   : v.fma(rounded, v.k(-v.f.ln2Low), v.fma(rounded, v.k(-v.f.ln2High), x));
  double factorial = 1;
  for (int i = 2; i <= v.f.expTerms; ++i) factorial *= i;
  Value p = v.k(1 / factorial);
  for (int i = v.f.expTerms - 1; i >= 2; --i) {
    factorial /= i + 1;
    p = v.fma(p, r, v.k(1 / factorial));
  }
  return {n, v.fma(v.mul(r, r), p, r)};
}

} // namespace

static Value exponential(NestBuilder &b, Value x, bool binary) {
  Vectors v(b, x);
  using P = arith::CmpFPredicate;
  const double unit = binary ? std::log(2.0) : 1;
  Value largest = v.k(v.f.largest / unit), smallest = v.k(v.f.smallest / unit);
  // The clamps keep NaN: a comparison with NaN is false and selects x.
  Value clamped = v.select(P::OGT, x, largest, largest, x);
  clamped = v.select(P::OLT, clamped, smallest, smallest, clamped);
  Reduced r = reduce(v, clamped, binary);
  Value half = arith::ShRSIOp::create(b, r.n, v.k(int64_t(1)));
  Value rest = arith::SubIOp::create(b, r.n, half);
  return v.mul(v.mul(v.add(r.expm1, v.k(1.0)), v.powerOfTwo(half)), v.powerOfTwo(rest));
}

Value emitExp(NestBuilder &b, Value x) { return exponential(b, x, false); }
Value emitExp2(NestBuilder &b, Value x) { return exponential(b, x, true); }

Value emitShortExp2(NestBuilder &b, Value x) {
  Vectors v(b, x);
  // Minimax on [-1/2, 1/2] with p(0) = 1 for f32; for f64 the Taylor series is as short as it needs to be.
  SmallVector<double> terms = {
      1.0, 0.6931428306078069, 0.2402235065064462, 0.055574004743393336, 0.00966628252609183, 0.001112550734682184};
  if (!v.type.getElementType().isF32()) {
    terms.resize(1);
    for (int i = 1; i <= 13; ++i) terms.push_back(terms.back() * std::log(2.0) / i);
  }
  // At the limit p is exactly 1 and its exponent falls to that of 0. The comparison keeps NaN.
  Value limit = v.k(double(-v.f.bias)), magic = v.k(1.5 * std::ldexp(1.0, int(v.f.mantissa)));
  Value clamped = v.select(arith::CmpFPredicate::OGT, limit, x, limit, x);
  Value shifted = v.add(clamped, magic);
  Value f = v.sub(clamped, v.sub(shifted, magic));
  Value p = v.polynomial(f, terms);
  Value n = arith::ShLIOp::create(b, v.toBits(shifted), v.k(v.f.mantissa));
  return v.fromBits(arith::AddIOp::create(b, v.toBits(p), n));
}

Value emitTanh(NestBuilder &b, Value x) {
  Vectors v(b, x);
  using P = arith::CmpFPredicate;
  Value sign = arith::AndIOp::create(b, v.toBits(x), v.k(int64_t(uint64_t(1) << (v.f.bits - 1))));
  Value size = v.fromBits(arith::XOrIOp::create(b, v.toBits(x), sign));
  // Beyond 20 the result is 1 to the last bit.
  Value doubled = v.select(P::OGT, size, v.k(20.0), v.k(40.0), v.add(size, size));
  Reduced r = reduce(v, doubled);
  Value scale = v.powerOfTwo(r.n);
  Value q = v.fma(scale, r.expm1, v.sub(scale, v.k(1.0)));
  Value y = v.div(q, v.add(q, v.k(2.0)));
  return v.fromBits(arith::OrIOp::create(b, v.toBits(y), sign));
}

Value emitLog(NestBuilder &b, Value x) {
  Vectors v(b, x);
  using P = arith::CmpFPredicate;
  const double tiny = std::ldexp(1.0, int(1 - v.f.bias)), up = std::ldexp(1.0, int(v.f.mantissa + 2));
  // Subnormal numbers are scaled into the normal range first.
  Value small = arith::CmpFOp::create(b, P::OLT, x, v.k(tiny));
  Value scaled = arith::SelectOp::create(b, small, v.mul(x, v.k(up)), x);
  Value correction = arith::SelectOp::create(b, small, v.k(-double(v.f.mantissa + 2)), v.k(0.0));
  // Subtracting the bits of sqrt(1/2) puts the exponent in the high bits for m in [sqrt(1/2), sqrt(2)).
  Value root = v.toBits(v.k(std::sqrt(0.5)));
  Value moved = arith::SubIOp::create(b, v.toBits(scaled), root);
  Value e = arith::ShRSIOp::create(b, moved, v.k(v.f.mantissa));
  Value m = v.fromBits(arith::SubIOp::create(b, v.toBits(scaled), arith::ShLIOp::create(b, e, v.k(v.f.mantissa))));
  Value exponent = v.add(arith::SIToFPOp::create(b, v.type, e), correction);
  // log m = f - s (f - r), where f = m - 1, s = f / (m + 1) and r = s^2-series without its leading term.
  Value f = v.sub(m, v.k(1.0));
  Value s = v.div(f, v.add(m, v.k(1.0)));
  Value z = v.mul(s, s);
  Value p = v.k(2.0 / (2 * v.f.atanhTerms + 1));
  for (int i = v.f.atanhTerms - 1; i >= 1; --i) p = v.fma(p, z, v.k(2.0 / (2 * i + 1)));
  Value tail = v.mul(v.mul(z, p), s);
  Value logM = v.sub(f, v.sub(v.mul(s, f), tail));
  Value low = v.fma(exponent, v.k(v.f.ln2Low), logM);
  Value y = v.fma(exponent, v.k(v.f.ln2High), low);
  const double inf = std::numeric_limits<double>::infinity();
  y = v.select(P::OEQ, x, v.k(0.0), v.k(-inf), y);
  y = v.select(P::OEQ, x, v.k(inf), v.k(inf), y);
  // UGE is true for NaN, which then passes through.
  y = v.select(P::OLT, x, v.k(0.0), v.k(std::numeric_limits<double>::quiet_NaN()), y);
  return v.select(P::UNO, x, x, x, y);
}

Value emitSqrt(NestBuilder &b, Value x) { return LLVM::SqrtOp::create(b, x); }

} // namespace ein
