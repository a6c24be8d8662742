// Pointwise expressions to arith and math, by dtype.
#include "compiler/Lowering/LowerExpressions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace ein {

ExpressionLowering::ExpressionLowering(ImplicitLocOpBuilder &b, const Program &p) : b(b), p(p), types(p.dtypes()) {
  findIntegers();
}

Type ExpressionLowering::elementType(DType t) {
  switch (t) {
  case DType::F16: return b.getF16Type();
  case DType::BF16: return b.getBF16Type();
  case DType::F32: return b.getF32Type();
  case DType::F64: return b.getF64Type();
  case DType::Bool: return b.getI1Type();
  default: return b.getIntegerType(byteSize(t) * 8);
  }
}

Value ExpressionLowering::number(double v, DType as) {
  Type type = elementType(as);
  if (isFloat(as)) return arith::ConstantOp::create(b, b.getFloatAttr(type, v));
  const unsigned bits = type.getIntOrFloatBitWidth();
  APInt value = isUnsigned(as) ? APInt::getZero(bits) : APInt::getSignedMinValue(bits);
  if (v > 0) value = isUnsigned(as) ? APInt::getMaxValue(bits) : APInt::getSignedMaxValue(bits);
  if (std::isfinite(v)) {
    const bool beyond = v >= 0x1p63; // only 2^63 itself is let through
    value = APInt(bits, beyond ? uint64_t(1) << 63 : uint64_t(int64_t(v)), /*isSigned=*/false, /*implicitTrunc=*/true);
  }
  return arith::ConstantOp::create(b, b.getIntegerAttr(type, value));
}

Value ExpressionLowering::convert(Value value, DType from, DType to) {
  Type type = elementType(to);
  if (value.getType() == type) return value;
  const bool narrows = byteSize(to) < byteSize(from), isUnsignedSource = isUnsigned(from);
  if (isFloat(from) && isFloat(to)) {
    if (narrows) return arith::TruncFOp::create(b, type, value);
    return arith::ExtFOp::create(b, type, value);
  }
  if (isFloat(to)) {
    if (isUnsignedSource) return arith::UIToFPOp::create(b, type, value);
    return arith::SIToFPOp::create(b, type, value);
  }
  if (narrows) return arith::TruncIOp::create(b, type, value);
  if (isUnsignedSource) return arith::ExtUIOp::create(b, type, value);
  return arith::ExtSIOp::create(b, type, value);
}

/// The ranges of the expressions that are integers at every point: index values, whole literals, and
/// + - * max min of them. Children precede parents, so one pass finds all. What could leave 53 bits is real.
void ExpressionLowering::findIntegers() {
  integers.resize(p.exprs.size());
  for (ExprId e = 0; e < p.exprs.size(); ++e) {
    const Expr &x = p.exprs[e];
    std::optional<Range> range;
    if (x.kind == Expr::Kind::IndexValue) {
      const Index &index = p.indices[x.indices[0]];
      range = Range{0, index.dynamic >= 0 ? 0x1p31 - 1 : double(*index.extent)};
    }
    if (x.kind == Expr::Kind::Literal && x.literal == std::floor(x.literal)) range = Range{x.literal, x.literal};
    if (x.kind == Expr::Kind::Map && llvm::all_of(x.args, [&](ExprId a) { return integers[a].has_value(); }))
      range = rangeOf(x);
    // The narrowest type that holds every value on the way there, too.
    if (range && range->low >= -0x1p53 && range->high <= 0x1p53) {
      for (ExprId a : x.args) range->wide |= integers[a]->wide;
      range->wide |= range->low < -0x1p31 || range->high >= 0x1p31;
      integers[e] = range;
    }
  }
}

