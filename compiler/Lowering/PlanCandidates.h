// Plans of a contraction that are worth timing, and whether one from outside can be obeyed. No MLIR.
#pragma once

#include "compiler/Lowering/ContractionPlan.h"

namespace ein {

/// Why `plan` cannot be obeyed for `shape` on `cpu`; empty if it can. What the planner makes always can. `plan` is
/// classified for `shape`.
std::string misfit(const ContractionPlan &plan, const NestShape &shape, const CpuModel &cpu);

/// At most `most` different plans that can be obeyed. The planner's choice is the first; then come the register
/// tiles that it weighed and variations of its choice that a cost model hardly tells apart: depth of a block,
/// panels of a block, unrolling, packing or not, which side is shared. Empty where the planner tiles nothing.
std::vector<ContractionPlan> candidatePlans(const NestShape &shape, const CpuModel &cpu, size_t most);

} // namespace ein
