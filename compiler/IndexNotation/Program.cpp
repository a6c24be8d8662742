// Builders and queries of a Program.
#include "compiler/IndexNotation/Program.h"
#include "compiler/IndexNotation/KnownExtents.h"
#include "compiler/IndexNotation/Scaling.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ein {
namespace {

using IndexSet = std::vector<IndexId>; // ascending, no duplicates

IndexSet unite(const IndexSet &a, const IndexSet &b) {
  IndexSet result;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
  return result;
}

IndexSet sorted(IndexSet indices) {
  std::sort(indices.begin(), indices.end());
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
  return indices;
}

/// Free indices of `e`, given those of its children in `sets`.
IndexSet freeOf(const Expr &e, const std::vector<IndexSet> &sets) {
  IndexSet result;
  if (e.kind == Expr::Kind::IndexValue) return sorted(e.indices);
  if (e.kind == Expr::Kind::Access) {
    for (const AccessSubscript &s : e.subscripts)
      if (s) result.push_back(*s);
    result = sorted(std::move(result));
  }
  for (ExprId arg : e.args) result = result.empty() ? sets[arg] : unite(result, sets[arg]);
  if (e.guard) result = unite(result, sets[*e.guard]);
  if (e.kind == Expr::Kind::Reduce || e.kind == Expr::Kind::Top)
    std::erase_if(result,
                  [&](IndexId i) { return std::find(e.indices.begin(), e.indices.end(), i) != e.indices.end(); });
  if (e.kind == Expr::Kind::Top && e.list.place) result = unite(result, {*e.list.place});
  return result;
}

struct FnInfo {
  const char *spelling;
  int arity;
};

FnInfo infoOf(Fn fn) {
  switch (fn) {
  case Fn::Add: return {"+", 2};
  case Fn::Sub: return {"-", 2};
  case Fn::Mul: return {"*", 2};
  case Fn::Div: return {"/", 2};
  case Fn::Neg: return {"-", 1};
  case Fn::IntDiv: return {"//", 2};
  case Fn::Mod: return {"%", 2};
  case Fn::Pow: return {"^", 2};
  case Fn::Exp: return {"exp", 1};
  case Fn::Exp2: return {"exp2", 1};
  case Fn::Log: return {"log", 1};
  case Fn::Sqrt: return {"sqrt", 1};
  case Fn::Tanh: return {"tanh", 1};
  case Fn::Erf: return {"erf", 1};
  case Fn::Gelu: return {"gelu", 1};
  case Fn::Silu: return {"silu", 1};
  case Fn::Sin: return {"sin", 1};
  case Fn::Cos: return {"cos", 1};
  case Fn::Abs: return {"abs", 1};
  case Fn::Floor: return {"floor", 1};
  case Fn::Sign: return {"sign", 1};
  case Fn::Conj: return {"conj", 1};
  case Fn::Max: return {"max", 2};
  case Fn::Min: return {"min", 2};
  case Fn::Less: return {"<", 2};
  case Fn::LessEqual: return {"<=", 2};
  case Fn::Greater: return {">", 2};
  case Fn::GreaterEqual: return {">=", 2};
  case Fn::Equal: return {"==", 2};
  case Fn::NotEqual: return {"!=", 2};
  case Fn::And: return {"and", 2};
  case Fn::Or: return {"or", 2};
  case Fn::Not: return {"not", 1};
  case Fn::Select: return {"where", 3};
  case Fn::Cast: return {"cast", 1};
  case Fn::Rand: return {"rand", -1};
  }
  return {"?", 0};
}

} // namespace

const char *spelling(Fn fn) { return infoOf(fn).spelling; }
int arity(Fn fn) { return infoOf(fn).arity; }
bool isPredicate(Fn fn) { return fn >= Fn::Less && fn <= Fn::Not; }
bool isReal(Fn fn) { return fn == Fn::Div || (fn >= Fn::Exp && fn <= Fn::Cos); }

const char *name(Requirement::Kind kind) {
  switch (kind) {
  case Requirement::Kind::OnePass: return "onepass";
  case Requirement::Kind::NoStore: return "nostore";
  case Requirement::Kind::Stored: return "stored";
  case Requirement::Kind::Exact: return "exact";
  }
  return "?";
}

const char *name(Monoid m) {
  switch (m) {
  case Monoid::Sum: return "sum";
  case Monoid::Max: return "max";
  case Monoid::Min: return "min";
  case Monoid::LogSumExp: return "lse";
  case Monoid::Prod: return "prod";
  }
  return "?";
}

