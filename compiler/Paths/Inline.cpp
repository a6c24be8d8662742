// Inlining of pointwise steps.
#include "compiler/Paths/Inline.h"

#include <algorithm>
#include <map>

namespace ein {
namespace {

/// What a step may become: as many streams as a core's prefetchers follow, and code that compiles at once.
constexpr size_t kMostTensors = 8, kMostNodes = 96, kMostAssignments = 512;

class Inliner {
public:
  Inliner(FlatProgram &flat, const std::set<TensorId> &kept) : flat(flat), p(flat.program), kept(kept) {
    extendTypes();
    for (const Assignment &a : p.assignments) reads.push_back(accessesIn(a.value));
  }

  void run() {
    std::vector<bool> gone(p.assignments.size());
    for (size_t i = 0; i < p.assignments.size(); ++i)
      if (auto reader = onlyReader(i); reader && mayJoin(i, *reader) && put(i, *reader)) gone[i] = true;
    erase(gone);
  }

private:
  using Accesses = std::map<TensorId, std::vector<ExprId>>;

  void extendTypes() {
    while (types.size() < p.exprs.size()) types.push_back(p.dtypeOf(p.exprs[types.size()], types));
  }

  /// What `root` is made of, children before parents.
  std::vector<ExprId> reachable(ExprId root) const {
    std::set<ExprId> seen{root};
    std::vector<ExprId> stack{root};
    while (!stack.empty()) {
      const Expr &e = p.exprs[stack.back()];
      stack.pop_back();
      for (ExprId arg : e.args)
        if (seen.insert(arg).second) stack.push_back(arg);
    }
    return {seen.begin(), seen.end()};
  }

  Accesses accessesIn(ExprId root) const {
    Accesses found;
    for (ExprId e : reachable(root))
      if (p.exprs[e].kind == Expr::Kind::Access) found[p.exprs[e].tensor].push_back(e);
    return found;
  }

  bool isInCascade(size_t i) const {
    return std::any_of(flat.cascades.begin(), flat.cascades.end(),
                       [&](const Cascade &c) { return c.first <= i && i < c.last; });
  }
  bool isOutput(TensorId t) const { return std::find(p.outputs.begin(), p.outputs.end(), t) != p.outputs.end(); }
  bool isPointwise(size_t i) const { return p.exprs[p.assignments[i].value].kind < Expr::Kind::Reduce; }

  /// The step that reads what pointwise step `i` makes, if it is one and may take it.
  std::optional<size_t> onlyReader(size_t i) const {
    const TensorId t = p.assignments[i].result;
    if (!isPointwise(i) || isOutput(t) || kept.count(t) || isInCascade(i) || isFinish(i)) return std::nullopt;
    std::optional<size_t> reader;
    for (size_t r = i + 1; r < p.assignments.size(); ++r) {
      if (!reads[r].count(t)) continue;
      if (reader || isInCascade(r)) return std::nullopt;
      reader = r;
    }
    return reader;
  }

  /// The type that a step computes in.
  DType computedIn(size_t i) const {
    const Expr &root = p.exprs[p.assignments[i].value];
    const DType stored = p.tensors[p.assignments[i].result].dtype;
    if (root.kind == Expr::Kind::Reduce) return stored;
    const std::optional<DType> own = types[p.assignments[i].value];
    return accumulateType(own ? promote(*own, stored) : stored);
  }

  bool hasSameType(size_t i, size_t reader) const {
    const Expr &root = p.exprs[p.assignments[i].value];
    const DType dtype = p.tensors[p.assignments[i].result].dtype;
    if (!types[p.assignments[i].value]) return false;
    if (dtype == DType::Bool) return root.kind == Expr::Kind::Map && isPredicate(root.fn);
    return dtype == computedIn(i) && dtype == computedIn(reader);
  }

  /// Whether an access walks the tensor as it was made: each axis along an index of its own, `loops` in all.
  bool isPlain(const Expr &access, const std::set<IndexId> &loops) const {
    std::set<IndexId> indices;
    for (const AccessSubscript &s : access.subscripts)
      if (!s || !indices.insert(*s).second) return false;
    return indices == loops;
  }

  bool mayJoin(size_t i, size_t reader) const {
    const Expr &root = p.exprs[p.assignments[reader].value];
    if (root.kind > Expr::Kind::Reduce || root.guard || !hasSameType(i, reader)) return false;
    const TensorId t = p.assignments[i].result;
    const std::vector<IndexId> &axes = p.tensors[t].axes, &result = p.tensors[p.assignments[reader].result].axes;
    std::set<IndexId> loops(result.begin(), result.end());
    if (root.kind == Expr::Kind::Reduce) loops.insert(root.indices.begin(), root.indices.end());
    for (ExprId e : reads[reader].at(t)) {
      const Expr &access = p.exprs[e];
      if (!isPlain(access, loops)) return false;
      if (root.kind < Expr::Kind::Reduce && !axes.empty() && access.subscripts.back() != result.back()) return false;
    }
    return walksAlong(i) && keepsMemory(i, reader) && (!readsPrior(i) || isFinish(reader));
  }

