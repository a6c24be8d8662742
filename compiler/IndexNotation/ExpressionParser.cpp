// Expressions of a Program text.
#include "compiler/IndexNotation/Parser.h"
#include "compiler/IndexNotation/Words.h"

#include <charconv>
#include <limits>

namespace ein {

// expr = "if" expr "then" expr "else" expr | disj .
Parser::Parsed Parser::expr() {
  if (nesting == kMaxNesting)
    return fail(peek().word.span, ErrorCode::Limit,
                "the expression nests more than " + std::to_string(kMaxNesting) + " deep",
                "name a part of it: T = ...");
  ++nesting;
  Parsed result = is("if") ? conditional() : disjunction();
  --nesting;
  return result;
}

Parser::Parsed Parser::conditional() {
  Span begin = take().span;
  Parsed condition = expr();
  if (!condition || !expect("then", "the condition")) return std::nullopt;
  Parsed yes = expr();
  if (!yes || !expect("else", "the value of 'then'")) return std::nullopt;
  Parsed no = expr();
  if (!no) return std::nullopt;
  return apply(Fn::Select, {*condition, *yes, *no}, since(begin));
}

// disj = conj { "or" conj } .
Parser::Parsed Parser::disjunction() { return leftAssociative(&Parser::conjunction, {Fn::Or}); }

// conj = neg { "and" neg } .
Parser::Parsed Parser::conjunction() { return leftAssociative(&Parser::negation, {Fn::And}); }

// neg = [ "not" ] cmp .
Parser::Parsed Parser::negation() {
  Span begin = peek().word.span;
  if (!eat("not")) return comparison();
  Parsed arg = comparison();
  return arg ? apply(Fn::Not, {*arg}, since(begin)) : arg;
}

// cmp = sum [ ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) sum ] .
Parser::Parsed Parser::comparison() {
  static constexpr Fn kComparisons[] = {Fn::Less,         Fn::LessEqual, Fn::Greater,
                                        Fn::GreaterEqual, Fn::Equal,     Fn::NotEqual};
  auto operatorHere = [&] {
    return std::find_if(std::begin(kComparisons), std::end(kComparisons), [&](Fn fn) { return is(spelling(fn)); });
  };
  Span begin = peek().word.span;
  Parsed left = sum();
  if (!left) return left;
  auto op = operatorHere();
  if (op == std::end(kComparisons)) return left;
  take();
  Parsed right = sum();
  if (!right) return right;
  if (operatorHere() != std::end(kComparisons))
    return fail(peek().word.span, ErrorCode::Syntax, "comparisons do not chain", "write 'a < b and b < c'");
  return apply(*op, {*left, *right}, since(begin));
}

// sum = term { ( "+" | "-" ) term } .
Parser::Parsed Parser::sum() { return leftAssociative(&Parser::term, {Fn::Add, Fn::Sub}); }

// term = unary { ( "*" | "/" ) unary } .
Parser::Parsed Parser::term() {
  Parsed result = leftAssociative(&Parser::unary, {Fn::Mul, Fn::Div});
  if (result && (is("^") || is("//") || is("%")))
    return fail(peek().word.span, ErrorCode::Unsupported, quote(peek().word.text) + " is not built yet",
                "+, -, * and / are built");
  return result;
}

// unary = [ "-" ] atom .
Parser::Parsed Parser::unary() {
  Span begin = peek().word.span;
  if (!eat("-")) return atom();
  Parsed arg = atom();
  return arg ? apply(Fn::Neg, {*arg}, since(begin)) : arg;
}

// atom = number | "inf" | access | reduce | einsum | fn "(" expr { "," expr } ")" | "(" expr ")" .
Parser::Parsed Parser::atom() {
  if (peek().kind == Token::Kind::Number || is("inf")) return number();
  if (is("(")) return parenthesised();
  if (peek().kind != Token::Kind::Name) return unexpected("an expression");
  if (is("einsum")) return einsum();
  if (is("(", 1)) return call();
  std::string_view word = peek().word.text;
  if (is("[", 1) && (words::contains(words::kReductions, word) || words::contains(words::kPlannedReductions, word)))
    return reduction();
  return access();
}

Parser::Parsed Parser::number() {
  SyntaxNode node;
  node.word = take();
  node.span = node.word.span;
  if (node.word.text == "inf") {
    node.literal = std::numeric_limits<double>::infinity();
    return add(std::move(node));
  }
  const char *end = node.word.text.data() + node.word.text.size();
  auto [stop, error] = std::from_chars(node.word.text.data(), end, node.literal);
  if (error != std::errc() || stop != end)
    return fail(node.span, ErrorCode::Limit, "the number " + std::string(node.word.text) + " does not fit a double",
                "infinity is written 'inf'");
  return add(std::move(node));
}

Parser::Parsed Parser::parenthesised() {
  take();
  Parsed inner = expr();
  if (!inner || !expect(")", "the expression")) return std::nullopt;
  return inner;
}

// access = name [ "[" [ subscript { "," subscript } ] "]" ] .
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
        auto next = subscript();
        if (!next) return std::nullopt;
        node.names.push_back(*next);
      } while (eat(","));
    }
    if (!expect("]", "the subscripts")) return std::nullopt;
  }
  node.span = since(node.word.span);
  return add(std::move(node));
}

// subscript = name | "0" .
std::optional<Word> Parser::subscript() {
  bool zero = peek().kind == Token::Kind::Number && peek().word.text == "0";
  if ((zero || isName()) && (is(",", 1) || is("]", 1))) return take();
  return fail(peek().word.span, ErrorCode::Unsupported, "a subscript is the name of an index, or 0",
              "computed and gathered subscripts are not built yet");
}