std::optional<ExpressionLowering::Range> ExpressionLowering::rangeOf(const Expr &x) const {
  const Range &a = *integers[x.args[0]], &c = *integers[x.args.back()];
  switch (x.fn) {
  case Fn::Add: return Range{a.low + c.low, a.high + c.high};
  case Fn::Sub: return Range{a.low - c.high, a.high - c.low};
  case Fn::Neg: return Range{-a.high, -a.low};
  case Fn::IntDiv:
  case Fn::Mod: { // the rest has the divisor's sign
    const double most = std::max(std::fabs(a.low), std::fabs(a.high)),
                 rest = std::max(std::fabs(c.low), std::fabs(c.high));
    return x.fn == Fn::Mod ? Range{c.low < 0 ? -rest : 0, rest} : Range{a.low < 0 || c.low < 0 ? -most - 1 : 0, most};
  }
  case Fn::Max: return Range{std::max(a.low, c.low), std::max(a.high, c.high)};
  case Fn::Min: return Range{std::min(a.low, c.low), std::min(a.high, c.high)};
  case Fn::Mul: {
    auto [low, high] = std::minmax({a.low * c.low, a.low * c.high, a.high * c.low, a.high * c.high});
    return Range{low, high};
  }
  default: return std::nullopt;
  }
}

Value ExpressionLowering::emitInteger(ExprId e, bool wide, ArrayRef<IndexId> loops) {
  const Expr &x = p.exprs[e];
  Type type = wide ? b.getI64Type() : b.getI32Type();
  auto constant = [&](double v) { return arith::ConstantOp::create(b, b.getIntegerAttr(type, int64_t(v))); };
  if (x.kind == Expr::Kind::Literal) return constant(x.literal);
  if (x.kind == Expr::Kind::IndexValue) {
    Value index = linalg::IndexOp::create(b, llvm::find(loops, x.indices[0]) - loops.begin());
    Value narrow = arith::IndexCastOp::create(b, b.getI32Type(), index);
    return wide ? arith::ExtSIOp::create(b, type, narrow).getResult() : narrow;
  }
  SmallVector<Value> a;
  for (ExprId arg : x.args) a.push_back(emitInteger(arg, wide, loops));
  switch (x.fn) {
  case Fn::Add: return arith::AddIOp::create(b, a[0], a[1]);
  case Fn::Sub: return arith::SubIOp::create(b, a[0], a[1]);
  case Fn::Mul: return arith::MulIOp::create(b, a[0], a[1]);
  case Fn::Max: return arith::MaxSIOp::create(b, a[0], a[1]);
  case Fn::Min: return arith::MinSIOp::create(b, a[0], a[1]);
  case Fn::IntDiv:
  case Fn::Mod: return emitFloorDivision(x.fn, wide ? DType::I64 : DType::I32, a[0], a[1]);
  default: return arith::SubIOp::create(b, constant(0), a[0]);
  }
}

Value ExpressionLowering::combine(Monoid monoid, DType as, Value a, Value c) {
  const Fn fn = monoid == Monoid::Sum    ? Fn::Add
                : monoid == Monoid::Prod ? Fn::Mul
                : monoid == Monoid::Max  ? Fn::Max
                                         : Fn::Min;
  return emitArithmetic(fn, as, {a, c});
}

/// Whether a function is computed in the type around it.
static bool isArithmetic(Fn fn) {
  return !isPredicate(fn) && fn != Fn::Cast && fn != Fn::Rand && fn != Fn::IntDiv && fn != Fn::Mod && fn != Fn::Pow;
}

/// The type in which an argument of a function is computed.
static DType argumentType(Fn fn, size_t argument, DType as) {
  const bool isCondition = fn == Fn::And || fn == Fn::Or || fn == Fn::Not || (fn == Fn::Select && argument == 0);
  return isCondition ? DType::Bool : as;
}

Value ExpressionLowering::emit(ExprId e, DType as, const Body &body) {
  done.clear();
  // What lies deep first: `value` then calls itself as often as kinds of expressions change, not as they are nested.
  SmallVector<std::pair<ExprId, DType>> open{{e, as}};
  while (!open.empty()) {
    const auto [now, type] = open.back();
    const size_t before = open.size();
    const Expr &x = p.exprs[now];
    if (x.kind == Expr::Kind::Map && !integers[now] && isArithmetic(x.fn) && !done.contains({now, int(type)}))
      for (size_t i = x.args.size(); i-- > 0;)
        if (std::pair arg{x.args[i], argumentType(x.fn, i, type)}; !done.contains({arg.first, int(arg.second)}))
          open.push_back(arg);
    if (open.size() > before) continue;
    value(now, type, body);
    open.pop_back();
  }
  return done.at({e, int(as)});
}

Value ExpressionLowering::value(ExprId e, DType as, const Body &body) {
  if (Value known = done.lookup({e, int(as)})) return known;
  Value made = newValue(e, as, body);
  return done[{e, int(as)}] = made;
}

