// Reverse mode: from the last assignment to the first, each passes its cotangent on to what it reads.
#include "compiler/Adjoints/ProgramAdjoint.h"

#include "compiler/Adjoints/AdjointForm.h"
#include "compiler/Adjoints/Derivatives.h"
#include "compiler/Cascades/Compact.h"
#include "compiler/IndexNotation/Sharing.h"
#include "compiler/IndexNotation/Syntax.h"

#include <algorithm>

namespace ein {
namespace {

bool contains(const std::vector<IndexId> &all, IndexId i) { return std::ranges::find(all, i) != all.end(); }

std::vector<IndexId> without(std::vector<IndexId> all, const std::vector<IndexId> &some) {
  std::erase_if(all, [&](IndexId i) { return contains(some, i); });
  return all;
}

std::vector<IndexId> unite(std::vector<IndexId> all, const std::vector<IndexId> &more) {
  for (IndexId i : more)
    if (!contains(all, i)) all.push_back(i);
  return all;
}

constexpr size_t kMostExpressions = 200000;

bool isDifferentiable(DType dtype) { return isFloat(dtype) || isComplex(dtype); }

class ProgramReverse {
public:
  ProgramReverse(const Program &source, std::span<const size_t> which)
      : source(source), which(which), a(source), d(a), form(a, source) {}

  Expected<Program> run();

private:
  using Status = Expected<void>;

  Status checkOperands() const;
  Status addCotangents();
  Error notDifferentiable(const std::string &what, std::optional<Span> place, std::string help) const;

  void findActive();
  bool isActive(const Expr &e) const;

  Status differentiate(const Assignment &assignment);
  ExprId total(TensorId t);
  void push(ExprId e, size_t region, ExprId cotangent);
  Status visit(ExprId e, const std::map<size_t, ExprId> &cotangents);
  void visitMap(const Expr &e, size_t region, ExprId cotangent);
  void visitReduction(const Expr &e, ExprId self, ExprId cotangent, size_t inside);
  void visitAccess(const Expr &e, const std::vector<IndexId> &scope, ExprId cotangent);
  void visitSoftmax(const NamedSoftmax &softmax, ExprId cotangent);

  ExprId valueOf(ExprId e);
  ExprId others(const Expr &product);
  const std::vector<IndexId> &axesOf(TensorId t);
  TensorId gradient(size_t operand);
  Program finish(const std::vector<TensorId> &gradients);

  const Program &source;
  std::span<const size_t> which;
  Arena a;
  Derivatives d;
  AdjointForm form;
  std::set<ExprId> active;
  std::set<TensorId> activeTensors;
  std::vector<TensorId> cotangents;
  std::map<TensorId, std::vector<ExprId>> contributions; ///< over axesOf the tensor
  std::map<TensorId, std::vector<IndexId>> axes;         ///< of gradients
  std::map<ExprId, ExprId> values;                       ///< without reductions

