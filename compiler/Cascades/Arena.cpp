// Hash-consing, renaming and expansion.
#include "compiler/Cascades/Arena.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace ein {

Arena::Arena(const Program &source) : p(source) {
  p.exprs.clear();
  p.assignments.clear();
  for (const Index &i : p.indices) spelled.push_back(i.name);
}

/// Everything that tells two expressions apart.
static std::vector<int64_t> keyOf(const Expr &e) {
  std::vector<int64_t> key{int64_t(e.kind),
                           int64_t(e.fn),
                           int64_t(e.monoid),
                           std::bit_cast<int64_t>(e.literal),
                           e.tensor,
                           e.at,
                           e.guard ? int64_t(*e.guard) : -1};
  for (const AccessSubscript &s : e.subscripts) key.push_back(s ? int64_t(*s) : -1);
  key.push_back(-2);
  key.insert(key.end(), e.indices.begin(), e.indices.end());
  key.push_back(-2);
  key.insert(key.end(), e.args.begin(), e.args.end());
  key.push_back(-2);
  key.insert(key.end(), e.computed.begin(), e.computed.end());
  key.insert(key.end(),
             {-2, int64_t(e.dtype), e.list.place ? int64_t(*e.list.place) : -1, e.list.positions, e.list.smallest});
  return key;
}

ExprId Arena::add(Expr e) {
  auto [place, isNew] = known.try_emplace(keyOf(e), ExprId(p.exprs.size()));
  if (!isNew) return place->second;
  std::set<IndexId> all;
  if (e.kind == Expr::Kind::IndexValue || e.kind == Expr::Kind::Softmax) all.insert(e.indices.begin(), e.indices.end());
  for (const AccessSubscript &s : e.subscripts)
    if (s) all.insert(*s);
  size_t height = 0;
  auto take = [&](ExprId child) {
    all.insert(freeOf[child].begin(), freeOf[child].end());
    height = std::max(height, heights[child]);
  };
  for (ExprId arg : e.args) take(arg);
  if (e.guard) take(*e.guard);
  if (e.kind == Expr::Kind::Reduce || e.kind == Expr::Kind::Top) {
    for (IndexId i : e.indices) all.erase(i);
    if (e.list.place) all.insert(*e.list.place);
    ++height;
  }
  freeOf.emplace_back(all.begin(), all.end());
  heights.push_back(height);
  types.push_back(p.dtypeOf(e, types));
  return p.add(std::move(e));
}

ExprId Arena::literal(double value) {
  Expr e;
  e.kind = Expr::Kind::Literal;
  e.literal = value;
  return add(std::move(e));
}

ExprId Arena::map(Fn fn, std::vector<ExprId> args) {
  Expr e;
  e.kind = Expr::Kind::Map;
  e.fn = fn;
  e.args = std::move(args);
  return add(std::move(e));
}

ExprId Arena::access(TensorId tensor) {
  Expr e;
  e.kind = Expr::Kind::Access;
  e.tensor = tensor;
  e.subscripts.assign(p.tensors[tensor].axes.begin(), p.tensors[tensor].axes.end());
  return add(std::move(e));
}

ExprId Arena::reduce(Monoid monoid, IndexId index, ExprId arg, std::optional<ExprId> guard) {
  Expr e;
  e.kind = Expr::Kind::Reduce;
  e.monoid = monoid;
  e.indices = {index};
  e.args = {arg};
  e.guard = guard;
  return add(std::move(e));
}

bool Arena::depends(ExprId e, IndexId i) const { return std::binary_search(freeOf[e].begin(), freeOf[e].end(), i); }

std::vector<ExprId> Arena::parts(ExprId root, const std::function<bool(ExprId)> &stops) const {
  std::set<ExprId> found{root};
  std::vector<ExprId> stack{root};
  while (!stack.empty()) {
    const ExprId e = stack.back();
    stack.pop_back();
    if (stops && stops(e)) continue;
    auto visit = [&](ExprId child) {
      if (found.insert(child).second) stack.push_back(child);
    };
    for (ExprId arg : p.exprs[e].args) visit(arg);
    if (p.exprs[e].guard) visit(*p.exprs[e].guard);
  }
  return {found.begin(), found.end()};
}

ExprId Arena::replace(ExprId root, const std::function<std::optional<ExprId>(ExprId)> &replacement) {
  std::map<ExprId, ExprId> done;
  auto stops = [&](ExprId e) {
    auto value = replacement(e);
    if (value) done[e] = *value;
    return value.has_value();
  };
  for (ExprId e : parts(root, stops)) {
    if (done.count(e)) continue;
    Expr copy = p.exprs[e];
    for (ExprId &arg : copy.args) arg = done.at(arg);
    if (copy.guard) copy.guard = done.at(*copy.guard);
    done[e] = add(std::move(copy));
  }
  return done.at(root);
}

