// Statements of a Program text: declarations, lets and outputs.
#include "compiler/IndexNotation/Parser.h"
#include "compiler/IndexNotation/Words.h"

namespace ein {

// program = [ "program" name NL ] { line NL } .
Expected<Syntax> Parser::program() {
  auto skipNewlines = [&] {
    while (peek().kind == Token::Kind::Newline) ++at;
  };
  skipNewlines();
  if (eat("program") && !name("a name for the program")) return std::move(*failure);
  for (skipNewlines(); peek().kind != Token::Kind::End; skipNewlines()) {
    if (!line()) return std::move(*failure);
    if (peek().kind != Token::Kind::Newline && peek().kind != Token::Kind::End) {
      unexpected("the end of the line");
      return std::move(*failure);
    }
  }
  return std::move(syntax);
}

// line = "index" idecl { "," idecl } | "in" tdecl { "," tdecl } | let | "out" odecl { "," odecl } .
bool Parser::line() {
  if (eat("index")) return list(&Parser::indexDecl);
  if (eat("in")) return list(&Parser::inputDecl);
  if (eat("out")) return list(&Parser::outputDecl);
  if (is("require") || is("store")) {
    fail(peek().word.span, ErrorCode::Unsupported, quote(peek().word.text) + " lines are not built yet",
         "a Program consists of 'index', 'in' and 'out' lines and of 'NAME[indices] = expression'");
    return false;
  }
  return let();
}

bool Parser::list(bool (Parser::*item)()) {
  do {
    if (!(this->*item)()) return false;
  } while (eat(","));
  return true;
}

// idecl = name [ "=" ext { "*" ext } ] .   ext = int | name .
bool Parser::indexDecl() {
  auto declared = name("an index");
  if (!declared) return false;
  Syntax::IndexDecl decl{*declared, {}};
  if (eat("=")) {
    do {
      if (peek().kind != Token::Kind::Number && !isName()) return unexpected("an extent or an index"), false;
      decl.factors.push_back(take());
    } while (eat("*"));
  }
  syntax.indices.push_back(std::move(decl));
  return true;
}

// tdecl = name ":" dtype [ "[" [ name { "," name } ] "]" ] .
bool Parser::inputDecl() {
  auto declared = name("a tensor");
  if (!declared || !expect(":", "a tensor's name, before its dtype")) return false;
  if (peek().kind != Token::Kind::Name) return unexpected("a dtype"), false;
  Syntax::Input input{*declared, take(), {}};
  if (is("[")) {
    auto axes = nameList();
    if (!axes) return false;
    input.axes = std::move(*axes);
  }
  if (is("sorted") || is("below"))
    return fail(peek().word.span, ErrorCode::Unsupported, "attributes of tensors are not built yet", "drop it"), false;
  syntax.inputs.push_back(std::move(input));
  return true;
}

// odecl = name [ "[" [ name { "," name } ] "]" ] [ ":" dtype ] .
bool Parser::outputDecl() {
  auto named = name("a tensor");
  if (!named) return false;
  Syntax::Output output{*named, {}, {}};
  if (is("[")) {
    output.axes = nameList();
    if (!output.axes) return false;
  }
  if (!dtype(output.dtype)) return false;
  syntax.outputs.push_back(std::move(output));
  return true;
}

// let = name [ "[" [ name { "," name } ] "]" ] [ ":" dtype ] "=" expr .
bool Parser::let() {
  auto declared = name("a statement");
  if (!declared) return false;
  Syntax::Let let{*declared, {}, {}};
  if (is("[")) {
    let.axes = nameList();
    if (!let.axes) return false;
  }
  if (!dtype(let.dtype) || !expect("=", "the left-hand side of a statement")) return false;
  let.begin = static_cast<NodeId>(syntax.nodes.size());
  auto value = expr();
  if (!value) return false;
  let.value = *value;
  syntax.lets.push_back(std::move(let));
  return true;
}

bool Parser::dtype(std::optional<Word> &result) {
  if (!eat(":")) return true;
  if (peek().kind != Token::Kind::Name) return unexpected("a dtype"), false;
  result = take();
  return true;
}

std::optional<std::vector<Word>> Parser::nameList() {
  std::vector<Word> names;
  if (!expect("[", "the name")) return std::nullopt;
  if (eat("]")) return names;
  do {
    if (is("("))
      return fail(peek().word.span, ErrorCode::Unsupported, "grouped axes are not built yet",
                  "give each index an axis of its own");
    auto next = name("an index");
    if (!next) return std::nullopt;
    names.push_back(*next);
  } while (eat(","));
  if (!expect("]", "the list of indices")) return std::nullopt;
  return names;
}

bool Parser::is(std::string_view word, size_t ahead) const {
  const Token &t = peek(ahead);
  return t.word.text == word && (t.kind == Token::Kind::Symbol || t.kind == Token::Kind::Name);
}

bool Parser::isName() const { return peek().kind == Token::Kind::Name && !words::isReserved(peek().word.text); }

bool Parser::eat(std::string_view word) {
  if (!is(word)) return false;
  ++at;
  return true;
}

bool Parser::expect(std::string_view word, const char *after) {
  if (eat(word)) return true;
  unexpected(quote(word) + " after " + after);
  return false;
}

std::optional<Word> Parser::name(const char *what) {
  if (isName()) return take();
  if (peek().kind == Token::Kind::Name)
    return fail(peek().word.span, ErrorCode::Syntax,
                quote(peek().word.text) + " is a word of the language and cannot name " + what);
  return unexpected(what);
}

std::nullopt_t Parser::fail(Span span, ErrorCode code, std::string message, std::string help) {
  failure = errorAt(text, span, code, std::move(message), std::move(help));
  return std::nullopt;
}

std::nullopt_t Parser::unexpected(std::string expected) {
  const Token &t = peek();
  std::string found = t.kind == Token::Kind::End       ? "the end of the text"
                      : t.kind == Token::Kind::Newline ? "the end of the line"
                      : t.kind == Token::Kind::String  ? "a string"
                                                       : quote(t.word.text);
  return fail(t.word.span, ErrorCode::Syntax, "expected " + expected + ", found " + found,
              t.kind == Token::Kind::Newline ? "a trailing '\\' joins a line with the next" : "");
}

Expected<Syntax> parseSyntax(std::string_view text) {
  auto tokens = tokenize(text);
  if (!tokens) return tokens.error();
  return Parser(text, std::move(*tokens)).program();
}

} // namespace ein
