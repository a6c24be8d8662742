// Flattening: nested reductions and softmax become assignments of their own.
#include "compiler/Paths/Flattener.h"

#include <algorithm>
#include <limits>

namespace ein {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

} // namespace

Flattener::Flattener(const FusedProgram &fused, const CompileOptions &options)
    : fused(fused), source(fused.program), options(options), out(flat.program), lowered(source.exprs.size()) {
  out = source;
  out.exprs.clear();
  out.assignments.clear();
  out.requirements.clear(); // met or not by what comes out
  out.stores.clear();
  out.warnings.clear();
  for (const Index &i : source.indices) names.insert(i.name);
  for (const Tensor &t : source.tensors) names.insert(t.name);
  // What is rounded to 16 bits is what leaves the kernel.
  for (const Assignment &a : source.assignments)
    if (DType &dtype = out.tensors[a.result].dtype;
        isFloat(dtype) && std::find(out.outputs.begin(), out.outputs.end(), a.result) == out.outputs.end())
      dtype = accumulateType(dtype);
}

FlatProgram Flattener::run() && {
  auto cascade = fused.cascades.begin();
  for (size_t i = 0; i < source.assignments.size();) {
    if (cascade == fused.cascades.end() || i < cascade->first) {
      flattenAssignment(source.assignments[i++]);
      continue;
    }
    Cascade moved = *cascade++;
    const size_t count = moved.last - moved.first;
    moved.first = out.assignments.size();
    moved.last = moved.first + count;
    for (const size_t end = i + count; i < end; ++i) keepAssignment(source.assignments[i]);
    flat.cascades.push_back(std::move(moved));
  }
  flat.boundaries = fused.boundaries;
  return std::move(flat);
}

/// An assignment of a cascade, as it is.
void Flattener::keepAssignment(const Assignment &assignment) {
  current = assignment.result;
  for (ExprId id : reachable(assignment.value)) lowered[id] = rebuild(source.exprs[id]);
  assign(assignment.result, *lowered[assignment.value]);
}

