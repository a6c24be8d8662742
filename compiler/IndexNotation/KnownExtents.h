// Extents as values: numbers in place of `extent(k)`, where that is known.
#pragma once

#include "compiler/IndexNotation/Program.h"

namespace ein {

/// `extent(k)` is bound as one more than the largest k, and 0 where there is none. Where k is not dynamic this becomes
/// a number, and so does the sum or difference of it and a number.
void putKnownExtents(Program &p);

} // namespace ein
