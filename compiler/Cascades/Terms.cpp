// Sums of products.
#include "compiler/Cascades/Terms.h"

#include <cmath>
#include <limits>

namespace ein {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool isLiteral(const Expr &e, double value) { return e.kind == Expr::Kind::Literal && e.literal == value; }

template <class Key, class Number> void addTo(std::map<Key, Number> &sum, Key key, Number n) {
  if ((sum[key] += n) == Number(0)) sum.erase(key);
}

Summand times(const Summand &x, const Summand &y) {
  Summand result = x;
  result.scale *= y.scale;
  for (auto [e, power] : y.powers) addTo(result.powers, e, power);
  for (auto [e, c] : y.exponent) addTo(result.exponent, e, c);
  result.guards.insert(y.guards.begin(), y.guards.end());
  return result;
}

/// The same product but for the scale.
bool isLike(const Summand &x, const Summand &y) {
  return x.powers == y.powers && x.exponent == y.exponent && x.guards == y.guards;
}

void collect(Terms &sum, const Summand &term) {
  for (Summand &t : sum)
    if (isLike(t, term)) {
      t.scale += term.scale;
      return;
    }
  sum.push_back(term);
}

Terms multiply(const Terms &x, const Terms &y) {
  Terms result;
  for (const Summand &a : x)
    for (const Summand &b : y) collect(result, times(a, b));
  return result;
}

} // namespace

Terms TermForm::factor(ExprId e) {
  Summand term;
  term.powers[e] = 1;
  return {term};
}

Terms TermForm::of(ExprId root) {
  // Children first, so that nothing recurses on the depth of the text.
  for (ExprId e : a.parts(root, [&](ExprId e) { return known.count(e) > 0 || a.p.exprs[e].kind != Expr::Kind::Map; }))
    if (!known.count(e)) {
      Terms terms = compute(e);
      if (terms.size() > kMostTerms) terms = factor(e);
      known[e] = std::move(terms);
    }
  return known[root];
}

Terms TermForm::compute(ExprId id) {
  const Expr &e = a.p.exprs[id];
  if (e.kind == Expr::Kind::Map) return ofMap(id);
  if (e.kind == Expr::Kind::Literal && std::isfinite(e.literal)) {
    Summand term;
    term.scale = e.literal;
    return {term};
  }
  return factor(id);
}

Terms TermForm::ofMap(ExprId id) {
  const Expr e = a.p.exprs[id]; // the arena may grow
  auto scaled = [&](Terms terms, double by) {
    for (Summand &t : terms) t.scale *= by;
    return terms;
  };
  auto arg = [&](size_t i) -> const Terms & { return known.at(e.args[i]); };
  switch (e.fn) {
  case Fn::Neg: return scaled(arg(0), -1);
  case Fn::Add:
  case Fn::Sub: {
    Terms sum = arg(0);
    for (const Summand &t : scaled(arg(1), e.fn == Fn::Sub ? -1 : 1)) collect(sum, t);
    std::erase_if(sum, [](const Summand &t) { return t.scale == 0; });
    if (sum.empty()) return compute(a.literal(0));
    return sum;
  }
  case Fn::Mul: return multiply(arg(0), arg(1));
  case Fn::Div:
    if (auto below = inverse(arg(1))) return multiply(arg(0), *below);
    break;
  case Fn::Exp: return {exponential(e.args[0], 1)};
  case Fn::Exp2: return {exponential(e.args[0], std::log(2.0))};
  case Fn::Pow: {
    const Expr &power = a.p.exprs[e.args[1]];
    if (power.kind != Expr::Kind::Literal || power.literal != std::trunc(power.literal)) break;
    if (std::fabs(power.literal) < 1 || std::fabs(power.literal) > 4) break;
    Terms result = arg(0);
    for (int n = 1; n < int(std::fabs(power.literal)) && result.size() <= kMostTerms; ++n)
      result = multiply(result, arg(0));
    if (power.literal > 0) return result;
    if (auto below = inverse(result)) return *below;
    break;
  }
  case Fn::Log: {
    // log(exp(x) y) = x + log(y)
    const Terms &inside = arg(0);
    if (inside.size() != 1 || inside[0].exponent.empty() || inside[0].scale <= 0) break;
    Summand rest = inside[0];
    rest.exponent.clear();
    const ExprId shift = linear(inside[0].exponent);
    Terms sum = of(shift);
    if (rest.scale != 1 || !rest.powers.empty() || !rest.guards.empty())
      collect(sum, factor(a.map(Fn::Log, {expression(rest)}))[0]);
    return sum;
  }
  case Fn::Select:
    if (isLiteral(a.p.exprs[e.args[2]], 0)) {
      Terms terms = arg(1);
      for (Summand &t : terms) t.guards.insert(e.args[0]);
      return terms;
    }
    if (isLiteral(a.p.exprs[e.args[1]], 0)) {
      Terms terms = arg(2);
      const ExprId otherwise = a.map(Fn::Not, {e.args[0]});
      for (Summand &t : terms) t.guards.insert(otherwise);
      return terms;
    }
    break;
  default: break;
  }
  return factor(id);
}

/// 1 / terms: of one term its inverse; of more, what their exponentials share is taken out.
std::optional<Terms> TermForm::inverse(const Terms &terms) {
  Summand common = terms[0];
  if (terms.size() > 1) {
    const auto exponent = terms[0].exponent;
    Terms rest = terms;
    for (Summand &t : rest)
      for (auto [e, c] : exponent) addTo(t.exponent, e, -c);
    common = Summand();
    common.exponent = exponent;
    common.powers[expression(rest)] = 1;
  }
  if (common.scale == 0 || !common.guards.empty()) return std::nullopt;
  Summand result;
  result.scale = 1 / common.scale;
  for (auto [e, power] : common.powers) result.powers[e] = -power;
  for (auto [e, c] : common.exponent) result.exponent[e] = -c;
  return Terms{result};
}

