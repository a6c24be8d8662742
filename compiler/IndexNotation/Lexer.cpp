// Tokens of a Program text.
#include "compiler/IndexNotation/Lexer.h"

#include "compiler/Subscripts/Subscripts.h"
#include "compiler/Subscripts/Unicode.h"

namespace ein {
namespace {

/// Longest first where one starts with another.
constexpr std::string_view kSymbols[] = {"->", "<=", ">=", "==", "!=", "//", "(", ")", "[", "]", ",",
                                         ":",  "=",  "|",  "+",  "-",  "*",  "/", "%", "^", "<", ">"};

bool isDigit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
public:
  explicit Lexer(std::string_view text) : text(text) {}

  Expected<std::vector<Token>> run() {
    while (at < text.size())
      if (auto ok = token(); !ok) return std::move(ok.error());
    emit(Token::Kind::End, at);
    return std::move(tokens);
  }

private:
  Expected<void> token() {
    char c = text[at];
    size_t begin = at;
    if (c == '\n' || c == ';') {
      ++at;
      emit(Token::Kind::Newline, begin);
    } else if (isSpace(static_cast<unsigned char>(c))) {
      ++at;
    } else if (c == '#') {
      skipLine();
    } else if (c == '\\') {
      return continuation();
    } else if (c == '"') {
      return string();
    } else if (isDigit(c) || (c == '.' && at + 1 < text.size() && isDigit(text[at + 1]))) {
      number();
    } else if (!symbol()) {
      return name();
    }
    return {};
  }

  void skipLine() {
    while (at < text.size() && text[at] != '\n') ++at;
  }

  Expected<void> continuation() {
    size_t begin = at++;
    while (at < text.size() && text[at] != '\n' && isSpace(static_cast<unsigned char>(text[at]))) ++at;
    if (at < text.size() && text[at] == '#') skipLine();
    if (at < text.size() && text[at] != '\n')
      return errorAt(text, span(begin, begin + 1), ErrorCode::Syntax, "'\\' is not at the end of its line",
                     "a trailing '\\' joins a line with the next");
    if (at < text.size()) ++at;
    return {};
  }

  Expected<void> string() {
    size_t begin = at;
    size_t end = text.find_first_of("\"\n", at + 1);
    if (end == std::string_view::npos || text[end] == '\n')
      return errorAt(text, span(begin, begin + 1), ErrorCode::Syntax, "this string does not end on its line",
                     "close it with '\"'", "opened here");
    at = end + 1;
    tokens.push_back({Token::Kind::String, {text.substr(begin + 1, end - begin - 1), span(begin + 1, end)}});
    return {};
  }

  // number = digit { digit } [ "." { digit } ] [ "e" [ "+" | "-" ] digit { digit } ] .
  void number() {
    size_t begin = at;
    auto digits = [&] {
      while (at < text.size() && isDigit(text[at])) ++at;
    };
    digits();
    if (at < text.size() && text[at] == '.') ++at, digits();
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
      size_t exponent = at + 1;
      if (exponent < text.size() && (text[exponent] == '+' || text[exponent] == '-')) ++exponent;
      if (exponent < text.size() && isDigit(text[exponent])) at = exponent, digits();
    }
    emit(Token::Kind::Number, begin);
  }

  bool symbol() {
    for (std::string_view s : kSymbols) {
      if (text.substr(at, s.size()) != s) continue;
      at += s.size();
      emit(Token::Kind::Symbol, at - s.size());
      return true;
    }
    return false;
  }

  // name = ( letter | "_" ) { letter | digit | "_" } .
  Expected<void> name() {
    size_t begin = at;
    CodePoint c = decodeUtf8(text, at);
    if (c.length == 0) return errorAt(text, span(at, at + 1), ErrorCode::Syntax, "the text is not valid UTF-8");
    if (!isNameCharacter(c.value)) {
      bool printable = c.value > ' ' && c.value != 0x7F;
      std::string what = printable ? quote(text.substr(at, c.length)) : "a control character";
      return errorAt(text, span(at, at + c.length), ErrorCode::Syntax, what + " has no meaning in a Program");
    }
    for (; c.length != 0 && isNameCharacter(c.value); c = decodeUtf8(text, at)) at += c.length;
    emit(Token::Kind::Name, begin);
    return {};
  }

  void emit(Token::Kind kind, size_t begin) {
    tokens.push_back({kind, {text.substr(begin, at - begin), span(begin, at)}});
  }

  static Span span(size_t begin, size_t end) { return {static_cast<uint32_t>(begin), static_cast<uint32_t>(end)}; }

  std::string_view text;
  size_t at = 0;
  std::vector<Token> tokens;
};

} // namespace

Expected<std::vector<Token>> tokenize(std::string_view text) {
  if (text.size() > kMaxTextBytes)
    return makeError(ErrorCode::Limit, "the Program has " + std::to_string(text.size()) + " bytes; the limit is " +
                                           std::to_string(kMaxTextBytes));
  return Lexer(text).run();
}

Error errorAt(std::string_view text, Span span, ErrorCode code, std::string message, std::string help,
              std::string label) {
  Error e = makeError(code, std::move(message), std::move(help));
  e.text = text;
  e.labels.push_back({span, std::move(label)});
  return e;
}

} // namespace ein