Value ExpressionLowering::newValue(ExprId e, DType as, const Body &body) {
  const Expr &x = p.exprs[e];
  if (x.kind == Expr::Kind::Literal) return number(x.literal, as);
  if (x.kind == Expr::Kind::Access && !x.computed.empty())
    return convert(emitGather(e, body), p.tensors[x.tensor].dtype, as);
  if (x.kind == Expr::Kind::Access)
    return convert(body.elements[llvm::find(body.accesses, e) - body.accesses.begin()], p.tensors[x.tensor].dtype, as);
  if (integers[e])
    return convert(emitInteger(e, integers[e]->wide, body.loops), integers[e]->wide ? DType::I64 : DType::I32, as);
  if (x.fn == Fn::Cast) return convert(emitCast(x, body), x.dtype, as);
  if (x.fn == Fn::Rand) return convert(emitRandom(x, body), DType::F32, as);
  // Integers are divided as integers, whatever is around them.
  const DType own = types[e] ? accumulateType(*types[e]) : as;
  if ((x.fn == Fn::IntDiv || x.fn == Fn::Mod) && isInteger(own)) return convert(emitMap(x, own, body), own, as);
  return convert(emitMap(x, as, body), isPredicate(x.fn) ? DType::Bool : as, as);
}

Value ExpressionLowering::compare(Fn fn, DType as, Value x, Value y) {
  using I = arith::CmpIPredicate;
  using F = arith::CmpFPredicate;
  struct Predicates {
    I isSigned, isUnsigned;
    F real;
  };
  static const Predicates all[] = {{I::slt, I::ult, F::OLT}, {I::sle, I::ule, F::OLE}, {I::sgt, I::ugt, F::OGT},
                                   {I::sge, I::uge, F::OGE}, {I::eq, I::eq, F::OEQ},   {I::ne, I::ne, F::UNE}};
  const Predicates &which = all[int(fn) - int(Fn::Less)];
  if (isFloat(as)) return arith::CmpFOp::create(b, which.real, x, y);
  return arith::CmpIOp::create(b, isUnsigned(as) ? which.isUnsigned : which.isSigned, x, y);
}

/// In the type that the two sides promote to, whatever is around them.
Value ExpressionLowering::emitCompare(const Expr &e, DType as, const Body &body) {
  const ExprId left = e.args[0], right = e.args[1];
  if (integers[left] && integers[right]) {
    const bool wide = integers[left]->wide || integers[right]->wide;
    return compare(e.fn, DType::I64, emitInteger(left, wide, body.loops), emitInteger(right, wide, body.loops));
  }
  if (types[left] && types[right]) as = promote(*types[left], *types[right]);
  if (!types[left] || !types[right]) as = types[left] ? *types[left] : types[right] ? *types[right] : as;
  if (as == DType::Bool) as = DType::F64; // of literals and index values only
  as = accumulateType(as);
  Value x = value(left, as, body);
  return compare(e.fn, as, x, value(right, as, body));
}

Value ExpressionLowering::emitMap(const Expr &e, DType as, const Body &body) {
  if (e.fn >= Fn::Less && e.fn <= Fn::NotEqual) return emitCompare(e, as, body);
  SmallVector<Value> a;
  if (e.fn == Fn::Pow) return emitPower(e, as, value(e.args[0], as, body), body);
  for (auto [i, arg] : llvm::enumerate(e.args)) a.push_back(value(arg, argumentType(e.fn, i, as), body));
  return emitFunction(e.fn, as, a);
}

