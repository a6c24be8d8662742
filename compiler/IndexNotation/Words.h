// The words of the language that are not names, and what of the planned language is built.
#pragma once

#include "compiler/IndexNotation/Program.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace ein::words {

inline constexpr std::string_view kKeywords[] = {"index", "in",   "out", "require", "store", "program", "if",
                                                 "then",  "else", "and", "or",      "not",   "inf",     "einsum"};
/// Functions of the language as it is built, in the order in which messages list them.
inline constexpr Fn kFunctions[] = {Fn::Exp, Fn::Log, Fn::Sqrt, Fn::Tanh, Fn::Max, Fn::Min, Fn::Select};
inline constexpr std::string_view kPlannedFunctions[] = {"exp2",    "rsqrt", "abs",   "sign", "floor",
                                                         "sigmoid", "erf",   "gelu",  "silu", "relu",
                                                         "sin",     "cos",   "clamp", "cast", "rand"};
inline constexpr std::string_view kReductions[] = {"sum", "max", "min", "softmax"};
inline constexpr std::string_view kPlannedReductions[] = {"prod", "any",    "all",    "mean", "var",
                                                          "lse",  "argmax", "argmin", "top",  "argtop"};
inline constexpr const char *kBuiltFunctions = "exp, log, sqrt, tanh, max, min and where are built";
inline constexpr const char *kBuiltReductions = "sum, max, min and softmax are built";

template <class List> bool contains(const List &list, std::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

inline const Fn *function(std::string_view word) {
  auto at = std::find_if(std::begin(kFunctions), std::end(kFunctions), [&](Fn fn) { return word == spelling(fn); });
  return at == std::end(kFunctions) ? nullptr : at;
}

/// Whether `word` cannot name a tensor or an index.
inline bool isReserved(std::string_view word) {
  return contains(kKeywords, word) || contains(kReductions, word) || contains(kPlannedReductions, word) ||
         function(word);
}

} // namespace ein::words
