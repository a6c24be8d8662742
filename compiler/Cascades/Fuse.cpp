// From a Program to a Program with cascades.
#include "compiler/Cascades/CascadeBuilder.h"
#include "compiler/Cascades/Compact.h"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <limits>

namespace ein {

namespace {

constexpr size_t kMostExpressions = 20000, kMostAssignments = 512;

IndexId longest(const Program &p, const std::vector<IndexId> &indices) {
  return *std::max_element(indices.begin(), indices.end(),
                           [&](IndexId x, IndexId y) { return *p.indices[x].extent < *p.indices[y].extent; });
}

/// The same with sums over several indices as sums of sums over the longest.
Program withSplitSums(Program p, const std::vector<size_t> &assignments) {
  const std::vector<std::optional<DType>> types = p.dtypes();
  for (auto at = assignments.rbegin(); at != assignments.rend(); ++at) {
    const Assignment whole = p.assignments[*at];
    const Expr sum = p.exprs[whole.value];
    const IndexId key = longest(p, sum.indices);
    Tensor parts = p.tensors[whole.result];
    parts.name += "_parts";
    while (std::ranges::any_of(p.tensors, [&](const Tensor &t) { return t.name == parts.name; })) parts.name += "_";
    parts.dtype = accumulateType(types[whole.value].value_or(parts.dtype));
    std::vector<IndexId> rest = sum.indices;
    std::erase(rest, key);
    parts.axes.insert(parts.axes.begin(), rest.begin(), rest.end());
    const auto t = TensorId(p.tensors.size());
    p.tensors.push_back(std::move(parts));
    const ExprId inner = p.reduce(Monoid::Sum, {key}, sum.args[0], sum.guard);
    p.assignments[*at].value = p.reduce(Monoid::Sum, rest, p.access(t));
    p.assignments.insert(p.assignments.begin() + std::ptrdiff_t(*at), {t, inner});
  }
  return p;
}

/// How much more than the chain passes may compute: bytes that they do not move are worth less.
constexpr double kMostRepeated = 1.25;

double pointsOf(const Program &p, const std::vector<IndexId> &indices) {
  double points = 1;
  for (IndexId i : indices) points *= double(*p.indices[i].extent);
  return points;
}

double bytesOf(const Program &p, TensorId t) {
  return pointsOf(p, p.tensors[t].axes) * double(byteSize(p.tensors[t].dtype));
}

/// Points of the reductions in some assignments.
double workOf(const Program &p, size_t first, size_t last) {
  std::set<ExprId> seen;
  std::vector<ExprId> stack;
  for (size_t i = first; i < last; ++i) stack.push_back(p.assignments[i].value);
  const std::vector<std::vector<IndexId>> free = p.allFreeIndices();
  double work = 0;
  while (!stack.empty()) {
    const ExprId id = stack.back();
    stack.pop_back();
    if (!seen.insert(id).second) continue;
    const Expr &e = p.exprs[id];
    stack.insert(stack.end(), e.args.begin(), e.args.end());
    // A softmax and a log-sum-exp are a maximum and a sum.
    if (e.kind == Expr::Kind::Softmax) work += 2 * pointsOf(p, free[id]);
    if (e.kind == Expr::Kind::Reduce) work += (e.monoid == Monoid::LogSumExp ? 2 : 1) * pointsOf(p, free[e.args[0]]);
  }
  return work;
}

/// Assignments of the source that become one cascade.
struct Group {
  StatisticsFinder found;
  IndexId key;
  std::vector<size_t> members;
  std::vector<Terms> values;
};

class Fuser {
public:
  Fuser(const Program &source, double burden) : source(source), burden(burden), a(source), terms(a) {}

  FusedProgram run();

  /// After `run`: assignments that are a sum over several indices, over the longest of which it could be one pass.
  std::vector<size_t> longSums;

private:
  std::vector<TensorId> tensorsOf(const Program &p, ExprId e) const;
  bool collect(size_t assignment, ExprId value, std::optional<Refusal> &refusal);
  bool join(Group &group, size_t assignment, ExprId value);
  bool isFinal(ExprId value);
  bool isLongSum(ExprId value);
  void report(size_t assignment, const Refusal &refusal);
  ExprId copy(ExprId e);
  FusedProgram order(std::deque<CascadeBuilder> &built);
  bool repeatsTooMuch(const FusedProgram &fused);

