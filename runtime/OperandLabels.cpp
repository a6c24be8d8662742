// A skim over einsum strings and over the `in` lines of Programs.
#include "runtime/OperandLabels.h"

#include <algorithm>
#include <utility>

namespace ein {
namespace {

bool isSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool isWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
}

/// Bytes of the character that begins with `c`.
size_t characterBytes(char c) {
  const auto lead = static_cast<unsigned char>(c);
  return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
}

bool isProgram(std::string_view text) { return text.find_first_of("=:") != std::string_view::npos; }

/// The tokens of a Program that its `in` lines are made of: words and single characters. Comments and joined lines are
/// skipped; an empty token is the end.
class Tokens {
public:
  explicit Tokens(std::string_view text) : text(text) {}

  std::string_view next() {
    while (at < text.size()) {
      const char c = text[at];
      if (c == '#') {
        at = std::min(text.find('\n', at), text.size());
      } else if (c == '\\' || (isSpace(c) && c != '\n')) {
        // A backslash takes the end of its line along.
        at += 1;
        while (c == '\\' && at < text.size() && isSpace(text[at]))
          if (text[at++] == '\n') break;
      } else {
        const size_t begin = at++;
        while (isWordByte(c) && at < text.size() && isWordByte(text[at])) ++at;
        return text.substr(begin, at - begin);
      }
    }
    return {};
  }

private:
  std::string_view text;
  size_t at = 0;
};

/// Reads the axes behind a "[" into `labels`: one label per dimension, none where several share it.
void readAxes(Tokens &tokens, std::vector<std::string_view> &labels) {
  bool grouped = false;
  for (std::string_view token = tokens.next(); !token.empty() && token != "]"; token = tokens.next()) {
    if (token == "(") {
      grouped = true;
      labels.emplace_back();
    } else if (token == ")") {
      grouped = false;
    } else if (token != "," && !grouped) {
      labels.push_back(token);
    }
  }
}

OperandLabels programLabels(std::string_view text) {
  OperandLabels operands;
  Tokens tokens(text);
  bool lineBegins = true, inLine = false, named = false; // behind `in`, and behind a tensor's colon there
  for (std::string_view token = tokens.next(); !token.empty(); token = tokens.next()) {
    if (token == "\n" || token == ";") {
      lineBegins = true, inLine = false;
      continue;
    }
    if (std::exchange(lineBegins, false)) {
      inLine = token == "in";
    } else if (inLine && token == ":") {
      operands.emplace_back();
      named = true;
    } else if (inLine && token == "[" && std::exchange(named, false)) {
      readAxes(tokens, operands.back());
    }
  }
  return operands;
}

} // namespace

EinsumTerms einsumTerms(std::string_view text, LabelStyle style) {
  EinsumTerms terms;
  std::vector<std::string_view> *term = &terms.inputs.emplace_back();
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    size_t bytes = 1;
    if (c == ',') {
      term = &terms.inputs.emplace_back();
    } else if (text.substr(at, 2) == "->") {
      term = &terms.output;
      terms.hasOutput = true;
      bytes = 2;
    } else if (text.substr(at, 3) == "...") {
      term->push_back(text.substr(at, bytes = 3));
    } else if (c == '{') {
      bytes = std::min(text.find('}', at), text.size() - 1) - at + 1;
      term->push_back(text.substr(at + 1, bytes - 2));
    } else if (!isSpace(c)) {
      bytes = characterBytes(c);
      while (style == LabelStyle::Names && at + bytes < text.size() && isWordByte(text[at + bytes])) ++bytes;
      term->push_back(text.substr(at, bytes));
    }
    at += bytes;
  }
  return terms;
}

OperandLabels operandLabels(std::string_view text, LabelStyle style, std::span<const size_t> ranks) {
  const bool program = isProgram(text);
  OperandLabels operands = program ? programLabels(text) : einsumTerms(text, style).inputs;
  operands.resize(ranks.size());
  for (size_t o = 0; o < ranks.size(); ++o) {
    auto &labels = operands[o];
    const auto ellipsis = std::find(labels.begin(), labels.end(), "...");
    if (!program && ellipsis != labels.end() && labels.size() <= ranks[o] + 1) {
      const size_t covered = ranks[o] + 1 - labels.size();
      *ellipsis = {};
      const auto place = ellipsis - labels.begin();
      if (covered == 0)
        labels.erase(labels.begin() + place);
      else
        labels.insert(labels.begin() + place, covered - 1, std::string_view());
    }
    if (labels.size() != ranks[o]) labels.assign(ranks[o], {});
  }
  return operands;
}

} // namespace ein
