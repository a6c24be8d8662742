// Plans of a contraction that are worth timing, and whether one from outside can be obeyed. No MLIR.
#pragma once

#include "compiler/Lowering/ContractionPlan.h"

namespace ein {

/// Why `plan` cannot be obeyed for `shape` on `cpu`; empty if it can. What the planner makes always can. `plan` is
/// classified for `shape`.
std::string misfit(const ContractionPlan &plan, const NestShape &shape, const CpuModel &cpu);

/// At most `most` different plans that can be obeyed: `base` first, then the best of the register tiles that the
/// planner weighed, and variations of `base` that a cost model hardly tells apart: depth of a block, panels of a
/// block, unrolling, packing or not, which side is shared. Of tiles and variations half each, and more of one where
/// there are fewer of the other. Empty where the planner tiles nothing.
std::vector<ContractionPlan> candidatePlans(const NestShape &shape, const CpuModel &cpu, const ContractionPlan &base,
                                            size_t most);

} // namespace ein
