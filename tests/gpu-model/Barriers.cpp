// mbarrier, bar.sync, the barrier of a cluster, fences, and the end of threads that they count.
#include "tests/gpu-model/Operations.h"
#include "tests/gpu-model/Runtime.h"

namespace ein::gpumodel {
namespace {

std::string at(uint32_t offset) { return "the mbarrier at shared + " + std::to_string(offset); }

/// A phase ends once all have arrived and all announced bytes are there.
void tryComplete(Machine &machine, MBarrier &barrier) {
  if (barrier.pending != 0 || barrier.bytes != 0) return;
  ++barrier.phase;
  barrier.pending = barrier.expected;
  barrier.completed.join(barrier.arriving);
  barrier.completed.raise({barrier.agent, barrier.phase});
  barrier.arriving.clear();
  machine.wake(barrier.waiters);
}

void arrive(Machine &machine, MBarrier &barrier, uint32_t offset, int64_t count, uint32_t site) {
  Thread &thread = machine.self();
  barrier.arriving.join(thread.clock);
  thread.clock.tick(thread.agent);
  barrier.pending -= count;
  if (barrier.pending < 0) {
    machine.report(Fault::Protocol, site,
                   at(offset) + " gets more arrivals in a phase than the " + std::to_string(barrier.expected) +
                       " it was made for");
    barrier.pending = 0;
  }
  tryComplete(machine, barrier);
}

void expect(Machine &machine, MBarrier &barrier, uint32_t offset, uint32_t bytes, uint32_t site) {
  barrier.bytes += bytes;
  if (barrier.bytes >= 1 << 20) machine.report(Fault::Protocol, site, at(offset) + " expects 2^20 bytes or more");
}

bool passed(const MBarrier &barrier, uint32_t parity) { return (barrier.phase & 1) != (parity & 1); }

/// Arrives; the last of `expected` releases all. True if this was the last.
bool arriveAt(Machine &machine, NamedBarrier &barrier, uint32_t expected) {
  Thread &thread = machine.self();
  barrier.arriving.join(thread.clock);
  thread.clock.tick(thread.agent);
  ++barrier.arrived;
  barrier.expected = expected;
  return barrier.arrived >= expected;
}

void release(Machine &machine, NamedBarrier &barrier) {
  for (Thread *waiter : barrier.waiters) waiter->clock.join(barrier.arriving);
  barrier.passed.join(barrier.arriving);
  barrier.arriving.clear();
  barrier.arrived = 0;
  ++barrier.generation;
  machine.wake(barrier.waiters);
}

NamedBarrier *namedBarrier(Machine &machine, uint32_t id, uint32_t &threads, uint32_t site) {
  Block &block = *machine.self().block;
  if (threads == 0) threads = uint32_t(block.threads.size());
  if (id >= block.named.size() || threads % 32 != 0 || threads > block.threads.size()) {
    machine.report(Fault::Protocol, site,
                   "barrier " + std::to_string(id) + " of " + std::to_string(threads) +
                       " threads: ids are below 16, "
                       "threads a multiple of 32 and at most those of the block");
    return nullptr;
  }
  NamedBarrier &barrier = block.named[id];
  if (barrier.arrived && barrier.expected != threads)
    machine.report(Fault::Protocol, site,
                   "barrier " + std::to_string(id) + " of " + std::to_string(threads) + " threads is one of " +
                       std::to_string(barrier.expected) + " to those who wait at it");
  return &barrier;
}

} // namespace

MBarrier *barrierAt(Machine &machine, SharedPlace place, uint32_t site) {
  if (!place.block) return nullptr;
  auto found = place.block->barriers.find(place.offset);
  if (found == place.block->barriers.end() || !found->second.valid) {
    machine.report(Fault::Protocol, site, "there is no mbarrier at shared + " + std::to_string(place.offset));
    return nullptr;
  }
  if (!machine.self().clock.covers(found->second.made))
    machine.report(Fault::Race, site, at(place.offset) + " is initialised by a thread that nothing orders before");
  return &found->second;
}

void completeTransfer(Machine &machine, Block &block, uint32_t offset, uint32_t phase, int64_t bytes, uint32_t site) {
  MBarrier &barrier = block.barriers[offset];
  if (barrier.phase != phase)
    machine.report(Fault::Protocol, site,
                   "the transfer is complete after the phase of " + at(offset) + " that it was announced for");
  barrier.bytes -= bytes;
  tryComplete(machine, barrier);
}

void endThreadOfBarriers(Machine &machine, Thread &thread) {
  NamedBarrier &barrier = thread.block->cluster->barrier;
  uint32_t others = thread.block->cluster->live() - 1;
  if (barrier.arrived && barrier.arrived >= others) release(machine, barrier);
}

} // namespace ein::gpumodel

using namespace ein::gpumodel;