ExprId Arena::rename(ExprId root, const std::map<IndexId, IndexId> &names) {
  auto isUntouched = [&](ExprId e) {
    return std::none_of(names.begin(), names.end(), [&](auto &n) { return depends(e, n.first); });
  };
  std::map<ExprId, ExprId> done;
  for (ExprId e : parts(root, isUntouched)) {
    if (isUntouched(e)) {
      done[e] = e;
      continue;
    }
    Expr copy = p.exprs[e];
    auto renamed = [&](IndexId i) {
      auto n = names.find(i);
      return n == names.end() ? i : n->second;
    };
    for (AccessSubscript &s : copy.subscripts)
      if (s) s = renamed(*s);
    if (copy.kind == Expr::Kind::IndexValue) copy.indices[0] = renamed(copy.indices[0]);
    if (copy.list.place) copy.list.place = renamed(*copy.list.place);
    for (ExprId &arg : copy.args) arg = done.at(arg);
    if (copy.guard) copy.guard = done.at(*copy.guard);
    done[e] = add(std::move(copy));
  }
  return done.at(root);
}

std::pair<ExprId, std::vector<IndexId>> Arena::canonical(ExprId e) {
  std::vector<IndexId> order;
  auto meet = [&](IndexId i) {
    if (depends(e, i) && std::find(order.begin(), order.end(), i) == order.end()) order.push_back(i);
  };
  for (ExprId part : parts(e)) {
    for (const AccessSubscript &s : p.exprs[part].subscripts)
      if (s) meet(*s);
    if (p.exprs[part].kind == Expr::Kind::IndexValue) meet(p.exprs[part].indices[0]);
    if (p.exprs[part].list.place) meet(*p.exprs[part].list.place);
  }
  while (placeholders.size() < order.size()) placeholders.push_back(newIndex("i", 0));
  std::map<IndexId, IndexId> names;
  for (size_t n = 0; n < order.size(); ++n) names[order[n]] = placeholders[n];
  return {rename(e, names), order};
}

std::string Arena::unusedName(const std::string &like) const {
  auto isTaken = [&](const std::string &name) {
    return std::any_of(p.indices.begin(), p.indices.end(), [&](auto &i) { return i.name == name; }) ||
           std::any_of(p.tensors.begin(), p.tensors.end(), [&](auto &t) { return t.name == name; });
  };
  if (!isTaken(like)) return like;
  size_t n = 0;
  while (isTaken(like + std::to_string(n))) ++n;
  return like + std::to_string(n);
}

IndexId Arena::newIndex(const std::string &like, int64_t extent) {
  p.indices.push_back({unusedName(like), extent});
  spelled.push_back(like);
  return IndexId(p.indices.size() - 1);
}

IndexId Arena::newIndex(IndexId like) {
  const int dynamic = p.indices[like].dynamic;
  const IndexId index = newIndex(std::string(spelled[like]), *p.indices[like].extent);
  p.indices[index].dynamic = dynamic;
  return index;
}

bool Arena::sameExtent(IndexId x, IndexId y) const {
  return p.indices[x].extent == p.indices[y].extent && p.indices[x].dynamic == p.indices[y].dynamic;
}

TensorId Arena::newTensor(const std::string &like, DType dtype, std::vector<IndexId> axes) {
  p.tensors.push_back({unusedName(like), dtype, std::move(axes)});
  return TensorId(p.tensors.size() - 1);
}

IndexId Arena::boundIndex(IndexId original, size_t height, size_t place) {
  const Index &like = p.indices[original];
  const std::vector<int64_t> key{*like.extent, like.dynamic, int64_t(height), int64_t(place)};
  auto found = bound.find(key);
  if (found == bound.end()) found = bound.emplace(key, newIndex(original)).first;
  return found->second;
}

namespace {

/// Expands one Program into an arena.
class Expander {
public:
  Expander(Arena &arena, const Program &source) : a(arena), source(source), value(source.tensors.size()) {}

  std::optional<std::vector<ExprId>> run(size_t most, const std::set<TensorId> &kept) {
    std::vector<ExprId> values;
    std::vector<std::optional<ExprId>> done(source.exprs.size());
    for (const Assignment &assignment : source.assignments) {
      for (ExprId e : reachable(assignment.value, done)) {
        done[e] = expandOne(source.exprs[e], done);
        if (a.p.exprs.size() > most) return std::nullopt;
      }
      values.push_back(*done[assignment.value]);
      // What the user wants stored, or computed in another type, is read from its tensor.
      const auto &stores = source.stores;
      if (kept.count(assignment.result)) continue;
      const DType stored = accumulateType(source.tensors[assignment.result].dtype);
      const DType own = accumulateType(a.typeOf(values.back()).value_or(stored));
      if (own == stored && std::find(stores.begin(), stores.end(), assignment.result) == stores.end())
        value[assignment.result] = values.back();
    }
    return values;
  }

private:
  std::vector<ExprId> reachable(ExprId root, const std::vector<std::optional<ExprId>> &done) const {
    std::set<ExprId> found;
    std::vector<ExprId> stack{root};
    while (!stack.empty()) {
      const ExprId e = stack.back();
      stack.pop_back();
      if (done[e] || !found.insert(e).second) continue;
      stack.insert(stack.end(), source.exprs[e].args.begin(), source.exprs[e].args.end());
      if (source.exprs[e].guard) stack.push_back(*source.exprs[e].guard);
    }
    return {found.begin(), found.end()};
  }

