// From a flat Program to its explanation.
#include "compiler/Paths/Explain.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

namespace ein {

namespace {

constexpr const char *kPacked = "pointwise, and read by contractions only: computed where they pack their panels";
constexpr const char *kFinished = "pointwise after a contraction: computed on its tiles";

class Explainer {
public:
  explicit Explainer(const FlatProgram &flat) : flat(flat), p(flat.program) {}

  Explanation run() {
    auto cascade = flat.cascades.begin();
    for (size_t i = 0; i < p.assignments.size();) {
      const bool isCascade = cascade != flat.cascades.end() && i == cascade->first;
      const size_t last = endOfStep(flat, i);
      StepReport step;
      step.kind = isCascade ? "cascade" : "nest";
      reads.clear();
      for (size_t a = i; a < last; ++a) add(step, a);
      if (!isCascade && last > i + 1) step.rule = kFinished;
      if (isCascade) describe(step, *cascade++);
      for (const auto &f : flat.folded)
        if (f.reader == p.assignments[i].result) describePacked(step, f.tensor);
      for (size_t a = i; a < last; ++a) reads.erase(p.assignments[a].result);
      for (TensorId t : reads) step.bytes += bytesOf(t);
      for (const TensorReport &t : step.stored) step.bytes += t.bytes;
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
    (isVirtual(flat, assignment) ? step.neverStored : step.stored)
        .push_back({p.tensors[tensor].name, type.str(), bytesOf(tensor)});
    const Expr &root = p.exprs[value];
    if (root.kind == Expr::Kind::Reduce && step.kind == "nest")
      for (IndexId i : root.indices) ++passes[p.indices[i].name];
    const bool folds =
        std::any_of(flat.folded.begin(), flat.folded.end(), [&](const auto &f) { return f.reader == tensor; });
    countWork(step, value, points(p.tensors[tensor].axes), folds);
    for (size_t i = flat.inlined.size(); i-- > 0;)
      if (flat.inlined[i].reader == tensor) addInlined(step, flat.inlined[i].tensor, i);
  }

  /// What became part of a value, and what had become part of that before.
  void addInlined(StepReport &step, TensorId tensor, size_t before) {
    step.neverStored.push_back({p.tensors[tensor].name, p.typeOf(tensor).str(), bytesOf(tensor)});
    for (size_t i = before; i-- > 0;)
      if (flat.inlined[i].reader == tensor) addInlined(step, flat.inlined[i].tensor, i);
  }

  /// What is folded into a contraction is computed once for each block of its other side, mostly one.
  void describePacked(StepReport &step, TensorId folded) {
    addInlined(step, folded, flat.inlined.size());
    if (step.rule.find(kPacked) == std::string::npos)
      step.rule += (step.rule.empty() ? "" : "; ") + std::string(kPacked);
  }

  /// Work at each of `points`: inside of reductions at as many more, of factors that are folded at their own.
  void countWork(StepReport &step, ExprId value, double points, bool folds) {
    std::map<ExprId, double, std::greater<>> open{{value, points}};
    while (!open.empty()) {
      const auto [id, times] = *open.begin();
      open.erase(open.begin());
      const Expr &e = p.exprs[id];
      double inside = times;
      if (e.kind == Expr::Kind::Reduce || e.kind == Expr::Kind::Top) inside *= this->points(e.indices);
      if (e.kind == Expr::Kind::Softmax) step.functions += times;
      if (e.kind == Expr::Kind::Reduce || e.kind == Expr::Kind::Top) step.flops += inside;
      if (e.kind == Expr::Kind::Map) (isFunction(e.fn) ? step.functions : step.flops) += times;
      auto meet = [&](ExprId child) {
        const double own = folds ? std::min(inside, this->points(p.freeIndices(child))) : inside;
        auto [at, isNew] = open.try_emplace(child, own);
        if (!isNew) at->second = std::max(at->second, own);
      };
      for (ExprId arg : e.args) meet(arg);
      if (e.guard) meet(*e.guard);
      if (e.kind == Expr::Kind::Access) reads.insert(e.tensor);
    }
  }

  int64_t bytesOf(TensorId t) const {
    const double bytes = points(p.tensors[t].axes) * double(byteSize(p.tensors[t].dtype));
    return bytes < 0x1p62 ? int64_t(bytes) : int64_t(1) << 62;
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
    step.share = shareOf(cascade);
    step.flops *= step.share;
    step.functions *= step.share;
  }

  /// The share of the points that lie within the bounds, from some rows; 1 where bounds are data.
  double shareOf(const Cascade &cascade) const {
    constexpr int kRows = 64;
    const double keys = double(*p.indices[cascade.key].extent);
    double share = 0;
    for (int row = 0; row < kRows; ++row) {
      double low = 0, high = keys;
      for (size_t i = 0; i < cascade.roles.size(); ++i) {
        if (cascade.roles[i] != Role::Low && cascade.roles[i] != Role::High) continue;
        const auto bound = valueAt(p.assignments[cascade.first + i].value, (row + 0.5) / kRows);
        if (!bound) return 1;
        if (cascade.roles[i] == Role::Low) low = std::max(low, *bound);
        if (cascade.roles[i] == Role::High) high = std::min(high, *bound);
      }
      share += std::max(0.0, high - low) / std::max(keys, 1.0) / kRows;
    }
    return share;
  }

  /// An expression of index values at a fraction of their ranges; nothing of one of data.
  std::optional<double> valueAt(ExprId root, double fraction) const {
    std::vector<std::optional<double>> values(root + 1);
    for (ExprId id = 0; id <= root; ++id) {
      const Expr &e = p.exprs[id];
      if (e.kind == Expr::Kind::Literal) values[id] = e.literal;
      if (e.kind == Expr::Kind::IndexValue) values[id] = std::floor(fraction * double(*p.indices[e.indices[0]].extent));
      if (e.kind != Expr::Kind::Map || e.args.size() > 2) continue;
      const std::optional<double> x = values[e.args[0]], y = values[e.args.back()];
      if (!x || !y) continue;
      switch (e.fn) {
      case Fn::Add: values[id] = *x + *y; break;
      case Fn::Sub: values[id] = *x - *y; break;
      case Fn::Mul: values[id] = *x * *y; break;
      case Fn::Neg: values[id] = -*x; break;
      case Fn::Max: values[id] = std::max(*x, *y); break;
      case Fn::Min: values[id] = std::min(*x, *y); break;
      default: break;
      }
    }
    return values[root];
  }

  const FlatProgram &flat;
  const Program &p;
  Explanation result;
  std::map<std::string, int32_t> passes;
  std::set<TensorId> reads; ///< of the step at hand
};

} // namespace

Explanation explain(const FlatProgram &flat) { return Explainer(flat).run(); }

} // namespace ein
