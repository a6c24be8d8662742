// Typing rules of reductions, and what mean and var are made of.
#include "compiler/IndexNotation/Binder.h"

#include <algorithm>

namespace ein {
namespace {

bool isAnyOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

Monoid monoidOf(std::string_view word) {
  if (word == "any") return Monoid::Max;
  if (word == "all") return Monoid::Min;
  for (Monoid monoid : {Monoid::Sum, Monoid::Prod, Monoid::Max, Monoid::Min, Monoid::LogSumExp})
    if (word == name(monoid)) return monoid;
  return Monoid::Sum;
}

} // namespace

/// r[K | g](x): K are indices of x, the guard is bool; softmax keeps K free, the others bind it.
Expected<Binder::Value> Binder::bindReduction(const SyntaxNode &node) {
  Value value = std::move(valueOf(node.args[0]));
  if (auto ok = checkReduced(node, value); !ok) return ok.error();
  std::optional<Value> guard;
  if (node.guard) {
    guard = std::move(valueOf(*node.guard));
    if (guard->type != DType::Bool)
      return at(guard->span, ErrorCode::Typing, "a guard must be bool", "compare it with something: k <= q", "a number",
                "E10");
  }
  auto indices = reducedIndices(node, value.free);
  if (!indices) return indices.error();
  for (IndexId i : *indices)
    if (guard)
      if (auto ok = renameBound(*guard, i); !ok) return ok.error();
  const std::string_view word = node.word.text;
  if (guard && (word == "mean" || word == "var"))
    program.warnings.push_back(at(guard->span, ErrorCode::Typing, "the " + std::string(word) + " of no point is NaN",
                                  "make sure that the guard holds somewhere", "may be false everywhere", "W03"));
  if (word == "mean") return bindMean(node, std::move(value), std::move(guard), *indices);
  if (word == "var") return bindVariance(node, std::move(value), std::move(guard), *indices);
  if (isAnyOf(word, {"top", "argtop", "argmax", "argmin"}))
    return bindTop(node, std::move(value), std::move(guard), *indices);
  Expr e;
  e.kind = word == "softmax" ? Expr::Kind::Softmax : Expr::Kind::Reduce;
  e.monoid = monoidOf(word);
  e.indices = std::move(*indices);
  e.args = {value.e};
  if (guard) unite(value, *guard), e.guard = guard->e;
  if (auto ok = bindSink(node, value, e); !ok) return ok.error();
  return reduceTo(std::move(e), std::move(value), node);
}

/// Whether the reduction is defined for what it reduces, and takes the named arguments that it has.
Expected<void> Binder::checkReduced(const SyntaxNode &node, const Value &value) const {
  const std::string_view word = node.word.text;
  const bool isBool = value.type == DType::Bool, ofBool = isAnyOf(word, {"any", "all"});
  if (isBool && !ofBool && !isAnyOf(word, {"max", "min"}))
    return at(value.span, ErrorCode::Typing, quote(word) + " needs a number", "turn it into one: where(c, 1, 0)",
              "bool", "E09");
  if (ofBool && !isBool)
    return at(value.span, ErrorCode::Typing, quote(word) + " needs bool", "compare it with something: x > 0",
              "a number", "E09");
  const bool complex = value.type && isComplex(*value.type), integer = value.type && isInteger(*value.type);
  if ((complex && word != "sum") || (integer && isAnyOf(word, {"softmax", "lse", "mean", "var"})))
    return at(value.span, ErrorCode::DTypeMismatch,
              quote(word) + " is not defined for " + std::string(name(*value.type)),
              integer ? "cast it: cast(x, f32)" : "", std::string(name(*value.type)), "E09");
  for (const Word &named : node.named)
    if (word != "softmax" || named.text != "sink" || node.named.size() > 1)
      return at(named.span, ErrorCode::Syntax, quote(word) + " takes no argument " + quote(named.text),
                "softmax takes a sink: softmax[k](x, sink = s)");
  if (node.list && !isAnyOf(word, {"top", "argtop"}))
    return at(node.list->span, ErrorCode::Syntax, quote(word) + " makes no list", "top and argtop do: top[x->s](y)");
  return {};
}

Expected<std::vector<IndexId>> Binder::reducedIndices(const SyntaxNode &node, const std::vector<IndexId> &free) {
  std::vector<IndexId> indices;
  for (const Word &word : node.names) {
    auto index = lookupIndex(word);
    if (!index) return index.error();
    if (contains(indices, *index)) {
      Error error = at(word.span, ErrorCode::DuplicateName, "index " + quote(word.text) + " is reduced twice",
                       "list it once", "again here", "E06");
      error.labels.push_back(
          {node.names[std::find(indices.begin(), indices.end(), *index) - indices.begin()].span, "bound here"});
      return error;
    }
    if (!contains(free, *index)) {
      Error error = at(word.span, ErrorCode::Typing,
                       "reduction over " + quote(word.text) + ", but its argument does not depend on it", "", "drop it",
                       node.word.text == "softmax" ? "E16" : "E05");
      error.labels.push_back(
          {syntax.nodes[node.args[0]].span, free.empty() ? "depends on no index" : "depends on " + indexNames(free)});
      return error;
    }
    indices.push_back(*index);
  }
  return indices;
}

/// Adds a Reduce, Softmax or Top whose fields are complete; `value` tells what its arguments depend on.
Expected<Binder::Value> Binder::reduceTo(Expr e, Value value, const SyntaxNode &node) {
  for (IndexId i : e.indices)
    if (auto ok = renameBound(value, i); !ok) return ok.error();
  value.e = static_cast<ExprId>(program.exprs.size());
  value.span = node.span;
  if (e.kind != Expr::Kind::Softmax) {
    for (size_t n = 0; n < e.indices.size(); ++n) value.bound.push_back({e.indices[n], value.e, node.word.span});
    if (e.kind == Expr::Kind::Top && e.list.place)
      std::replace(value.free.begin(), value.free.end(), e.indices[0], *e.list.place);
    auto isReduced = [&](IndexId i) { return contains(e.indices, i); };
    value.subscripts -= std::count_if(value.free.begin(), value.free.begin() + value.subscripts, isReduced);
    std::erase_if(value.free, isReduced);
  }
  e.span = node.span;
  program.add(std::move(e));
  return value;
}

/// sum / number of points.
Expected<Binder::Value> Binder::bindMean(const SyntaxNode &node, Value value, std::optional<Value> guard,
                                         const std::vector<IndexId> &indices) {
  if (guard)
    if (auto ok = nameIfLarge(*guard, "guard"); !ok) return ok.error();
  Expr sum;
  sum.kind = Expr::Kind::Reduce;
  sum.indices = indices;
  sum.args = {value.e};
  if (guard) unite(value, *guard), sum.guard = guard->e;
  auto total = reduceTo(std::move(sum), std::move(value), node);
  if (!total) return total;

  double points = 1; // along the indices that the guard does not have
  Expr count;
  count.kind = Expr::Kind::Reduce;
  for (IndexId i : indices)
    if (guard && contains(guard->free, i))
      count.indices.push_back(i);
    else
      points *= double(*program.indices[i].extent);
  Value number;
  number.e = program.literal(points);
  if (guard) {
    const ExprId zero = program.literal(0);
    number = std::move(*guard);
    number.e = program.map(Fn::Select, {number.e, program.literal(points), zero});
    if (!count.indices.empty()) {
      count.args = {number.e};
      auto counted = reduceTo(std::move(count), std::move(number), node);
      if (!counted) return counted;
      number = std::move(*counted);
    }
  }
  const ExprId quotient = program.map(Fn::Div, {total->e, number.e});
  unite(*total, number);
  total->e = quotient;
  return total;
}

/// The mean of (x - mean)^2: two passes, and no cancellation.
Expected<Binder::Value> Binder::bindVariance(const SyntaxNode &node, Value value, std::optional<Value> guard,
                                             const std::vector<IndexId> &indices) {
  if (program.exprs[value.e].kind != Expr::Kind::Access || !program.exprs[value.e].computed.empty())
    if (auto ok = nameValue(value, "x"); !ok) return ok.error();
  if (guard)
    if (auto ok = nameIfLarge(*guard, "guard"); !ok) return ok.error();
  // The mean is a let of its own: it shares no expression that may be renamed with what follows.
  Value ofMean = value;
  ofMean.e = copy(value.e);
  std::optional<Value> itsGuard = guard;
  if (guard) itsGuard->e = copy(guard->e);
  auto mean = bindMean(node, std::move(ofMean), std::move(itsGuard), indices);
  if (!mean) return mean;
  if (auto ok = nameValue(*mean, "mean"); !ok) return ok.error();
  const ExprId difference = program.map(Fn::Sub, {value.e, mean->e});
  unite(value, *mean);
  value.e = program.map(Fn::Pow, {difference, program.literal(2)});
  return bindMean(node, std::move(value), std::move(guard), indices);
}

/// top[x->s](y): the list along s of what y holds along x; argmax and argmin are the position of its first entry.
Expected<Binder::Value> Binder::bindTop(const SyntaxNode &node, Value value, std::optional<Value> guard,
                                        const std::vector<IndexId> &indices) {
  constexpr int64_t longest = 64;
  const std::string_view word = node.word.text;
  if (indices.size() != 1)
    return at(node.names[1].span, ErrorCode::Unsupported, quote(word) + " goes along one index", "list one index");
  Expr e;
  e.kind = Expr::Kind::Top;
  e.indices = indices;
  e.args = {value.e};
  e.list.positions = word != "top";
  e.list.smallest = word == "argmin";
  if (guard) unite(value, *guard), e.guard = guard->e;
  if (word == "top" || word == "argtop") {
    if (!node.list)
      return at(node.span, ErrorCode::Syntax, quote(word) + " needs the index of its list",
                std::string(word) + "[" + std::string(node.names[0].text) + "->s](...), with a line 'index s = 2'",
                "here", "E12");
    auto place = lookupIndex(*node.list);
    if (!place) {
      place.error().rule = "E12";
      place.error().help = "a line 'index " + std::string(node.list->text) + " = 2' gives the list its length";
      return place.error();
    }
    const std::optional<int64_t> extent = program.indices[*place].extent;
    if (!extent)
      return at(node.list->span, ErrorCode::Extent,
                quote(word) + ": the index " + quote(node.list->text) + " of the list needs a fixed extent",
                "index " + std::string(node.list->text) + " = 2", "no extent", "E12");
    if (*extent > longest)
      return at(node.list->span, ErrorCode::Limit,
                "a list has at most " + std::to_string(longest) + " entries, not " + std::to_string(*extent), "",
                "extent " + std::to_string(*extent), "E12");
    if (contains(value.free, *place))
      return at(node.list->span, ErrorCode::Typing,
                "the argument depends on " + quote(node.list->text) + ", the index of the list",
                "take another index for the list", "here", "E06");
    e.list.place = *place;
  }
  const bool positions = e.list.positions;
  auto result = reduceTo(std::move(e), std::move(value), node);
  if (result && positions) result->type = DType::I32;
  return result;
}

/// softmax[k](x, sink = s): exp(s) is part of the sum.
Expected<void> Binder::bindSink(const SyntaxNode &node, Value &value, Expr &e) {
  if (node.named.empty()) return {};
  Value &sink = valueOf(node.args[1]);
  if (sink.type && !isFloat(*sink.type))
    return at(sink.span, ErrorCode::DTypeMismatch,
              "a sink must be a float, and this is " + std::string(name(*sink.type)), "", std::string(name(*sink.type)),
              "E09");
  for (IndexId i : e.indices)
    if (contains(sink.free, i))
      return at(sink.span, ErrorCode::Typing,
                "the sink depends on " + quote(program.indices[i].name) + ", over which the softmax goes", "",
                "depends on " + indexNames(sink.free), "E06");
  e.args.push_back(sink.e);
  unite(value, sink);
  value.type = join(value.type, sink.type);
  return {};
}

} // namespace ein
