// Tokens of a Program text.
#pragma once

#include "ein/Error.h"

#include <string>
#include <string_view>
#include <vector>

namespace ein {

/// A piece of the text with its place.
struct Word {
  std::string_view text;
  Span span;
};

struct Token {
  enum class Kind : uint8_t { Name, Number, String, Symbol, Newline, End };
  Kind kind = Kind::End;
  Word word; ///< of a String: what is between the quotes
};

/// Splits a Program text. White space and `# comments` vanish, `\` joins a line with the next, ';' counts
/// as a Newline. The last token is End. Tokens point into `text`.
Expected<std::vector<Token>> tokenize(std::string_view text);

/// 'word', for messages.
inline std::string quote(std::string_view word) { return "'" + std::string(word) + "'"; }

/// An error of one label in `text`.
Error errorAt(std::string_view text, Span span, ErrorCode code, std::string message, std::string help = {},
              std::string label = "here");

} // namespace ein
