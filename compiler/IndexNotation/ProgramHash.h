// What a Program computes, as a number that does not depend on how it is spelled.
#pragma once

#include "compiler/IndexNotation/Program.h"

#include <string>

namespace ein {

/// 32 hexadecimal digits, the same for two bound Programs that compute the same outputs from the same operands and
/// differ only in
/// - the names of tensors and indices, and the order of lets and declarations,
/// - how expressions are split into lets, and which are written twice,
/// - the order and grouping of + * and or max min, of a - b as a + -b, of the sides of comparisons,
/// - which index a reduction binds, and the order of several.
/// dtypes, extents, the order of operands and outputs, what their axes mean, requirements and `store` count. Nothing is
/// multiplied out: x * (y + z) differs from x * y + x * z.
std::string programHash(const Program &p);

} // namespace ein
