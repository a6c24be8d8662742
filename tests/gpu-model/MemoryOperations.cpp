// Loads and stores of threads, addresses of shared memory, fences, and what a thread knows of its place in the grid.
#include "tests/gpu-model/Operations.h"
#include "tests/gpu-model/Runtime.h"

using namespace ein::gpumodel;

namespace {

/// Where accesses go that may not go where they want to.
alignas(64) thread_local std::array<uint8_t, 256> nowhere;

bool accessShared(Machine &machine, void *pointer, uint32_t bytes, Access kind, uint32_t site) {
  SharedPlace place = machine.sharedPlace(pointer, bytes, site);
  if (!place.block) return false;
  if (auto trouble = place.block->shadow.access(place.offset, bytes, kind, machine.self().actor()))
    machine.report(site, "shared + " + std::to_string(place.offset), *trouble);
  return true;
}

bool accessGlobal(Machine &machine, void *pointer, uint32_t bytes, Access kind, uint32_t site) {
  auto trouble = machine.global().access(pointer, bytes, kind, machine.self().actor());
  if (trouble) machine.report(site, machine.global().place(pointer), *trouble);
  return !trouble || trouble->kind != Fault::OutOfBounds;
}

uint32_t axis(const std::array<uint32_t, 3> &v, uint32_t i) { return v[i]; }

} // namespace

extern "C" {

void *ein_model_access(uint32_t site, void *pointer, uint32_t bytes, uint32_t flags) {
  Machine &machine = Machine::current();
  Thread &thread = machine.self();
  if (thread.fiber.owns(pointer)) return pointer;
  Access kind = Access(flags & 3);
  uint32_t alignment = flags >> 2;
  // What is misaligned would trap here, too: it is reported, and goes nowhere.
  const bool fits = reinterpret_cast<uintptr_t>(pointer) % alignment == 0;
  if (!fits) machine.report(Fault::Misaligned, site, "the address is no multiple of " + std::to_string(alignment));
  if (kind == Access::Atomic && machine.chance(4)) machine.pause();
  bool there = machine.isShared(pointer) ? accessShared(machine, pointer, bytes, kind, site)
                                         : accessGlobal(machine, pointer, bytes, kind, site);
  if (there && kind == Access::Atomic) machine.synchronise(pointer);
  return there && fits ? pointer : nowhere.data();
}

void *ein_model_shared(uint32_t site, uint32_t offset) { return Machine::current().self().block->shared + offset; }

/// Addresses in the block's own window; those of other blocks of the cluster have the rank above.
uint64_t ein_model_shared_to_int(uint32_t site, void *pointer) {
  Machine &machine = Machine::current();
  for (auto &block : machine.self().block->cluster->blocks) {
    auto offset = static_cast<uint8_t *>(pointer) - block->shared;
    if (offset < 0 || offset > machine.launch().sharedBytes) continue;
    uint64_t window = block.get() == machine.self().block ? 0 : uint64_t(block->rank + 1) << 24;
    return window + kSharedWindow + offset;
  }
  machine.report(Fault::OutOfBounds, site, "the address is not in shared memory");
  return 0;
}

void *ein_model_int_to_shared(uint32_t site, uint64_t address) {
  Machine &machine = Machine::current();
  auto &blocks = machine.self().block->cluster->blocks;
  uint32_t window = uint32_t(address >> 24);
  if (window > blocks.size()) machine.report(Fault::OutOfBounds, site, "the address is of no block of the cluster");
  Block &block = window && window <= blocks.size() ? *blocks[window - 1] : *machine.self().block;
  return block.shared + ((address & 0xffffff) - kSharedWindow);
}

void *ein_model_mapa(uint32_t site, void *pointer, uint32_t rank) {
  Machine &machine = Machine::current();
  SharedPlace place = machine.sharedPlace(pointer, 1, site);
  auto &blocks = machine.self().block->cluster->blocks;
  if (!place.block) return pointer;
  if (rank < blocks.size()) return blocks[rank]->shared + place.offset;
  machine.report(Fault::OutOfBounds, site, "the cluster has no block of rank " + std::to_string(rank));
  return pointer;
}

/// What this thread did and knows so far is what its next atomic access hands on.
void ein_model_fence(uint32_t site) {
  Thread &thread = Machine::current().self();
  thread.fenced = thread.clock;
  thread.clock.tick(thread.agent);
}

uint32_t ein_model_register(uint32_t site, uint32_t which) {
  Machine &machine = Machine::current();
  const MachineLaunch &launch = machine.launch();
  const Thread &thread = machine.self();
  const Block &block = *thread.block;
  uint32_t i = which % 3, n = thread.number;
  std::array<uint32_t, 3> tid = {n % launch.block[0], n / launch.block[0] % launch.block[1],
                                 n / launch.block[0] / launch.block[1]};
  switch (SpecialRegister(which - i)) {
  case SpecialRegister::Thread: return tid[i];
  case SpecialRegister::Threads: return axis(launch.block, i);
  case SpecialRegister::Block: return axis(block.position, i);
  case SpecialRegister::Blocks: return axis(launch.grid, i);
  case SpecialRegister::Cluster: return block.position[i] / launch.cluster[i];
  case SpecialRegister::Clusters: return launch.grid[i] / launch.cluster[i];
  case SpecialRegister::BlockOfCluster: return block.position[i] % launch.cluster[i];
  case SpecialRegister::BlocksOfCluster: return axis(launch.cluster, i);
  case SpecialRegister::Rank: return i == 0 ? block.rank : uint32_t(block.cluster->blocks.size());
  case SpecialRegister::Lane: return i == 0 ? thread.lane() : i == 1 ? n / 32 : uint32_t(block.warps.size());
  }
  return 0;
}

} // extern "C"