/// Apart from `emitMap`, whose frames are as many as an expression is deep.
Value ExpressionLowering::emitFunction(Fn fn, DType as, ArrayRef<Value> a) {
  switch (fn) {
  case Fn::Exp: return math::ExpOp::create(b, a[0]);
  case Fn::Log: return math::LogOp::create(b, a[0]);
  case Fn::Sqrt: return math::SqrtOp::create(b, a[0]);
  case Fn::Tanh: return math::TanhOp::create(b, a[0]);
  case Fn::Exp2: return math::Exp2Op::create(b, a[0]);
  case Fn::Erf: return math::ErfOp::create(b, a[0]);
  case Fn::Sin: return math::SinOp::create(b, a[0]);
  case Fn::Cos: return math::CosOp::create(b, a[0]);
  case Fn::Gelu: {
    Value erf = math::ErfOp::create(b, arith::MulFOp::create(b, a[0], number(std::sqrt(0.5), as)));
    Value half = arith::MulFOp::create(b, a[0], number(0.5, as));
    return arith::MulFOp::create(b, half, arith::AddFOp::create(b, erf, number(1, as)));
  }
  case Fn::Silu: {
    Value e = math::ExpOp::create(b, arith::NegFOp::create(b, a[0]));
    return arith::DivFOp::create(b, a[0], arith::AddFOp::create(b, e, number(1, as)));
  }
  case Fn::Sign: return emitSign(as, a[0]);
  case Fn::And: return arith::AndIOp::create(b, a[0], a[1]);
  case Fn::Or: return arith::OrIOp::create(b, a[0], a[1]);
  case Fn::Not: return arith::XOrIOp::create(b, a[0], arith::ConstantOp::create(b, b.getBoolAttr(true)));
  case Fn::Select: return arith::SelectOp::create(b, a[0], a[1], a[2]);
  default: return emitArithmetic(fn, as, a);
  }
}

Value ExpressionLowering::emitSign(DType as, Value x) {
  Value above = compare(Fn::Greater, as, x, number(0, as)), below = compare(Fn::Less, as, x, number(0, as));
  return arith::SelectOp::create(b, above, number(1, as), arith::SelectOp::create(b, below, number(-1, as), x));
}

/// + - * / - abs floor max min: of floats, of integers modulo 2^bits, max and min of bool as or and and.
Value ExpressionLowering::emitArithmetic(Fn fn, DType as, ArrayRef<Value> a) {
  const bool real = isFloat(as), logical = as == DType::Bool, wraps = isUnsigned(as);
  auto either = [&](auto ofFloats, auto ofIntegers) -> Value { return real ? Value(ofFloats()) : Value(ofIntegers()); };
  switch (fn) {
  case Fn::Add:
    return either([&] { return arith::AddFOp::create(b, a[0], a[1]); },
                  [&] { return arith::AddIOp::create(b, a[0], a[1]); });
  case Fn::Sub:
    return either([&] { return arith::SubFOp::create(b, a[0], a[1]); },
                  [&] { return arith::SubIOp::create(b, a[0], a[1]); });
  case Fn::Mul:
    return either([&] { return arith::MulFOp::create(b, a[0], a[1]); },
                  [&] { return arith::MulIOp::create(b, a[0], a[1]); });
  case Fn::Div: return arith::DivFOp::create(b, a[0], a[1]);
  case Fn::IntDiv:
  case Fn::Mod: {
    if (!real) return emitFloorDivision(fn, as, a[0], a[1]);
    Value quotient = math::FloorOp::create(b, arith::DivFOp::create(b, a[0], a[1]));
    if (fn == Fn::IntDiv) return quotient;
    return arith::SubFOp::create(b, a[0], arith::MulFOp::create(b, a[1], quotient));
  }
  case Fn::Neg:
    return either([&] { return arith::NegFOp::create(b, a[0]); },
                  [&] { return arith::SubIOp::create(b, number(0, as), a[0]); });
  case Fn::Floor: return real ? Value(math::FloorOp::create(b, a[0])) : a[0];
  case Fn::Abs:
    if (real) return math::AbsFOp::create(b, a[0]);
    if (wraps) return a[0];
    return arith::MaxSIOp::create(b, a[0], arith::SubIOp::create(b, number(0, as), a[0]));
  case Fn::Max:
    if (real) return arith::MaximumFOp::create(b, a[0], a[1]);
    if (logical) return arith::OrIOp::create(b, a[0], a[1]);
    return wraps ? Value(arith::MaxUIOp::create(b, a[0], a[1])) : Value(arith::MaxSIOp::create(b, a[0], a[1]));
  case Fn::Min:
    if (real) return arith::MinimumFOp::create(b, a[0], a[1]);
    if (logical) return arith::AndIOp::create(b, a[0], a[1]);
    return wraps ? Value(arith::MinUIOp::create(b, a[0], a[1])) : Value(arith::MinSIOp::create(b, a[0], a[1]));
  default: return {};
  }
}

} // namespace ein
