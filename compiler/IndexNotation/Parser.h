// The parser of Program texts, one method per production of the grammar.
#pragma once

#include "compiler/IndexNotation/Syntax.h"

#include <algorithm>
#include <initializer_list>

namespace ein {

/// Statements are in StatementParser.cpp, operators in ExpressionParser.cpp, calls in CallParser.cpp. A method that
/// fails returns nothing (or false) and leaves the reason in `failure`; frames stay small that way.
class Parser {
public:
  Parser(std::string_view text, std::vector<Token> tokens) : text(text), tokens(std::move(tokens)) {}

  Expected<Syntax> program();

private:
  using Parsed = std::optional<NodeId>;

  // Statements.
  bool line();
  bool indexDecl();
  bool inputDecl();
  bool outputDecl();
  bool let();
  bool requirement();
  bool store();
  bool axes(Syntax::Input &input);
  bool attributes(Syntax::Input &input);
  bool list(bool (Parser::*item)());
  std::optional<std::vector<Word>> nameList();
  bool dtype(std::optional<Word> &dtype);

  // Expressions, loosest first.
  Parsed expr();
  Parsed conditional();
  Parsed disjunction();
  Parsed conjunction();
  Parsed negation();
  Parsed comparison();
  Parsed sum();
  Parsed term();
  Parsed unary();
  Parsed power();
  Parsed atom();
  Parsed number();
  Parsed parenthesised();
  Parsed access();
  Parsed call();
  Parsed derived(std::string_view function, std::vector<NodeId> args, Span span);
  Parsed extent(NodeId index, Span span);
  Parsed reduction();
  Parsed einsum();
  Parsed leftAssociative(Parsed (Parser::*operand)(), std::initializer_list<Fn> operators);
  bool nameOrExpression(SyntaxNode &node, bool orZero, std::string_view end);
  Parsed tooDeep();
  Parsed apply(Fn fn, std::vector<NodeId> args, Span span);
  Parsed add(SyntaxNode node);

  // Tokens.
  const Token &peek(size_t ahead = 0) const { return tokens[std::min(at + ahead, tokens.size() - 1)]; }
  Word take() { return tokens[at < tokens.size() - 1 ? at++ : at].word; }
  bool is(std::string_view word, size_t ahead = 0) const;
  bool isName() const;
  bool eat(std::string_view word);
  bool expect(std::string_view word, const char *after);
  std::optional<Word> name(const char *what);
  Span since(Span begin) const { return {begin.begin, tokens[at - 1].word.span.end}; }

  // Failures.
  std::nullopt_t fail(Span span, ErrorCode code, std::string message, std::string help = {});
  std::nullopt_t unexpected(std::string expected);

  std::string_view text;
  std::vector<Token> tokens;
  size_t at = 0;
  int nesting = 0;
  std::vector<uint32_t> depth; ///< by node
  Syntax syntax;
  std::optional<Error> failure;
};

} // namespace ein
