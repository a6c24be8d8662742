// The suite "dynamic": kernels with dynamic indices beside those for known extents.
#pragma once

#include "bench/Runner.h"

namespace bench {

/// One record per case and extent: every index of it dynamic, timed in turns with the kernel for these very extents,
/// its peer "known extents". A ratio of 0.85 is 85 % of that kernel's speed.
std::vector<Record> runDynamicSuite(const RunOptions &options);

} // namespace bench
