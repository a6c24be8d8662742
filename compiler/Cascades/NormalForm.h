// One form for all spellings of a Program that is not fused, to be hashed.
#pragma once

#include "compiler/IndexNotation/Program.h"

namespace ein {

/// The outputs in terms of the operands, as sums of products: products are multiplied out (up to 16 terms), what does
/// not depend on what a sum is over stands before it, means are sums, and there are no lets but those that round. To be
/// hashed, not to be compiled. A Program with complex numbers, or one that is too large, stays as it is.
Program normalForm(const Program &source);

} // namespace ein
