// Pointwise functions that take more than one operation, conversions that a Program writes, and gathers.
#include "compiler/IndexNotation/Pointwise.h"
#include "compiler/IndexNotation/Random.h"
#include "compiler/Lowering/LowerExpressions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <cmath>

using namespace mlir;

namespace ein {

/// x // y or x % y of integers: rounded down, 0 where y is 0. No division can trap.
Value ExpressionLowering::emitFloorDivision(Fn fn, DType as, Value x, Value y) {
  const bool divides = fn == Fn::IntDiv;
  Value zero = number(0, as), one = number(1, as);
  auto is = [&](Value a, Value b) { return compare(Fn::Equal, as, a, b); };
  Value noDivisor = is(y, zero);
  auto choose = [&](Value c, Value then, Value otherwise) -> Value {
    return arith::SelectOp::create(b, c, then, otherwise);
  };
  if (isUnsigned(as)) {
    Value divisor = choose(noDivisor, one, y);
    Value result =
        divides ? Value(arith::DivUIOp::create(b, x, divisor)) : Value(arith::RemUIOp::create(b, x, divisor));
    return choose(noDivisor, zero, result);
  }
  // The smallest integer divided by -1 would overflow.
  Value negates = is(y, number(-1, as));
  Value divisor = choose(arith::OrIOp::create(b, noDivisor, negates), one, y);
  Value quotient = arith::DivSIOp::create(b, x, divisor);
  Value rest = arith::SubIOp::create(b, x, arith::MulIOp::create(b, quotient, divisor));
  Value opposite = compare(Fn::Less, as, arith::XOrIOp::create(b, rest, divisor), zero);
  Value down = arith::AndIOp::create(b, compare(Fn::NotEqual, as, rest, zero), opposite);
  Value result = divides ? choose(down, arith::SubIOp::create(b, quotient, one), quotient)
                         : choose(down, arith::AddIOp::create(b, rest, divisor), rest);
  result = choose(negates, divides ? Value(arith::SubIOp::create(b, zero, x)) : zero, result);
  return choose(noDivisor, zero, result);
}

/// x ^ y: by multiplication where y is a whole literal, else exp(y log x).
Value ExpressionLowering::emitPower(const Expr &e, DType as, Value x, const Body &body) {
  const Expr &exponent = p.exprs[e.args[1]];
  if (!isWholePower(exponent)) {
    Value y = value(e.args[1], as, body);
    Value power = math::ExpOp::create(b, arith::MulFOp::create(b, y, math::LogOp::create(b, x)));
    return arith::SelectOp::create(b, compare(Fn::Equal, as, y, number(0, as)), number(1, as), power);
  }
  Value result;
  for (auto left = uint64_t(std::fabs(exponent.literal)); left; left >>= 1) {
    if (left & 1) result = result ? emitArithmetic(Fn::Mul, as, {result, x}) : x;
    if (left > 1) x = emitArithmetic(Fn::Mul, as, {x, x});
  }
  if (!result) return number(1, as);
  return exponent.literal < 0 ? emitArithmetic(Fn::Div, as, {number(1, as), result}) : result;
}

Value ExpressionLowering::emitCast(const Expr &e, const Body &body) {
  const DType from = accumulateType(types[e.args[0]].value_or(DType::F64));
  Value x = value(e.args[0], from, body);
  if (e.dtype == DType::Bool) return from == DType::Bool ? x : compare(Fn::NotEqual, from, x, number(0, from));
  if (isFloat(from) && isInteger(e.dtype)) return truncate(x, from, e.dtype);
  if (from == DType::Bool && isFloat(e.dtype))
    return arith::SelectOp::create(b, x, number(1, e.dtype), number(0, e.dtype));
  return convert(x, from, e.dtype);
}

/// A float as an integer: rounded to zero, the nearest end beyond the range, 0 of NaN.
Value ExpressionLowering::truncate(Value x, DType from, DType to) {
  const DType wide = accumulateType(to);
  const int bits = int(byteSize(to)) * 8;
  const double low = isUnsigned(to) ? 0 : -std::ldexp(1.0, bits - 1);
  Value bottom = number(low, from), top = number(std::ldexp(1.0, isUnsigned(to) ? bits : bits - 1), from);
  Value above = compare(Fn::GreaterEqual, from, x, top), below = compare(Fn::LessEqual, from, x, bottom);
  Value inside = arith::AndIOp::create(b, compare(Fn::Greater, from, x, bottom), compare(Fn::Less, from, x, top));
  Value safe = arith::SelectOp::create(b, inside, x, number(0, from));
  Type type = elementType(wide);
  Value whole =
      isUnsigned(to) ? Value(arith::FPToUIOp::create(b, type, safe)) : Value(arith::FPToSIOp::create(b, type, safe));
  whole = convert(whole, wide, to);
  whole = arith::SelectOp::create(b, above, number(HUGE_VAL, to), whole);
  return arith::SelectOp::create(b, below, number(-HUGE_VAL, to), whole);
}

namespace {

/// A 32-bit integer in a body, with the operators that mixRandom asks for.
struct RandomWord {
  ImplicitLocOpBuilder *b;
  Value value;