/// Whether logarithm and exponential cancel: it is positive, or 0 where both give 0.
bool TermForm::isSumOfExponentials(ExprId id) {
  const Expr &e = a.p.exprs[id];
  if (positive.count(id)) return true;
  if (e.kind != Expr::Kind::Reduce || e.monoid != Monoid::Sum) return false;
  const Expr &body = a.p.exprs[e.args[0]];
  return body.kind == Expr::Kind::Map && body.fn == Fn::Exp;
}

/// The sum of exponentials that `e` is the logarithm of. `if log(x) > -inf then log(x) else 0` is as good: where it
/// differs nothing counts.
std::optional<ExprId> TermForm::logarithmOf(const Expr &e) {
  if (e.kind != Expr::Kind::Map) return std::nullopt;
  if (e.fn == Fn::Log) return isSumOfExponentials(e.args[0]) ? std::optional(e.args[0]) : std::nullopt;
  if (e.fn != Fn::Select || !isLiteral(a.p.exprs[e.args[2]], 0)) return std::nullopt;
  const Expr &test = a.p.exprs[e.args[0]], &value = a.p.exprs[e.args[1]];
  const bool isFinite = test.kind == Expr::Kind::Map && test.fn == Fn::Greater && test.args[0] == e.args[1] &&
                        isLiteral(a.p.exprs[test.args[1]], -kInfinity);
  const bool isLog = value.kind == Expr::Kind::Map && value.fn == Fn::Log;
  return isFinite && isLog && isSumOfExponentials(value.args[0]) ? std::optional(value.args[0]) : std::nullopt;
}

/// exp(scale * argument)
Summand TermForm::exponential(ExprId argument, double scale) {
  Summand result;
  std::vector<std::pair<ExprId, double>> stack{{argument, scale}};
  while (!stack.empty()) {
    auto [e, by] = stack.back();
    stack.pop_back();
    for (const Summand &t : of(e)) {
      Summand one = t;
      one.scale = 1;
      const double c = t.scale * by;
      if (one.powers.empty() && one.exponent.empty() && one.guards.empty()) { // a constant
        addTo(result.exponent, a.literal(1), c);
        continue;
      }
      const ExprId node = expression(one);
      const Expr x = a.p.exprs[node];
      const bool isMap = x.kind == Expr::Kind::Map;
      if (isMap && x.fn == Fn::Select && c > 0 && isLiteral(a.p.exprs[x.args[2]], -kInfinity)) {
        result.guards.insert(x.args[0]);
        stack.push_back({x.args[1], c});
      } else if (isMap && x.fn == Fn::Select && c > 0 && isLiteral(a.p.exprs[x.args[1]], -kInfinity)) {
        result.guards.insert(a.map(Fn::Not, {x.args[0]}));
        stack.push_back({x.args[2], c});
      } else if (auto sum = logarithmOf(x); sum && (c == 1 || c == -1)) {
        addTo(result.powers, *sum, int(c));
      } else {
        addTo(result.exponent, node, c);
      }
    }
  }
  return result;
}

ExprId TermForm::product(const std::map<ExprId, int> &powers) {
  std::optional<ExprId> above, below;
  auto multiply = [&](std::optional<ExprId> &to, ExprId e, int power) {
    for (; power > 0; --power) to = to ? a.map(Fn::Mul, {*to, e}) : e;
  };
  for (auto [e, power] : powers) {
    multiply(above, e, power);
    multiply(below, e, -power);
  }
  if (!below) return above ? *above : a.literal(1);
  return a.map(Fn::Div, {above ? *above : a.literal(1), *below});
}

ExprId TermForm::linear(const std::map<ExprId, double> &sum) {
  std::optional<ExprId> result;
  for (auto [e, c] : sum) {
    const bool isConstant = a.p.exprs[e].kind == Expr::Kind::Literal;
    const double size = result ? std::fabs(c) : c;
    ExprId term = isConstant ? a.literal(size) : size == 1 ? e : a.map(Fn::Mul, {e, a.literal(size)});
    result = result ? a.map(c < 0 ? Fn::Sub : Fn::Add, {*result, term}) : term;
  }
  return result ? *result : a.literal(0);
}

ExprId TermForm::allOf(const std::set<ExprId> &guards) {
  std::optional<ExprId> all;
  for (ExprId g : guards) all = all ? a.map(Fn::And, {*all, g}) : g;
  return *all;
}

ExprId TermForm::expression(const Summand &term) {
  ExprId value = product(term.powers);
  const bool isOne = term.powers.empty();
  if (!term.exponent.empty()) {
    const ExprId exponential = a.map(Fn::Exp, {linear(term.exponent)});
    value = isOne ? exponential : a.map(Fn::Mul, {value, exponential});
  }
  if (isOne && term.exponent.empty())
    value = a.literal(term.scale);
  else if (term.scale != 1)
    value = a.map(Fn::Mul, {value, a.literal(term.scale)});
  if (!term.guards.empty()) value = a.map(Fn::Select, {allOf(term.guards), value, a.literal(0)});
  return value;
}

ExprId TermForm::expression(const Terms &terms) {
  std::optional<ExprId> sum;
  for (const Summand &t : terms) {
    if (!sum || t.scale >= 0 || !t.guards.empty()) {
      const ExprId value = expression(t);
      sum = sum ? a.map(Fn::Add, {*sum, value}) : value;
      continue;
    }
    Summand opposite = t;
    opposite.scale = -t.scale;
    sum = a.map(Fn::Sub, {*sum, expression(opposite)});
  }
  return sum ? *sum : a.literal(0);
}

} // namespace ein
