// Folding of pointwise steps into contractions.
#include "compiler/Paths/FoldFinishes.h"

#include <algorithm>

namespace ein {
namespace {

class FinishFolder {
public:
  FinishFolder(FlatProgram &flat, const std::set<TensorId> &kept, const std::set<TensorId> &refused)
      : flat(flat), p(flat.program), kept(kept), refused(refused) {
    for (const Assignment &a : p.assignments) reads.push_back(accessesIn(a.value));
  }

  void run() {
    for (size_t finish = 0; finish < p.assignments.size(); ++finish) {
      std::optional<size_t> product = productFor(finish);
      if (!product) continue;
      moveBefore(*product, finish);
      flat.folds.push_back({finish - 1});
    }
  }

private:
  /// The accesses that an expression is made of.
  std::vector<ExprId> accessesIn(ExprId root) const {
    std::set<ExprId> seen{root};
    std::vector<ExprId> stack{root}, found;
    while (!stack.empty()) {
      const ExprId id = stack.back();
      const Expr &e = p.exprs[id];
      stack.pop_back();
      if (e.kind == Expr::Kind::Access) found.push_back(id);
      for (ExprId arg : e.args)
        if (seen.insert(arg).second) stack.push_back(arg);
    }
    return found;
  }

  bool isGrouped(size_t i) const {
    return std::any_of(flat.cascades.begin(), flat.cascades.end(),
                       [&](const Cascade &c) { return c.first <= i && i < c.last; }) ||
           std::any_of(flat.folds.begin(), flat.folds.end(), [&](const Fold &f) { return i - f.product < 2; });
  }
  bool isOutput(TensorId t) const { return std::find(p.outputs.begin(), p.outputs.end(), t) != p.outputs.end(); }
  bool isPrior(TensorId t) const {
    return std::find(p.inputs.end() - std::ptrdiff_t(p.priors), p.inputs.end(), t) != p.inputs.end();
  }
  bool isRead(size_t i, TensorId t) const {
    return std::any_of(reads[i].begin(), reads[i].end(), [&](ExprId e) { return p.exprs[e].tensor == t; });
  }

  bool computesFactor(TensorId t) const {
    return std::any_of(flat.folded.begin(), flat.folded.end(), [&](const auto &f) { return f.reader == t; });
  }

  double pointsOf(const std::vector<IndexId> &indices) const {
    double points = 1;
    for (IndexId i : indices) points *= double(*p.indices[i].extent);
    return points;
  }

  /// The longest contraction that a pointwise step can be folded into.
  std::optional<size_t> productFor(size_t finish) const {
    const Assignment &a = p.assignments[finish];
    if (p.exprs[a.value].kind >= Expr::Kind::Reduce || isGrouped(finish)) return std::nullopt;
    std::optional<size_t> best;
    double most = 0;
    for (size_t i = 0; i < finish; ++i) {
      if (!canFold(i, finish)) continue;
      const double points = pointsOf(p.exprs[p.assignments[i].value].indices);
      if (points > most) best = i, most = points;
    }
    return best;
  }

  bool canFold(size_t product, size_t finish) const {
    const auto [t, value] = p.assignments[product];
    const Expr &root = p.exprs[value];
    if (!isRead(finish, t) || root.kind != Expr::Kind::Reduce || root.guard) return false;
    if (isGrouped(product) || isOutput(t) || kept.count(t) || refused.count(t)) return false;
    if (reads[product].size() != 2 && !computesFactor(t)) return false;
    std::vector<IndexId> loops = p.tensors[t].axes;
    loops.insert(loops.end(), root.indices.begin(), root.indices.end());
    for (IndexId i : loops)
      if (p.indices[i].dynamic >= 0 || *p.indices[i].extent == 0) return false;
    for (size_t other = product + 1; other < p.assignments.size(); ++other)
      if (other != finish && isRead(other, t)) return false;
    return isPointByPoint(t, finish) && mayWait(product, finish);
  }

  /// Whether each point of the result needs the same point of `t` only.
  bool isPointByPoint(TensorId t, size_t finish) const {
    const std::vector<IndexId> &axes = p.tensors[p.assignments[finish].result].axes;
    const std::set<IndexId> loops(axes.begin(), axes.end());
    std::optional<std::vector<AccessSubscript>> found;
    for (ExprId e : reads[finish]) {
      const Expr &access = p.exprs[e];
      if (!access.computed.empty()) return false;
      if (access.tensor != t) continue;
      std::set<IndexId> indices;
      for (const AccessSubscript &s : access.subscripts)
        if (!s || !indices.insert(*s).second) return false;
      if (indices != loops || (found && *found != access.subscripts)) return false;
      found = access.subscripts;
    }
    return true;
  }

  /// Whether nothing between writes over what the contraction reads.
  bool mayWait(size_t product, size_t finish) const {
    if (std::none_of(reads[product].begin(), reads[product].end(),
                     [&](ExprId e) { return isPrior(p.exprs[e].tensor); }))
      return true;
    for (size_t i = product + 1; i < finish; ++i)
      if (isOutput(p.assignments[i].result)) return false;
    return true;
  }

  void moveBefore(size_t product, size_t finish) {
    auto rotate = [&](auto &list) {
      const auto from = list.begin() + std::ptrdiff_t(product);
      std::rotate(from, from + 1, list.begin() + std::ptrdiff_t(finish));
    };
    rotate(p.assignments), rotate(reads);
    for (Cascade &c : flat.cascades)
      if (c.first > product && c.first < finish) --c.first, --c.last;
    for (Fold &f : flat.folds)
      if (f.product > product && f.product < finish) --f.product;
  }

  FlatProgram &flat;
  Program &p;
  const std::set<TensorId> &kept, &refused;
  std::vector<std::vector<ExprId>> reads; ///< by assignment: accesses
};

} // namespace

void foldFinishes(FlatProgram &flat, const std::set<TensorId> &kept, const std::set<TensorId> &refused) {
  FinishFolder(flat, kept, refused).run();
}

} // namespace ein