extern "C" {

void ein_model_mbarrier_init(uint32_t site, void *address, uint32_t count) {
  Machine &machine = Machine::current();
  Thread &thread = machine.self();
  SharedPlace place = machine.sharedPlace(address, 8, site);
  if (!place.block) return;
  if (place.offset % 8) return machine.report(Fault::Misaligned, site, at(place.offset) + " needs 8 bytes' alignment");
  MBarrier &barrier = place.block->barriers[place.offset];
  if (barrier.valid) machine.report(Fault::Protocol, site, at(place.offset) + " is one already");
  if (auto trouble = place.block->shadow.access(place.offset, 8, Access::Write, thread.actor());
      trouble && !barrier.valid)
    if (trouble->kind != Fault::Protocol) machine.report(site, at(place.offset), *trouble);
  if (!barrier.agent)
    barrier.agent = place.block->cluster->addAgent("a transfer that " + at(place.offset) + " counts");
  else
    barrier.phase += 2; // so that moments before are not moments of the new one; parity starts at 0 again
  barrier.expected = count;
  barrier.pending = count;
  barrier.phase += barrier.phase & 1;
  barrier.made = thread.actor().now;
  barrier.fenced = false;
  barrier.valid = true;
  thread.clock.tick(thread.agent);
  place.block->shadow.makeBarrier(place.offset);
}

void ein_model_mbarrier_inval(uint32_t site, void *address) {
  Machine &machine = Machine::current();
  SharedPlace place = machine.sharedPlace(address, 8, site);
  MBarrier *barrier = barrierAt(machine, place, site);
  if (!barrier) return;
  barrier->valid = false;
  place.block->shadow.freeBarrier(place.offset);
}

uint64_t ein_model_mbarrier_arrive(uint32_t site, void *address, uint32_t count, uint32_t bytes) {
  Machine &machine = Machine::current();
  SharedPlace place = machine.sharedPlace(address, 8, site);
  MBarrier *barrier = barrierAt(machine, place, site);
  if (!barrier) return 0;
  uint64_t phase = barrier->phase;
  expect(machine, *barrier, place.offset, bytes, site);
  if (count)
    arrive(machine, *barrier, place.offset, count, site);
  else
    tryComplete(machine, *barrier);
  return phase;
}

/// Whether the phase of this parity is complete; waits for it if `blocking`.
uint32_t ein_model_mbarrier_wait(uint32_t site, void *address, uint32_t parity, uint32_t blocking) {
  Machine &machine = Machine::current();
  Thread &thread = machine.self();
  SharedPlace place = machine.sharedPlace(address, 8, site);
  if (place.block && place.block != thread.block) {
    machine.report(Fault::Protocol, site, "waits at an mbarrier of another block");
    return 1;
  }
  MBarrier *barrier = barrierAt(machine, place, site);
  if (!barrier) return 1;
  while (!passed(*barrier, parity)) {
    if (!blocking) {
      machine.pause();
      return 0;
    }
    machine.wait(barrier->waiters,
                 parity & 1 ? "a phase of parity 1 of an mbarrier" : "a phase of parity 0 of an mbarrier", site);
  }
  thread.clock.join(barrier->completed);
  return 1;
}

void ein_model_barrier(uint32_t site, uint32_t id, uint32_t threads) {
  Machine &machine = Machine::current();
  NamedBarrier *barrier = namedBarrier(machine, id, threads, site);
  if (!barrier) return;
  bool last = arriveAt(machine, *barrier, threads);
  if (!last) return machine.wait(barrier->waiters, "the others at a barrier of the block", site);
  machine.self().clock.join(barrier->arriving);
  release(machine, *barrier);
}

void ein_model_barrier_arrive(uint32_t site, uint32_t id, uint32_t threads) {
  Machine &machine = Machine::current();
  NamedBarrier *barrier = namedBarrier(machine, id, threads, site);
  if (barrier && arriveAt(machine, *barrier, threads)) release(machine, *barrier);
}

void ein_model_cluster_arrive(uint32_t site, uint32_t relaxed) {
  Machine &machine = Machine::current();
  Thread &thread = machine.self();
  NamedBarrier &barrier = thread.block->cluster->barrier;
  thread.clusterRound = barrier.generation;
  if (!relaxed) barrier.arriving.join(thread.clock);
  thread.clock.tick(thread.agent);
  if (++barrier.arrived >= thread.block->cluster->live()) release(machine, barrier);
}

void ein_model_cluster_wait(uint32_t site) {
  Machine &machine = Machine::current();
  Thread &thread = machine.self();
  NamedBarrier &barrier = thread.block->cluster->barrier;
  if (barrier.generation == thread.clusterRound)
    machine.wait(barrier.waiters, "the others at the barrier of the cluster", site);
  thread.clock.join(barrier.passed);
}

/// What this thread initialised may be used by the cluster and by TMA.
void ein_model_fence_mbarrier_init(uint32_t site) {
  Thread &thread = Machine::current().self();
  for (auto &block : thread.block->cluster->blocks)
    for (auto &[offset, barrier] : block->barriers)
      if (barrier.made.agent == thread.agent) barrier.fenced = true;
}

void ein_model_fence_proxy_async(uint32_t site) {
  Thread &thread = Machine::current().self();
  thread.clock.fence(thread.agent);
  ein_model_fence_mbarrier_init(site);
}

} // extern "C"
