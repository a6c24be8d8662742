// The subscripts of an einsum string: terms, ellipses and output, with their places in the text.
#pragma once

#include "ein/CompileOptions.h"
#include "ein/Error.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ein {

/// One subscript: an index by name, or an ellipsis (empty name).
struct Subscript {
  std::string name;
  Span span;

  bool isEllipsis() const { return name.empty(); }
};

/// The subscripts of one operand or of the output.
struct Term {
  std::vector<Subscript> subscripts;
  Span span;  ///< the whole term, without surrounding white space

  /// Position of the ellipsis, if there is one.
  std::optional<size_t> ellipsis() const;
};

/// A parsed einsum string. Nothing here depends on operands' types.
struct Subscripts {
  std::string text;
  std::vector<Term> inputs;
  std::optional<Term> output;  ///< absent: implicit output

  /// Canonical text: no white space, names longer than a letter in braces, implicit output left implicit.
  std::string str() const;
};

/// Limits of a text and of what it names, in einsum strings and in Programs.
inline constexpr size_t kMaxTextBytes = 64 * 1024;
inline constexpr size_t kMaxOperands = 4096;
inline constexpr size_t kMaxIndices = 1024;
inline constexpr size_t kMaxRank = 64;

/// The style of an einsum string inside a Program: `Names` if a term has two labels separated by white
/// space, else `Letters`.
LabelStyle labelStyleOf(std::string_view text);

/// Whether `name` is one letter, which stands for itself; other names need braces.
bool isLetterLabel(std::string_view name);

/// Parses an einsum string. Iterative; at most 64 KiB of text. Any Unicode letter is a label, and so is a
/// name in braces; digits, `_` and other characters outside them are refused with a caret.
///
///     einsum = term { "," term } [ "->" term ] .
///     term   = { label | "..." } .
///     label  = letter | "{" name "}" .
Expected<Subscripts> parseSubscripts(std::string_view text, LabelStyle style = LabelStyle::Letters);

} // namespace ein
