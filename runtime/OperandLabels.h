// Which index each dimension of an operand ranges over, read off the text without the compiler.
#pragma once

#include "ein/CompileOptions.h"

#include <span>
#include <string_view>
#include <vector>

namespace ein {

/// Of each operand, the name of the index of each dimension; empty for what an ellipsis covers and for dimensions that
/// several indices share. The names point into `text`.
using OperandLabels = std::vector<std::vector<std::string_view>>;

/// The labels of an einsum string's terms or of a Program's `in` lines for operands of these ranks. It only skims: a
/// text with mistakes gives labels that need mean nothing, and an operand that does not fit its term has none.
OperandLabels operandLabels(std::string_view text, LabelStyle style, std::span<const size_t> ranks);

/// The labels of the terms of an einsum string, an ellipsis as "..."; of the output too, as the last, where it has one.
struct EinsumTerms {
  std::vector<std::vector<std::string_view>> inputs;
  std::vector<std::string_view> output;
  bool hasOutput = false;
};
EinsumTerms einsumTerms(std::string_view text, LabelStyle style);

} // namespace ein
