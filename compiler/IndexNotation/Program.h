// Index notation: what an einsum string or a Program text means, as plain data.
#pragma once

#include "ein/CompileOptions.h"
#include "ein/DType.h"
#include "ein/Error.h"
#include "ein/TensorType.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ein {

using IndexId = uint32_t;
using TensorId = uint32_t;
using ExprId = uint32_t;

/// An index variable. In a bound Program every extent is known.
struct Index {
  std::string name;
  std::optional<int64_t> extent;
  int dynamic = -1; ///< its number in CompileOptions::dynamic: `extent` is then an example
};

/// A named tensor. Dimension `d` of the stored tensor ranges over index `axes[d]`.
struct Tensor {
  std::string name;
  DType dtype = DType::F32;
  std::vector<IndexId> axes;
  /// Of an input: how many axes each stored dimension stands for, the outermost first; empty: one each.
  std::vector<uint32_t> groups = {};
  bool sorted = false;               ///< its caller promises that it does not fall along its last axis
  std::optional<IndexId> below = {}; ///< its caller promises values of at least 0 and below this index' extent
};

/// Pointwise functions. Sign is -1, 0 or 1, and NaN of NaN; Conj takes complex numbers. The comparisons and And, Or,
/// Not give bool; Select takes (bool, x, y). IntDiv and Mod round down; of integers, division by 0 gives 0. Pow with a
/// whole literal exponent multiplies. Cast takes `Expr::dtype`. Rand hashes any number of integers to an f32 in [0, 1)
/// (Random.h).
enum class Fn : uint8_t {
  Add,
  Sub,
  Mul,
  Div,
  Neg,
  IntDiv,
  Mod,
  Pow,
  Exp,
  Exp2,
  Log,
  Sqrt,
  Tanh,
  Erf,
  Gelu,
  Silu,
  Sin,
  Cos,
  Abs,
  Floor,
  Sign,
  Conj,
  Max,
  Min,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  Equal,
  NotEqual,
  And,
  Or,
  Not,
  Select,
  Cast,
  Rand,
};

/// Commutative monoids to reduce with. LogSumExp is log(sum of exp), computed so that it does not overflow.
enum class Monoid : uint8_t { Sum, Max, Min, LogSumExp, Prod };

/// A subscript of an access: an index; or nothing, for the constant 0 (a dimension of extent 1 that broadcasts) and
/// for what `Expr::computed` lists.
using AccessSubscript = std::optional<IndexId>;

/// A node of an expression; which fields count depends on `kind`.
///
/// Every expression denotes a scalar at each point of its free indices. `Reduce` and `Softmax` bind
/// `indices`; Softmax keeps them free: softmax[k](x) at k is exp(x_k - max) / sum over k of that.
/// A guard (a bool expression) drops the points where it is false: they add nothing to a reduction,
/// and a softmax is 0 there. Over no points at all, sum is 0, max and lse -inf, min inf, softmax 0.
/// What a Reduce or Top binds occurs nowhere around it in the same assignment, neither free nor bound (siblings
/// may bind one index); so expressions can be moved without renaming.
struct Expr {
  enum class Kind : uint8_t {
    Literal,    ///< `literal`
    IndexValue, ///< the value of `indices[0]`
    Access,     ///< tensor[subscripts...]; one subscript may occur twice (diagonal), or be computed from `args`
    Map,        ///< fn(args...)
    Reduce,     ///< monoid over `indices` of args[0], where guard
    Softmax,    ///< over `indices` of args[0], where guard; exp(args[1]), the sink, is part of the sum if there is one
    Top,        ///< of args[0] along indices[0], where guard: the largest, or their positions, as `list` tells
  };
  Kind kind = Kind::Literal;
  Fn fn = Fn::Add;
  Monoid monoid = Monoid::Sum;
  double literal = 0;
  TensorId tensor = 0;
  std::vector<AccessSubscript> subscripts;
  int64_t at = 0; ///< Access: position along a dimension of extent 2 whose subscript is no index (a part)
  std::vector<uint32_t> computed; ///< Access: the dimension whose subscript is args[n], by n
  std::vector<IndexId> indices;
  std::vector<ExprId> args;
  std::optional<ExprId> guard;
  DType dtype = DType::F32; ///< Cast: to what
  /// Top: entry number `place` (or the first) in the order of falling values, ties by rising position, NaN before all.
  /// Past the last entry the value is -inf and the position -1. `smallest` turns the order of values around.
  struct TopList {
    std::optional<IndexId> place;
    bool positions = false, smallest = false;
  } list;
  Span span; ///< place in the Program's text, for messages
};

