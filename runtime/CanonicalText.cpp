// Renaming of the indices of an einsum string.
#include "runtime/CanonicalText.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ein {
namespace {

bool isLabel(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool isSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// Drops white space around terms; false for what is not made of labels, commas, ellipses and one arrow.
bool squeeze(std::string_view text, std::string &squeezed) {
  bool arrow = false, apart = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (isSpace(c)) {
      apart = true;
      continue;
    }
    if (isLabel(c) || text.substr(i, 3) == "...") {
      if (apart && !squeezed.empty() && squeezed.back() != ',' && squeezed.back() != '>') return false;
      squeezed += isLabel(c) ? std::string_view(&c, 1) : "...";
      i += isLabel(c) ? 0 : 2;
    } else if (c == ',' && !arrow) {
      squeezed += c;
    } else if (text.substr(i, 2) == "->" && !std::exchange(arrow, true)) {
      squeezed += "->";
      ++i;
    } else {
      return false;
    }
    apart = false;
  }
  return true;
}

/// The output of a string without an arrow: the ellipsis, then the labels that occur once, in order.
std::string implicitOutput(std::string_view inputs) {
  std::string output = inputs.find("...") == std::string_view::npos ? "" : "...";
  for (char c = 'A'; c <= 'z'; ++c)
    if (isLabel(c) && std::count(inputs.begin(), inputs.end(), c) == 1) output += c;
  return output;
}

} // namespace

std::string canonicalText(std::string_view text) {
  std::string squeezed;
  if (!squeeze(text, squeezed)) return std::string(text);
  if (squeezed.find('>') == std::string::npos) squeezed += "->" + implicitOutput(squeezed);
  std::array<char, 128> names{};
  int count = 0;
  for (char &c : squeezed) {
    if (!isLabel(c)) continue;
    char &name = names[static_cast<size_t>(c)];
    if (name == 0) {
      name = static_cast<char>(count < 26 ? 'a' + count : 'A' + count - 26);
      ++count;
    }
    c = name;
  }
  return squeezed;
}

} // namespace ein
