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

// line = "index" idecl { "," idecl } | "in" tdecl { "," tdecl } | let | "out" odecl { "," odecl }
//      | "require" requirement | "store" name { "," name } .
bool Parser::line() {
  if (eat("index")) return list(&Parser::indexDecl);
  if (eat("in")) return list(&Parser::inputDecl);
  if (eat("out")) return list(&Parser::outputDecl);
  if (eat("require")) return requirement();
  if (eat("store")) return list(&Parser::store);
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

// tdecl = name ":" dtype [ "[" [ axis { "," axis } ] "]" ] { attr } .
bool Parser::inputDecl() {
  auto declared = name("a tensor");
  if (!declared || !expect(":", "a tensor's name, before its dtype")) return false;
  if (peek().kind != Token::Kind::Name) return unexpected("a dtype"), false;
  Syntax::Input input{*declared, take(), {}, {}, {}, {}};
  if (eat("[") && !axes(input)) return false;
  if (!attributes(input)) return false;
  syntax.inputs.push_back(std::move(input));
  return true;
}

// axis = name | "(" name { name } ")" .
bool Parser::axes(Syntax::Input &input) {
  if (eat("]")) return true;
  do {
    const size_t before = input.axes.size();
    const bool grouped = eat("(");
    do {
      auto next = name("an index");
      if (!next) return false;
      input.axes.push_back(*next);
    } while (grouped && !is(")"));
    if (grouped && !expect(")", "the indices of an axis")) return false;
    input.groups.push_back(static_cast<uint32_t>(input.axes.size() - before));
  } while (eat(","));
  return expect("]", "the list of indices");
}

// attr = "sorted" | "below" "(" name ")" .
bool Parser::attributes(Syntax::Input &input) {
  while (is("sorted") || is("below")) {
    std::optional<Word> &attribute = is("sorted") ? input.sorted : input.below;
    if (attribute)
      return fail(peek().word.span, ErrorCode::DuplicateName, quote(peek().word.text) + " stands twice", "drop one"),
             false;
    attribute = take();
    if (attribute->text == "sorted") continue;
    if (!expect("(", "'below'")) return false;
    attribute = name("an index");
    if (!attribute || !expect(")", "the index")) return false;
  }
  return true;
}

// requirement = ( "onepass" | "nostore" | "stored" | "exact" ) "(" name { "," name } ")" .
bool Parser::requirement() {
  static constexpr std::string_view kKinds[] = {"onepass", "nostore", "stored", "exact"};
  if (!words::contains(kKinds, peek().word.text)) return unexpected("onepass, nostore, stored or exact"), false;
  Syntax::Requirement requirement{take(), {}};
  if (!expect("(", "what is required")) return false;
  do {
    auto tensor = name("a tensor");
    if (!tensor) return false;
    requirement.names.push_back(*tensor);
  } while (eat(","));
  syntax.requirements.push_back(std::move(requirement));
  return expect(")", "the tensors");
}

bool Parser::store() {
  auto tensor = name("a tensor");
  if (tensor) syntax.stores.push_back(*tensor);
  return tensor.has_value();
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
      return fail(peek().word.span, ErrorCode::Syntax, "only the axes of an 'in' line can be grouped",
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