  // Of the assignment at hand. A region is what has the same open indices: the value, and the inside of each reduction.
  TensorId result = 0;
  std::vector<std::vector<IndexId>> scopes;
  std::map<ExprId, std::map<size_t, ExprId>, std::greater<>> pending; ///< cotangents by expression and region
};

Error ProgramReverse::notDifferentiable(const std::string &what, std::optional<Span> place, std::string help) const {
  Error e = makeError(ErrorCode::Typing, "not differentiable: " + what, std::move(help));
  e.rule = "E19";
  e.text = source.text;
  if (place && place->end > place->begin) e.labels.push_back({*place, "here"});
  return e;
}

Expected<void> ProgramReverse::checkOperands() const {
  const size_t count = source.inputs.size() - source.priors;
  for (size_t operand : which) {
    if (operand >= count)
      return makeError(ErrorCode::OperandCount, "the Program has no operand " + std::to_string(operand),
                       count ? "operands count from 0 to " + std::to_string(count - 1) : "it has no operand");
    const Tensor &t = source.tensors[source.inputs[operand]];
    if (isDifferentiable(t.dtype)) continue;
    std::optional<Span> place;
    if (auto syntax = parseSyntax(source.text); syntax && operand < syntax->inputs.size())
      place = syntax->inputs[operand].name.span;
    return notDifferentiable("'" + t.name + "' is " + std::string(name(t.dtype)), place,
                             "gradients are those of operands of floats");
  }
  return {};
}

Expected<void> ProgramReverse::addCotangents() {
  for (TensorId t : source.outputs) {
    if (!isDifferentiable(a.p.tensors[t].dtype)) continue;
    const Tensor result = a.p.tensors[t];
    const TensorId cotangent = a.newTensor(result.name + "_bar", result.dtype, result.axes);
    cotangents.push_back(cotangent);
    contributions[t].push_back(a.access(cotangent));
  }
  if (!cotangents.empty()) return {};
  std::optional<Span> place;
  for (const Assignment &s : source.assignments)
    if (s.result == source.outputs[0]) place = source.exprs[s.value].span;
  const Tensor &t = source.tensors[source.outputs[0]];
  return notDifferentiable("the result '" + t.name + "' is " + std::string(name(t.dtype)), place,
                           "gradients are those of results of floats");
}

/// Whether a gradient of an operand may pass through an expression, given its parts.
bool ProgramReverse::isActive(const Expr &e) const {
  auto isOne = [&](ExprId arg) { return active.count(arg) > 0; };
  switch (e.kind) {
  case Expr::Kind::Access: return activeTensors.count(e.tensor) > 0;
  case Expr::Kind::Reduce:
  case Expr::Kind::Top: return isOne(e.args[0]);
  case Expr::Kind::Map: break;
  default: return false;
  }
  if (isPredicate(e.fn) || e.fn == Fn::Floor || e.fn == Fn::Sign || e.fn == Fn::IntDiv || e.fn == Fn::Rand)
    return false;
  // What is rounded to an integer is constant almost everywhere.
  const std::optional<DType> from = a.typeOf(e.args[0]);
  if (e.fn == Fn::Cast && !isFloat(e.dtype) && from && isFloat(*from)) return false;
  return std::any_of(e.args.begin() + (e.fn == Fn::Select ? 1 : 0), e.args.end(), isOne);
}

void ProgramReverse::findActive() {
  for (size_t operand : which) activeTensors.insert(source.inputs[operand]);
  for (const Assignment &s : form.assignments) {
    for (ExprId part : a.parts(s.value))
      if (isActive(a.p.exprs[part])) active.insert(part);
    if (active.count(s.value)) activeTensors.insert(s.result);
  }
}

/// The indices of the gradient of a tensor, one of its own for each dimension.
const std::vector<IndexId> &ProgramReverse::axesOf(TensorId t) {
  auto [known, isNew] = axes.try_emplace(t);
  if (isNew)
    for (IndexId i : std::vector<IndexId>(a.p.tensors[t].axes))
      known->second.push_back(contains(known->second, i) ? a.newIndex(a.nameOf(i), *a.p.indices[i].extent) : i);
  return known->second;
}

/// The sum of what was passed on to a tensor.
ExprId ProgramReverse::total(TensorId t) {
  std::optional<ExprId> sum;
  for (ExprId c : contributions[t]) sum = sum ? d.plus(*sum, c) : c;
  return sum ? *sum : a.literal(0);
}

void ProgramReverse::push(ExprId e, size_t region, ExprId cotangent) {
  if (!active.count(e)) return;
  auto [entry, isNew] = pending[e].try_emplace(region, cotangent);
  if (!isNew) entry->second = d.plus(entry->second, cotangent);
}

/// The value of an expression as one without reductions: they are tensors.
ExprId ProgramReverse::valueOf(ExprId root) {
  if (a.height(root) == 0) return root;
  auto isKnown = [&](ExprId x) { return values.count(x) > 0; };
  auto isReduction = [&](ExprId x) {
    return a.p.exprs[x].kind == Expr::Kind::Reduce || a.p.exprs[x].kind == Expr::Kind::Top;
  };
  for (ExprId part : a.parts(root, [&](ExprId x) { return isKnown(x) || isReduction(x); })) {
    if (isKnown(part)) continue;
    Expr copy = a.p.exprs[part];
    for (ExprId &arg : copy.args) arg = isReduction(part) ? arg : values.at(arg);
    values[part] = isReduction(part) ? form.named("t", part) : a.add(std::move(copy));
  }
  return values.at(root);
}

Expected<void> ProgramReverse::differentiate(const Assignment &assignment) {
  result = assignment.result;
  const Tensor tensor = a.p.tensors[result];
  ExprId cotangent = total(result);
  const Expr e = a.p.exprs[cotangent];
  const ExprId name = form.named(tensor.name + "_bar", cotangent);
  // What is 0 outside of a condition stays so, whatever it is multiplied with.
  const bool isGuarded = name != cotangent && e.kind == Expr::Kind::Map && e.fn == Fn::Select &&
                         a.p.exprs[e.args[2]].kind == Expr::Kind::Literal && a.p.exprs[e.args[2]].literal == 0;
  cotangent = isGuarded ? d.where(e.args[0], name) : name;
  scopes = {tensor.axes};
  if (auto softmax = form.softmaxes.find(result); softmax != form.softmaxes.end())
    visitSoftmax(softmax->second, cotangent);
  else
    push(assignment.value, 0, cotangent);
  while (!pending.empty()) {
    if (a.p.exprs.size() > kMostExpressions) return adjointTooLong();
    auto next = pending.extract(pending.begin());
    if (auto ok = visit(next.key(), next.mapped()); !ok) return ok;
  }
  return {};
}

/// With P = softmax(x): dx = P (dP - sum of P dP), and the sink's is minus that sum times its own weight.
void ProgramReverse::visitSoftmax(const NamedSoftmax &s, ExprId cotangent) {
  const ExprId weights = a.access(result);
  const ExprId mean = form.named("D", d.sum(s.indices, d.times(cotangent, weights)));
  push(s.score, 0, a.map(Fn::Mul, {weights, a.map(Fn::Sub, {cotangent, mean})}));
  if (!s.sink) return;
  scopes.push_back(without(scopes[0], s.indices));
  const ExprId weight = a.map(Fn::Exp, {a.map(Fn::Sub, {*s.sink, a.access(s.reference)})});
  push(*s.sink, 1, d.minus(d.times(mean, weight)));
}

Expected<void> ProgramReverse::visit(ExprId id, const std::map<size_t, ExprId> &cotangents) {
  const Expr e = a.p.exprs[id];
  if (e.kind == Expr::Kind::Top && e.list.positions)
    return notDifferentiable(e.list.place      ? "argtop"
                             : e.list.smallest ? "argmin"
                                               : "argmax",
                             e.span, "positions are constant almost everywhere: make them an operand");
  if (e.kind == Expr::Kind::Reduce || e.kind == Expr::Kind::Top) {
    std::optional<ExprId> sum;
    for (auto [region, cotangent] : cotangents) {
      const ExprId own = d.sum(without(scopes[region], a.free(id)), cotangent);
      sum = sum ? d.plus(*sum, own) : own;
    }
    const std::vector<ExprId> parts = a.parts(*sum);
    if (std::ranges::any_of(parts, [&](ExprId x) { return a.p.exprs[x].kind == Expr::Kind::Reduce; }))
      sum = form.named("t_bar", *sum);
    scopes.push_back(unite(a.free(id), e.indices));
    visitReduction(e, id, *sum, scopes.size() - 1);
    return {};
  }
  for (auto [region, cotangent] : cotangents)
    if (e.kind == Expr::Kind::Access)
      visitAccess(e, scopes[region], cotangent);
    else
      visitMap(e, region, cotangent);
  return {};
}

void ProgramReverse::visitMap(const Expr &e, size_t region, ExprId cotangent) {
  auto value = [&](size_t i) { return valueOf(e.args[i]); };
  for (size_t i = 0; i < e.args.size(); ++i)
    if (active.count(e.args[i]))
      if (auto own = d.pull(e, i, cotangent, value)) push(e.args[i], region, *own);
}

/// `inside` is the region of what is reduced. Of equal maxima the first one counts.
void ProgramReverse::visitReduction(const Expr &e, ExprId self, ExprId cotangent, size_t inside) {
  auto guarded = [&](ExprId x) { return e.guard ? d.where(valueOf(*e.guard), x) : x; };
  if (e.kind == Expr::Kind::Top || e.monoid == Monoid::Max || e.monoid == Monoid::Min) {
    Expr top = e;
    top.kind = Expr::Kind::Top;
    top.list.positions = true;
    if (e.kind == Expr::Kind::Reduce) top.list.smallest = e.monoid == Monoid::Min;
    const ExprId place = form.named("at", a.add(std::move(top)));
    ExprId own = d.where(d.isEqual(e.indices[0], place), cotangent);
    if (e.list.place) own = d.sum({*e.list.place}, own);
    if (e.list.place) std::erase(scopes[inside], *e.list.place), own = form.named("t_bar", own);
    push(e.args[0], inside, own);
    return;
  }
  switch (e.monoid) {
  case Monoid::LogSumExp: {
    if (const NamedSoftmax *same = form.softmaxLike(e)) {
      push(e.args[0], inside, d.times(a.access(same->weights), cotangent));
      break;
    }
    const ExprId reference = form.finite(valueOf(self));
    const ExprId weight = a.map(Fn::Exp, {a.map(Fn::Sub, {valueOf(e.args[0]), reference})});
    push(e.args[0], inside, guarded(d.times(cotangent, weight)));
    break;
  }
  case Monoid::Prod: push(e.args[0], inside, guarded(d.times(cotangent, others(e)))); break;
  default: push(e.args[0], inside, guarded(cotangent));
  }
}

/// For each point of a product the product of all others: right where some are 0.
ExprId ProgramReverse::others(const Expr &product) {
  const IndexId own = product.indices[0], other = a.newIndex(a.nameOf(own), *a.p.indices[own].extent);
  const std::map<IndexId, IndexId> names{{own, other}};
  const ExprId factor = form.named("t", valueOf(product.args[0]));
  ExprId isOther = a.map(Fn::NotEqual, {d.indexValue(other), d.indexValue(own)});
  if (product.guard) isOther = a.map(Fn::And, {a.rename(valueOf(*product.guard), names), isOther});
  return form.named("t", a.reduce(Monoid::Prod, other, a.rename(factor, names), isOther));
}

/// Passes a cotangent on to a tensor: renames the subscripts to its axes, and sums over what they do not have. A
/// repeated index is a diagonal, a computed subscript the place that equals it.
void ProgramReverse::visitAccess(const Expr &e, const std::vector<IndexId> &scope, ExprId cotangent) {
  const std::vector<IndexId> own = axesOf(e.tensor);
  std::map<IndexId, IndexId> names;
  for (size_t i = 0; i < own.size(); ++i)
    if (e.subscripts[i]) names.try_emplace(*e.subscripts[i], own[i]);
  std::vector<IndexId> rest, spare;
  for (const auto &[from, to] : names)
    if (!contains(own, from)) spare.push_back(from);
  for (IndexId i : scope) {
    if (names.count(i)) continue;
    if (contains(own, i)) { // the name is needed for an axis
      const int64_t extent = *a.p.indices[i].extent;
      auto free = std::ranges::find_if(spare, [&](IndexId s) { return a.p.indices[s].extent == extent; });
      names[i] = free == spare.end() ? a.newIndex(a.nameOf(i), extent) : *free;
      if (free != spare.end()) spare.erase(free);
    }
    rest.push_back(names.count(i) ? names[i] : i);
  }
  const bool isRenamed = std::ranges::any_of(names, [](const auto &n) { return n.first != n.second; });
  ExprId value = isRenamed ? a.rename(cotangent, names) : cotangent;
  std::optional<ExprId> condition;
  auto require = [&](size_t axis, ExprId place) {
    const ExprId is = d.isEqual(own[axis], place);
    condition = condition ? a.map(Fn::And, {*condition, is}) : is;
  };
  std::set<IndexId> seen;
  for (size_t i = 0; i < own.size(); ++i) {
    const auto computed = std::ranges::find(e.computed, i);
    if (computed != e.computed.end())
      require(i, a.rename(valueOf(e.args[size_t(computed - e.computed.begin())]), names));
    else if (e.subscripts[i] && !seen.insert(*e.subscripts[i]).second)
      require(i, d.indexValue(names[*e.subscripts[i]]));
  }
  if (condition) value = d.where(*condition, value);
  contributions[e.tensor].push_back(d.sum(rest, value));
}

/// A tensor with the gradient of an operand: the sum of what was passed on to it, along every axis.
TensorId ProgramReverse::gradient(size_t operand) {
  const TensorId t = source.inputs[operand];
  const std::vector<IndexId> own = axesOf(t);
  ExprId value = total(t);
  std::optional<ExprId> stretch;
  for (IndexId i : own) {
    if (a.depends(value, i)) continue;
    const ExprId always = a.map(Fn::GreaterEqual, {d.indexValue(i), a.literal(0)});
    stretch = stretch ? a.map(Fn::And, {*stretch, always}) : always;
  }
  if (stretch) value = d.where(*stretch, value);
  const DType dtype = a.p.tensors[t].dtype, made = a.typeOf(value).value_or(dtype);
  const bool widens = isComplex(made) && !isComplex(dtype);
  const TensorId result = a.newTensor(a.p.tensors[t].name + "_bar", widens ? made : dtype, own);
  form.assignments.push_back({result, value});
  return result;
}

/// The Program of what the gradients need.
Program ProgramReverse::finish(const std::vector<TensorId> &gradients) {
  a.p.inputs.insert(a.p.inputs.end(), cotangents.begin(), cotangents.end());
  a.p.outputs = gradients;
  a.p.requirements.clear(), a.p.stores.clear(), a.p.warnings.clear(), a.p.text.clear();
  std::set<TensorId> needed(gradients.begin(), gradients.end());
  for (size_t i = form.assignments.size(); i-- > 0;) {
    if (!needed.count(form.assignments[i].result)) continue;
    a.p.assignments.push_back(form.assignments[i]);
    for (ExprId part : a.parts(form.assignments[i].value))
      if (a.p.exprs[part].kind == Expr::Kind::Access) needed.insert(a.p.exprs[part].tensor);
  }
  std::ranges::reverse(a.p.assignments);
  std::vector<IndexId> noKeys;
  Program adjoint = compact(a.p, 0, source.indices.size(), noKeys);
  shareExpressions(adjoint);
  return adjoint;
}

Expected<Program> ProgramReverse::run() {
  if (auto ok = checkOperands(); !ok) return ok.error();
  if (auto ok = addCotangents(); !ok) return ok.error();
  findActive();
  const std::vector<Assignment> forward = form.assignments;
  for (const Assignment &s : forward) // what has a name already needs no other
    if (a.height(s.value) > 0 && a.p.tensors[s.result].dtype == accumulateType(a.typeOf(s.value).value_or(DType::F32)))
      values.try_emplace(s.value, a.access(s.result));
  for (size_t i = forward.size(); i-- > 0;)
    if (activeTensors.count(forward[i].result) && contributions.count(forward[i].result))
      if (auto ok = differentiate(forward[i]); !ok) return ok.error();
  std::vector<TensorId> gradients;
  for (size_t operand : which) gradients.push_back(gradient(operand));
  Program adjoint = finish(gradients);
  if (auto ok = verify(adjoint); !ok) return ok.error();
  return adjoint;
}

} // namespace

Error adjointTooLong() {
  return makeError(ErrorCode::Limit, "the adjoint is longer than a Program may be",
                   "name intermediates: what has a name is written once");
}

Expected<Program> adjointProgram(const Program &source, std::span<const size_t> which) {
  return ProgramReverse(source, which).run();
}

} // namespace ein
