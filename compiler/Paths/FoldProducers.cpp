// Which producers are folded into contractions, and the Program without them.
#include "compiler/Paths/FoldProducers.h"

#include "compiler/IndexNotation/Sharing.h"

#include <algorithm>
#include <map>
#include <set>

namespace ein {

namespace {

using Kind = Expr::Kind;

/// A tensor below stays in a core's cache.
constexpr double kLeastBytes = 1 << 20;
/// Bytes per cycle of tensors that stay in the shared cache, and of larger ones.
constexpr double kSharedCache = 16 << 20, kSharedRate = 10, kMemoryRate = 3;
/// Cycles that a function, and another operation, takes for an element.
constexpr double kFunctionCycles = 1.5, kOperationCycles = 1.0 / 16;
/// Extents that the packed kernel is made for: of what only one factor has, and of what is summed.
constexpr int64_t kLeastSide = 16;

bool contains(const auto &list, auto item) { return std::find(list.begin(), list.end(), item) != list.end(); }

/// An access with subscripts of different indices.
bool isPlain(const Expr &e) {
  const std::set<AccessSubscript> unique(e.subscripts.begin(), e.subscripts.end());
  return e.kind == Kind::Access && e.computed.empty() && unique.size() == e.subscripts.size() &&
         !unique.count(std::nullopt);
}

class ProducerFolder {
public:
  ProducerFolder(FlatProgram &flat, const Program &source, const std::set<TensorId> &refused)
      : flat(flat), p(flat.program), refused(refused) {
    for (const Tensor &t : p.tensors) names.insert(t.name);
    auto add = [](std::set<TensorId> &to, const std::vector<TensorId> &list) { to.insert(list.begin(), list.end()); };
    add(kept, p.outputs), add(kept, source.stores);
    for (const Requirement &r : source.requirements)
      add(r.kind == Requirement::Kind::NoStore ? unwanted : kept, r.tensors);
  }

  void run();

private:
  std::vector<ExprId> partsOf(ExprId root) const;
  bool reads(ExprId root, TensorId t) const;
  bool isFolded(size_t reader) const;
  bool isInCascade(size_t assignment) const;
  bool isProducer(const Assignment &a) const;
  bool takes(size_t reader, const Assignment &producer) const;
  bool pays(const Assignment &producer, size_t readers) const;
  void fold(size_t producer, const std::vector<size_t> &readers);
  std::vector<Assignment> hoist(Assignment &producer);
  ExprId renamed(ExprId root, const std::map<IndexId, IndexId> &names);
  ExprId replaced(ExprId root, std::map<ExprId, ExprId> by);

