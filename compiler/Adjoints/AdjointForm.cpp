// Softmax as exponentials against a log-sum-exp, and reductions one index at a time.
#include "compiler/Adjoints/AdjointForm.h"

#include <algorithm>
#include <limits>

namespace ein {

AdjointForm::AdjointForm(Arena &arena, const Program &source) : a(arena) {
  std::vector<ExprId> now;
  for (Expr e : source.exprs) {
    for (ExprId &arg : e.args) arg = now[arg];
    if (e.guard) e.guard = now[*e.guard];
    now.push_back(a.add(std::move(e)));
  }
  for (const Assignment &s : source.assignments) {
    const ExprId value = rewrite(now[s.value], s.result);
    assignments.push_back({s.result, value});
  }
}

TensorId AdjointForm::assign(const std::string &like, ExprId value) {
  const TensorId t = a.newTensor(like, accumulateType(a.typeOf(value).value_or(DType::F32)), a.free(value));
  assignments.push_back({t, value});
  return t;
}

ExprId AdjointForm::named(const std::string &like, ExprId value) {
  const Expr &e = a.p.exprs[value];
  if (e.kind == Expr::Kind::Access && e.computed.empty()) return value;
  return a.access(assign(like, value));
}

const NamedSoftmax *AdjointForm::softmaxLike(const Expr &e) const {
  for (const auto &[tensor, s] : softmaxes)
    if (s.score == e.args[0] && s.indices == e.indices && s.guard == e.guard && !s.sink) return &s;
  return nullptr;
}

ExprId AdjointForm::finite(ExprId logSumExp) {
  const ExprId lowest = a.literal(-std::numeric_limits<double>::infinity());
  return a.map(Fn::Select, {a.map(Fn::Greater, {logSumExp, lowest}), logSumExp, a.literal(0)});
}

/// `value` without softmaxes, and with one index in each maximum, minimum and product.
ExprId AdjointForm::rewrite(ExprId value, TensorId result) {
  std::map<ExprId, ExprId> done;
  for (ExprId part : a.parts(value)) {
    Expr e = a.p.exprs[part];
    for (ExprId &arg : e.args) arg = done.at(arg);
    if (e.guard) e.guard = done.at(*e.guard);
    const bool isOneByOne = e.monoid == Monoid::Max || e.monoid == Monoid::Min || e.monoid == Monoid::Prod;
    if (e.kind == Expr::Kind::Softmax)
      done[part] = softmax(e, part == value ? a.p.tensors[result].name : "P",
                           part == value ? std::optional(result) : std::nullopt);
    else if (e.kind == Expr::Kind::Reduce && isOneByOne && e.indices.size() > 1)
      done[part] = split(e);
    else
      done[part] = a.add(std::move(e));
  }
  return done.at(value);
}

/// A reduction over several indices, the last first; each step is named.
ExprId AdjointForm::split(const Expr &reduction) {
  Expr e = reduction;
  while (true) {
    const IndexId last = e.indices.back();
    Expr inner = e;
    inner.indices = {last};
    if (e.indices.size() == 1) return a.add(std::move(inner));
    e.args = {named("t", a.add(std::move(inner)))};
    e.guard.reset();
    e.indices.pop_back();
  }
}

ExprId AdjointForm::softmax(const Expr &e, const std::string &name, std::optional<TensorId> root) {
  NamedSoftmax s{e.args[0], e.indices, e.guard, {}};
  if (e.args.size() > 1) s.sink = e.args[1];
  const std::vector<ExprId> parts = a.parts(s.score);
  if (std::ranges::any_of(parts, [&](ExprId x) {
        return a.p.exprs[x].kind == Expr::Kind::Reduce || a.p.exprs[x].kind == Expr::Kind::Top;
      }))
    s.score = named(name + "_in", s.score);
  Expr lse;
  lse.kind = Expr::Kind::Reduce;
  lse.monoid = Monoid::LogSumExp;
  lse.indices = s.indices;
  lse.args = {s.score};
  lse.guard = s.guard;
  ExprId sum = named(name + "_lse", a.add(std::move(lse)));
  if (s.sink) { // log(exp(sum) + exp(sink))
    const ExprId sink = named(name + "_sink", *s.sink);
    const ExprId highest = named(name + "_max", finite(a.map(Fn::Max, {sum, sink})));
    auto term = [&](ExprId x) { return a.map(Fn::Exp, {a.map(Fn::Sub, {x, highest})}); };
    sum = named(name + "_all", a.map(Fn::Add, {highest, a.map(Fn::Log, {a.map(Fn::Add, {term(sum), term(sink)})})}));
    s.sink = sink;
  }
  s.reference = assign(name + "_ref", finite(sum));
  ExprId weight = a.map(Fn::Exp, {a.map(Fn::Sub, {s.score, a.access(s.reference)})});
  if (s.guard) weight = a.map(Fn::Select, {*s.guard, weight, a.literal(0)});
  s.weights = root ? *root : assign(name, weight);
  softmaxes[s.weights] = s;
  return root ? weight : a.access(s.weights);
}

} // namespace ein
