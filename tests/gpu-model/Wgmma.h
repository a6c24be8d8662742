// State of wgmma: operations of a warpgroup in their order, and the accumulators that they own.
#pragma once

#include "tests/gpu-model/WgmmaOperands.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace ein::gpumodel {

struct Thread;

/// One wgmma.mma_async of a warpgroup. Each of its 128 threads issues it; it is performed once, later.
struct WgmmaOperation {
  WgmmaForm form;
  uint64_t descriptorA = 0, descriptorB = 0;
  uint32_t site = 0, group = 0;
  uint32_t issued = 0;             ///< threads that have
  int64_t parent = -1;             ///< whose accumulators it goes on with; -1: `values` hold what it starts from
  int64_t takenBy = -1;            ///< the operation that goes on with these
  std::vector<uint32_t> values;    ///< accumulators of each thread, as bits
  std::vector<uint32_t> registers; ///< A, where it comes from registers: four of each thread
};

struct Warpgroup {
  uint32_t agent = 0;   ///< group g is complete at time g
  size_t performed = 0; ///< operations
  std::vector<std::unique_ptr<WgmmaOperation>> operations;
  std::vector<Thread *> waiters; ///< for the others of the warpgroup to issue an operation
};

} // namespace ein::gpumodel
