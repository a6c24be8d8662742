// From statistics to the assignments of a cascade.
#include "compiler/Cascades/CascadeBuilder.h"

#include <algorithm>
#include <limits>

namespace ein {

const char *name(Role role) {
  switch (role) {
  case Role::Low: return "low";
  case Role::High: return "high";
  case Role::Tile: return "tile";
  case Role::Guard: return "guard";
  case Role::Max: return "max";
  case Role::Weight: return "weight";
  case Role::Sum: return "sum";
  case Role::Finish: return "finish";
  }
  return "?";
}

const char *name(Obstacle obstacle) {
  switch (obstacle) {
  case Obstacle::SecondPass: return "SECOND_PASS";
  case Obstacle::OtherIndex: return "OTHER_INDEX";
  case Obstacle::NonlinearUse: return "NONLINEAR_USE";
  case Obstacle::NotLocal: return "NOT_LOCAL";
  case Obstacle::Unprofitable: return "UNPROFITABLE";
  case Obstacle::Unsupported: return "UNSUPPORTED";
  }
  return "?";
}

double CascadeBuilder::points(const std::vector<IndexId> &indices) const {
  double n = 1;
  for (IndexId i : indices) n *= double(*a.p.indices[i].extent);
  return n;
}

bool CascadeBuilder::refuse(Obstacle obstacle, std::string reason, std::string hint) {
  if (!refusal) refusal = Refusal{obstacle, std::move(reason), std::move(hint)};
  return false;
}

/// Register tiles and a row's state are made for extents that are known.
bool CascadeBuilder::isKnown(const std::vector<IndexId> &indices) {
  for (IndexId i : indices)
    if (a.p.indices[i].dynamic >= 0)
      return refuse(Obstacle::Unsupported, "the extent of " + a.nameOf(i) + ", neither a row nor the key, is dynamic",
                    "leave " + a.nameOf(i) + " out of the dynamic indices");
  return true;
}

TensorId CascadeBuilder::assign(Role role, const char *like, DType dtype, ExprId value) {
  const TensorId t = a.newTensor(like, dtype, a.free(value));
  steps.push_back({role, {t, value}});
  return t;
}

/// A tensor with the value of `e`, computed before the cascade, or one that is there already.
ExprId CascadeBuilder::stored(ExprId e) {
  if (a.p.exprs[e].kind == Expr::Kind::Access && a.p.exprs[e].computed.empty()) return e;
  auto [canonical, order] = a.canonical(e);
  auto known = tensors.find(canonical);
  if (known == tensors.end()) {
    const TensorId t = a.newTensor("t", accumulateType(a.typeOf(e).value_or(DType::F32)), order);
    before.push_back({t, e});
    known = tensors.emplace(canonical, StoredTensor{t, order}).first;
  }
  Expr access;
  access.kind = Expr::Kind::Access;
  access.tensor = known->second.tensor;
  for (IndexId axis : a.p.tensors[access.tensor].axes) {
    const auto place = std::find(known->second.order.begin(), known->second.order.end(), axis);
    access.subscripts.push_back(order[place - known->second.order.begin()]);
  }
  return a.add(std::move(access));
}

/// Whether a value is no function of what its parts are at one point: it needs a tensor of its own.
bool CascadeBuilder::isWhole(ExprId id) const {
  const Expr &e = a.p.exprs[id];
  return e.kind == Expr::Kind::Reduce || e.kind == Expr::Kind::Top || !e.computed.empty();
}

/// `e` on a tile: inner products are tiles of their own, what does not depend on the key is stored before, and so is
/// what is gathered.
std::optional<ExprId> CascadeBuilder::onTile(ExprId e) {
  std::map<ExprId, ExprId> values;
  auto stops = [&](ExprId x) { return isWhole(x); };
  for (ExprId part : a.parts(e, stops)) {
    if (!isWhole(part)) continue;
    std::optional<ExprId> value;
    if (!a.depends(part, key))
      value = stored(part);
    else if (a.p.exprs[part].kind == Expr::Kind::Reduce)
      value = innerProduct(part);
    else
      value = operandOf({{part, 1}}, points({rows.begin(), rows.end()}) * points({key}));
    if (!value) return std::nullopt;
    values[part] = *value;
  }
  return a.replace(e, [&](ExprId x) -> std::optional<ExprId> {
    auto found = values.find(x);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  });
}

/// Whether `e` is read at places that a row and the key tell, without reductions, and that are the same along `across`.
bool CascadeBuilder::isGather(ExprId id, const std::vector<IndexId> &across) const {
  const Expr &e = a.p.exprs[id];
  if (e.kind != Expr::Kind::Access || e.computed.empty() || across.empty() || !a.depends(id, key)) return false;
  for (ExprId arg : e.args) {
    if (a.height(arg) > 0) return false;
    if (std::any_of(across.begin(), across.end(), [&](IndexId i) { return a.depends(arg, i); })) return false;
  }
  std::set<AccessSubscript> plain;
  for (const AccessSubscript &s : e.subscripts)
    if (s && (*s == key || !plain.insert(s).second)) return false;
  return true;
}

/// The tensor of some factors: an access, or their product, stored before where that is small beside a tile. `across`:
/// indices of the tensor that are neither row nor key.
std::optional<ExprId> CascadeBuilder::operandOf(const std::map<ExprId, int> &factors, double tilePoints,
                                                const std::vector<IndexId> &across) {
  const ExprId product = terms.product(factors);
  if (isGather(product, across)) return product;
  const Expr &e = a.p.exprs[product];
  if (e.kind == Expr::Kind::Access && e.computed.empty()) {
    // A diagonal or a fixed place is no plain operand.
    std::set<AccessSubscript> unique(e.subscripts.begin(), e.subscripts.end());
    if (unique.size() == e.subscripts.size() && !unique.count(std::nullopt)) return product;
  }
  if (e.kind != Expr::Kind::Reduce && points(a.free(product)) * 4 > tilePoints) {
    refuse(Obstacle::NotLocal, "what is gathered or computed on the way is as large as a tile");
    return std::nullopt;
  }
  return stored(product);
}

/// A sum of products of what has the key and what has not, as a tile.
std::optional<ExprId> CascadeBuilder::innerProduct(ExprId id) {
  const Expr e = a.p.exprs[id];
  const Terms body = terms.of(e.args[0]);
  if (e.monoid != Monoid::Sum || e.guard || body.size() != 1 || !body[0].exponent.empty() || !body[0].guards.empty()) {
    refuse(Obstacle::Unsupported, "a reduction inside is no sum of products");
    return std::nullopt;
  }
  Summand outside;
  outside.scale = body[0].scale;
  std::map<ExprId, int> withKey, without;
  for (auto [x, power] : body[0].powers) {
    const bool isInside = std::any_of(e.indices.begin(), e.indices.end(), [&](IndexId i) { return a.depends(x, i); });
    (!isInside ? outside.powers : a.depends(x, key) ? withKey : without)[x] = power;
  }
  if (!isFloat(a.typeOf(e.args[0]).value_or(DType::F32))) {
    refuse(Obstacle::Unsupported, "an inner product of integers is summed in integers");
    return std::nullopt;
  }
  if (!isKnown(e.indices)) return std::nullopt;
  if (withKey.empty() || without.empty()) {
    refuse(Obstacle::Unsupported, "a reduction inside has no two factors, one with " + a.nameOf(key));
    return std::nullopt;
  }
  auto tile = tiles.find(id);
  if (tile == tiles.end()) {
    const double tilePoints = points(a.free(id));
    // What rows have costs little beside the work on it; the chain is faster by more, unless its tiles are a burden.
    const bool storesRows = isRequired || tilePoints * double(byteSize(stateType)) >= kRowsBurdenBytes;
    auto left = operandOf(withKey, tilePoints, e.indices);
    auto right = operandOf(without, storesRows ? std::numeric_limits<double>::infinity() : tilePoints);
    if (!left || !right) return std::nullopt;
    Expr sum = e;
    sum.args = {a.map(Fn::Mul, {*left, *right})};
    const ExprId value = a.add(std::move(sum));
    std::set<IndexId> here;
    for (IndexId i : a.free(*right))
      if (!a.depends(*left, i)) here.insert(i);
    lanes = lanes ? intersect(*lanes, here) : here;
    tile = tiles.emplace(id, a.access(assign(Role::Tile, "s", stateType, value))).first;
  }
  outside.powers[tile->second] += 1;
  return onTile(terms.expression(outside));
}

std::set<IndexId> CascadeBuilder::intersect(const std::set<IndexId> &x, const std::set<IndexId> &y) {
  std::set<IndexId> both;
  std::set_intersection(x.begin(), x.end(), y.begin(), y.end(), std::inserter(both, both.begin()));
  return both;
}

/// The tile of an expression: the one that it is, or a new one.
ExprId CascadeBuilder::tileOf(ExprId e, const char *like) {
  for (const Step &step : steps) {
    const ExprId tile = a.access(step.assignment.result);
    if (tile == e || (step.role == Role::Tile && step.assignment.value == e)) return tile;
  }
  return a.access(assign(Role::Tile, like, stateType, e));
}

bool CascadeBuilder::buildScores() {
  const Bounds bounds = boundsOf(a, terms, found.guards, key);
  auto bound = [&](Role role, const std::optional<ExprId> &e, const char *like) {
    if (e) assign(role, like, DType::I64, *onTile(*e));
  };
  bound(Role::Low, bounds.low, "low");
  bound(Role::High, bounds.high, "high");
  std::vector<ExprId> tile;
  for (const ScoreOf &score : found.scores) {
    auto value = onTile(score.value);
    if (!value) return false;
    tile.push_back(tileOf(*value, "s"));
  }
  if (!bounds.rest.empty()) {
    auto guard = onTile(terms.allOf(bounds.rest));
    if (!guard) return false;
    assign(Role::Guard, "guard", DType::Bool, *guard);
  }
  for (size_t i = 0; i < tile.size(); ++i)
    steps.push_back({Role::Max, {found.scores[i].reference, a.reduce(Monoid::Max, key, tile[i])}});
  for (size_t i = 0; i < tile.size(); ++i) {
    const ExprId weight = a.map(Fn::Exp, {a.map(Fn::Sub, {tile[i], a.access(found.scores[i].reference)})});
    weights[found.scores[i].value] = a.access(assign(Role::Weight, "w", stateType, weight));
  }
  return true;
}

/// Whether all that `e` depends on are rows of the tiles, or the key.
bool CascadeBuilder::isOfTile(ExprId e) const {
  return std::all_of(a.free(e).begin(), a.free(e).end(), [&](IndexId i) { return i == key || rows.count(i); });
}

bool CascadeBuilder::buildSum(const Statistic &s) {
  std::map<ExprId, int> ofTile, others;
  for (auto [x, power] : s.factors) (isOfTile(x) ? ofTile : others)[x] = power;
  std::set<ExprId> extra;
  std::set_difference(s.guards.begin(), s.guards.end(), found.guards.begin(), found.guards.end(),
                      std::inserter(extra, extra.begin()));
  if (extra.size() + found.guards.size() != s.guards.size())
    return refuse(Obstacle::Unsupported, "two sums have different guards");
  std::optional<ExprId> left;
  if (s.score) left = weights.at(*s.score);
  if (!ofTile.empty() || !extra.empty()) {
    Summand part;
    part.powers = ofTile;
    part.guards = extra;
    auto value = onTile(terms.expression(part));
    if (!value) return false;
    left = tileOf(left ? a.map(Fn::Mul, {*left, *value}) : *value, "p");
  }
  if (!left) return refuse(Obstacle::Unsupported, "a sum has no factor that is computed on the way");
  ExprId value = *left;
  if (!others.empty()) {
    std::vector<IndexId> across;
    for (IndexId i : a.free(terms.product(others)))
      if (i != key && !rows.count(i)) across.push_back(i);
    if (!isKnown(across)) return false;
    auto right = operandOf(others, 4 * points(a.free(*left)) + 4 * 64 * points({key}), across);
    if (!right) return false;
    if (!isFloat(a.typeOf(*right).value_or(DType::F32)))
      return refuse(Obstacle::Unsupported, "a factor of a sum is of integers");
    if (lanes) std::erase_if(*lanes, [&](IndexId i) { return a.depends(*right, i); });
    if (!isRequired && points(across) > kMostState)
      return refuse(Obstacle::Unprofitable, "a row's state has more than " + std::to_string(kMostState) + " elements");
    value = a.map(Fn::Mul, {value, *right});
  }
  steps.push_back({Role::Sum, {s.state, a.reduce(Monoid::Sum, key, value)}});
  return true;
}

bool CascadeBuilder::build(const std::vector<std::pair<TensorId, ExprId>> &results) {
  stateType = DType::F32;
  for (const Statistic &s : found.statistics) stateType = promote(stateType, a.p.tensors[s.state].dtype);
  for (const Statistic &s : found.statistics) a.p.tensors[s.state].dtype = stateType;
  for (const ScoreOf &score : found.scores) a.p.tensors[score.reference].dtype = stateType;
  auto addRows = [&](ExprId e) {
    for (IndexId i : a.free(e))
      if (i != key) rows.insert(i);
  };
  const bool hasScore = !found.scores.empty();
  if (hasScore) {
    for (const ScoreOf &score : found.scores) addRows(score.value);
    for (ExprId g : found.guards) addRows(g);
  } else {
    for (const Statistic &s : found.statistics)
      for (auto [x, power] : s.factors)
        for (ExprId part : a.parts(x))
          if (a.p.exprs[part].kind == Expr::Kind::Reduce && a.depends(part, key)) addRows(part);
  }
  if (hasScore && !buildScores()) return false;
  for (const Statistic &s : found.statistics)
    if (!buildSum(s)) return false;
  double most = 0;
  for (IndexId i : lanes.value_or(std::set<IndexId>())) most = std::max(most, points({i}));
  if (!lanes || (!hasScore && most < (isRequired ? 1 : kLeastLanes)))
    return refuse(Obstacle::Unprofitable, "too few rows share what has the index " + a.nameOf(key));
  double virtualBytes = 0;
  for (const Step &step : steps)
    if (step.role == Role::Tile)
      virtualBytes += points(a.p.tensors[step.assignment.result].axes) * double(byteSize(stateType));
  if (!isRequired && !hasScore && virtualBytes < kLeastPlainBytes)
    return refuse(Obstacle::Unprofitable, "what lies between fits a cache");
  std::set<IndexId> known = rows;
  for (const Statistic &s : found.statistics)
    known.insert(a.p.tensors[s.state].axes.begin(), a.p.tensors[s.state].axes.end());
  for (auto [tensor, value] : results) {
    for (ExprId part : a.parts(value, [&](ExprId x) { return a.p.exprs[x].kind == Expr::Kind::Reduce; }))
      for (IndexId i : a.free(part))
        if (a.p.exprs[part].kind == Expr::Kind::Reduce && !known.count(i))
          return refuse(Obstacle::NonlinearUse, a.p.tensors[tensor].name + " is final only after all " + a.nameOf(key),
                        "leave it out of the results");
    auto finish = onTile(value);
    if (!finish) return false;
    std::vector<IndexId> axes = a.p.tensors[tensor].axes;
    std::sort(axes.begin(), axes.end());
    if (axes != a.free(*finish)) return refuse(Obstacle::Unsupported, "it lists an index on which it does not depend");
    steps.push_back({Role::Finish, {tensor, *finish}});
  }
  return true;
}

} // namespace ein
