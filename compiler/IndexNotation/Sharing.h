// Equal expressions as one.
#pragma once

#include "compiler/IndexNotation/Program.h"

namespace ein {

/// Makes expressions with the same fields, but for their place in the text, one node, across assignments; drops what no
/// assignment needs. What the Program computes and prints stays the same. Afterwards expressions must not be changed in
/// place.
void shareExpressions(Program &p);

} // namespace ein
