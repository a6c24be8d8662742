// Sums of products, from the innermost reduction to the outputs.
#include "compiler/Cascades/NormalForm.h"

#include "compiler/Cascades/Terms.h"

#include <algorithm>

namespace ein {

namespace {

constexpr size_t kMostExpressions = 20000;

class Normaliser {
public:
  explicit Normaliser(const Program &source) : source(source), a(source), terms(a) {}

  Program run();

private:
  ExprId normal(ExprId e) { return terms.expression(terms.of(e)); }
  ExprId ofValue(ExprId value);
  ExprId ofSum(const Expr &sum);

  const Program &source;
  Arena a;
  TermForm terms;
  std::map<ExprId, ExprId> done;
};

/// sum of outside * inside = outside * sum of inside, term by term.
ExprId Normaliser::ofSum(const Expr &sum) {
  Terms result;
  for (const Summand &t : terms.of(sum.args[0])) {
    Summand inside, outside;
    outside.scale = t.scale;
    auto isInside = [&](ExprId x) {
      return std::any_of(sum.indices.begin(), sum.indices.end(), [&](IndexId i) { return a.depends(x, i); });
    };
    for (auto [x, power] : t.powers) (isInside(x) ? inside : outside).powers[x] = power;
    for (auto [x, c] : t.exponent) (isInside(x) ? inside : outside).exponent[x] = c;
    for (ExprId g : t.guards) (isInside(g) ? inside : outside).guards.insert(g);
    if (sum.guard) inside.guards.insert(*sum.guard);
    Expr part = sum;
    part.guard.reset();
    part.args = {terms.expression(inside)};
    std::erase_if(part.indices, [&](IndexId i) {
      if (a.depends(part.args[0], i)) return false;
      outside.scale *= double(*a.p.indices[i].extent);
      return true;
    });
    const ExprId value = part.indices.empty() ? part.args[0] : a.add(std::move(part));
    outside.powers[value] += 1;
    result.push_back(std::move(outside));
  }
  return terms.expression(result);
}

/// Functions that are no sums and products, and reductions, see their arguments in normal form.
ExprId Normaliser::ofValue(ExprId value) {
  auto distributes = [](const Expr &e) {
    return e.kind == Expr::Kind::Map && (e.fn == Fn::Add || e.fn == Fn::Sub || e.fn == Fn::Mul || e.fn == Fn::Div ||
                                         e.fn == Fn::Neg || e.fn == Fn::Exp || e.fn == Fn::Exp2);
  };
  for (ExprId part : a.parts(value, [&](ExprId x) { return done.count(x) > 0; })) {
    if (done.count(part)) continue;
    Expr copy = a.p.exprs[part];
    const bool keeps = distributes(copy);
    for (ExprId &arg : copy.args) arg = keeps ? done.at(arg) : normal(done.at(arg));
    if (copy.guard) copy.guard = done.at(*copy.guard);
    const bool isSum = copy.kind == Expr::Kind::Reduce && copy.monoid == Monoid::Sum;
    done[part] = isSum ? ofSum(copy) : a.add(std::move(copy));
  }
  return normal(done.at(value));
}

Program Normaliser::run() {
  auto values = expand(a, source, kMostExpressions);
  if (!values) return source;
  std::set<TensorId> needed(source.outputs.begin(), source.outputs.end());
  needed.insert(source.stores.begin(), source.stores.end());
  for (const Requirement &r : source.requirements) needed.insert(r.tensors.begin(), r.tensors.end());
  std::vector<Assignment> assignments;
  for (size_t i = source.assignments.size(); i-- > 0;) {
    const TensorId result = source.assignments[i].result;
    if (!needed.count(result)) continue;
    const ExprId value = ofValue((*values)[i]);
    assignments.push_back({result, value});
    for (ExprId part : a.parts(value))
      if (a.p.exprs[part].kind == Expr::Kind::Access) needed.insert(a.p.exprs[part].tensor);
  }
  Program normal = a.p;
  normal.assignments.assign(assignments.rbegin(), assignments.rend());
  return normal;
}

} // namespace

Program normalForm(const Program &source) {
  auto isComplexTensor = [](const Tensor &t) { return isComplex(t.dtype); };
  if (std::any_of(source.tensors.begin(), source.tensors.end(), isComplexTensor)) return source;
  return Normaliser(source).run();
}

} // namespace ein
