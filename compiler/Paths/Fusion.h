// Whether an n-ary contraction runs better as one nest over all its indices than in pairs.
#pragma once

#include "compiler/Paths/ContractionPath.h"

namespace ein {

/// Predicted time and memory of both ways. Cycles of one core of about 2020 (vectors of 64 bytes, 3 bytes of
/// memory per cycle): what counts is their ratio.
struct FusionChoice {
  double fusedCycles = 0, pairwiseCycles = 0;
  double intermediateBytes = 0; ///< of all intermediates of the pairwise order
  bool fused = false;

  /// "one nest: 1.2e+06 cycles against 3.4e+06 and 8.0e+06 bytes of intermediates in pairs".
  std::string str() const;
};

/// Fuses where one nest is predicted to be faster, or up to ten times slower where the
/// intermediates would not fit `memoryLimit` bytes (0: no limit). Never for fewer than three operands.
FusionChoice chooseFusion(const ContractionProblem &problem, const ContractionPath &path, double memoryLimit);

} // namespace ein