Parser::Parsed Parser::call() {
  Word function = take();
  const Fn *fn = words::function(function.text);
  std::string quoted = quote(function.text);
  const words::DerivedFunction *derivedFn = words::derivedFunction(function.text);
  if (!fn && words::contains(words::kPlannedFunctions, function.text))
    return fail(function.span, ErrorCode::Unsupported, "function " + quoted + " is not built yet",
                words::kBuiltFunctions);
  if (!fn && !derivedFn) {
    bool reduces = words::isReserved(function.text);
    return fail(
        function.span, ErrorCode::UnknownName, (reduces ? quoted + " is not a function" : "unknown function " + quoted),
        reduces ? "a reduction names its indices: " + std::string(function.text) + "[k](...)" : words::kBuiltFunctions);
  }
  take();
  std::vector<NodeId> args;
  do {
    Parsed arg = expr();
    if (!arg) return arg;
    args.push_back(*arg);
  } while (eat(","));
  if (!expect(")", "the arguments")) return std::nullopt;
  int expected = fn ? arity(*fn) : derivedFn->arity;
  if (args.size() != static_cast<size_t>(expected))
    return fail(since(function.span), ErrorCode::Syntax,
                quoted + " takes " + std::to_string(expected) +
                    (expected == 1 ? " argument, got " : " arguments, got ") + std::to_string(args.size()),
                words::contains(words::kReductions, function.text)
                    ? "as a reduction it is written " + std::string(function.text) + "[k](...)"
                    : "");
  Span span = since(function.span);
  return fn ? apply(*fn, std::move(args), span) : derived(function.text, std::move(args), span);
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
  if (function == "relu") return then(Fn::Max, args[0], constant(0));
  if (function == "rsqrt") return then(Fn::Div, constant(1), of(Fn::Sqrt, args[0]));
  if (function == "clamp") return then(Fn::Min, then(Fn::Max, args[0], args[1]), args[2]);
  return then(Fn::Div, constant(1), then(Fn::Add, constant(1), of(Fn::Exp, of(Fn::Neg, args[0])))); // sigmoid
}

// reduce = rop "[" name { "," name } [ "|" expr ] "]" "(" expr ")" .
Parser::Parsed Parser::reduction() {
  SyntaxNode node;
  node.kind = SyntaxNode::Kind::Reduction;
  node.word = take();
  if (!words::contains(words::kReductions, node.word.text))
    return fail(node.word.span, ErrorCode::Unsupported, "reduction " + quote(node.word.text) + " is not built yet",
                words::kBuiltReductions);
  take();
  do {
    auto index = name("an index to reduce over");
    if (!index) return std::nullopt;
    node.names.push_back(*index);
  } while (eat(","));
  if (eat("|")) {
    node.guard = expr();
    if (!node.guard) return std::nullopt;
  }
  if (!expect("]", "the indices") || !expect("(", "the indices of a reduction")) return std::nullopt;
  Parsed arg = expr();
  if (!arg) return arg;
  if (is(","))
    return fail(peek().word.span, ErrorCode::Unsupported, "a reduction takes one argument",
                "named arguments are not built yet");
  if (!expect(")", "the argument")) return std::nullopt;
  node.args = {*arg};
  node.span = since(node.word.span);
  return add(std::move(node));
}

// einsum = "einsum" "(" string { "," name } ")" .
Parser::Parsed Parser::einsum() {
  SyntaxNode node;
  node.kind = SyntaxNode::Kind::Einsum;
  Span begin = take().span;
  if (!expect("(", "einsum")) return std::nullopt;
  if (peek().kind != Token::Kind::String)
    return unexpected("the subscripts in quotes, einsum(\"i k, k j -> i j\", A, B)");
  node.word = take();
  while (eat(",")) {
    if (is("over") && is("=", 1))
      return fail(peek().word.span, ErrorCode::Unsupported, "semirings are not built yet",
                  "without 'over' it is sum of products");
    if (!isName() || !(is(",", 1) || is(")", 1)))
      return fail(peek().word.span, ErrorCode::Unsupported, "an operand of einsum is the name of a tensor",
                  "name the expression first: T = ...");
    node.names.push_back(take());
  }
  if (!expect(")", "the operands of einsum")) return std::nullopt;
  node.span = since(begin);
  return add(std::move(node));
}

Parser::Parsed Parser::leftAssociative(Parsed (Parser::*operand)(), std::initializer_list<Fn> operators) {
  Span begin = peek().word.span;
  Parsed left = (this->*operand)();
  while (left) {
    auto op = std::find_if(operators.begin(), operators.end(), [&](Fn fn) { return is(spelling(fn)); });
    if (op == operators.end()) break;
    take();
    Parsed right = (this->*operand)();
    if (!right) return right;
    left = apply(*op, {*left, *right}, since(begin));
  }
  return left;
}

Parser::Parsed Parser::apply(Fn fn, std::vector<NodeId> args, Span span) {
  SyntaxNode node;
  node.kind = SyntaxNode::Kind::Apply;
  node.fn = fn;
  node.args = std::move(args);
  node.span = span;
  return add(std::move(node));
}

Parser::Parsed Parser::add(SyntaxNode node) {
  uint32_t deepest = 0;
  for (NodeId arg : node.args) deepest = std::max(deepest, depth[arg]);
  if (node.guard) deepest = std::max(deepest, depth[*node.guard]);
  if (deepest == kMaxExpressionDepth)
    return fail(node.span, ErrorCode::Limit,
                "the expression chains more than " + std::to_string(kMaxExpressionDepth) + " operations",
                "name a part of it: T = ...");
  depth.push_back(deepest + 1);
  syntax.nodes.push_back(std::move(node));
  return static_cast<NodeId>(syntax.nodes.size() - 1);
}

} // namespace ein
