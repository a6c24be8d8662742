// The parser of einsum strings.
#include "compiler/Subscripts/Subscripts.h"

#include "compiler/Subscripts/Unicode.h"

namespace ein {
namespace {

Span spanOf(size_t begin, size_t end) { return {static_cast<uint32_t>(begin), static_cast<uint32_t>(end)}; }

/// Reads the text from left to right, one token at a time. Nothing nests, so nothing recurses.
class SubscriptsParser {
public:
  SubscriptsParser(std::string_view text, LabelStyle style) : text(text), style(style) { result.text = text; }

  // einsum = term { "," term } [ "->" term ] .
  Expected<Subscripts> run() {
    if (text.size() > kMaxTextBytes)
      return makeError(ErrorCode::Limit, "the expression has " + std::to_string(text.size()) + " bytes; the limit is " +
                                             std::to_string(kMaxTextBytes));
    beginTerm();
    for (skipSpace(); at < text.size(); skipSpace())
      if (auto ok = token(); !ok) return std::move(ok.error());
    endTerm();
    return std::move(result);
  }

private:
  // term = { label | "..." } .   label = letter | "{" name "}" .
  Expected<void> token() {
    if (eat(",")) return comma();
    if (eat("->")) return arrow();
    if (eat("...")) return ellipsis();
    if (text[at] == '.') return failAt(1, "an ellipsis is three dots", "write '...' without white space");
    if (text[at] == '-' || text[at] == '>') return failAt(1, "an arrow is '->'", "write '->' without white space");
    if (text[at] == '{') return bracedName();
    if (text[at] == '}') return failAt(1, "a '}' without its '{'", "a name is written {name}");
    return label();
  }

  Expected<void> comma() {
    if (result.inputs.size() == kMaxOperands && !result.output)
      return failAt(spanOf(at - 1, at), "an einsum has at most " + std::to_string(kMaxOperands) + " operands", "",
                    ErrorCode::Limit);
    if (result.output)
      return failAt(spanOf(at - 1, at), "the output has one term, so it cannot contain ','", "remove the comma");
    endTerm();
    beginTerm();
    return {};
  }

  Expected<void> arrow() {
    Span span = spanOf(at - 2, at);
    if (result.output) {
      Error e = failAt(span, "a second '->'", "an expression has one output");
      e.labels.push_back({arrowSpan, "the first one"});
      return e;
    }
    arrowSpan = span;
    endTerm();
    result.output.emplace();
    beginTerm();
    return {};
  }

  Expected<void> ellipsis() {
    Span span = spanOf(at - 3, at);
    if (auto first = term().ellipsis()) {
      Error e = failAt(span, "a second ellipsis in one term", "a term has at most one '...'");
      e.labels.push_back({term().subscripts[*first].span, "the first one"});
      return e;
    }
    add({"", span});
    return {};
  }

  Expected<void> bracedName() {
    size_t open = at++;
    skipSpace();
    size_t begin = at;
    CodePoint c = decodeUtf8(text, at);
    if (c.length != 0 && (isLetter(c.value) || c.value == '_')) skipName();
    size_t end = at;
    skipSpace();
    if (begin < end && eat("}")) {
      add({std::string(text.substr(begin, end - begin)), spanOf(open, at)});
      return {};
    }
    if (at == text.size())
      return failAt(spanOf(open, open + 1), "this '{' is never closed", "a name is written {name}");
    c = decodeUtf8(text, at);
    if (c.length == 0) return failAt(1, "the text is not valid UTF-8", "");
    std::string what = begin == end ? " cannot start a name in braces" : " cannot stand in a name in braces";
    return failAt(c.length, describe(c) + what, "a name is a letter or '_', then letters, digits and '_'");
  }

  Expected<void> label() {
    CodePoint c = decodeUtf8(text, at);
    if (c.length == 0) return failAt(1, "the text is not valid UTF-8", "");
    bool names = style == LabelStyle::Names;
    if (!isLetter(c.value) && !(names && c.value == '_'))
      return failAt(c.length, describe(c) + " is not a label",
                    names ? "labels are names that start with a letter"
                          : "labels are letters, or names in braces: {name_1}; separate operands with ','");
    size_t begin = at;
    if (names)
      skipName();
    else
      at += c.length;
    add({std::string(text.substr(begin, at - begin)), spanOf(begin, at)});
    return {};
  }

  void skipName() {
    for (CodePoint c = decodeUtf8(text, at); c.length != 0 && isNameCharacter(c.value); c = decodeUtf8(text, at))
      at += c.length;
  }

  /// The code point at `at`, for messages.
  std::string describe(const CodePoint &c) const {
    bool printable = c.value > ' ' && c.value != 0x7F;
    return printable ? "'" + std::string(text.substr(at, c.length)) + "'" : "a control character";
  }

  Term &term() { return result.output ? *result.output : result.inputs.back(); }

  void beginTerm() {
    if (!result.output) result.inputs.emplace_back();
    term().span = spanOf(at, at);
  }

  void endTerm() {
    Term &t = term();
    if (!t.subscripts.empty()) t.span = {t.subscripts.front().span.begin, t.subscripts.back().span.end};
  }

  void add(Subscript s) { term().subscripts.push_back(std::move(s)); }

  void skipSpace() {
    while (at < text.size() && isSpace(static_cast<unsigned char>(text[at]))) ++at;
  }

  bool eat(std::string_view word) {
    if (text.substr(at, word.size()) != word) return false;
    at += word.size();
    return true;
  }

  Error failAt(Span span, std::string message, std::string help, ErrorCode code = ErrorCode::Syntax) const {
    Error e = makeError(code, std::move(message), std::move(help));
    e.text = text;
    e.labels.push_back({span, "here"});
    return e;
  }
  Error failAt(uint32_t length, std::string message, std::string help) const {
    return failAt(spanOf(at, at + length), std::move(message), std::move(help));
  }

  std::string_view text;
  LabelStyle style;
  size_t at = 0;
  Span arrowSpan;
  Subscripts result;
};

} // namespace

std::optional<size_t> Term::ellipsis() const {
  for (size_t i = 0; i < subscripts.size(); ++i)
    if (subscripts[i].isEllipsis()) return i;
  return std::nullopt;
}

bool isLetterLabel(std::string_view name) {
  CodePoint c = decodeUtf8(name, 0);
  return c.length == name.size() && isLetter(c.value);
}

std::string Subscripts::str() const {
  std::string out;
  auto append = [&](const Term &t) {
    for (const Subscript &s : t.subscripts)
      out += s.isEllipsis() ? "..." : isLetterLabel(s.name) ? s.name : "{" + s.name + "}";
  };
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (i > 0) out += ',';
    append(inputs[i]);
  }
  if (output) {
    out += "->";
    append(*output);
  }
  return out;
}

LabelStyle labelStyleOf(std::string_view text) {
  bool inTerm = false, spaced = false; // whether the current term has a label, and white space after it
  bool braced = false;
  for (char c : text) {
    if (braced) {
      braced = c != '}';
      continue;
    }
    braced = c == '{';
    if (isSpace(static_cast<unsigned char>(c))) {
      spaced = inTerm;
    } else if (c == ',' || c == '-' || c == '>') {
      inTerm = spaced = false;
    } else {
      if (spaced) return LabelStyle::Names;
      inTerm = true;
    }
  }
  return LabelStyle::Letters;
}

Expected<Subscripts> parseSubscripts(std::string_view text, LabelStyle style) {
  return SubscriptsParser(text, style).run();
}

} // namespace ein
