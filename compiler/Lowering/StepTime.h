// How long a step of a kernel takes, from its work and the CPU. No MLIR.
#pragma once

#include "compiler/Lowering/NestShape.h"
#include "ein/Explanation.h"

namespace ein {

/// Sets `seconds` and `bound` from flops, functions, bytes and threads: the longer of computing at the vector units'
/// rate and of moving each byte once from the memory that all of them fit. A guide to what a step is limited by, not a
/// measurement: within a factor of two where a step is large.
void predictTime(StepReport &step, const CpuModel &cpu);

} // namespace ein