/// What `root` is made of and is not lowered yet, children before parents.
std::vector<ExprId> Flattener::reachable(ExprId root) const {
  std::vector<ExprId> found, stack;
  std::set<ExprId> seen;
  auto visit = [&](ExprId e) {
    if (!lowered[e] && seen.insert(e).second) stack.push_back(e);
  };
  visit(root);
  while (!stack.empty()) {
    ExprId e = stack.back();
    stack.pop_back();
    found.push_back(e);
    for (ExprId arg : source.exprs[e].args) visit(arg);
    if (source.exprs[e].guard) visit(*source.exprs[e].guard);
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// Whether the Program requires that nothing is stored on the way to an output.
bool Flattener::storesNothingFor(TensorId result) const {
  auto has = [&](const std::vector<TensorId> &list) {
    return std::find(list.begin(), list.end(), result) != list.end();
  };
  return has(source.outputs) && std::any_of(source.requirements.begin(), source.requirements.end(), [&](const auto &r) {
           return r.kind == Requirement::Kind::NoStore && has(r.tensors);
         });
}

void Flattener::flattenAssignment(const Assignment &assignment) {
  current = assignment.result;
  inOneNest = options.path == PathStrategy::Fused || storesNothingFor(current);
  bool shared = lowered[assignment.value].has_value(), stored = false, rounded = false;
  for (ExprId id : reachable(assignment.value)) {
    const Expr &e = source.exprs[id];
    const bool isPointwise = e.kind < Expr::Kind::Reduce;
    if (isPointwise) {
      lowered[id] = rebuild(e);
      continue;
    }
    bool isRoot = id == assignment.value && !shared;
    // A sum is taken in the type that it is accumulated in; where it is stored as another it is converted once.
    // Conditions have no other.
    DType dtype = sumType(*lowered[e.args[0]]);
    const bool sums = e.kind == Expr::Kind::Reduce && e.monoid == Monoid::Sum;
    if (isRoot && dtype != DType::Bool && (sums || !isComplex(out.tensors[assignment.result].dtype)))
      dtype = accumulateType(promote(dtype, out.tensors[assignment.result].dtype));
    if (e.kind == Expr::Kind::Top && e.list.positions && !isRoot) dtype = DType::I32;
    // What ends with a pointwise step is converted by it.
    const bool direct = isRoot && (e.kind != Expr::Kind::Reduce || out.tensors[assignment.result].dtype == dtype);
    std::vector<IndexId> axes = isRoot ? out.tensors[assignment.result].axes : inOrder(source.freeIndices(id));
    TensorId target = direct ? assignment.result : newTensor(std::move(axes), dtype);
    if (e.kind == Expr::Kind::Reduce)
      flattenReduce(e, target);
    else if (e.kind == Expr::Kind::Softmax)
      flattenSoftmax(e, target);
    else
      flattenTop(e, target);
    lowered[id] = out.access(target);
    stored = direct;
    rounded = direct && out.tensors[target].dtype != dtype;
  }
  if (!stored) assign(assignment.result, *lowered[assignment.value]);
  if (rounded) lowered[assignment.value].reset(); // others that have the expression compute it themselves
}

ExprId Flattener::rebuild(const Expr &e) {
  Expr copy = e;
  for (ExprId &arg : copy.args) arg = *lowered[arg];
  if (copy.guard) copy.guard = *lowered[*copy.guard];
  return out.add(std::move(copy));
}

void Flattener::flattenReduce(const Expr &e, TensorId target) {
  std::optional<ExprId> guard = e.guard ? lowered[*e.guard] : std::nullopt;
  ExprId body = masked(guard, *lowered[e.args[0]], identityOf(e.monoid));
  if (e.monoid == Monoid::Sum)
    flattenSum(target, e.indices, body);
  else if (e.monoid == Monoid::Prod)
    reduceTo(target, e.monoid, e.indices, body); // distributes over nothing
  else
    flattenTropical(target, e.monoid, e.indices, body);
}

/// Adds target = monoid[indices](body), in flat form.
void Flattener::reduceTo(TensorId target, Monoid monoid, std::vector<IndexId> indices, ExprId body) {
  if (monoid == Monoid::LogSumExp)
    logSumExpTo(target, indices, body);
  else
    assign(target, out.reduce(monoid, std::move(indices), body));
}

/// m + log(sum(exp(x - m))) with m = max(x), or 0 where that is infinite lest inf - inf arise. A NaN stays one.
void Flattener::logSumExpTo(TensorId target, const std::vector<IndexId> &indices, ExprId x) {
  auto likeTarget = [&] { return newTensor(out.tensors[target].axes, out.tensors[target].dtype); };
  const TensorId highest = likeTarget(), shift = likeTarget(), sum = likeTarget();
  ExprId m = assign(highest, out.reduce(Monoid::Max, indices, x));
  ExprId infinite = out.map(Fn::Equal, {out.map(Fn::Abs, {m}), out.literal(kInfinity)});
  ExprId s = assign(shift, out.map(Fn::Select, {infinite, out.literal(0), m}));
  ExprId exponential = out.map(Fn::Exp, {out.map(Fn::Sub, {x, s})});
  ExprId l = assign(sum, out.reduce(Monoid::Sum, indices, exponential));
  assign(target, out.map(Fn::Add, {s, out.map(Fn::Log, {l})}));
}

/// m = max(x), l = sum(exp(x - m)), result exp(x - m) / l; a sink is one more x that has no result. Rows without a
/// point above -inf are 0: there m = -inf is replaced by 0 lest -inf - -inf arise, and l = 0 is caught. A NaN reaches
/// its row through l.
void Flattener::flattenSoftmax(const Expr &e, TensorId target) {
  std::optional<ExprId> guard = e.guard ? lowered[*e.guard] : std::nullopt;
  ExprId x = *lowered[e.args[0]];
  ExprId zero = out.literal(0), minusInfinity = out.literal(-kInfinity);

  std::optional<ExprId> sink;
  if (e.args.size() > 1) sink = *lowered[e.args[1]];
  ExprId m = materialise(out.reduce(Monoid::Max, e.indices, masked(guard, x, -kInfinity)));
  if (sink) m = out.map(Fn::Max, {m, *sink});
  ExprId shift = materialise(out.map(Fn::Select, {out.map(Fn::Equal, {m, minusInfinity}), zero, m}));
  ExprId exponential = out.map(Fn::Exp, {out.map(Fn::Sub, {x, shift})});
  ExprId l = materialise(out.reduce(Monoid::Sum, e.indices, masked(guard, exponential, 0)));
  if (sink) l = materialise(out.map(Fn::Add, {l, out.map(Fn::Exp, {out.map(Fn::Sub, {*sink, shift})})}));
  ExprId counts = out.map(Fn::NotEqual, {l, zero});
  if (guard) counts = out.map(Fn::And, {*guard, counts});
  assign(target, masked(counts, out.map(Fn::Div, {exponential, l}), 0));
}

ExprId Flattener::masked(std::optional<ExprId> guard, ExprId value, double otherwise) {
  return guard ? out.map(Fn::Select, {*guard, value, out.literal(otherwise)}) : value;
}

/// The indices that the current result has, in its order, then the others.
std::vector<IndexId> Flattener::inOrder(std::vector<IndexId> indices) const {
  const std::vector<IndexId> &axes = out.tensors[current].axes;
  auto place = [&](IndexId i) { return std::find(axes.begin(), axes.end(), i) - axes.begin(); };
  std::sort(indices.begin(), indices.end(),
            [&](IndexId a, IndexId b) { return std::pair(place(a), a) < std::pair(place(b), b); });
  return indices;
}

/// The type in which values of an expression are computed.
DType Flattener::sumType(ExprId e) {
  while (types.size() <= e) types.push_back(out.dtypeOf(out.exprs[types.size()], types));
  const DType own = types[e].value_or(out.tensors[current].dtype);
  // Numbers that are literals and index values only, on the way to a condition.
  if (!types[e] && own == DType::Bool) return DType::F64;
  return accumulateType(own);
}

TensorId Flattener::newTensor(std::vector<IndexId> axes, DType dtype) {
  std::string name;
  do name = "t" + std::to_string(nextName++);
  while (names.count(name));
  out.tensors.push_back({name, dtype, std::move(axes)});
  return static_cast<TensorId>(out.tensors.size() - 1);
}

/// Adds an assignment; returns an access to its result.
ExprId Flattener::assign(TensorId result, ExprId value) {
  out.assignments.push_back({result, value});
  return out.access(result);
}

/// In a type that holds its values and is no narrower than what it is part of.
ExprId Flattener::materialise(ExprId value, TensorId partOf) {
  const DType dtype = accumulateType(promote(sumType(value), out.tensors[partOf].dtype));
  return assign(newTensor(inOrder(out.freeIndices(value)), dtype), value);
}

} // namespace ein
