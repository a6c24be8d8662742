// Typing rules of pointwise expressions.
#include "compiler/IndexNotation/Binder.h"

#include <algorithm>
#include <cmath>

namespace ein {

Expected<Binder::Value> Binder::bindNode(const SyntaxNode &node) {
  auto value = [&]() -> Expected<Value> {
    switch (node.kind) {
    case SyntaxNode::Kind::Literal: {
      Value v;
      v.e = program.literal(node.literal);
      return v;
    }
    case SyntaxNode::Kind::Reference: return bindReference(node.word);
    case SyntaxNode::Kind::Access: return bindAccess(node);
    case SyntaxNode::Kind::Apply: return bindApply(node);
    case SyntaxNode::Kind::Reduction: return bindReduction(node);
    case SyntaxNode::Kind::Einsum: return bindEinsum(node);
    }
    return Value();
  }();
  if (value) {
    value->span = node.span;
    program.exprs[value->e].span = node.span;
  }
  return value;
}

Binder::Type Binder::join(Type a, Type b) { return !a ? b : !b ? a : promote(*a, *b); }

/// 1 where a condition is true, 0 elsewhere.
ExprId Binder::asNumber(ExprId condition) {
  const ExprId one = program.literal(1), zero = program.literal(0);
  return program.map(Fn::Select, {condition, one, zero});
}

/// What a function is not defined for: division and roots of integers, the order of complex numbers.
Expected<void> Binder::checkApply(const SyntaxNode &node, Type type) const {
  if (!type) return {};
  const bool arithmetic =
      node.fn == Fn::Add || node.fn == Fn::Sub || node.fn == Fn::Mul || node.fn == Fn::Neg || node.fn == Fn::Conj;
  const bool equality = node.fn == Fn::Equal || node.fn == Fn::NotEqual || node.fn == Fn::Select;
  if ((isInteger(*type) && isReal(node.fn)) || (isComplex(*type) && !arithmetic && !equality))
    return at(node.span, ErrorCode::DTypeMismatch,
              quote(spelling(node.fn)) + " is not defined for " + std::string(name(*type)),
              isInteger(*type) ? "cast it: cast(x, f32)" : "", std::string(name(*type)), "E09");
  if (!isInteger(*type)) return {};
  for (NodeId arg : node.args) {
    const Expr &e = program.exprs[values[arg - firstNode].e];
    if (e.kind == Expr::Kind::Literal && (e.literal != std::floor(e.literal) || std::fabs(e.literal) > 0x1p63))
      return at(syntax.nodes[arg].span, ErrorCode::DTypeMismatch, "this number is no " + std::string(name(*type)),
                "cast the integers: cast(x, f64)", "among " + std::string(name(*type)), "E09");
  }
  const Expr &exponent = program.exprs[values[node.args.back() - firstNode].e];
  if (node.fn == Fn::Pow && (exponent.kind != Expr::Kind::Literal || exponent.literal < 0))
    return at(node.span, ErrorCode::DTypeMismatch, "integers take whole literal exponents from 0 on",
              "cast the integers: cast(x, f64)", std::string(name(*type)), "E09");
  return {};
}

/// Pointwise: arguments align by the names of their indices.
Expected<Binder::Value> Binder::bindApply(const SyntaxNode &node) {
  if (node.fn == Fn::Cast) return bindCast(node);
  if (node.fn == Fn::Rand) return bindRand(node);
  bool logical = node.fn == Fn::And || node.fn == Fn::Or || node.fn == Fn::Not;
  std::vector<ExprId> args;
  Type common; // of the numeric arguments
  Value result;
  for (size_t a = 0; a < node.args.size(); ++a) {
    Value &arg = valueOf(node.args[a]);
    bool wantsBool = logical || (node.fn == Fn::Select && a == 0);
    if (wantsBool && arg.type != DType::Bool)
      return at(arg.span, ErrorCode::Typing,
                logical ? quote(spelling(node.fn)) + " needs bool" : "a condition must be bool",
                "compare it with something: x > 0", "a number", "E09");
    if (!wantsBool && arg.type == DType::Bool)
      return at(arg.span, ErrorCode::Typing, quote(spelling(node.fn)) + " needs a number",
                "turn it into one: where(c, 1, 0)", "bool", "E09");
    if (!wantsBool) common = join(common, arg.type);
    args.push_back(arg.e);
    if (a == 0) {
      result.free = std::move(arg.free);
      result.subscripts = arg.subscripts;
      result.bound = std::move(arg.bound);
    } else {
      unite(result, arg);
    }
  }
  if (auto ok = checkApply(node, common); !ok) return ok.error();
  // What is real is its own conjugate.
  const bool isReal = node.fn == Fn::Conj && !(common && isComplex(*common));
  result.e = isReal ? args[0] : program.map(node.fn, std::move(args));
  result.type = isPredicate(node.fn) ? DType::Bool : common;
  return result;
}

/// cast(x, dtype): integers wrap, what is rounded to an integer is rounded to zero and stays in its range.
Expected<Binder::Value> Binder::bindCast(const SyntaxNode &node) {
  auto dtype = dtypeOf(node.word);
  if (!dtype) return dtype.error();
  Value value = std::move(valueOf(node.args[0]));
  if (isComplex(*dtype) || (value.type && isComplex(*value.type)))
    return at(node.span, ErrorCode::DTypeMismatch, "'cast' is between real dtypes", "", std::string(name(*dtype)),
              "E09");
  value.e = program.map(Fn::Cast, {value.e});
  program.exprs[value.e].dtype = *dtype;
  value.type = *dtype;
  return value;
}

/// rand(seed, counter...): integers in, an f32 out.
Expected<Binder::Value> Binder::bindRand(const SyntaxNode &node) {
  Value result;
  std::vector<ExprId> args;
  for (NodeId arg : node.args) {
    Value &value = valueOf(arg);
    if (value.type ? !isInteger(*value.type) : !ranges[value.e])
      return at(value.span, ErrorCode::Typing, "'rand' takes integers: a seed, then counters",
                "rand(seed, b, q, k) with a seed like 'in seed: i32'", "no integer", "E08");
    args.push_back(value.e);
    unite(result, value);
  }
  result.e = program.map(Fn::Rand, std::move(args));
  result.type = DType::F32;
  return result;
}

/// Gives a value a tensor of its own, as a let would.
Expected<void> Binder::nameValue(Value &value, const std::string &base) {
  for (IndexId i : value.free)
    if (auto ok = renameBound(value, i); !ok) return ok;
  const DType dtype = value.type               ? *value.type
                      : program.inputs.empty() ? DType::F64
                                               : program.tensors[program.inputs[0]].dtype;
  const std::string own = freshName(base);
  TensorId t = addTensor(own, dtype, value.free);
  hiddenTensors.emplace(own, t);
  program.assignments.push_back({t, value.e});
  const Span span = value.span;
  value = accessValue(t, std::vector<AccessSubscript>(value.free.begin(), value.free.end()), span);
  return {};
}

/// Names a value that is about to be used more than once, so that the text of a Program stays short and what is used
/// twice binds nothing.
Expected<void> Binder::nameIfLarge(Value &value, const std::string &base) {
  constexpr uint64_t most = 32;
  if (!value.bound.empty()) return nameValue(value, base);
  for (ExprId e = static_cast<ExprId>(treeSizes.size()); e < program.exprs.size(); ++e) {
    uint64_t size = 1;
    for (ExprId arg : program.exprs[e].args) size = std::min<uint64_t>(size + treeSizes[arg], most + 1);
    if (program.exprs[e].guard) size = std::min<uint64_t>(size + treeSizes[*program.exprs[e].guard], most + 1);
    treeSizes.push_back(size);
  }
  return treeSizes[value.e] > most ? nameValue(value, base) : Expected<void>();
}

/// A copy of an expression that `nameIfLarge` has seen.
ExprId Binder::copy(ExprId root) {
  Expr e = program.exprs[root];
  for (ExprId &arg : e.args) arg = copy(arg);
  if (e.guard) e.guard = copy(*e.guard);
  return program.add(std::move(e));
}

/// Adds the indices of `other`, subscripts of tensors before the rest.
void Binder::unite(Value &value, const Value &other) {
  for (size_t n = 0; n < other.free.size(); ++n) {
    auto known = std::find(value.free.begin(), value.free.end(), other.free[n]);
    auto rest = value.free.begin() + value.subscripts;
    if (n >= other.subscripts) {
      if (known == value.free.end()) value.free.push_back(other.free[n]);
      continue;
    }
    if (known < rest) continue;
    if (known == value.free.end())
      value.free.insert(rest, other.free[n]);
    else
      std::rotate(rest, known, known + 1);
    ++value.subscripts;
  }
  value.bound.insert(value.bound.end(), other.bound.begin(), other.bound.end());
}

/// Gives the reductions inside `value` that bind `index` an index of their own, because `index` is free or
/// bound around them: in sum[k](exp(x - max[k](x))) the inner k is another than the outer.
Expected<void> Binder::renameBound(Value &value, IndexId index) {
  std::optional<IndexId> fresh; // one for all of them: none is inside another
  for (Bound &b : value.bound) {
    if (b.index != index) continue;
    if (!fresh && program.indices.size() >= kMaxIndices)
      return at(b.span, ErrorCode::Limit, "a Program has at most " + std::to_string(kMaxIndices) + " indices");
    if (!fresh) fresh = hiddenIndex(program.indices[index].name, *program.indices[index].extent);
    const IndexId own = *fresh;
    std::vector<ExprId> stack = {b.reduce};
    while (!stack.empty()) {
      Expr &e = program.exprs[stack.back()];
      stack.pop_back();
      std::replace(e.indices.begin(), e.indices.end(), index, own);
      std::replace(e.subscripts.begin(), e.subscripts.end(), AccessSubscript(index), AccessSubscript(own));
      if (e.list.place == index) e.list.place = own;
      stack.insert(stack.end(), e.args.begin(), e.args.end());
      if (e.guard) stack.push_back(*e.guard);
    }
    b.index = own;
  }
  return {};
}

} // namespace ein