  template <class Op> RandomWord with(RandomWord y) const { return {b, Op::create(*b, value, y.value)}; }
  RandomWord operator+(RandomWord y) const { return with<arith::AddIOp>(y); }
  RandomWord operator*(RandomWord y) const { return with<arith::MulIOp>(y); }
  RandomWord operator^(RandomWord y) const { return with<arith::XOrIOp>(y); }
  RandomWord operator>>(RandomWord y) const { return with<arith::ShRUIOp>(y); }
};

} // namespace

Value ExpressionLowering::emitRandom(const Expr &e, const Body &body) {
  auto word = [&](uint32_t k) { return RandomWord{&b, arith::ConstantOp::create(b, b.getI32IntegerAttr(int32_t(k)))}; };
  RandomWord state = word(kRandomStart);
  for (ExprId arg : e.args) {
    const DType type = accumulateType(types[arg].value_or(DType::I64));
    Value next = value(arg, type, body);
    if (byteSize(type) > 4) next = arith::TruncIOp::create(b, b.getI32Type(), next);
    state = mixRandom(state, RandomWord{&b, next}, word);
  }
  Value upper = (state >> word(32 - kRandomBits)).value;
  Value real = arith::SIToFPOp::create(b, b.getF32Type(), upper);
  return arith::MulFOp::create(b, real, number(std::ldexp(1.0, -int(kRandomBits)), DType::F32));
}

/// An element at a computed place. It is brought onto its axis, so that nothing else is read where the value is not
/// used, or where a caller breaks its promise.
Value ExpressionLowering::emitGather(ExprId id, const Body &body) {
  const Expr &e = p.exprs[id];
  const std::vector<IndexId> &axes = p.tensors[e.tensor].axes;
  SmallVector<Value> at;
  for (size_t d = 0; d < axes.size(); ++d) {
    auto computed = llvm::find(e.computed, d);
    if (computed != e.computed.end())
      at.push_back(emitPosition(e.args[computed - e.computed.begin()], *p.indices[axes[d]].extent, body));
    else if (e.subscripts[d])
      at.push_back(linalg::IndexOp::create(b, llvm::find(body.loops, *e.subscripts[d]) - body.loops.begin()));
    else
      at.push_back(arith::ConstantIndexOp::create(b, d + 1 == axes.size() ? e.at : 0));
  }
  return memref::LoadOp::create(b, body.gathered[llvm::find(body.gathers, id) - body.gathers.begin()], at);
}

Value ExpressionLowering::emitPosition(ExprId e, int64_t extent, const Body &body) {
  const DType own = accumulateType(types[e].value_or(integers[e] && !integers[e]->wide ? DType::I32 : DType::I64));
  Value at = value(e, own, body);
  DType type = own;
  if (extent > INT32_MAX && byteSize(own) == 4) at = convert(at, own, type = DType::I64);
  at = emitArithmetic(Fn::Min, type, {at, number(double(extent - 1), type)});
  at = emitArithmetic(Fn::Max, type, {at, number(0, type)});
  return arith::IndexCastOp::create(b, b.getIndexType(), at);
}

} // namespace ein
