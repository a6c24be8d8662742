// Shuffles, votes and the lanes of a warp meeting.
#include "tests/gpu-model/Operations.h"
#include "tests/gpu-model/Runtime.h"

#include <bit>

namespace ein::gpumodel {
namespace {

Meeting &meetingOf(Warp &warp, uint32_t mask) {
  for (auto &meeting : warp.meetings)
    if (meeting->mask == mask) return *meeting;
  warp.meetings.push_back(std::make_unique<Meeting>());
  warp.meetings.back()->mask = mask;
  return *warp.meetings.back();
}

/// The lane that a shuffle takes from: PTX ISA, shfl.sync.
uint32_t sourceLane(uint32_t lane, uint32_t offset, uint32_t clamp, ShuffleKind kind) {
  uint32_t segment = clamp >> 8 & 31, low = lane & segment, high = low | (clamp & 31 & ~segment);
  offset &= 31;
  switch (kind) {
  case ShuffleKind::Butterfly: return (lane ^ offset) <= high ? lane ^ offset : lane;
  case ShuffleKind::Up: return int32_t(lane - offset) >= int32_t(high) ? lane - offset : lane;
  case ShuffleKind::Down: return lane + offset <= high ? lane + offset : lane;
  case ShuffleKind::Index: {
    uint32_t source = low | (offset & ~segment);
    return source <= high ? source : lane;
  }
  }
  return lane;
}

} // namespace

static uint32_t existingLanes(const Thread &thread) {
  uint32_t count = uint32_t(thread.block->threads.size()) - thread.warp->first;
  return count >= 32 ? ~0u : (1u << count) - 1;
}

Meeting::Round &meet(Machine &machine, uint32_t mask, uint32_t site, const Registers &given, const Finish &finish) {
  Thread &thread = machine.self();
  mask &= existingLanes(thread);
  if (!(mask >> thread.lane() & 1)) {
    machine.report(Fault::Divergence, site, "the mask leaves out the thread itself");
    mask |= 1u << thread.lane();
  }
  Meeting &meeting = meetingOf(*thread.warp, mask);
  Meeting::Round &round = meeting.rounds[meeting.generation % 2];
  if (!meeting.arrived)
    round.clock.clear();
  else if (meeting.site != site)
    machine.report(Fault::Divergence, site, "other lanes of the warp are at another operation of the whole warp");
  meeting.site = site;
  round.given[thread.lane()] = given;
  meeting.arrived |= 1u << thread.lane();
  if (finish.joinsClocks) {
    round.clock.join(thread.clock);
    thread.clock.tick(thread.agent);
  }
  if (meeting.arrived == mask) {
    if (finish.compute) finish.compute(round);
    meeting.arrived = 0;
    ++meeting.generation;
    machine.wake(meeting.waiters);
  } else {
    machine.wait(meeting.waiters, "the other lanes of the warp", site);
  }
  if (finish.joinsClocks) thread.clock.join(round.clock);
  return round;
}

} // namespace ein::gpumodel

using namespace ein::gpumodel;

extern "C" {

uint32_t ein_model_shuffle(uint32_t site, uint32_t mask, uint32_t value, uint32_t offset, uint32_t clamp,
                           uint32_t kind) {
  Machine &machine = Machine::current();
  uint32_t lane = machine.self().lane();
  Meeting::Round &round = meet(machine, mask, site, {value}, {});
  uint32_t source = sourceLane(lane, offset, clamp, ShuffleKind(kind));
  if (!(mask >> source & 1)) machine.report(Fault::Divergence, site, "shuffles from a lane that the mask leaves out");
  return uint32_t(round.given[source][0]);
}

uint32_t ein_model_vote(uint32_t site, uint32_t mask, uint32_t predicate, uint32_t kind) {
  Machine &machine = Machine::current();
  mask &= existingLanes(machine.self());
  Meeting::Round &round = meet(machine, mask, site, {predicate}, {});
  uint32_t ballot = 0;
  for (uint32_t lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1 && round.given[lane][0]) ballot |= 1u << lane;
  switch (VoteKind(kind)) {
  case VoteKind::Any: return ballot != 0;
  case VoteKind::All: return ballot == mask;
  case VoteKind::Ballot: return ballot;
  case VoteKind::Uniform: return ballot == 0 || ballot == mask;
  }
  return 0;
}

/// The first lane of the mask. Which one the hardware takes is not said; it is always the same.
uint32_t ein_model_elect(uint32_t site, uint32_t mask) {
  return Machine::current().self().lane() == uint32_t(std::countr_zero(mask));
}

void ein_model_warp_sync(uint32_t site, uint32_t mask) {
  meet(Machine::current(), mask, site, {}, {{}, /*joinsClocks=*/true});
}

} // extern "C"