  ExprId expandOne(const Expr &e, const std::vector<std::optional<ExprId>> &done) {
    Expr copy = e;
    copy.span = {};
    for (ExprId &arg : copy.args) arg = *done[arg];
    if (copy.guard) copy.guard = *done[*copy.guard];
    switch (e.kind) {
    case Expr::Kind::Access: return value[e.tensor] ? intermediate(copy) : a.add(std::move(copy));
    case Expr::Kind::Softmax: return softmax(copy);
    case Expr::Kind::Top: return top(copy);
    case Expr::Kind::Reduce:
      if (e.monoid != Monoid::LogSumExp) return bind(e.monoid, e.indices, copy.args[0], copy.guard);
      return a.map(Fn::Log, {bind(Monoid::Sum, e.indices, a.map(Fn::Exp, {copy.args[0]}), copy.guard)});
    default: break;
    }
    const bool isNegative = e.kind == Expr::Kind::Map && e.fn == Fn::Neg;
    if (isNegative && a.p.exprs[copy.args[0]].kind == Expr::Kind::Literal)
      return a.literal(-a.p.exprs[copy.args[0]].literal);
    return a.add(std::move(copy));
  }

  /// The value of a tensor that an assignment defines, with its axes renamed to the subscripts. What stands at a
  /// computed place is the sum over the places that equal it.
  ExprId intermediate(const Expr &access) {
    const std::vector<IndexId> &axes = source.tensors[access.tensor].axes;
    std::map<IndexId, IndexId> names;
    std::vector<IndexId> looked;
    std::optional<ExprId> isThere;
    for (size_t d = 0; d < axes.size(); ++d) {
      if (access.subscripts[d]) {
        if (*access.subscripts[d] != axes[d]) names[axes[d]] = *access.subscripts[d];
        continue;
      }
      const auto place = std::find(access.computed.begin(), access.computed.end(), d);
      if (place == access.computed.end()) return a.add(access); // extent 1, read at 0: stays a tensor
      const IndexId all = a.newIndex(axes[d]);
      names[axes[d]] = all;
      looked.push_back(all);
      Expr index;
      index.kind = Expr::Kind::IndexValue;
      index.indices = {all};
      const ExprId is = a.map(Fn::Equal, {a.add(index), access.args[size_t(place - access.computed.begin())]});
      isThere = isThere ? a.map(Fn::And, {*isThere, is}) : is;
    }
    const ExprId renamed = names.empty() ? *value[access.tensor] : a.rename(*value[access.tensor], names);
    if (!isThere) return renamed;
    return bind(Monoid::Sum, looked, a.map(Fn::Select, {*isThere, renamed, a.literal(0)}), {});
  }

  /// A list: its index is bound as that of a reduction is.
  ExprId top(Expr e) {
    const size_t height = std::max(a.height(e.args[0]), e.guard ? a.height(*e.guard) : 0) + 1;
    const IndexId bound = a.boundIndex(e.indices[0], height, 0);
    const std::map<IndexId, IndexId> names{{e.indices[0], bound}};
    e.indices[0] = bound;
    e.args[0] = a.rename(e.args[0], names);
    if (e.guard) e.guard = a.rename(*e.guard, names);
    return a.add(std::move(e));
  }

  /// A reduction over indices of its own.
  ExprId bind(Monoid monoid, const std::vector<IndexId> &indices, ExprId arg, std::optional<ExprId> guard) {
    const size_t height = std::max(a.height(arg), guard ? a.height(*guard) : 0) + 1;
    std::map<IndexId, IndexId> names;
    Expr e;
    e.kind = Expr::Kind::Reduce;
    e.monoid = monoid;
    for (IndexId i : indices) {
      e.indices.push_back(a.boundIndex(i, height, e.indices.size()));
      names[i] = e.indices.back();
    }
    e.args = {a.rename(arg, names)};
    if (guard) e.guard = a.rename(*guard, names);
    return a.add(std::move(e));
  }

  ExprId softmax(const Expr &e) {
    const ExprId exponential = a.map(Fn::Exp, {e.args[0]});
    ExprId sum = bind(Monoid::Sum, e.indices, exponential, e.guard);
    if (e.args.size() > 1) sum = a.map(Fn::Add, {sum, a.map(Fn::Exp, {e.args[1]})});
    const ExprId weight = e.guard ? a.map(Fn::Select, {*e.guard, exponential, a.literal(0)}) : exponential;
    return a.map(Fn::Div, {weight, sum});
  }

  Arena &a;
  const Program &source;
  std::vector<std::optional<ExprId>> value; ///< by tensor of the source
};

} // namespace

std::optional<std::vector<ExprId>> expand(Arena &arena, const Program &source, size_t most,
                                          const std::set<TensorId> &kept) {
  return Expander(arena, source).run(most, kept);
}

} // namespace ein
