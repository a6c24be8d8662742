// Typing rules of expressions.
#include "compiler/IndexNotation/Binder.h"

#include <algorithm>

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
  v.type = program.tensors[t].dtype == DType::F32 ? Type::F32 : Type::F64;
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

Expected<Binder::Type> Binder::join(const Value &a, const Value &b) {
  if (a.type == Type::Any || a.type == b.type) return b.type;
  if (b.type == Type::Any) return a.type;
  auto text = [](Type t) { return t == Type::F32 ? "f32" : "f64"; };
  Error e =
      at(b.span, ErrorCode::DTypeMismatch, std::string("cannot combine ") + text(a.type) + " with " + text(b.type),
         "declare both with one dtype; literals and index values take the dtype around them", text(b.type));
  e.labels.insert(e.labels.begin(), {a.span, text(a.type)});
  return e;
}

/// Pointwise: arguments align by the names of their indices.
Expected<Binder::Value> Binder::bindApply(const SyntaxNode &node) {
  bool logical = node.fn == Fn::And || node.fn == Fn::Or || node.fn == Fn::Not;
  std::vector<ExprId> args;
  Value common; // of the numeric arguments
  Value result;
  for (size_t a = 0; a < node.args.size(); ++a) {
    Value &arg = valueOf(node.args[a]);
    bool wantsBool = logical || (node.fn == Fn::Select && a == 0);
    if (wantsBool && arg.type != Type::Bool)
      return at(arg.span, ErrorCode::Typing,
                logical ? quote(spelling(node.fn)) + " needs bool" : "a condition must be bool",
                "compare it with something: x > 0", "a number");
    if (!wantsBool && arg.type == Type::Bool)
      return at(arg.span, ErrorCode::Typing, quote(spelling(node.fn)) + " needs a number",
                "turn it into one: where(c, 1, 0)", "bool");
    if (!wantsBool) {
      auto type = join(common, arg);
      if (!type) return type.error();
      if (common.type == Type::Any) common.span = arg.span;
      common.type = *type;
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
  result.e = program.map(node.fn, std::move(args));
  result.type = isPredicate(node.fn) ? Type::Bool : common.type;
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
  if (value.type == Type::Bool)
    return at(value.span, ErrorCode::Typing, quote(node.word.text) + " needs a number",
              "turn it into one: where(c, 1, 0)", "bool");
  Expr e;
  e.args = {value.e};
  std::vector<IndexId> argFree = value.free;
  if (node.guard) {
    Value &guard = valueOf(*node.guard);
    if (guard.type != Type::Bool)
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
