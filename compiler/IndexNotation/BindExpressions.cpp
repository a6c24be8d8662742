// Typing rules of expressions.
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
    case SyntaxNode::Kind::Reference: return bindReference(node);
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

Binder::Value Binder::accessValue(TensorId t, std::vector<AccessSubscript> subscripts, Span span) {
  Value v;
  v.type = program.tensors[t].dtype;
  for (const AccessSubscript &s : subscripts)
    if (s && !contains(v.free, *s)) v.free.push_back(*s);
  v.subscripts = v.free.size();
  v.e = program.access(t, std::move(subscripts));
  program.exprs[v.e].span = span;
  return v;
}

/// A bare tensor has its own indices; a bare index is its value.
Expected<Binder::Value> Binder::bindReference(const SyntaxNode &node) {
  auto symbol = lookup(node.word);
  if (!symbol) return symbol.error();
  if (symbol->kind == Symbol::Kind::Tensor) {
    const std::vector<IndexId> &axes = program.tensors[symbol->id].axes;
    return accessValue(symbol->id, std::vector<AccessSubscript>(axes.begin(), axes.end()), node.span);
  }
  if (!program.indices[symbol->id].extent)
    return at(node.span, ErrorCode::Extent, "the extent of index " + quote(node.word.text) + " is not known here",
              "give it one: index " + std::string(node.word.text) + " = 64");
  Value v;
  v.e = program.indexValue(symbol->id);
  v.free = {symbol->id}; // no subscript of a tensor
  return v;
}

/// X[a,b]: as many subscripts as axes; a name stands for an index of the axis' extent.
Expected<Binder::Value> Binder::bindAccess(const SyntaxNode &node) {
  auto t = lookupTensor(node.word);
  if (!t) return t.error();
  const std::vector<IndexId> axes = program.tensors[*t].axes;
  std::string tensor = quote(node.word.text);
  if (axes.size() != node.names.size())
    return at(node.span, ErrorCode::Rank,
              tensor + " takes " + std::to_string(axes.size()) + " subscripts, got " +
                  std::to_string(node.names.size()),
              "", "its indices are [" + indexNames(axes) + "]");
  std::vector<AccessSubscript> subscripts;
  for (size_t d = 0; d < axes.size(); ++d) {
    const Word &word = node.names[d];
    int64_t extent = *program.indices[axes[d]].extent;
    std::string label = "extent " + std::to_string(extent) + ": dimension " + std::to_string(d) + " of " + tensor;
    if (word.text == "0") {
      if (extent != 1)
        return at(word.span, ErrorCode::Unsupported,
                  "subscript 0 needs extent 1, but dimension " + std::to_string(d) + " of " + tensor + " has extent " +
                      std::to_string(extent),
                  "picking one element of a longer dimension is not built yet", label);
      subscripts.push_back(std::nullopt);
      continue;
    }
    auto index = lookupIndex(word);
    if (!index) return index.error();
    if (auto ok = useIndex(*index, extent, {word.span, tensor, std::move(label)}); !ok) return ok.error();
    subscripts.push_back(*index);
  }
  return accessValue(*t, std::move(subscripts), node.span);
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
  const bool real = node.fn == Fn::Div || (node.fn >= Fn::Exp && node.fn <= Fn::Tanh);
  const bool equality = node.fn == Fn::Equal || node.fn == Fn::NotEqual || node.fn == Fn::Select;
  if ((isInteger(*type) && real) || (isComplex(*type) && !arithmetic && !equality))
    return at(node.span, ErrorCode::DTypeMismatch,
              quote(spelling(node.fn)) + " is not defined for " + std::string(name(*type)),
              isInteger(*type) ? "store the operand as f32 or f64 first: X: f64 = A" : "", std::string(name(*type)));
  if (!isInteger(*type)) return {};
  for (NodeId arg : node.args) {
    const Expr &e = program.exprs[values[arg - firstNode].e];
    if (e.kind == Expr::Kind::Literal && (e.literal != std::floor(e.literal) || std::fabs(e.literal) > 0x1p63))
      return at(syntax.nodes[arg].span, ErrorCode::DTypeMismatch, "this number is no " + std::string(name(*type)),
                "store the integers as f32 or f64 first: X: f64 = A", "among " + std::string(name(*type)));
  }
  return {};
}

