// The little of Unicode that names need: decoding UTF-8 and telling letters from the rest.
#pragma once

#include <cstdint>
#include <string_view>

namespace ein {

/// A decoded code point and how many bytes it took. `length` is 0 at the end of the text and where the
/// bytes are not valid UTF-8.
struct CodePoint {
  char32_t value = 0;
  uint32_t length = 0;
};

/// Decodes the code point at byte `at`.
CodePoint decodeUtf8(std::string_view text, size_t at);

/// Space, tab, newline, carriage return, form feed, vertical tab.
constexpr bool isSpace(char32_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// Whether `c` may be a label or start a name: an ASCII letter, or a code point above ASCII outside the
/// blocks of punctuation, symbols, digits, combining marks, white space, private use and emoji.
bool isLetter(char32_t c);

/// Whether `c` may continue a name: a letter, an ASCII digit or '_'.
inline bool isNameCharacter(char32_t c) { return isLetter(c) || (c >= '0' && c <= '9') || c == '_'; }

} // namespace ein
