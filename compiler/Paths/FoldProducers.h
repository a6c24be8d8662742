// Pointwise tensors that only contractions read become part of them: computed where panels are packed, never stored.
#pragma once

#include "compiler/Paths/Flatten.h"

#include <set>

namespace ein {

/// Folds into the contractions of a flat Program for a CPU the large pointwise tensors that only they read, and those
/// that only these read; not into those whose tensor is `refused`. What such a tensor has per row or per column, like
/// the inverse root of a mean, stays a tensor of its own, computed before. `source` says what is to be stored, or
/// never. Results are the same bit for bit where the contraction is planned the same way.
void foldProducers(FlatProgram &flat, const Program &source, const std::set<TensorId> &refused);

} // namespace ein
