// The little of Unicode that names need: decoding UTF-8 and telling letters from the rest.
#include "compiler/Subscripts/Unicode.h"

#include <algorithm>
#include <iterator>

namespace ein {
namespace {

struct Range {
  char32_t first, last;
};

/// Code points above ASCII that are not letters, ascending. Block by block, not a copy of the Unicode
/// database: what is missing here counts as a letter.
// clang-format off
constexpr Range kNotLetters[] = {
    {0x0080, 0x00A9}, {0x00AB, 0x00B4}, {0x00B6, 0x00B9}, {0x00BB, 0x00BF},  // Latin-1 controls and symbols
    {0x00D7, 0x00D7}, {0x00F7, 0x00F7},                                      // multiplication, division
    {0x02C2, 0x02DF}, {0x0300, 0x036F},                                      // modifier symbols, combining marks
    {0x037E, 0x037E}, {0x0387, 0x0387}, {0x0483, 0x0489},                    // Greek and Cyrillic marks
    {0x0591, 0x05CF}, {0x0600, 0x061F}, {0x064B, 0x066D},                    // Hebrew and Arabic marks, digits
    {0x06F0, 0x06F9}, {0x0964, 0x096F},                                      // more digits
    {0x1DC0, 0x1DFF}, {0x2000, 0x2070}, {0x2072, 0x207E}, {0x2080, 0x208F},  // marks, punctuation, superscripts
    {0x20A0, 0x20FF}, {0x2140, 0x2144}, {0x214A, 0x214D}, {0x2150, 0x2BFF},  // currency, arrows, operators, shapes
    {0x2E00, 0x2FFF}, {0x3000, 0x3004}, {0x3007, 0x3030},                    // CJK radicals and punctuation
    {0xD800, 0xF8FF},                                                        // surrogates, private use
    {0xFE00, 0xFE6F}, {0xFEFF, 0xFEFF}, {0xFF00, 0xFF20}, {0xFF3B, 0xFF40},  // variants, full-width punctuation
    {0xFF5B, 0xFF65}, {0xFFE0, 0xFFFF}, {0x1D7CE, 0x1D7FF},                  // specials, mathematical digits
    {0x1F000, 0x1FAFF}, {0xE0000, 0x10FFFF},                                 // emoji, tags, private planes
};
// clang-format on

} // namespace

CodePoint decodeUtf8(std::string_view text, size_t at) {
  if (at >= text.size()) return {};
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = byte(at);
  if (lead < 0x80) return {lead, 1};
  uint32_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || at + length > text.size()) return {};
  char32_t value = lead & (0x7F >> length);
  for (size_t i = at + 1; i < at + length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3F);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000}; // overlong forms are not UTF-8
  bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[length] || value > 0x10FFFF || surrogate) return {};
  return {value, length};
}

bool isLetter(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  auto after = std::upper_bound(std::begin(kNotLetters), std::end(kNotLetters), c,
                                [](char32_t value, const Range &r) { return value < r.first; });
  return after == std::begin(kNotLetters) || c > std::prev(after)->last;
}

} // namespace ein