  const Program &source;
  double burden;
  Arena a;
  TermForm terms;
  std::deque<Group> groups;
  std::vector<Boundary> boundaries;
  std::map<ExprId, ExprId> copies;
  std::set<TensorId> quiet; ///< what only refused chains need
};

/// Tensors that an expression reads.
std::vector<TensorId> Fuser::tensorsOf(const Program &p, ExprId root) const {
  std::set<TensorId> tensors;
  std::set<ExprId> seen{root};
  std::vector<ExprId> stack{root};
  while (!stack.empty()) {
    const Expr &e = p.exprs[stack.back()];
    stack.pop_back();
    if (e.kind == Expr::Kind::Access) tensors.insert(e.tensor);
    for (ExprId arg : e.args)
      if (seen.insert(arg).second) stack.push_back(arg);
    if (e.guard && seen.insert(*e.guard).second) stack.push_back(*e.guard);
  }
  return {tensors.begin(), tensors.end()};
}

bool Fuser::join(Group &group, size_t assignment, ExprId value) {
  const StatisticsFinder saved = group.found;
  auto result = group.found.rewrite(value);
  const bool first = group.members.empty();
  const bool fits =
      result && group.found.statistics.size() > 0 &&
      (first || (!saved.scores.empty() && group.found.scores == saved.scores && group.found.shares(saved)));
  if (fits) {
    group.members.push_back(assignment);
    group.values.push_back(std::move(*result));
    return true;
  }
  auto refusal = group.found.refusal;
  group.found.restore(saved);
  group.found.refusal = first ? refusal : std::nullopt;
  return false;
}

bool Fuser::isLongSum(ExprId value) {
  const Expr e = a.p.exprs[value];
  if (e.kind != Expr::Kind::Reduce || e.monoid != Monoid::Sum || e.indices.size() < 2) return false;
  return StatisticsFinder(a, terms, 0).isKeyed(a.reduce(Monoid::Sum, longest(a.p, e.indices), e.args[0], e.guard));
}

void Fuser::report(size_t assignment, const Refusal &r) {
  if (quiet.count(source.assignments[assignment].result)) return;
  boundaries.push_back({source.tensors[source.assignments[assignment].result].name, r.obstacle, r.reason, r.hint});
}

/// Puts an assignment into a group, if its value is made of keyed sums.
bool Fuser::collect(size_t assignment, ExprId value, std::optional<Refusal> &refusal) {
  StatisticsFinder probe(a, terms, 0);
  for (ExprId part : a.parts(value, [&](ExprId x) { return a.p.exprs[x].kind == Expr::Kind::Reduce; })) {
    if (!probe.isKeyed(part) || a.p.exprs[part].monoid != Monoid::Sum) continue;
    for (Group &group : groups)
      if (join(group, assignment, value)) return true;
    const IndexId key = a.newIndex(a.p.exprs[part].indices[0]);
    Group group{StatisticsFinder(a, terms, key), key, {}, {}};
    if (join(group, assignment, value)) {
      groups.push_back(std::move(group));
      return true;
    }
    refusal = group.found.refusal;
    return false;
  }
  return false;
}

/// Whether a value is made of keyed sums and of nothing that has their index: what another pass may read from memory.
bool Fuser::isFinal(ExprId value) {
  StatisticsFinder probe(a, terms, 0);
  auto hasKeyed = [&](ExprId e) {
    const std::vector<ExprId> parts = a.parts(e);
    return std::any_of(parts.begin(), parts.end(), [&](ExprId x) { return probe.isKeyed(x); });
  };
  const std::vector<ExprId> outside = a.parts(value, [&](ExprId x) { return probe.isKeyed(x); });
  return hasKeyed(value) && std::all_of(outside.begin(), outside.end(), [&](ExprId x) {
           return a.p.exprs[x].kind != Expr::Kind::Reduce || hasKeyed(x);
         });
}

/// An expression of the source in the arena, names of intermediates and bound indices kept.
ExprId Fuser::copy(ExprId root) {
  std::vector<ExprId> stack{root};
  while (!stack.empty()) {
    const ExprId e = stack.back();
    Expr node = source.exprs[e];
    bool ready = true;
    auto need = [&](ExprId &child) {
      auto done = copies.find(child);
      if (done == copies.end()) {
        stack.push_back(child);
        ready = false;
      } else {
        child = done->second;
      }
    };
    if (!copies.count(e)) {
      for (ExprId &arg : node.args) need(arg);
      if (node.guard) need(*node.guard);
      if (!ready) continue;
      copies[e] = a.add(std::move(node));
    }
    stack.pop_back();
  }
  return copies.at(root);
}

FusedProgram Fuser::run() {
  FusedProgram unchanged{source, {}, {}};
  auto isComplexTensor = [](const Tensor &t) { return isComplex(t.dtype); };
  auto isEmpty = [](const Index &i) { return i.extent.value_or(1) == 0; };
  if (source.assignments.size() > kMostAssignments ||
      std::any_of(source.indices.begin(), source.indices.end(), isEmpty) || // what sums nothing is no pass
      std::any_of(source.tensors.begin(), source.tensors.end(), isComplexTensor))
    return unchanged;
  auto values = expand(a, source, kMostExpressions);
  if (!values) return unchanged;
  std::set<TensorId> finals;
  for (size_t i = 0; i < values->size(); ++i)
    if (isFinal((*values)[i])) finals.insert(source.assignments[i].result);
  for (size_t i = 0; i < values->size(); ++i)
    if (isLongSum((*values)[i])) longSums.push_back(i);
  auto staged = expand(a, source, 2 * kMostExpressions, finals);
  if (!staged) return unchanged;
  // What nothing needs any more is not looked at.
  std::set<TensorId> needed(source.outputs.begin(), source.outputs.end());
  for (size_t i = source.assignments.size(); i-- > 0;) {
    const Assignment &s = source.assignments[i];
    if (!needed.count(s.result)) continue;
    // A sum over queries of what sums over keys gave is a pass of its own, over what they gave.
    std::optional<Refusal> refusal, later;
    std::optional<ExprId> value;
    if (collect(i, (*values)[i], refusal))
      value = (*values)[i];
    else if (refusal && collect(i, (*staged)[i], later))
      value = (*staged)[i];
    if (value) {
      for (TensorId t : tensorsOf(a.p, *value)) needed.insert(t);
      continue;
    }
    if (refusal) report(i, *refusal);
    // What a refused chain is made of may still be a cascade; if not, one report is enough.
    const bool isRefused = refusal || quiet.count(s.result);
    for (TensorId t : tensorsOf(source, s.value)) {
      needed.insert(t);
      if (isRefused) quiet.insert(t);
    }
  }
  std::map<ExprId, StoredTensor> tensors;
  std::set<size_t> members;
  for (const Group &group : groups) members.insert(group.members.begin(), group.members.end());
  for (size_t i = 0; i < values->size(); ++i) {
    if (members.count(i)) continue;
    auto [canonical, order] = a.canonical((*values)[i]);
    tensors.try_emplace(canonical, StoredTensor{source.assignments[i].result, order});
  }
  std::deque<CascadeBuilder> built;
  for (Group &group : groups) {
    CascadeBuilder builder(a, terms, group.key, group.found, tensors, !source.requirements.empty());
    std::vector<std::pair<TensorId, ExprId>> results;
    for (size_t m = 0; m < group.members.size(); ++m)
      results.emplace_back(source.assignments[group.members[m]].result, group.found.finish(group.values[m]));
    if (!builder.build(results)) {
      report(group.members[0], *builder.refusal);
      continue;
    }
    built.push_back(std::move(builder));
  }
  if (!built.empty()) {
    FusedProgram fused = order(built);
    if (!repeatsTooMuch(fused)) return fused;
  }
  unchanged.boundaries = boundaries;
  return unchanged;
}

/// Whether the passes compute so much again that the chain is faster, and it stores little. Bounds of the key leave out
/// about half of the work.
bool Fuser::repeatsTooMuch(const FusedProgram &fused) {
  const bool isDynamic = std::ranges::any_of(source.indices, [](const Index &i) { return i.dynamic >= 0; });
  if (fused.cascades.empty() || !source.requirements.empty() || isDynamic) return false;
  double passes = workOf(fused.program, 0, fused.program.assignments.size()), largest = 0;
  for (const Cascade &c : fused.cascades) {
    if (std::ranges::count(c.roles, Role::Low) + std::ranges::count(c.roles, Role::High) > 0)
      passes -= workOf(fused.program, c.first, c.last) / 2;
    for (size_t i = c.first; i < c.last; ++i)
      if (c.roles[i - c.first] == Role::Tile)
        largest = std::max(largest, bytesOf(fused.program, fused.program.assignments[i].result));
  }
  const double times = passes / std::max(1.0, workOf(source, 0, source.assignments.size()));
  if (times < kMostRepeated || largest >= burden) return false;
  char reason[120];
  std::snprintf(reason, sizeof reason,
                "one pass over each index takes %.1f times the work, and the chain stores little", times);
  const std::string result = source.tensors[source.outputs.front()].name;
  boundaries.push_back(
      {result, Obstacle::Unprofitable, reason, "'require nostore(" + result + ")' has it in one pass over each"});
  return true;
}

/// Everything that the outputs need, each after what it reads.
FusedProgram Fuser::order(std::deque<CascadeBuilder> &built) {
  struct Item {
    std::vector<CascadeBuilder::Step> steps;
    const CascadeBuilder *cascade = nullptr;
    std::set<TensorId> reads, writes;
  };
  std::vector<Item> items;
  std::map<TensorId, size_t> writer;
  auto add = [&](std::vector<CascadeBuilder::Step> steps, const CascadeBuilder *cascade) {
    Item item{std::move(steps), cascade, {}, {}};
    for (const auto &step : item.steps) {
      item.writes.insert(step.assignment.result);
      for (TensorId t : tensorsOf(a.p, step.assignment.value)) item.reads.insert(t);
    }
    for (TensorId t : item.writes) item.reads.erase(t), writer[t] = items.size();
    items.push_back(std::move(item));
  };
  std::set<TensorId> fused;
  for (const CascadeBuilder &b : built)
    for (const auto &step : b.steps) fused.insert(step.assignment.result);
  for (const Assignment &s : source.assignments)
    if (!fused.count(s.result)) add({{Role::Finish, {s.result, copy(s.value)}}}, nullptr);
  for (const CascadeBuilder &b : built) {
    for (const Assignment &s : b.before) add({{Role::Finish, s}}, nullptr);
    add(b.steps, &b);
  }
  std::vector<char> live(items.size()), done(items.size());
  std::vector<TensorId> stack = source.outputs;
  while (!stack.empty()) {
    const TensorId t = stack.back();
    stack.pop_back();
    auto w = writer.find(t);
    if (w == writer.end() || live[w->second]) continue;
    live[w->second] = true;
    stack.insert(stack.end(), items[w->second].reads.begin(), items[w->second].reads.end());
  }
  FusedProgram result{a.p, {}, boundaries};
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t i = 0; i < items.size(); ++i) {
      auto isReady = [&](TensorId t) { return !writer.count(t) || done[writer.at(t)]; };
      if (!live[i] || done[i] || !std::all_of(items[i].reads.begin(), items[i].reads.end(), isReady)) continue;
      done[i] = moved = true;
      const size_t first = result.program.assignments.size();
      std::vector<Role> roles;
      for (const auto &step : items[i].steps) {
        result.program.assignments.push_back(step.assignment);
        roles.push_back(step.role);
      }
      if (items[i].cascade)
        result.cascades.push_back({first, first + roles.size(), items[i].cascade->keyIndex(), roles});
    }
  }
  if (live != done) return {source, {}, boundaries}; // two cascades need each other
  std::vector<IndexId> keys;
  for (const Cascade &c : result.cascades) keys.push_back(c.key);
  result.program = compact(result.program, source.tensors.size(), source.indices.size(), keys);
  for (size_t c = 0; c < keys.size(); ++c) result.cascades[c].key = keys[c];
  return result;
}

} // namespace

