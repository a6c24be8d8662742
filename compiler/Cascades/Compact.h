// A Program without what nothing uses.
#pragma once

#include "compiler/IndexNotation/Program.h"

namespace ein {

/// Drops expressions, tensors and indices that no assignment and no operand needs, and renumbers the rest, `kept` too.
/// Indices from `firstNew` on get the shortest names that are free.
Program compact(const Program &p, size_t firstNew, std::vector<IndexId> &kept);

} // namespace ein
