// Finding of extents that are known.
#include "compiler/IndexNotation/KnownExtents.h"

#include <algorithm>

namespace ein {

namespace {

/// The index whose largest value `e` is.
std::optional<IndexId> largestOf(const Program &p, const Expr &e) {
  if (e.kind != Expr::Kind::Reduce || e.monoid != Monoid::Max || e.guard || e.indices.size() != 1) return std::nullopt;
  const Expr &cast = p.exprs[e.args[0]];
  if (cast.kind != Expr::Kind::Map || cast.fn != Fn::Cast) return std::nullopt;
  const Expr &value = p.exprs[cast.args[0]];
  const bool isOwn = value.kind == Expr::Kind::IndexValue && value.indices == e.indices;
  return isOwn ? std::optional(e.indices[0]) : std::nullopt;
}

std::optional<double> numberOf(Fn fn, double x, double y) {
  switch (fn) {
  case Fn::Add: return x + y;
  case Fn::Sub: return x - y;
  case Fn::Max: return std::max(x, y);
  default: return std::nullopt;
  }
}

} // namespace

void putKnownExtents(Program &p) {
  std::vector<bool> isPut(p.exprs.size()); // children come before their parents
  auto put = [&](ExprId e, double number) {
    const Span span = p.exprs[e].span;
    p.exprs[e] = Expr();
    p.exprs[e].literal = number, p.exprs[e].span = span;
    isPut[e] = true;
  };
  for (ExprId e = 0; e < p.exprs.size(); ++e) {
    const Expr &x = p.exprs[e];
    if (auto index = largestOf(p, x); index && p.indices[*index].dynamic < 0) {
      put(e, double(*p.indices[*index].extent - 1));
      continue;
    }
    if (x.kind != Expr::Kind::Map || x.args.size() != 2) continue;
    const Expr &left = p.exprs[x.args[0]], &right = p.exprs[x.args[1]];
    if (left.kind != Expr::Kind::Literal || right.kind != Expr::Kind::Literal) continue;
    if (!isPut[x.args[0]] && !isPut[x.args[1]]) continue; // the text's own arithmetic stays as it was written
    if (auto number = numberOf(x.fn, left.literal, right.literal)) put(e, *number);
  }
}

} // namespace ein
