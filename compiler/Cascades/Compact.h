// A Program without what nothing uses.
#pragma once

#include "compiler/IndexNotation/Program.h"

namespace ein {

/// Drops expressions, and of the tensors and indices from `tensorsKept` and `indicesKept` on those that no assignment and
/// no operand needs; renumbers the rest, `keys` too. Indices from there on get the shortest names that are free.
Program compact(const Program &p, size_t tensorsKept, size_t indicesKept, std::vector<IndexId> &keys);

} // namespace ein