/// Pointwise: arguments align by the names of their indices.
Expected<Binder::Value> Binder::bindApply(const SyntaxNode &node) {
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
                "compare it with something: x > 0", "a number");
    if (!wantsBool && arg.type == DType::Bool)
      return at(arg.span, ErrorCode::Typing, quote(spelling(node.fn)) + " needs a number",
                "turn it into one: where(c, 1, 0)", "bool");
    if (!wantsBool) {
      common = join(common, arg.type);
    }
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
      stack.insert(stack.end(), e.args.begin(), e.args.end());
      if (e.guard) stack.push_back(*e.guard);
    }
    b.index = own;
  }
  return {};
}

/// r[K | g](x): K are indices of x, the guard is bool; softmax keeps K free, the others bind it.
Expected<Binder::Value> Binder::bindReduction(const SyntaxNode &node) {
  Value value = std::move(valueOf(node.args[0]));
  const bool ofBool = node.word.text == "max" || node.word.text == "min"; // any, all
  if (value.type == DType::Bool && !ofBool)
    return at(value.span, ErrorCode::Typing, quote(node.word.text) + " needs a number",
              "turn it into one: where(c, 1, 0)", "bool");
  if (value.type && ((isComplex(*value.type) && node.word.text != "sum") ||
                     (isInteger(*value.type) && (node.word.text == "softmax" || node.word.text == "lse"))))
    return at(value.span, ErrorCode::DTypeMismatch,
              quote(node.word.text) + " is not defined for " + std::string(name(*value.type)), "",
              std::string(name(*value.type)));
  Expr e;
  e.args = {value.e};
  std::vector<IndexId> argFree = value.free;
  if (node.guard) {
    Value &guard = valueOf(*node.guard);
    if (guard.type != DType::Bool)
      return at(guard.span, ErrorCode::Typing, "a guard must be bool", "compare it with something: k <= q", "a number");
    unite(value, guard);
    e.guard = guard.e;
  }
  for (const Word &word : node.names) {
    auto index = lookupIndex(word);
    if (!index) return index.error();
    if (contains(e.indices, *index))
      return at(word.span, ErrorCode::DuplicateName, "index " + quote(word.text) + " is reduced twice", "list it once");
    if (!contains(argFree, *index)) {
      Error error =
          at(word.span, ErrorCode::Typing,
             "reduction over " + quote(word.text) + ", but its argument does not depend on it", "", "drop it");
      error.labels.push_back({syntax.nodes[node.args[0]].span,
                              argFree.empty() ? "depends on no index" : "depends on " + indexNames(argFree)});
      return error;
    }
    if (auto ok = renameBound(value, *index); !ok) return ok.error();
    e.indices.push_back(*index);
  }
  bool softmax = node.word.text == "softmax";
  e.kind = softmax ? Expr::Kind::Softmax : Expr::Kind::Reduce;
  for (Monoid monoid : {Monoid::Sum, Monoid::Max, Monoid::Min, Monoid::LogSumExp})
    if (node.word.text == name(monoid)) e.monoid = monoid;
  value.e = static_cast<ExprId>(program.exprs.size());
  if (!softmax) {
    for (size_t n = 0; n < e.indices.size(); ++n) value.bound.push_back({e.indices[n], value.e, node.names[n].span});
    auto isReduced = [&](IndexId i) { return contains(e.indices, i); };
    value.subscripts -= std::count_if(value.free.begin(), value.free.begin() + value.subscripts, isReduced);
    std::erase_if(value.free, isReduced);
  }
  program.add(std::move(e));
  return value;
}

} // namespace ein
