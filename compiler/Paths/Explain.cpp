// From a flat Program to its explanation.
#include "compiler/Paths/Explain.h"

#include <algorithm>
#include <map>

namespace ein {

namespace {

class Explainer {
public:
  explicit Explainer(const FlatProgram &flat) : flat(flat), p(flat.program) {}

  Explanation run() {
    auto cascade = flat.cascades.begin();
    for (size_t i = 0; i < p.assignments.size();) {
      const bool isCascade = cascade != flat.cascades.end() && i == cascade->first;
      const size_t last = isCascade ? cascade->last : i + 1;
      StepReport step;
      step.kind = isCascade ? "cascade" : "nest";
      for (size_t a = i; a < last; ++a) add(step, a);
      if (isCascade) describe(step, *cascade++);
      const bool isEmpty = std::any_of(p.assignments.begin() + long(i), p.assignments.begin() + long(last),
                                       [&](const Assignment &a) { return points(p.tensors[a.result].axes) == 0; });
      if (!isEmpty) result.steps.push_back(std::move(step));
      i = last;
    }
    for (const Boundary &b : flat.boundaries)
      result.boundaries.push_back({b.result, name(b.obstacle), b.reason, b.hint});
    result.passes.assign(passes.begin(), passes.end());
    result.workspaceBytes = flat.workspaceBytes;
    return std::move(result);
  }

private:
  double points(const std::vector<IndexId> &indices) const {
    double n = 1;
    for (IndexId i : indices) n *= double(*p.indices[i].extent);
    return n;
  }

  void add(StepReport &step, size_t assignment) {
    const auto &[tensor, value] = p.assignments[assignment];
    const TensorType type = p.typeOf(tensor);
    const double bytes = points(p.tensors[tensor].axes) * double(byteSize(type.dtype));
    (isVirtual(flat, assignment) ? step.neverStored : step.stored)
        .push_back({p.tensors[tensor].name, type.str(), bytes < 0x1p63 ? int64_t(bytes) : INT64_MAX});
    const Expr &root = p.exprs[value];
    if (root.kind != Expr::Kind::Reduce) return;
    const Expr &body = p.exprs[root.args[0]];
    const bool multiplies = body.kind == Expr::Kind::Map && body.fn == Fn::Mul;
    step.flops += points(p.tensors[tensor].axes) * points(root.indices) * (multiplies ? 2 : 1);
    for (IndexId i : root.indices)
      if (step.kind == "nest") ++passes[p.indices[i].name];
  }

  void describe(StepReport &step, const Cascade &cascade) {
    step.key = p.indices[cascade.key].name;
    ++passes[step.key];
    auto has = [&](Role role) {
      return std::find(cascade.roles.begin(), cascade.roles.end(), role) != cascade.roles.end();
    };
    step.rule = has(Role::Max) ? "sums of exponentials against a moving reference: rescaled by exp(m - m')"
                               : "sums of what is made on the way";
    auto value = [&](Role role) {
      const auto at = std::find(cascade.roles.begin(), cascade.roles.end(), role) - cascade.roles.begin();
      return print(p, p.assignments[cascade.first + size_t(at)].value);
    };
    auto also = [&](const std::string &condition) { step.guard += (step.guard.empty() ? "" : " and ") + condition; };
    if (has(Role::Low)) also(step.key + " >= " + value(Role::Low));
    if (has(Role::High)) also(step.key + " < " + value(Role::High));
    if (!step.guard.empty()) step.guard += ": bounds of the loop";
    if (has(Role::Guard)) also(value(Role::Guard) + ": tested for each point");
  }

  const FlatProgram &flat;
  const Program &p;
  Explanation result;
  std::map<std::string, int32_t> passes;
};

} // namespace

Explanation explain(const FlatProgram &flat) { return Explainer(flat).run(); }

} // namespace ein