  /// Whether a step reads what a result held before. A nest may compute points twice, and must not read what it wrote;
  /// a fold computes each once.
  bool readsPrior(size_t i) const {
    return std::any_of(p.inputs.end() - std::ptrdiff_t(p.priors), p.inputs.end(),
                       [&](TensorId prior) { return reads[i].count(prior) > 0; });
  }
  bool isFinish(size_t i) const {
    return std::any_of(flat.folds.begin(), flat.folds.end(), [&](const Fold &f) { return f.product + 1 == i; });
  }

  /// Whether a step reads along the last axis of what it makes, wherever it moves with that at all.
  bool walksAlong(size_t i) const {
    const std::vector<IndexId> &axes = p.tensors[p.assignments[i].result].axes;
    for (const auto &[tensor, accesses] : reads[i])
      for (ExprId e : accesses) {
        const Expr &access = p.exprs[e];
        if (!access.computed.empty()) return false;
        if (axes.empty() || access.subscripts.empty() || access.subscripts.back() == axes.back()) continue;
        if (std::count(access.subscripts.begin(), access.subscripts.end(), AccessSubscript(axes.back()))) return false;
      }
    return true;
  }

  /// What the step reads lives on until the reader runs: not where that is more than it makes, nor where a result is
  /// written over what it held before.
  bool keepsMemory(size_t i, size_t reader) const {
    const size_t axes = p.tensors[p.assignments[i].result].axes.size();
    size_t large = 0;
    for (const auto &[tensor, accesses] : reads[i])
      large += std::count(p.inputs.begin(), p.inputs.end(), tensor) == 0 && p.tensors[tensor].axes.size() >= axes;
    bool isOverwritten = false;
    for (size_t between = i + 1; between < reader; ++between)
      isOverwritten |= readsPrior(i) && isOutput(p.assignments[between].result);
    return (large <= 1 || reader == i + 1) && !isOverwritten;
  }

  /// `value` with other indices.
  ExprId renamed(ExprId value, const std::map<IndexId, IndexId> &names) {
    if (std::all_of(names.begin(), names.end(), [](const auto &n) { return n.first == n.second; })) return value;
    std::map<ExprId, ExprId> now;
    for (ExprId e : reachable(value)) {
      Expr x = p.exprs[e];
      for (ExprId &arg : x.args) arg = now.at(arg);
      for (IndexId &i : x.indices) i = names.at(i);
      for (AccessSubscript &s : x.subscripts)
        if (s) s = names.at(*s);
      now[e] = p.add(std::move(x));
    }
    return now.at(value);
  }

  /// Puts the value of step `i` into the one that reads it, unless that became too long.
  bool put(size_t i, size_t reader) {
    const auto [t, value] = p.assignments[i];
    const size_t before = p.exprs.size();
    std::map<ExprId, ExprId> now;
    std::map<std::vector<AccessSubscript>, ExprId> values; ///< of accesses to `t`
    for (ExprId e : reachable(p.assignments[reader].value)) {
      Expr x = p.exprs[e];
      if (x.kind == Expr::Kind::Access && x.tensor == t) {
        std::map<IndexId, IndexId> names;
        for (size_t d = 0; d < x.subscripts.size(); ++d) names[p.tensors[t].axes[d]] = *x.subscripts[d];
        auto [at, isNew] = values.try_emplace(x.subscripts, 0);
        if (isNew) at->second = renamed(value, names);
        now[e] = at->second;
        continue;
      }
      for (ExprId &arg : x.args) arg = now.at(arg);
      now[e] = x.args == p.exprs[e].args ? e : p.add(std::move(x));
    }
    const ExprId whole = now.at(p.assignments[reader].value);
    Accesses accesses = accessesIn(whole);
    if (accesses.size() > kMostTensors || reachable(whole).size() > kMostNodes) {
      p.exprs.resize(before);
      return false;
    }
    extendTypes();
    p.assignments[reader].value = whole;
    reads[reader] = std::move(accesses);
    reads[i].clear();
    flat.inlined.push_back({t, p.assignments[reader].result});
    return true;
  }

  void erase(const std::vector<bool> &gone) {
    auto kept = [&](size_t i) { return i - size_t(std::count(gone.begin(), gone.begin() + std::ptrdiff_t(i), true)); };
    for (Cascade &c : flat.cascades) c.first = kept(c.first), c.last = kept(c.last);
    for (Fold &f : flat.folds) f.product = kept(f.product);
    size_t i = 0;
    std::erase_if(p.assignments, [&](const Assignment &) { return gone[i++]; });
  }

  FlatProgram &flat;
  Program &p;
  const std::set<TensorId> &kept;
  std::vector<std::optional<DType>> types; ///< by expression
  std::vector<Accesses> reads;             ///< by assignment
};

} // namespace

void inlinePointwise(FlatProgram &flat, const std::set<TensorId> &kept) {
  if (flat.program.assignments.size() <= kMostAssignments) Inliner(flat, kept).run();
}

} // namespace ein
