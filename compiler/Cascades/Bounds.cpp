// Comparisons solved for an index.
#include "compiler/Cascades/Bounds.h"

#include <cmath>
#include <limits>

namespace ein {

namespace {

/// A conjunction in the making.
struct Range {
  std::optional<ExprId> low, high;
};

class Solver {
public:
  Solver(Arena &arena, TermForm &terms, IndexId key) : a(arena), terms(terms), key(key) {}

  /// The range of the keys where `guard` is true; nothing if that is no range.
  std::optional<Range> solve(ExprId guard) {
    const Expr e = a.p.exprs[guard];
    if (e.kind != Expr::Kind::Map) return std::nullopt;
    if (e.fn == Fn::And || e.fn == Fn::Or) {
      if (++depth > 64) return std::nullopt;
      auto x = solve(e.args[0]), y = solve(e.args[1]);
      --depth;
      if (!x || !y) return std::nullopt;
      return e.fn == Fn::And ? std::optional(intersect(*x, *y)) : unite(*x, *y);
    }
    switch (e.fn) {
    case Fn::Less: return below(e.args[0], e.args[1], 0);
    case Fn::LessEqual: return below(e.args[0], e.args[1], 1);
    case Fn::Greater: return below(e.args[1], e.args[0], 0);
    case Fn::GreaterEqual: return below(e.args[1], e.args[0], 1);
    case Fn::Equal: {
      auto atMost = below(e.args[0], e.args[1], 1), atLeast = below(e.args[1], e.args[0], 1);
      if (!atMost || !atLeast) return std::nullopt;
      return intersect(*atMost, *atLeast);
    }
    default: return std::nullopt;
    }
  }

  Range intersect(const Range &x, const Range &y) {
    return {either(Fn::Max, x.low, y.low), either(Fn::Min, x.high, y.high)};
  }

private:
  std::optional<ExprId> either(Fn fn, std::optional<ExprId> x, std::optional<ExprId> y) {
    if (x && y && *x != *y) return a.map(fn, {*x, *y});
    return x ? x : y;
  }

  /// Only of two half-lines in the same direction.
  std::optional<Range> unite(const Range &x, const Range &y) {
    if (x.high && y.high && !x.low && !y.low) return Range{{}, a.map(Fn::Max, {*x.high, *y.high})};
    if (x.low && y.low && !x.high && !y.high) return Range{a.map(Fn::Min, {*x.low, *y.low}), {}};
    return std::nullopt;
  }

  /// left < right + slack, with slack 0 or 1.
  std::optional<Range> below(ExprId left, ExprId right, int slack) {
    Terms rest;
    double sign = 0;
    for (Summand t : terms.of(a.map(Fn::Sub, {left, right}))) {
      if (!isWhole(t)) return std::nullopt;
      const ExprId node = terms.product(t.powers);
      if (!a.depends(node, key)) {
        rest.push_back(t);
        continue;
      }
      if (sign != 0 || a.p.exprs[node].kind != Expr::Kind::IndexValue || std::fabs(t.scale) != 1) return std::nullopt;
      sign = t.scale;
    }
    if (sign == 0) return std::nullopt;
    // sign * key + rest < slack
    const bool isUpper = sign > 0;
    if (isUpper)
      for (Summand &t : rest) t.scale = -t.scale;
    const ExprId bound = plus(rest, isUpper ? slack : 1 - slack);
    return isUpper ? Range{{}, bound} : Range{bound, {}};
  }

  ExprId plus(Terms sum, int constant) {
    for (Summand &t : sum)
      if (t.powers.empty()) {
        t.scale += constant;
        constant = 0;
      }
    std::erase_if(sum, [](const Summand &t) { return t.powers.empty() && t.scale == 0; });
    if (constant) {
      Summand term;
      term.scale = constant;
      sum.push_back(term);
    }
    return terms.expression(sum);
  }

  /// Made of index values and integers below 2^31 only.
  bool isWhole(const Summand &t) {
    if (!t.exponent.empty() || !t.guards.empty() || t.scale != std::trunc(t.scale)) return false;
    if (std::fabs(t.scale) >= 0x1p30) return false;
    for (auto [e, power] : t.powers) {
      if (power < 0) return false;
      for (ExprId part : a.parts(e)) {
        const Expr &x = a.p.exprs[part];
        const bool isArithmetic = x.kind == Expr::Kind::Map && (x.fn == Fn::Max || x.fn == Fn::Min);
        const bool isLargest = x.kind == Expr::Kind::Reduce && x.monoid == Monoid::Max; // an extent
        const bool isCast =
            x.kind == Expr::Kind::Map && x.fn == Fn::Cast && isInteger(x.dtype) && byteSize(x.dtype) == 4;
        const bool isInteger32 = x.kind == Expr::Kind::Access && isInteger(a.p.tensors[x.tensor].dtype) &&
                                 byteSize(a.p.tensors[x.tensor].dtype) <= 4;
        const bool isNumber =
            x.kind == Expr::Kind::Literal && x.literal == std::trunc(x.literal) && std::fabs(x.literal) < 0x1p30;
        if (x.kind != Expr::Kind::IndexValue && !isNumber && !isArithmetic && !isLargest && !isCast && !isInteger32)
          return false;
      }
    }
    return true;
  }

  Arena &a;
  TermForm &terms;
  IndexId key;
  int depth = 0;
};

} // namespace

Bounds boundsOf(Arena &arena, TermForm &terms, const std::set<ExprId> &guards, IndexId key) {
  Bounds result;
  Range all;
  Solver solver(arena, terms, key);
  std::vector<ExprId> stack(guards.begin(), guards.end());
  while (!stack.empty()) {
    const ExprId g = stack.back();
    stack.pop_back();
    const Expr e = arena.p.exprs[g];
    if (e.kind == Expr::Kind::Map && e.fn == Fn::And)
      stack.insert(stack.end(), e.args.begin(), e.args.end());
    else if (auto range = solver.solve(g))
      all = solver.intersect(all, *range);
    else
      result.rest.insert(g);
  }
  // What is no bound at all is dropped.
  const Index &index = arena.p.indices[key];
  const double extent = index.dynamic < 0 ? double(*index.extent) : std::numeric_limits<double>::infinity();
  auto literal = [&](const std::optional<ExprId> &e) {
    return e && arena.p.exprs[*e].kind == Expr::Kind::Literal ? std::optional(arena.p.exprs[*e].literal) : std::nullopt;
  };
  if (literal(all.low).value_or(1) > 0) result.low = all.low;
  if (literal(all.high).value_or(0) < extent) result.high = all.high;
  return result;
}

} // namespace ein
