// Sums over the key in normal form.
#include "compiler/Cascades/Statistics.h"

#include <algorithm>
#include <iterator>

namespace ein {

bool StatisticsFinder::isKeyed(ExprId id) {
  auto known = keyed.find(id);
  if (known == keyed.end()) known = keyed.emplace(id, findKeyed(id)).first;
  return known->second;
}

bool StatisticsFinder::findKeyed(ExprId id) {
  const Expr e = a.p.exprs[id];
  if (e.kind != Expr::Kind::Reduce || e.indices.size() != 1 || a.height(id) < 2) return false;
  const IndexId bound = e.indices[0];
  auto hasInner = [&](ExprId x) {
    for (ExprId part : a.parts(x))
      if (a.p.exprs[part].kind == Expr::Kind::Reduce && a.depends(part, bound)) return true;
    return false;
  };
  if (e.monoid == Monoid::Max) return hasInner(e.args[0]);
  if (e.monoid != Monoid::Sum || !hasInner(e.args[0])) return false;
  // A sum of products of sums is one contraction, and its order is the path search's business.
  for (const Summand &t : terms.of(e.args[0])) {
    for (auto [x, power] : t.powers)
      if (hasInner(x) && (power != 1 || a.p.exprs[x].kind != Expr::Kind::Reduce)) return true;
    for (auto [x, c] : t.exponent)
      if (hasInner(x)) return true;
    for (ExprId g : t.guards)
      if (a.depends(g, bound)) return true;
  }
  return e.guard.has_value();
}

bool StatisticsFinder::hasKeyed(ExprId e) {
  if (a.height(e) < 2) return false;
  for (ExprId part : a.parts(e))
    if (isKeyed(part)) return true;
  return false;
}

std::optional<ExprId> StatisticsFinder::refuse(Obstacle obstacle, std::string reason, std::string hint) {
  if (!refusal) refusal = Refusal{obstacle, std::move(reason), std::move(hint)};
  return std::nullopt;
}

DType StatisticsFinder::typeOf(const Statistic &s) {
  std::optional<DType> type;
  auto meet = [&](ExprId e) {
    for (ExprId part : a.parts(e)) {
      const Expr &x = a.p.exprs[part];
      if (x.kind != Expr::Kind::Access) continue;
      const DType dtype = a.p.tensors[x.tensor].dtype;
      if (isFloat(dtype)) type = type ? promote(*type, dtype) : dtype;
    }
  };
  if (s.score) meet(*s.score);
  for (auto [e, power] : s.factors) meet(e);
  return accumulateType(type.value_or(DType::F32));
}

/// The state of a statistic, known or new, as an expression of the rows.
std::optional<ExprId> StatisticsFinder::statistic(Statistic s) {
  auto known = std::find(statistics.begin(), statistics.end(), s);
  if (known == statistics.end()) {
    std::set<IndexId> rows;
    auto meet = [&](ExprId e) { rows.insert(a.free(e).begin(), a.free(e).end()); };
    auto isKnown = [&](ExprId score) {
      return std::any_of(scores.begin(), scores.end(), [&](const ScoreOf &x) { return x.value == score; });
    };
    if (s.score) meet(*s.score);
    for (ExprId g : s.guards) meet(g);
    if (s.score && !isKnown(*s.score)) {
      if (scores.empty()) guards = s.guards;
      if (s.guards != guards) return refuse(Obstacle::Unsupported, "two scores have different guards");
      std::set<IndexId> axes = rows;
      axes.erase(key);
      scores.push_back({*s.score, a.newTensor("m", typeOf(s), {axes.begin(), axes.end()})});
    }
    for (auto [e, power] : s.factors) meet(e);
    rows.erase(key);
    s.state = a.newTensor(s.factors.empty() ? "l" : "a", typeOf(s), {rows.begin(), rows.end()});
    statistics.push_back(s);
    known = std::prev(statistics.end());
  }
  const ExprId state = a.access(known->state);
  if (known->score && known->factors.empty()) terms.positive.insert(state);
  if (!s.score) return state;
  const auto score = std::find_if(scores.begin(), scores.end(), [&](const ScoreOf &x) { return x.value == *s.score; });
  return a.map(Fn::Mul, {state, a.map(Fn::Exp, {a.access(score->reference)})});
}

/// A keyed sum: of each term, what does not depend on the key, times a statistic.
std::optional<ExprId> StatisticsFinder::sumOf(ExprId id, int depth) {
  const Expr e = a.p.exprs[id];
  if (!a.sameExtent(e.indices[0], key))
    return refuse(Obstacle::OtherIndex, "it also reduces over another index than " + a.nameOf(key));
  const std::map<IndexId, IndexId> toKey{{e.indices[0], key}};
  std::vector<Part> parts;
  for (Summand t : terms.of(a.rename(e.args[0], toKey))) {
    if (e.guard) t.guards.insert(a.rename(*e.guard, toKey));
    auto part = partOf(t);
    if (!part) return std::nullopt;
    if (std::none_of(parts.begin(), parts.end(), [&](Part &p) { return merge(p, *part); }))
      parts.push_back(std::move(*part));
  }
  std::optional<ExprId> sum;
  for (Part &part : parts) {
    auto state = statistic(std::move(part.statistic));
    if (!state) return std::nullopt;
    auto rest = resolve(terms.expression(part.outside), depth + 1);
    if (!rest) return std::nullopt;
    const ExprId value = a.map(Fn::Mul, {*rest, *state});
    sum = sum ? a.map(Fn::Add, {*sum, value}) : value;
  }
  return sum;
}

/// A term of a keyed sum, as what depends on the key and what does not.
std::optional<StatisticsFinder::Part> StatisticsFinder::partOf(const Summand &t) {
  Part part;
  Statistic &s = part.statistic;
  part.outside.scale = t.scale;
  std::map<ExprId, double> inside;
  auto isInside = [&](ExprId x) { return a.depends(x, key); };
  for (auto [x, power] : t.powers) (isInside(x) ? s.factors : part.outside.powers)[x] = power;
  for (auto [x, c] : t.exponent) (isInside(x) ? inside : part.outside.exponent)[x] = c;
  for (ExprId g : t.guards) (isInside(g) ? s.guards : part.outside.guards).insert(g);
  if (!inside.empty()) s.score = terms.linear(inside);
  auto isHard = [&](ExprId x) { return hasKeyed(x); };
  bool hard = (s.score && isHard(*s.score)) || std::any_of(s.guards.begin(), s.guards.end(), isHard);
  for (auto [x, power] : s.factors) hard |= isHard(x);
  if (!hard && (s.score || !s.factors.empty())) return part;
  if (hard)
    refuse(Obstacle::SecondPass,
           "a term is no product of what depends on " + a.nameOf(key) + " and a reduction over it");
  else
    refuse(Obstacle::Unsupported, "a sum counts the points of a guard");
  return std::nullopt;
}

/// Adds `other` to `part` where both weigh the same by a factor on the tile: sum of w (x + y) v is one product, not
/// two.
bool StatisticsFinder::merge(Part &part, const Part &other) {
  Statistic &s = part.statistic;
  const Statistic &o = other.statistic;
  const bool isAlike = s.score && s.score == o.score && s.guards == o.guards &&
                       part.outside.powers == other.outside.powers && part.outside.exponent == other.outside.exponent &&
                       part.outside.guards == other.outside.guards;
  if (!isAlike) return false;
  std::map<ExprId, int> common;
  Summand left, right;
  std::set_intersection(s.factors.begin(), s.factors.end(), o.factors.begin(), o.factors.end(),
                        std::inserter(common, common.begin()));
  std::set_difference(s.factors.begin(), s.factors.end(), common.begin(), common.end(),
                      std::inserter(left.powers, left.powers.begin()));
  std::set_difference(o.factors.begin(), o.factors.end(), common.begin(), common.end(),
                      std::inserter(right.powers, right.powers.begin()));
  if (common.empty() || left.powers.empty() || right.powers.empty()) return false;
  const std::vector<IndexId> &tile = a.free(*s.score);
  for (const Summand *rest : {&left, &right})
    for (auto [x, power] : rest->powers)
      if (!std::includes(tile.begin(), tile.end(), a.free(x).begin(), a.free(x).end())) return false;
  right.scale = other.outside.scale / part.outside.scale;
  s.factors = std::move(common);
  s.factors[terms.expression(Terms{left, right})] = 1;
  return true;
}

/// `e` with its keyed sums replaced. Maxima stay: they must cancel.
std::optional<ExprId> StatisticsFinder::resolve(ExprId e, int depth) {
  if (depth > 32) return refuse(Obstacle::Unsupported, "reductions lie too deep");
  if (!hasKeyed(e)) return e;
  std::map<ExprId, ExprId> values;
  for (ExprId part : a.parts(e, [&](ExprId x) { return isKeyed(x); })) {
    if (!isKeyed(part)) {
      if (a.p.exprs[part].kind == Expr::Kind::Reduce && hasKeyed(part))
        return refuse(Obstacle::OtherIndex, "another reduction lies around the one over " + a.nameOf(key),
                      "name its result");
      continue;
    }
    if (a.p.exprs[part].monoid == Monoid::Max) continue;
    auto value = sumOf(part, depth);
    if (!value) return std::nullopt;
    values[part] = *value;
  }
  return a.replace(e, [&](ExprId x) -> std::optional<ExprId> {
    auto found = values.find(x);
    if (found != values.end()) return found->second;
    return isKeyed(x) ? std::optional(x) : std::nullopt;
  });
}

std::optional<Terms> StatisticsFinder::rewrite(ExprId value) {
  auto resolved = resolve(value, 0);
  if (!resolved) return std::nullopt;
  // Functions that are no sums and products see their arguments in normal form, too.
  auto distributes = [](Fn fn) {
    return fn == Fn::Add || fn == Fn::Sub || fn == Fn::Mul || fn == Fn::Div || fn == Fn::Neg || fn == Fn::Exp ||
           fn == Fn::Log;
  };
  auto stops = [&](ExprId x) { return a.p.exprs[x].kind != Expr::Kind::Map; };
  std::map<ExprId, ExprId> done;
  for (ExprId part : a.parts(*resolved, stops)) {
    Expr copy = a.p.exprs[part];
    if (!stops(part)) {
      for (ExprId &arg : copy.args)
        arg = distributes(copy.fn) ? done.at(arg) : terms.expression(terms.of(done.at(arg)));
      done[part] = a.add(std::move(copy));
    } else {
      done[part] = part;
    }
  }
  Terms result = terms.of(done.at(*resolved));
  if (hasKeyed(terms.expression(result))) {
    refuse(Obstacle::NonlinearUse, "the maximum itself is used, not only to scale");
    return std::nullopt;
  }
  return result;
}

bool StatisticsFinder::shares(const StatisticsFinder &earlier) const {
  auto inner = [&](size_t first, size_t last) {
    std::set<ExprId> found;
    auto meet = [&](ExprId e) {
      for (ExprId part : a.parts(e))
        if (a.p.exprs[part].kind == Expr::Kind::Reduce && a.depends(part, key)) found.insert(part);
    };
    for (size_t i = first; i < last; ++i) {
      const Statistic &s = statistics[i];
      if (s.score) meet(*s.score);
      for (auto [x, power] : s.factors) meet(x);
    }
    return found;
  };
  const size_t known = earlier.statistics.size();
  if (known == statistics.size()) return true;
  const std::set<ExprId> theirs = inner(0, known), mine = inner(known, statistics.size());
  return std::any_of(mine.begin(), mine.end(), [&](ExprId e) { return theirs.count(e) > 0; });
}

void StatisticsFinder::restore(const StatisticsFinder &earlier) {
  statistics = earlier.statistics;
  scores = earlier.scores;
  guards = earlier.guards;
}

/// Where no key counts, a quotient of sums of exponentials is 0.
ExprId StatisticsFinder::finish(const Terms &result) {
  std::optional<ExprId> sum;
  for (const Summand &t : result) {
    ExprId value = terms.expression(t);
    for (const Statistic &s : statistics) {
      const ExprId state = a.access(s.state);
      auto power = t.powers.find(state);
      if (!s.score || !s.factors.empty() || power == t.powers.end() || power->second > 0) continue;
      const ExprId isEmpty = a.map(Fn::Equal, {state, a.literal(0)});
      value = a.map(Fn::Select, {isEmpty, a.literal(0), value});
    }
    sum = sum ? a.map(Fn::Add, {*sum, value}) : value;
  }
  return sum ? *sum : a.literal(0);
}

} // namespace ein
