// Operators, numbers and parentheses of a Program text.
#include "compiler/IndexNotation/Parser.h"
#include "compiler/IndexNotation/Words.h"

#include <charconv>
#include <limits>

namespace ein {

// expr = "if" expr "then" expr "else" expr | disj .
Parser::Parsed Parser::expr() {
  if (nesting == kMaxNesting) return tooDeep();
  ++nesting;
  Parsed result = is("if") ? conditional() : disjunction();
  --nesting;
  return result;
}

Parser::Parsed Parser::tooDeep() {
  return fail(peek().word.span, ErrorCode::Limit,
              "the expression nests more than " + std::to_string(kMaxNesting) + " deep", "name a part of it: T = ...");
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

// term = unary { ( "*" | "/" | "//" | "%" ) unary } .
Parser::Parsed Parser::term() { return leftAssociative(&Parser::unary, {Fn::Mul, Fn::Div, Fn::IntDiv, Fn::Mod}); }

// unary = [ "-" ] power .
Parser::Parsed Parser::unary() {
  Span begin = peek().word.span;
  if (!eat("-")) return power();
  Parsed arg = power();
  return arg ? apply(Fn::Neg, {*arg}, since(begin)) : arg;
}

// power = atom [ "^" unary ] .
Parser::Parsed Parser::power() {
  Span begin = peek().word.span;
  Parsed base = atom();
  if (!base || !is("^")) return base;
  if (nesting == kMaxNesting) return tooDeep();
  take();
  ++nesting;
  Parsed exponent = unary();
  --nesting;
  return exponent ? apply(Fn::Pow, {*base, *exponent}, since(begin)) : exponent;
}

// atom = number | "inf" | access | reduce | einsum | fn "(" expr { "," expr } ")" | "(" expr ")" .
Parser::Parsed Parser::atom() {
  if (peek().kind == Token::Kind::Number || is("inf")) return number();
  if (is("(")) return parenthesised();
  if (peek().kind != Token::Kind::Name) return unexpected("an expression");
  if (is("einsum")) return einsum();
  if (is("(", 1)) return call();
  std::string_view word = peek().word.text;
  if (is("[", 1) && words::contains(words::kReductions, word)) return reduction();
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