double identityOf(Monoid m) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return m == Monoid::Sum ? 0 : m == Monoid::Prod ? 1 : m == Monoid::Min ? infinity : -infinity;
}

ExprId Program::literal(double value) {
  Expr e;
  e.kind = Expr::Kind::Literal;
  e.literal = value;
  return add(std::move(e));
}

ExprId Program::indexValue(IndexId index) {
  Expr e;
  e.kind = Expr::Kind::IndexValue;
  e.indices = {index};
  return add(std::move(e));
}

ExprId Program::access(TensorId tensor) {
  const std::vector<IndexId> &axes = tensors[tensor].axes;
  return access(tensor, std::vector<AccessSubscript>(axes.begin(), axes.end()));
}

ExprId Program::access(TensorId tensor, std::vector<AccessSubscript> subscripts) {
  Expr e;
  e.kind = Expr::Kind::Access;
  e.tensor = tensor;
  e.subscripts = std::move(subscripts);
  return add(std::move(e));
}

ExprId Program::map(Fn fn, std::vector<ExprId> args) {
  Expr e;
  e.kind = Expr::Kind::Map;
  e.fn = fn;
  e.args = std::move(args);
  return add(std::move(e));
}

ExprId Program::reduce(Monoid monoid, std::vector<IndexId> indices, ExprId arg, std::optional<ExprId> guard) {
  Expr e;
  e.kind = Expr::Kind::Reduce;
  e.monoid = monoid;
  e.indices = std::move(indices);
  e.args = {arg};
  e.guard = guard;
  return add(std::move(e));
}

bool Program::isOperand(ExprId e) const {
  const bool conjugates = exprs[e].kind == Expr::Kind::Map && exprs[e].fn == Fn::Conj;
  const Expr &access = exprs[conjugates ? exprs[e].args[0] : e];
  return access.kind == Expr::Kind::Access && access.computed.empty();
}

std::vector<std::vector<IndexId>> Program::allFreeIndices() const {
  std::vector<IndexSet> sets;
  sets.reserve(exprs.size());
  for (const Expr &e : exprs) sets.push_back(freeOf(e, sets));
  return sets;
}

std::vector<IndexId> Program::freeIndices(ExprId root) const {
  std::vector<bool> needed(root + 1, false);
  needed[root] = true;
  for (ExprId e = root + 1; e-- > 0;) {
    if (!needed[e]) continue;
    for (ExprId arg : exprs[e].args) needed[arg] = true;
    if (exprs[e].guard) needed[*exprs[e].guard] = true;
  }
  std::vector<IndexSet> sets(root + 1);
  for (ExprId e = 0; e <= root; ++e)
    if (needed[e]) sets[e] = freeOf(exprs[e], sets);
  return std::move(sets[root]);
}

std::optional<DType> Program::dtypeOf(const Expr &e, std::span<const std::optional<DType>> before) const {
  switch (e.kind) {
  case Expr::Kind::Literal:
  case Expr::Kind::IndexValue: return std::nullopt;
  case Expr::Kind::Access: return tensors[e.tensor].dtype;
  case Expr::Kind::Map: break;
  case Expr::Kind::Top: return e.list.positions ? DType::I32 : before[e.args[0]];
  case Expr::Kind::Reduce: return before[e.args[0]];
  case Expr::Kind::Softmax: {
    const auto &x = before[e.args[0]], &sink = before[e.args.back()];
    return x && sink ? promote(*x, *sink) : x ? x : sink;
  }
  }
  if (isPredicate(e.fn)) return DType::Bool;
  if (e.fn == Fn::Cast) return e.dtype;
  if (e.fn == Fn::Rand) return DType::F32;
  std::optional<DType> common;
  for (size_t a = e.fn == Fn::Select ? 1 : 0; a < e.args.size(); ++a)
    if (auto type = before[e.args[a]]) common = common ? promote(*common, *type) : *type;
  return common;
}

std::vector<std::optional<DType>> Program::dtypes() const {
  std::vector<std::optional<DType>> types;
  types.reserve(exprs.size());
  for (const Expr &e : exprs) types.push_back(dtypeOf(e, types));
  return types;
}

TensorType Program::typeOf(TensorId t) const {
  std::vector<int64_t> shape;
  for (IndexId axis : tensors[t].axes) shape.push_back(indices[axis].extent.value());
  return TensorType(tensors[t].dtype, std::move(shape));
}

TensorType ungrouped(const Program &p, TensorId input, const TensorType &operand) {
  const Tensor &t = p.tensors[input];
  if (t.groups.empty()) return operand;
  TensorType type = p.typeOf(input);
  size_t axis = type.shape.size();
  for (size_t d = t.groups.size(); d-- > 0;) {
    int64_t stride = operand.strides[d];
    for (uint32_t n = 0; n < t.groups[d]; ++n) {
      type.strides[--axis] = stride;
      stride *= type.shape[axis];
    }
  }
  return type;
}

