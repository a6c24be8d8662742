// Guards as bounds of one index: which keys count, as a range for each row.
#pragma once

#include "compiler/Cascades/Terms.h"

namespace ein {

/// Keys k with low <= k < high and `rest` count; what is missing does not bound. The bounds are integers and do
/// not depend on the key.
struct Bounds {
  std::optional<ExprId> low, high;
  std::set<ExprId> rest;
};

/// Solves comparisons of integers in which the key stands once, with factor 1 or -1, and "and" and "or" of such, for
/// the key.
Bounds boundsOf(Arena &arena, TermForm &terms, const std::set<ExprId> &guards, IndexId key);

} // namespace ein