Program withExplicitMasks(const FusedProgram &fused) {
  Program p = fused.program;
  for (const Cascade &c : fused.cascades) {
    std::optional<ExprId> mask;
    auto also = [&](ExprId guard) { mask = mask ? p.map(Fn::And, {*mask, guard}) : guard; };
    for (size_t i = c.first; i < c.last; ++i) {
      Assignment &assignment = p.assignments[i];
      const Role role = c.roles[i - c.first];
      if (role == Role::Low) also(p.map(Fn::GreaterEqual, {p.indexValue(c.key), p.access(assignment.result)}));
      if (role == Role::High) also(p.map(Fn::Less, {p.indexValue(c.key), p.access(assignment.result)}));
      if (role == Role::Guard) also(p.access(assignment.result));
      if (role != Role::Max && role != Role::Sum) continue;
      Expr reduce = p.exprs[assignment.value];
      reduce.guard = mask;
      assignment.value = p.add(std::move(reduce));
      if (role != Role::Max) continue;
      // A finite reference for rows in which nothing counts: no inf - inf.
      const ExprId lowest = p.literal(-std::numeric_limits<double>::infinity());
      const ExprId isEmpty = p.map(Fn::Equal, {assignment.value, lowest});
      assignment.value = p.map(Fn::Select, {isEmpty, p.literal(0), assignment.value});
    }
  }
  return p;
}

FusedProgram fuse(const Program &source, double burden) {
  Fuser fuser(source, burden);
  FusedProgram whole = fuser.run();
  if (fuser.longSums.empty()) return whole;
  // Keys that several heads share: one pass for each head's part, then the sum of the parts.
  const Program split = withSplitSums(source, fuser.longSums);
  FusedProgram parts = Fuser(split, burden).run();
  std::set<TensorId> results;
  for (const Cascade &c : parts.cascades)
    for (size_t i = c.first; i < c.last; ++i) results.insert(parts.program.assignments[i].result);
  for (size_t t = source.tensors.size(); t < split.tensors.size(); ++t)
    if (!results.count(TensorId(t))) return whole;
  return parts;
}

} // namespace ein