  FlatProgram &flat;
  Program &p;
  const std::set<TensorId> &refused;
  std::set<TensorId> kept, unwanted;
  std::set<std::string> names;
};

/// What an expression is made of, children before parents.
std::vector<ExprId> ProducerFolder::partsOf(ExprId root) const {
  std::set<ExprId> found{root};
  std::vector<ExprId> stack{root};
  while (!stack.empty()) {
    const Expr &e = p.exprs[stack.back()];
    stack.pop_back();
    for (ExprId arg : e.args)
      if (found.insert(arg).second) stack.push_back(arg);
  }
  return {found.begin(), found.end()};
}

bool ProducerFolder::reads(ExprId root, TensorId t) const {
  const std::vector<ExprId> parts = partsOf(root);
  return std::any_of(parts.begin(), parts.end(),
                     [&](ExprId e) { return p.exprs[e].kind == Kind::Access && p.exprs[e].tensor == t; });
}

bool ProducerFolder::isFolded(size_t reader) const {
  return std::any_of(flat.folded.begin(), flat.folded.end(),
                     [&](const auto &f) { return f.reader == p.assignments[reader].result; });
}

bool ProducerFolder::isInCascade(size_t assignment) const {
  return std::any_of(flat.cascades.begin(), flat.cascades.end(),
                     [&](const Cascade &c) { return c.first <= assignment && assignment < c.last; });
}

/// Whether an assignment is pointwise, of floats, and made of tensors as they lie, one of which has all its indices:
/// panels are packed along that one.
bool ProducerFolder::isProducer(const Assignment &a) const {
  const Tensor &t = p.tensors[a.result];
  if (kept.count(a.result) || !isFloat(t.dtype) || byteSize(t.dtype) < 4 || p.exprs[a.value].kind != Kind::Map)
    return false;
  const auto isFine = [&](ExprId id) {
    const Expr &e = p.exprs[id];
    return e.kind == Kind::Literal || (e.kind == Kind::Access && e.computed.empty()) ||
           (e.kind == Kind::Map && e.fn != Fn::Rand && e.fn != Fn::Cast);
  };
  const auto hasAll = [&](ExprId id) {
    const Expr &e = p.exprs[id];
    return isPlain(e) &&
           std::all_of(t.axes.begin(), t.axes.end(), [&](IndexId i) { return contains(e.subscripts, i); });
  };
  const std::vector<ExprId> parts = partsOf(a.value);
  return std::all_of(parts.begin(), parts.end(), isFine) && std::any_of(parts.begin(), parts.end(), hasAll) &&
         accumulateType(promote(p.dtypes()[a.value].value_or(t.dtype), t.dtype)) == t.dtype;
}

/// Whether an assignment is a sum over products of an element of the producer and one of another tensor, large enough
/// for packed panels; or reads the producer in what is folded into it already.
bool ProducerFolder::takes(size_t reader, const Assignment &producer) const {
  const Assignment &a = p.assignments[reader];
  const Expr &sum = p.exprs[a.value];
  if (isInCascade(reader) || refused.count(a.result) || sum.kind != Kind::Reduce || sum.monoid != Monoid::Sum)
    return false;
  const Expr &product = p.exprs[sum.args[0]];
  if (product.kind != Kind::Map || product.fn != Fn::Mul) return false;
  const bool isFirst = reads(product.args[0], producer.result);
  const ExprId factor = product.args[isFirst ? 0 : 1], other = product.args[isFirst ? 1 : 0];
  if (!isPlain(p.exprs[other]) || reads(other, producer.result)) return false;
  if (p.exprs[factor].kind != Kind::Access && !isFolded(reader)) return false;
  if (p.tensors[a.result].dtype != p.tensors[producer.result].dtype) return false;

  const std::vector<IndexId> own = p.freeIndices(factor), others = p.freeIndices(other);
  for (ExprId part : partsOf(factor))
    if (const Expr &e = p.exprs[part]; e.kind == Kind::Access && e.tensor == producer.result)
      if (!isPlain(e) || e.subscripts.size() != own.size()) return false;
  int64_t rows = 1, cols = 1, depth = 1;
  for (IndexId i : sum.indices) {
    if (!contains(own, i) || !contains(others, i)) return false;
    depth *= *p.indices[i].extent;
  }
  for (IndexId i : p.tensors[a.result].axes) {
    if (!contains(others, i)) rows *= *p.indices[i].extent;
    if (!contains(own, i)) cols *= *p.indices[i].extent;
  }
  return std::min({rows, cols, depth}) >= kLeastSide;
}

/// Whether to compute it for each reader takes less time than to write it once and read it as often.
bool ProducerFolder::pays(const Assignment &producer, size_t readers) const {
  const Tensor &t = p.tensors[producer.result];
  double bytes = double(byteSize(t.dtype)), cycles = 0;
  for (IndexId i : t.axes) bytes *= double(*p.indices[i].extent);
  if (unwanted.count(producer.result)) return true;
  if (bytes < kLeastBytes) return false;
  for (ExprId part : partsOf(producer.value))
    if (p.exprs[part].kind == Kind::Map && p.freeIndices(part).size() == t.axes.size())
      cycles += isFunction(p.exprs[part].fn) ? kFunctionCycles : kOperationCycles;
  const double moved = double(byteSize(t.dtype)) * double(1 + readers);
  return double(readers - 1) * cycles <= moved / (bytes <= kSharedCache ? kSharedRate : kMemoryRate);
}

/// A copy with indices renamed.
ExprId ProducerFolder::renamed(ExprId root, const std::map<IndexId, IndexId> &names) {
  std::map<ExprId, ExprId> now;
  for (ExprId part : partsOf(root)) {
    Expr e = p.exprs[part];
    for (ExprId &arg : e.args) arg = now.at(arg);
    for (AccessSubscript &s : e.subscripts)
      if (s) s = names.at(*s);
    now[part] = p.add(std::move(e));
  }
  return now.at(root);
}

/// A copy with some of its parts replaced.
ExprId ProducerFolder::replaced(ExprId root, std::map<ExprId, ExprId> by) {
  for (ExprId part : partsOf(root)) {
    if (by.count(part)) continue;
    Expr e = p.exprs[part];
    for (ExprId &arg : e.args) arg = by.at(arg);
    by[part] = p.add(std::move(e));
  }
  return by.at(root);
}

/// Makes tensors of what is computed in the producer from fewer indices than it has.
std::vector<Assignment> ProducerFolder::hoist(Assignment &producer) {
  const Tensor of = p.tensors[producer.result];
  std::vector<Assignment> before;
  std::map<ExprId, ExprId> now;
  std::vector<ExprId> stack{producer.value};
  while (!stack.empty()) {
    const ExprId part = stack.back();
    stack.pop_back();
    const std::vector<IndexId> free = p.freeIndices(part);
    if (p.exprs[part].kind != Kind::Map || now.count(part)) continue;
    if (free.size() == of.axes.size() || free.empty()) {
      stack.insert(stack.end(), p.exprs[part].args.begin(), p.exprs[part].args.end());
      continue;
    }
    Tensor t{of.name, of.dtype, {}};
    std::copy_if(of.axes.begin(), of.axes.end(), std::back_inserter(t.axes),
                 [&](IndexId i) { return contains(free, i); });
    for (size_t n = 0; !names.insert(t.name).second; ++n) t.name = of.name + "_" + std::to_string(n);
    p.tensors.push_back(std::move(t));
    before.push_back({TensorId(p.tensors.size() - 1), part});
    now[part] = p.access(before.back().result);
  }
  producer.value = replaced(producer.value, now);
  return before;
}

void ProducerFolder::fold(size_t at, const std::vector<size_t> &readers) {
  Assignment producer = p.assignments[at];
  const std::vector<Assignment> before = hoist(producer);
  for (size_t reader : readers) {
    Assignment &a = p.assignments[reader];
    std::map<ExprId, ExprId> values;
    for (ExprId part : partsOf(a.value)) {
      const Expr e = p.exprs[part];
      if (e.kind != Kind::Access || e.tensor != producer.result) continue;
      std::map<IndexId, IndexId> subscripts;
      for (size_t d = 0; d < e.subscripts.size(); ++d)
        subscripts[p.tensors[producer.result].axes[d]] = *e.subscripts[d];
      values[part] = renamed(producer.value, subscripts);
    }
    a.value = replaced(a.value, values);
    flat.folded.push_back({producer.result, a.result});
  }
  p.assignments.erase(p.assignments.begin() + std::ptrdiff_t(at));
  p.assignments.insert(p.assignments.begin() + std::ptrdiff_t(at), before.begin(), before.end());
  auto move = [&](size_t &step) {
    if (step > at) step += before.size() - 1;
  };
  for (Cascade &c : flat.cascades) move(c.first), move(c.last);
}

void ProducerFolder::run() {
  // Readers before what they read, so that chains of pointwise steps fold from their end.
  for (size_t i = p.assignments.size(); i-- > 0;) {
    const Assignment &producer = p.assignments[i];
    if (isInCascade(i) || !pays(producer, 1) || !isProducer(producer)) continue;
    std::vector<size_t> readers;
    for (size_t r = i + 1; r < p.assignments.size(); ++r)
      if (reads(p.assignments[r].value, producer.result)) readers.push_back(r);
    if (!readers.empty() && pays(producer, readers.size()) &&
        std::all_of(readers.begin(), readers.end(), [&](size_t r) { return takes(r, producer); }))
      fold(i, readers);
  }
  if (!flat.folded.empty()) shareExpressions(p);
}

} // namespace

void foldProducers(FlatProgram &flat, const Program &source, const std::set<TensorId> &refused) {
  const bool isDynamic =
      std::any_of(source.indices.begin(), source.indices.end(), [](const Index &i) { return i.dynamic >= 0; });
  if (!isDynamic) ProducerFolder(flat, source, refused).run();
}

} // namespace ein