/// tensor[axes] = value.
struct Assignment {
  TensorId result;
  ExprId value;
};

/// What a Program asks of its kernel; see docs/notation.md.
struct Requirement {
  enum class Kind : uint8_t { OnePass, NoStore, Stored, Exact } kind;
  std::vector<TensorId> tensors;
  Span span;
};
/// "onepass", "nostore", "stored", "exact".
const char *name(Requirement::Kind kind);

/// A list of assignments over index variables. Expressions are stored in `exprs`, children before
/// parents. `inputs` are the operands in the order of the call, `outputs` the results.
struct Program {
  std::string text; ///< what the user wrote, for messages; may be empty
  std::vector<Index> indices;
  std::vector<Tensor> tensors;
  std::vector<Expr> exprs;
  std::vector<Assignment> assignments; ///< each tensor is assigned once, before it is read
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  std::vector<Requirement> requirements;
  std::vector<TensorId> stores; ///< computed tensors that are kept in memory whatever would be faster
  std::vector<Error> warnings;  ///< about the text, in its order
  size_t priors = 0; ///< the last inputs are no operands but what the outputs held before the call: none, or one each

  ExprId add(Expr e) {
    exprs.push_back(std::move(e));
    return static_cast<ExprId>(exprs.size() - 1);
  }
  ExprId literal(double value);
  ExprId indexValue(IndexId index);
  /// Access with the tensor's own axes.
  ExprId access(TensorId tensor);
  ExprId access(TensorId tensor, std::vector<AccessSubscript> subscripts);
  ExprId map(Fn fn, std::vector<ExprId> args);
  ExprId reduce(Monoid monoid, std::vector<IndexId> indices, ExprId arg, std::optional<ExprId> guard = {});

  /// Whether an expression is a tensor as it stands: an access without computed subscripts, or the conjugate of one.
  bool isOperand(ExprId e) const;
  /// Free indices of an expression, ascending.
  std::vector<IndexId> freeIndices(ExprId e) const;
  /// `freeIndices` of every expression, in one sweep.
  std::vector<std::vector<IndexId>> allFreeIndices() const;
  /// The dtype of every expression, what its arguments promote to; nothing for those of literals and index values
  /// only, which take the dtype around them. Conditions are bool.
  std::vector<std::optional<DType>> dtypes() const;
  /// The next one, given those of the expressions before it.
  std::optional<DType> dtypeOf(const Expr &e, std::span<const std::optional<DType>> before) const;
  /// Row-major type of a tensor. Requires known extents of its axes.
  TensorType typeOf(TensorId t) const;
};

/// The type in memory of an input whose operand has this type: grouped dimensions become their axes.
TensorType ungrouped(const Program &p, TensorId input, const TensorType &operand);

/// "sum", "max", "min", "lse", "prod".
const char *name(Monoid m);
/// What a reduction over nothing gives: 0, -inf, inf, -inf, 1.
double identityOf(Monoid m);
/// The function's name or operator as written in a Program: "exp", "+", "<=".
const char *spelling(Fn fn);
/// Number of arguments; -1 for Rand: any but none.
int arity(Fn fn);
/// Whether the function is one of real numbers, which integers and complex numbers have to be cast for.
bool isReal(Fn fn);
/// Whether the result is bool.
bool isPredicate(Fn fn);

/// Whether `text` is a Program and not an einsum string: it contains '=' or ':'.
bool isProgramText(std::string_view text);

/// Parses an einsum string or a Program text and binds it to the operands' types: extents are unified,
/// ellipses expanded, every rule of docs/notation.md checked. The result satisfies `verify`.
/// `options` say how an einsum string is read.
Expected<Program> parseAndBind(std::string_view text, std::span<const TensorType> operands,
                               const CompileOptions &options = {});

/// Builds the Program of an einsum string; operands are named op0, op1, ..., the result `result`.
Expected<Program> programFromEinsum(std::string_view text, std::span<const TensorType> operands,
                                    const CompileOptions &options = {});
/// Parses a Program text and binds it.
Expected<Program> programFromText(std::string_view text, std::span<const TensorType> operands);

/// The text of a bound Program. `parseAndBind(print(p), types)` gives a Program that prints the same.
std::string print(const Program &p);
/// The text of one expression.
std::string print(const Program &p, ExprId e);

/// Checks the invariants of a bound Program: ids in range, children before parents, extents known,
/// assignments cover their axes, dtypes agree, bool only where bool belongs. An error here is ours.
Expected<void> verify(const Program &p);

} // namespace ein
