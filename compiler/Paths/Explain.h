// What a flat Program stores, in how many passes, and why.
#pragma once

#include "compiler/Paths/Flatten.h"
#include "ein/Explanation.h"

namespace ein {

/// One step for each assignment, cascade and fold whose results have elements, in order; without plans.
Explanation explain(const FlatProgram &flat);

} // namespace ein
