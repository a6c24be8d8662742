// The words of the language that are not names.
#pragma once

#include "compiler/IndexNotation/Program.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace ein::words {

inline constexpr std::string_view kKeywords[] = {"index", "in",   "out", "require", "store", "program", "if",
                                                 "then",  "else", "and", "or",      "not",   "inf",     "einsum"};
/// Functions, in the order in which messages list them.
inline constexpr Fn kFunctions[] = {Fn::Exp,  Fn::Exp2, Fn::Log,  Fn::Sqrt, Fn::Tanh,  Fn::Erf,  Fn::Gelu,
                                    Fn::Silu, Fn::Sin,  Fn::Cos,  Fn::Abs,  Fn::Floor, Fn::Sign, Fn::Conj,
                                    Fn::Max,  Fn::Min,  Fn::Cast, Fn::Rand, Fn::Select};
/// Functions that are written out in terms of those.
struct DerivedFunction {
  std::string_view name;
  int arity;
};
inline constexpr DerivedFunction kDerivedFunctions[] = {
    {"relu", 1}, {"sigmoid", 1}, {"rsqrt", 1}, {"clamp", 3}, {"extent", 1}};
inline constexpr std::string_view kReductions[] = {"sum", "prod", "max",     "min",    "any",    "all", "mean",
                                                   "var", "lse",  "softmax", "argmax", "argmin", "top", "argtop"};
inline constexpr const char *kFunctionList = "functions are exp, exp2, log, sqrt, rsqrt, tanh, sigmoid, erf, gelu, "
                                             "silu, relu, sin, cos, abs, floor, sign, conj, "
                                             "max, min, clamp, cast, rand, extent and where";

template <class List> bool contains(const List &list, std::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

inline const Fn *function(std::string_view word) {
  auto at = std::find_if(std::begin(kFunctions), std::end(kFunctions), [&](Fn fn) { return word == spelling(fn); });
  return at == std::end(kFunctions) ? nullptr : at;
}

inline const DerivedFunction *derivedFunction(std::string_view word) {
  auto at = std::find_if(std::begin(kDerivedFunctions), std::end(kDerivedFunctions),
                         [&](const DerivedFunction &f) { return word == f.name; });
  return at == std::end(kDerivedFunctions) ? nullptr : at;
}

/// Whether `word` cannot name a tensor or an index.
inline bool isReserved(std::string_view word) {
  return contains(kKeywords, word) || contains(kReductions, word) || function(word) || derivedFunction(word);
}

} // namespace ein::words
