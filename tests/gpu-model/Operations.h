// What happens to an operation's state when a thread or a phase ends, across the files of the operations.
#pragma once

#include "tests/gpu-model/Machine.h"

namespace ein::gpumodel {

/// A thread has ended: nothing that it asked for may still need it, and barriers of the cluster no longer count it.
void endThreadOfBarriers(Machine &machine, Thread &thread);
void endThreadOfCopies(Machine &machine, Thread &thread);
void endThreadOfWgmma(Machine &machine, Thread &thread);

/// The group that a copy of the running thread joins; `kind` names its agents.
uint32_t joinGroup(Machine &machine, CopyGroups &groups, const char *kind);

/// A transfer of `bytes` for phase `phase` of the barrier at `offset` is complete.
void completeTransfer(Machine &machine, Block &block, uint32_t offset, uint32_t phase, int64_t bytes, uint32_t site);
/// The barrier at `place`, to be used by `thread`; null after reporting that there is none.
MBarrier *barrierAt(Machine &machine, SharedPlace place, uint32_t site);

using Registers = std::array<uint64_t, Meeting::kWords>;

/// What the last lane to come does, and whether meeting orders memory accesses.
struct Finish {
  std::function<void(Meeting::Round &)> compute;
  bool joinsClocks = false;
};

/// The lanes of `mask` meet, each with `given`. What all gave stays readable until this lane meets others again.
Meeting::Round &meet(Machine &machine, uint32_t mask, uint32_t site, const Registers &given, const Finish &finish);

} // namespace ein::gpumodel
