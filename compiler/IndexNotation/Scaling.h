// alpha * value + beta * what the result held: the scaling that a caller adds to a Program.
#pragma once

#include "compiler/IndexNotation/Program.h"

namespace ein {

/// Replaces each output X by alpha * X + beta * before, where `before` is X as it was: with beta, one more input per
/// output, counted by `Program::priors`. The outputs keep their names.
void scaleOutputs(Program &p, double alpha, double beta);

} // namespace ein
