// Accesses, functions, reductions and einsum(...) of a Program text.
#include "compiler/IndexNotation/Parser.h"
#include "compiler/IndexNotation/Words.h"

namespace ein {

// access = name [ "[" [ expr { "," expr } ] "]" ] .
Parser::Parsed Parser::access() {
  auto named = name("a tensor");
  if (!named) return std::nullopt;
  SyntaxNode node;
  node.kind = SyntaxNode::Kind::Reference;
  node.word = *named;
  if (eat("[")) {
    node.kind = SyntaxNode::Kind::Access;
    if (!is("]")) {
      do {
        const bool zero = peek().kind == Token::Kind::Number && peek().word.text == "0";
        if (!nameOrExpression(node, zero, "]")) return std::nullopt;
      } while (eat(","));
    }
    if (!expect("]", "the subscripts")) return std::nullopt;
  }
  node.span = since(node.word.span);
  return add(std::move(node));
}

/// Adds a name (or, with `orZero`, 0) to the node's names where nothing else stands up to `end`; else an expression.
bool Parser::nameOrExpression(SyntaxNode &node, bool orZero, std::string_view end) {
  if ((orZero || isName()) && (is(",", 1) || is(end, 1))) {
    node.names.push_back(take());
    return true;
  }
  Parsed e = expr();
  if (!e) return false;
  node.names.push_back({{}, syntax.nodes[*e].span});
  node.args.push_back(*e);
  return true;
}

Parser::Parsed Parser::call() {
  Word function = take();
  const Fn *fn = words::function(function.text);
  const words::DerivedFunction *derivedFn = words::derivedFunction(function.text);
  std::string quoted = quote(function.text);
  if (!fn && !derivedFn) {
    bool reduces = words::isReserved(function.text);
    return fail(
        function.span, ErrorCode::UnknownName, (reduces ? quoted + " is not a function" : "unknown function " + quoted),
        reduces ? "a reduction names its indices: " + std::string(function.text) + "[k](...)" : words::kFunctionList);
  }
  take();
  std::vector<NodeId> args;
  std::optional<Word> dtype;
  do {
    if (fn && *fn == Fn::Cast && args.size() == 1 && !dtype) {
      if (peek().kind != Token::Kind::Name) return unexpected("a dtype");
      dtype = take();
      continue;
    }
    Parsed arg = expr();
    if (!arg) return arg;
    args.push_back(*arg);
  } while (eat(","));
  if (!expect(")", "the arguments")) return std::nullopt;
  if (fn && *fn == Fn::Cast && !dtype)
    return fail(since(function.span), ErrorCode::Syntax, "'cast' takes an expression and a dtype",
                "write cast(x, f32)");
  int expected = fn ? arity(*fn) : derivedFn->arity;
  if (expected >= 0 && args.size() != static_cast<size_t>(expected))
    return fail(since(function.span), ErrorCode::Syntax,
                quoted + " takes " + std::to_string(expected) +
                    (expected == 1 ? " argument, got " : " arguments, got ") + std::to_string(args.size()),
                words::contains(words::kReductions, function.text)
                    ? "as a reduction it is written " + std::string(function.text) + "[k](...)"
                    : "");
  Span span = since(function.span);
  if (!fn) return derived(function.text, std::move(args), span);
  Parsed node = apply(*fn, std::move(args), span);
  if (node && dtype) syntax.nodes[*node].word = *dtype;
  return node;
}

/// Functions that are combinations of others. Each argument is used once: nesting costs no more than it looks.
Parser::Parsed Parser::derived(std::string_view function, std::vector<NodeId> args, Span span) {
  auto constant = [&](double value) {
    SyntaxNode node;
    node.literal = value;
    node.span = span;
    return add(std::move(node));
  };
  auto then = [&](Fn fn, Parsed a, Parsed b) -> Parsed {
    if (!a || !b) return std::nullopt;
    return apply(fn, {*a, *b}, span);
  };
  auto of = [&](Fn fn, Parsed a) -> Parsed { return a ? apply(fn, {*a}, span) : a; };
  if (function == "extent") return extent(args[0], span);
  if (function == "relu") return then(Fn::Max, args[0], constant(0));
  if (function == "rsqrt") return then(Fn::Div, constant(1), of(Fn::Sqrt, args[0]));
  if (function == "clamp") return then(Fn::Min, then(Fn::Max, args[0], args[1]), args[2]);
  return then(Fn::Div, constant(1), then(Fn::Add, constant(1), of(Fn::Exp, of(Fn::Neg, args[0])))); // sigmoid
}

/// extent(k) is max(max[k](cast(k, i32)), -1) + 1: one more than the largest value of k, and 0 where it has none.
Parser::Parsed Parser::extent(NodeId index, Span span) {
  if (syntax.nodes[index].kind != SyntaxNode::Kind::Reference)
    return fail(span, ErrorCode::Syntax, "'extent' takes an index", "write extent(k)");
  auto constant = [&](double value) {
    SyntaxNode node;
    node.literal = value;
    node.span = span;
    return *add(std::move(node));
  };
  Parsed value = apply(Fn::Cast, {index}, span);
  if (!value) return value;
  syntax.nodes[*value].word = {"i32", span};
  SyntaxNode largest;
  largest.kind = SyntaxNode::Kind::Reduction;
  largest.word = {"max", span};
  largest.names = {syntax.nodes[index].word};
  largest.args = {*value};
  largest.span = span;
  Parsed last = add(std::move(largest));
  if (last) last = apply(Fn::Max, {*last, constant(-1)}, span);
  return last ? apply(Fn::Add, {*last, constant(1)}, span) : last;
}

// reduce = rop "[" name { "," name } [ "->" name ] [ "|" expr ] "]" "(" expr { "," name "=" expr } ")" .
Parser::Parsed Parser::reduction() {
  SyntaxNode node;
  node.kind = SyntaxNode::Kind::Reduction;
  node.word = take();
  take();
  do {
    auto index = name("an index to reduce over");
    if (!index) return std::nullopt;
    node.names.push_back(*index);
  } while (eat(","));
  if (eat("->")) {
    node.list = name("the index of the list");
    if (!node.list) return std::nullopt;
  }
  if (eat("|")) {
    node.guard = expr();
    if (!node.guard) return std::nullopt;
  }
  if (!expect("]", "the indices") || !expect("(", "the indices of a reduction")) return std::nullopt;
  Parsed arg = expr();
  if (!arg) return arg;
  node.args = {*arg};
  while (eat(",")) {
    if (!isName() || !is("=", 1))
      return fail(peek().word.span, ErrorCode::Syntax, "a reduction takes one argument, and others by name",
                  "softmax takes a sink: softmax[k](x, sink = s)");
    node.named.push_back(take());
    take();
    Parsed named = expr();
    if (!named) return named;
    node.args.push_back(*named);
  }
  if (!expect(")", "the argument")) return std::nullopt;
  node.span = since(node.word.span);
  return add(std::move(node));
}

// einsum = "einsum" "(" string { "," expr } [ "," "over" "=" name ] ")" .
Parser::Parsed Parser::einsum() {
  SyntaxNode node;
  node.kind = SyntaxNode::Kind::Einsum;
  Span begin = take().span;
  if (!expect("(", "einsum")) return std::nullopt;
  if (peek().kind != Token::Kind::String)
    return unexpected("the subscripts in quotes, einsum(\"i k, k j -> i j\", A, B)");
  node.word = take();
  while (!node.semiring && eat(",")) {
    if (is("over") && is("=", 1)) {
      take(), take();
      if (peek().kind != Token::Kind::Name) return unexpected("the name of a semiring");
      node.semiring = take();
    } else if (!nameOrExpression(node, false, ")")) {
      return std::nullopt;
    }
  }
  if (!expect(")", "the operands of einsum")) return std::nullopt;
  node.span = since(begin);
  return add(std::move(node));
}

} // namespace ein
