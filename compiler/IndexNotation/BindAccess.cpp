// Accesses to tensors: plain, and with subscripts that are computed.
#include "compiler/IndexNotation/Binder.h"
#include "compiler/IndexNotation/Bounds.h"

#include <algorithm>

namespace ein {

Binder::Value Binder::accessValue(TensorId t, std::vector<AccessSubscript> subscripts, Span span) {
  Value v;
  v.type = program.tensors[t].dtype;
  for (const AccessSubscript &s : subscripts)
    if (s && !contains(v.free, *s)) v.free.push_back(*s);
  v.subscripts = v.free.size();
  v.e = program.access(t, std::move(subscripts));
  program.exprs[v.e].span = v.span = span;
  return v;
}

/// A bare tensor has its own indices; a bare index is its value.
Expected<Binder::Value> Binder::bindReference(const Word &word) {
  auto symbol = lookup(word);
  if (!symbol) return symbol.error();
  if (symbol->kind == Symbol::Kind::Tensor) {
    const std::vector<IndexId> &axes = program.tensors[symbol->id].axes;
    return accessValue(symbol->id, std::vector<AccessSubscript>(axes.begin(), axes.end()), word.span);
  }
  if (!program.indices[symbol->id].extent)
    return at(word.span, ErrorCode::Extent, "the extent of index " + quote(word.text) + " is not known here",
              "give it one: index " + std::string(word.text) + " = 64");
  Value v;
  v.e = program.indexValue(symbol->id);
  v.free = {symbol->id}; // no subscript of a tensor
  v.span = word.span;
  return v;
}

/// X[a,b]: as many subscripts as axes; a name stands for an index of the axis' extent, what is computed for a position.
Expected<Binder::Value> Binder::bindAccess(const SyntaxNode &node) {
  auto t = lookupTensor(node.word);
  if (!t) return t.error();
  const std::vector<IndexId> axes = program.tensors[*t].axes;
  std::string tensor = quote(node.word.text);
  if (axes.size() != node.names.size())
    return at(node.span, ErrorCode::Rank,
              tensor + " takes " + std::to_string(axes.size()) + " subscripts, got " +
                  std::to_string(node.names.size()),
              "", "its indices are [" + indexNames(axes) + "]", "E07");
  std::vector<AccessSubscript> subscripts(axes.size());
  std::vector<Value> positions;
  std::vector<uint32_t> computed;
  auto nextArgument = node.args.begin();
  for (size_t d = 0; d < axes.size(); ++d) {
    const Word &word = node.names[d];
    const int64_t extent = *program.indices[axes[d]].extent;
    if (word.text == "0" && extent == 1) continue;
    auto position = subscript(word, nextArgument);
    if (!position) return position.error();
    const Expr &e = program.exprs[position->e];
    if (e.kind == Expr::Kind::Literal && e.literal == 0 && extent == 1) continue;
    if (e.kind != Expr::Kind::IndexValue) {
      computed.push_back(static_cast<uint32_t>(d));
      positions.push_back(std::move(*position));
      continue;
    }
    ExtentSource source{word.span, tensor,
                        "extent " + std::to_string(extent) + ": dimension " + std::to_string(d) + " of " + tensor};
    if (auto ok = useIndex(e.indices[0], extent, std::move(source)); !ok) return ok.error();
    subscripts[d] = e.indices[0];
  }
  if (!computed.empty() && unordered.count(*t))
    return at(node.span, ErrorCode::Typing,
              quote(text.substr(node.span.begin, node.span.end - node.span.begin)) + " needs an order of the axes of " +
                  tensor,
              "define it with its indices: " + std::string(node.word.text) + "[" + indexNames(axes) + "] = ...",
              "subscripts are computed here", "E21");
  Value value = accessValue(*t, std::move(subscripts), node.span);
  for (const Value &position : positions) {
    program.exprs[value.e].args.push_back(position.e);
    unite(value, position);
  }
  hasComputed |= !computed.empty();
  program.exprs[value.e].computed = std::move(computed);
  return value;
}

/// The value of a subscript; of an index whose extent is not known yet, too.
Expected<Binder::Value> Binder::subscript(const Word &word, std::vector<NodeId>::const_iterator &next) {
  if (word.text == "0") {
    Value zero;
    zero.e = program.literal(0);
    return zero;
  }
  if (!word.text.empty()) {
    auto symbol = lookup(word);
    if (!symbol) return symbol.error();
    if (symbol->kind == Symbol::Kind::Index) {
      Value v;
      v.e = program.indexValue(symbol->id);
      return v;
    }
  }
  Expected<Value> value = word.text.empty() ? Expected<Value>(std::move(valueOf(*next++))) : bindReference(word);
  if (!value) return value;
  const std::string type = value->type ? std::string(name(*value->type)) : "no integer";
  if (value->type ? !isInteger(*value->type) : !ranges[value->e])
    return at(word.span, ErrorCode::Typing, "a subscript must be an integer, and this is " + type,
              "cast it: cast(x, i32)", type, "E08");
  return value;
}

/// Refuses computed subscripts below `root` that may leave their axes.
Expected<void> Binder::checkSubscripts(ExprId root) {
  if (!hasComputed) return {};
  auto leaving = findLeavingSubscript(program, root, ranges);
  if (!leaving) return {};
  const Expr &access = program.exprs[leaving->access], &position = program.exprs[access.args[leaving->computed]];
  const Tensor &t = program.tensors[access.tensor];
  const IndexId axis = t.axes[access.computed[leaving->computed]];
  const std::string written = print(program, access.args[leaving->computed]);
  const int64_t extent = *program.indices[axis].extent;
  Error e = at(
      position.span, ErrorCode::Typing,
      "the subscript " + written + " may leave the axis " + quote(program.indices[axis].name) + " of " + quote(t.name) +
          ": " + written + (leaving->above ? " < " + std::to_string(extent) : " >= 0") + " is not implied",
      position.kind == Expr::Kind::Access ? "declare 'below(" + program.indices[axis].name + ")' on " +
                                                quote(program.tensors[position.tensor].name) + ", or add a guard"
                                          : "add a guard",
      "not bounded", "E15");
  e.labels.push_back({access.span, "extent " + std::to_string(extent) + " in dimension " +
                                       std::to_string(access.computed[leaving->computed])});
  return e;
}

} // namespace ein