bool isProgramText(std::string_view text) { return text.find_first_of("=:") != std::string_view::npos; }

/// Refuses options that mean nothing for the text.
static Expected<void> checkOptions(std::string_view text, const CompileOptions &options) {
  if (isProgramText(text) && !options.order.empty())
    return makeError(ErrorCode::Unsupported, "an explicit contraction order is for einsum strings, not for Programs",
                     "name the intermediates in the Program");
  if (isProgramText(text) && !options.conjugate.empty())
    return makeError(ErrorCode::Unsupported,
                     "conjugated operands are an option of einsum strings, and this is a Program", "write conj(X)");
  if (isProgramText(text) && (options.resultDType || options.computeDType || options.accumulateDType))
    return makeError(ErrorCode::Unsupported, "dtypes are options of einsum strings, and this is a Program",
                     "a Program says them itself: S: f64 = sum[k](A * B)");
  const bool scales = options.alpha != 1 || options.beta != 0;
  if (!std::isfinite(options.alpha) || !std::isfinite(options.beta))
    return makeError(ErrorCode::Unsupported, "alpha or beta is infinite or NaN", "give finite numbers");
  if (options.semiring == Semiring::PlusTimes) return {};
  if (scales)
    return makeError(ErrorCode::Unsupported,
                     std::string("alpha and beta scale sums, but the semiring is ") + name(options.semiring),
                     "leave alpha at 1 and beta at 0");
  if (isProgramText(text))
    return makeError(ErrorCode::Unsupported, "a semiring is an option of einsum strings, and this is a Program",
                     "a Program names its reductions: max[k](A[i,k] + B[k,j])");
  return {};
}

/// Refuses options that mean nothing for the dtypes.
static Expected<void> checkDTypes(const Program &program, const CompileOptions &options) {
  auto isWhole = [](double x) { return x == std::trunc(x) && std::fabs(x) < 0x1p31; };
  const bool scales = options.alpha != 1 || options.beta != 0;
  for (TensorId output : program.outputs) {
    const DType dtype = program.tensors[output].dtype;
    if (scales && (dtype == DType::Bool || isComplex(dtype)))
      return makeError(ErrorCode::Unsupported, "alpha and beta scale real numbers, not complex ones or bool",
                       "leave alpha at 1 and beta at 0");
    if (scales && isInteger(dtype) && !(isWhole(options.alpha) && isWhole(options.beta)))
      return makeError(ErrorCode::Unsupported, "alpha and beta of integers are whole and below 2^31",
                       "convert the operands, or round alpha and beta");
  }
  if (options.semiring == Semiring::PlusTimes) return {};
  auto anyTensor = [&](auto test) {
    return std::any_of(program.tensors.begin(), program.tensors.end(), [&](const Tensor &t) { return test(t.dtype); });
  };
  const bool anyBool = anyTensor([](DType t) { return t == DType::Bool; });
  const bool allBool = !anyTensor([](DType t) { return t != DType::Bool; });
  const std::string semiring = name(options.semiring);
  if (anyTensor(isComplex))
    return makeError(ErrorCode::Unsupported, "the semiring " + semiring + " orders numbers, and complex ones have none",
                     "take the real parts");
  if (options.semiring == Semiring::OrAnd ? anyBool && !allBool : anyBool)
    return makeError(ErrorCode::Unsupported, "the semiring " + semiring + " does not take bool here",
                     options.semiring == Semiring::OrAnd ? "make all operands and the result bool, or none"
                                                         : "or-and is the semiring of bool");
  if (options.semiring == Semiring::LogAddExpPlus && anyTensor(isInteger))
    return makeError(ErrorCode::Unsupported, "the semiring " + semiring + " is for floats, not for integers",
                     "convert the operands");
  return {};
}

Expected<Program> parseAndBind(std::string_view text, std::span<const TensorType> operands,
                               const CompileOptions &options) {
  if (auto fine = checkOptions(text, options); !fine) return fine.error();
  Expected<Program> program =
      isProgramText(text) ? programFromText(text, operands) : programFromEinsum(text, operands, options);
  if (!program) return program;
  if (auto fine = checkDTypes(*program, options); !fine) return fine.error();
  if (options.alpha != 1 || options.beta != 0) scaleOutputs(*program, options.alpha, options.beta);
  if (options.dynamic.empty()) putKnownExtents(*program);
  return program;
}

} // namespace ein
