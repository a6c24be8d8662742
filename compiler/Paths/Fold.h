// Contractions and the pointwise step after them as one.
#pragma once

#include "compiler/Paths/Flatten.h"

#include <set>

namespace ein {

/// Groups each pointwise step with the contraction that only it reads, point by point, and puts that directly before
/// it. Not where that gives a tensor of `kept`. Whether a group is one kernel is for the planner to say, who alone
/// knows tiles: `unfold`.
void foldFinishes(FlatProgram &flat, const std::set<TensorId> &kept);

} // namespace ein
