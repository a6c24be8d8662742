// Advice about masks.
#include "compiler/IndexNotation/Warnings.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace ein {
namespace {

class Adviser {
public:
  explicit Adviser(const Program &p) : p(p) {}

  std::vector<Error> run() {
    for (const Expr &e : p.exprs) {
      const bool exponentiates = e.kind == Expr::Kind::Softmax ||
                                 (e.kind == Expr::Kind::Reduce && e.monoid == Monoid::LogSumExp) ||
                                 (e.kind == Expr::Kind::Map && e.fn == Fn::Exp);
      if (exponentiates) checkTerms(e.args[0]);
      if (e.guard) checkGuard(*e.guard);
    }
    return std::move(warnings);
  }

private:
  /// The terms of what is exponentiated.
  void checkTerms(ExprId root) {
    std::vector<ExprId> stack{root};
    while (!stack.empty()) {
      const Expr &e = p.exprs[stack.back()];
      stack.pop_back();
      if (e.kind != Expr::Kind::Map) continue;
      if (e.fn == Fn::Add || e.fn == Fn::Sub) {
        for (ExprId arg : e.args)
          if (isMask(p.exprs[arg]))
            warn("W01", p.exprs[arg].span, "this masks by adding a large number",
                 "a guard skips what is masked: softmax[k | k <= q](...)");
        stack.insert(stack.end(), e.args.begin(), e.args.end());
      }
    }
  }

  /// A choice with a large number as one of its values, or something scaled by one.
  bool isMask(const Expr &e) const {
    if (e.kind != Expr::Kind::Map || (e.fn != Fn::Select && e.fn != Fn::Mul)) return false;
    return std::any_of(e.args.begin(), e.args.end(), [&](ExprId arg) { return isLarge(p.exprs[arg]); });
  }

  bool isLarge(const Expr &e) const {
    if (e.kind == Expr::Kind::Map && e.fn == Fn::Neg) return isLarge(p.exprs[e.args[0]]);
    return e.kind == Expr::Kind::Literal && std::fabs(e.literal) >= 1e4;
  }

  void checkGuard(ExprId root) {
    std::vector<ExprId> stack{root};
    std::set<ExprId> seen;
    while (!stack.empty()) {
      const Expr &e = p.exprs[stack.back()];
      stack.pop_back();
      if (e.kind == Expr::Kind::Access && isFloat(p.tensors[e.tensor].dtype))
        warn("W02", e.span, "this guard depends on float data", "guards on indices and integers skip tiles");
      for (ExprId arg : e.args)
        if (seen.insert(arg).second) stack.push_back(arg);
    }
  }

  void warn(const char *rule, Span span, std::string message, std::string help) {
    if (span.end == 0 || !places.insert({span.begin, span.end}).second) return;
    Error w = makeError(ErrorCode::Typing, std::move(message), std::move(help));
    w.rule = rule;
    w.text = p.text;
    w.labels.push_back({span, "here"});
    warnings.push_back(std::move(w));
  }

  const Program &p;
  std::set<std::pair<uint32_t, uint32_t>> places;
  std::vector<Error> warnings;
};

} // namespace

std::vector<Error> findWarnings(const Program &p) { return Adviser(p).run(); }

} // namespace ein
