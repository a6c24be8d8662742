// Derivatives of pointwise functions.
#include "compiler/Adjoints/Derivatives.h"

#include "compiler/IndexNotation/Pointwise.h"

#include <algorithm>
#include <numbers>

namespace ein {

bool Derivatives::isLiteral(ExprId e, double value) const {
  return a.p.exprs[e].kind == Expr::Kind::Literal && a.p.exprs[e].literal == value;
}

/// Changes what is inside of `if g then x else 0`.
ExprId Derivatives::through(ExprId cotangent, const std::function<ExprId(ExprId)> &change) {
  const Expr e = a.p.exprs[cotangent]; // the arena may grow
  if (e.kind != Expr::Kind::Map || e.fn != Fn::Select || !isLiteral(e.args[2], 0)) return change(cotangent);
  return a.map(Fn::Select, {e.args[0], change(e.args[1]), e.args[2]});
}

ExprId Derivatives::times(ExprId cotangent, ExprId factor) {
  if (isLiteral(factor, 1)) return cotangent;
  return through(cotangent, [&](ExprId x) { return a.map(Fn::Mul, {x, factor}); });
}

ExprId Derivatives::over(ExprId cotangent, ExprId divisor) {
  return through(cotangent, [&](ExprId x) { return a.map(Fn::Div, {x, divisor}); });
}

ExprId Derivatives::minus(ExprId cotangent) {
  return through(cotangent, [&](ExprId x) {
    const Expr &e = a.p.exprs[x];
    return e.kind == Expr::Kind::Map && e.fn == Fn::Neg ? e.args[0] : a.map(Fn::Neg, {x});
  });
}

ExprId Derivatives::plus(ExprId x, ExprId y) {
  const Expr left = a.p.exprs[x], right = a.p.exprs[y];
  auto isGuarded = [&](const Expr &e) {
    return e.kind == Expr::Kind::Map && e.fn == Fn::Select && isLiteral(e.args[2], 0);
  };
  if (isGuarded(left) && isGuarded(right) && left.args[0] == right.args[0])
    return where(left.args[0], plus(left.args[1], right.args[1]));
  if (right.kind == Expr::Kind::Map && right.fn == Fn::Neg) return a.map(Fn::Sub, {x, right.args[0]});
  return a.map(Fn::Add, {x, y});
}

ExprId Derivatives::where(ExprId condition, ExprId cotangent) {
  const Expr &e = a.p.exprs[cotangent];
  if (e.kind == Expr::Kind::Map && e.fn == Fn::Select && e.args[0] == condition && isLiteral(e.args[2], 0))
    return cotangent;
  return a.map(Fn::Select, {condition, cotangent, a.literal(0)});
}

ExprId Derivatives::sum(const std::vector<IndexId> &indices, ExprId cotangent) {
  Expr sum;
  sum.kind = Expr::Kind::Reduce;
  double count = 1;
  for (IndexId i : indices)
    if (a.depends(cotangent, i))
      sum.indices.push_back(i);
    else
      count *= double(*a.p.indices[i].extent);
  if (sum.indices.empty()) return times(cotangent, a.literal(count));
  const Expr &e = a.p.exprs[cotangent];
  sum.args = {cotangent};
  const bool isGuarded = e.kind == Expr::Kind::Map && e.fn == Fn::Select && isLiteral(e.args[2], 0);
  if (isGuarded && std::ranges::all_of(sum.indices, [&](IndexId i) { return a.depends(e.args[1], i); })) {
    sum.guard = e.args[0];
    sum.args = {e.args[1]};
  }
  sum.args[0] = times(sum.args[0], a.literal(count));
  return a.add(std::move(sum));
}

ExprId Derivatives::indexValue(IndexId index) {
  Expr e;
  e.kind = Expr::Kind::IndexValue;
  e.indices = {index};
  return a.add(std::move(e));
}

ExprId Derivatives::isEqual(IndexId index, ExprId value) { return a.map(Fn::Equal, {indexValue(index), value}); }

ExprId Derivatives::conjugate(ExprId e) {
  const Expr &x = a.p.exprs[e];
  if (!a.typeOf(e) || !isComplex(*a.typeOf(e))) return e;
  return x.kind == Expr::Kind::Map && x.fn == Fn::Conj ? x.args[0] : a.map(Fn::Conj, {e});
}

/// Comparisons of integers turn around; of floats they cannot, for NaN.
ExprId Derivatives::negation(ExprId condition) {
  const Expr e = a.p.exprs[condition];
  if (e.kind == Expr::Kind::Map && e.fn == Fn::Not) return e.args[0];
  auto isWhole = [&](ExprId x) { return !a.typeOf(x) || isInteger(*a.typeOf(x)); };
  constexpr std::pair<Fn, Fn> kOpposites[] = {{Fn::Less, Fn::GreaterEqual},
                                              {Fn::LessEqual, Fn::Greater},
                                              {Fn::Greater, Fn::LessEqual},
                                              {Fn::GreaterEqual, Fn::Less}};
  for (auto [fn, opposite] : kOpposites)
    if (e.kind == Expr::Kind::Map && e.fn == fn && isWhole(e.args[0]) && isWhole(e.args[1]))
      return a.map(opposite, e.args);
  return a.map(Fn::Not, {condition});
}

/// The derivative of a function of one number.
ExprId Derivatives::slope(const Expr &e, const Values &value) {
  const ExprId x = value(0);
  auto number = [&](double n) { return a.literal(n); };
  auto product = [&](ExprId left, ExprId right) { return a.map(Fn::Mul, {left, right}); };
  auto square = [&](ExprId y) { return product(y, y); };
  switch (e.fn) {
  case Fn::Exp: return a.map(Fn::Exp, {x});
  case Fn::Exp2: return product(a.map(Fn::Exp2, {x}), number(std::numbers::ln2));
  case Fn::Tanh: return a.map(Fn::Sub, {number(1), square(a.map(Fn::Tanh, {x}))});
  case Fn::Erf: return product(a.map(Fn::Exp, {a.map(Fn::Neg, {square(x)})}), number(2 * std::numbers::inv_sqrtpi));
  case Fn::Sin: return a.map(Fn::Cos, {x});
  case Fn::Cos: return a.map(Fn::Neg, {a.map(Fn::Sin, {x})});
  case Fn::Abs: return a.map(Fn::Sign, {x});
  case Fn::Gelu: { // Phi(x) + x phi(x)
    const ExprId erf = a.map(Fn::Erf, {product(x, number(1 / std::numbers::sqrt2))});
    const ExprId phi = product(a.map(Fn::Exp, {product(square(x), number(-0.5))}),
                               number(std::numbers::inv_sqrtpi / std::numbers::sqrt2));
    return a.map(Fn::Add, {a.map(Fn::Add, {number(0.5), product(erf, number(0.5))}), product(x, phi)});
  }
  case Fn::Silu: { // s + x s (1 - s)
    const ExprId s = a.map(Fn::Div, {number(1), a.map(Fn::Add, {number(1), a.map(Fn::Exp, {a.map(Fn::Neg, {x})})})});
    const ExprId rest = product(x, a.map(Fn::Sub, {number(1), s}));
    return product(s, a.map(Fn::Add, {number(1), rest}));
  }
  default: return number(0);
  }
}

/// x ^ n.
std::optional<ExprId> Derivatives::ofPower(const Expr &e, size_t i, ExprId cotangent, const Values &value) {
  const ExprId x = value(0), n = value(1);
  const Expr exponent = a.p.exprs[n];
  if (i == 1) { // where it is defined: exp(n log(x))
    const ExprId isDefined = a.map(Fn::Greater, {x, a.literal(0)});
    return where(isDefined, times(cotangent, a.map(Fn::Mul, {a.map(Fn::Pow, {x, n}), a.map(Fn::Log, {x})})));
  }
  if (exponent.kind != Expr::Kind::Literal) {
    const ExprId less = a.map(Fn::Sub, {n, a.literal(1)});
    return times(times(cotangent, n), a.map(Fn::Pow, {x, less}));
  }
  if (exponent.literal == 0) return std::nullopt;
  const ExprId scaled = times(cotangent, n);
  if (exponent.literal == 1) return scaled;
  const ExprId power = exponent.literal == 2 ? x : a.map(Fn::Pow, {x, a.literal(exponent.literal - 1)});
  return times(scaled, conjugate(power));
}

std::optional<ExprId> Derivatives::pull(const Expr &e, size_t i, ExprId cotangent, const Values &value) {
  switch (e.fn) {
  case Fn::Add:
  case Fn::Cast: return cotangent;
  case Fn::Sub: return i == 0 ? cotangent : minus(cotangent);
  case Fn::Neg: return minus(cotangent);
  case Fn::Mul: return times(cotangent, conjugate(value(1 - i)));
  case Fn::Div:
    if (i == 0) return over(cotangent, value(1));
    return minus(times(cotangent, a.map(Fn::Div, {value(0), a.map(Fn::Mul, {value(1), value(1)})})));
  case Fn::Mod: // x - y * (x // y)
    if (i == 0) return cotangent;
    return minus(times(cotangent, a.map(Fn::IntDiv, {value(0), value(1)})));
  case Fn::Pow: return ofPower(e, i, cotangent, value);
  case Fn::Log: return over(cotangent, value(0));
  case Fn::Sqrt: return over(times(cotangent, a.literal(0.5)), a.map(Fn::Sqrt, {value(0)}));
  case Fn::Conj: return through(cotangent, [&](ExprId x) { return conjugate(x); });
  case Fn::Max:
  case Fn::Min: {
    const ExprId isFirst = a.map(e.fn == Fn::Max ? Fn::Greater : Fn::Less, {value(0), value(1)});
    return where(i == 0 ? isFirst : negation(isFirst), cotangent);
  }
  case Fn::Select: return where(i == 1 ? value(0) : negation(value(0)), cotangent);
  case Fn::IntDiv:
  case Fn::Floor:
  case Fn::Sign:
  case Fn::Rand: return std::nullopt;
  default: return isPredicate(e.fn) ? std::nullopt : std::optional(times(cotangent, slope(e, value)));
  }
}

} // namespace ein
