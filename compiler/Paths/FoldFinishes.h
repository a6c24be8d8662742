// Contractions and the pointwise step after them as one.
#pragma once

#include "compiler/Paths/Flatten.h"

#include <set>

namespace ein {

/// Groups each pointwise step with the contraction that only it reads, point by point, and puts that directly before
/// it. Not contractions whose tensor is `kept`, or that a planner has `refused`: it alone knows tiles.
void foldFinishes(FlatProgram &flat, const std::set<TensorId> &kept, const std::set<TensorId> &refused);

} // namespace ein
