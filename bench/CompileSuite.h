// The suite "compile": what compiling, finding and calling a kernel cost.
#pragma once

#include "bench/Runner.h"

namespace bench {

/// One record per measurement, without peers:
/// - cold compile in a process that has compiled before, over all two-operand cases of each suite;
/// - first compile of a process, from exec: `einc run` on a tiny einsum, start to exit;
/// - the same with the kernel on disk, and what a new engine takes to find a kernel there;
/// - calls on 2x2 and 4x4 operands: einsum() and Engine::run that find their kernel, a held Kernel with and without
/// checks. `einc` is the path of the tool; an empty one leaves its records out.
std::vector<Record> runCompileSuite(const RunOptions &options, const std::string &einc);

} // namespace bench
