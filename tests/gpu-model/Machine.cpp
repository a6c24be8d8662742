// The scheduler: which warp runs next, when the hardware does what was left to it, and what a deadlock is.
#include "tests/gpu-model/Machine.h"

#include "tests/gpu-model/Operations.h"
#include "tests/gpu-model/Wgmma.h"

#include <numeric>

namespace ein::gpumodel {
namespace {

thread_local Machine *machine = nullptr;

uint32_t product(const std::array<uint32_t, 3> &v) { return v[0] * v[1] * v[2]; }

} // namespace

Actor Thread::actor() const { return {clock, {agent, clock.seen(agent)}, block->cluster->number}; }

uint32_t Cluster::addAgent(std::string name) {
  agents.push_back(std::move(name));
  return threads + uint32_t(agents.size()) - 1;
}

std::string Cluster::nameOf(uint32_t agent) const {
  if (agent >= threads) return agents[agent - threads];
  uint32_t perBlock = threads / uint32_t(blocks.size());
  std::string thread = "thread " + std::to_string(agent % perBlock);
  return blocks.size() > 1 ? thread + " of block " + std::to_string(agent / perBlock) + " of the cluster" : thread;
}

uint32_t Cluster::live() const {
  return std::accumulate(blocks.begin(), blocks.end(), 0u, [](uint32_t n, const auto &b) { return n + b->live; });
}

Machine::Machine(const MachineLaunch &launch, GlobalMemory &global, const std::vector<std::string> &sites,
                 uint32_t seed)
    : what(launch), memory(global), sites(sites), generator(seed), mode(Mode(seed % 3)), sticky(seed / 3 % 2),
      resident(1 + seed / 2 % 3) {
  waiting.resize(product(what.grid) / product(what.cluster));
  std::iota(waiting.begin(), waiting.end(), 0u);
  std::shuffle(waiting.begin(), waiting.end(), generator);
}

Machine::~Machine() = default;

Machine &Machine::current() { return *machine; }

void Machine::addBlock(Cluster &cluster, uint32_t rank, uint8_t *shared) {
  cluster.blocks.push_back(std::make_unique<Block>());
  Block &block = *cluster.blocks.back();
  uint32_t count = product(what.block);
  block.cluster = &cluster;
  block.rank = rank;
  block.shared = shared;
  block.shadow.reset(what.sharedBytes);
  block.live = count;
  block.warps.resize((count + 31) / 32);
  for (uint32_t i = 0; i < count; ++i) {
    block.threads.push_back(std::make_unique<Thread>(what.entry));
    Thread &thread = *block.threads.back();
    Warp &warp = block.warps[i / 32];
    warp.block = thread.block = &block;
    warp.first = i / 32 * 32;
    warp.ready |= 1u << i % 32;
    thread.warp = &warp;
    thread.number = i;
    thread.agent = rank * count + i;
    thread.clock.tick(thread.agent);
  }
  for (Warp &warp : block.warps) {
    warp.queued = true;
    ready.push_back(&warp);
  }
  for (uint32_t i = 0; i < count / 128; ++i) {
    block.warpgroups.push_back(std::make_unique<Warpgroup>());
    block.warpgroups.back()->agent = cluster.addAgent("wgmma of warpgroup " + std::to_string(i));
  }
}

/// Blocks of a cluster are neighbours in the grid; ranks count along x, then y, then z.
void Machine::start(uint32_t number) {
  clusters.push_back(std::make_unique<Cluster>());
  Cluster &cluster = *clusters.back();
  cluster.number = number;
  uint32_t blocks = product(what.cluster), step = (what.sharedBytes + 1023) / 1024 * 1024 + 1024;
  cluster.threads = blocks * product(what.block);
  cluster.memory.assign(size_t(blocks) * step + 1024, 0xff); // NaN, where somebody reads what nobody wrote
  auto base = (reinterpret_cast<uintptr_t>(cluster.memory.data()) + 1023) & ~uintptr_t(1023);
  uint32_t across = what.grid[0] / what.cluster[0], down = what.grid[1] / what.cluster[1];
  std::array<uint32_t, 3> corner = {number % across, number / across % down, number / across / down};
  for (uint32_t rank = 0; rank < blocks; ++rank) {
    addBlock(cluster, rank, reinterpret_cast<uint8_t *>(base) + size_t(rank) * step);
    std::array<uint32_t, 3> inside = {rank % what.cluster[0], rank / what.cluster[0] % what.cluster[1],
                                      rank / what.cluster[0] / what.cluster[1]};
    for (unsigned i = 0; i < 3; ++i) cluster.blocks.back()->position[i] = corner[i] * what.cluster[i] + inside[i];
  }
}

void Machine::endBlock(Block &block) {
  for (AsyncWork &left : work)
    if (left.block == &block && left.needsBlock)
      report(Fault::Protocol, left.site, "the block has ended before this transfer into its shared memory");
  if (!block.ended.covers(block.uses))
    report(Fault::Protocol, block.usedAt, "nothing keeps the block whose shared memory this uses from ending before");
  const Cluster *const cluster = block.cluster; // the block is gone as soon as the cluster is
  if (cluster->live()) return;
  // What only writes global memory may still be under way.
  for (size_t i = 0; i < work.size();)
    if (work[i].block->cluster == cluster)
      force(work[i].ticket);
    else
      ++i;
  std::erase_if(clusters, [&](const auto &c) { return c.get() == cluster; });
}

void Machine::endThread(Thread &thread) {
  endThreadOfBarriers(*this, thread);
  endThreadOfCopies(*this, thread);
  endThreadOfWgmma(*this, thread);
  thread.block->ended.join(thread.clock);
  if (--thread.block->live == 0) endBlock(*thread.block);
}

void Machine::runWarp(Warp &warp) {
  uint32_t lanes = warp.ready;
  warp.ready = 0;
  Block &block = *warp.block;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    if (!(lanes >> lane & 1)) continue;
    running = block.threads[warp.first + lane].get();
    running->fiber.resume();
    if (!running->fiber.finished()) continue;
    bool last = block.cluster->live() == 1; // endThread then frees the cluster, and this warp with it
    endThread(*running);
    if (last) return;
  }
  warp.queued = warp.ready != 0;
  if (warp.queued) ready.push_back(&warp);
}

Warp *Machine::pick() {
  if (ready.empty()) return nullptr;
  size_t index = sticky && !chance(8) ? ready.size() - 1 : generator() % ready.size();
  std::swap(ready[index], ready.back());
  Warp *warp = ready.back();
  ready.pop_back();
  return warp;
}

bool Machine::performSome() {
  if (work.empty()) return false;
  running = nullptr;
  force(work[generator() % work.size()].ticket);
  return true;
}

Report Machine::run() {
  machine = this;
  constexpr uint64_t kLimit = 50'000'000; // switches of warps; a kernel of the tests takes a few thousand
  for (uint64_t step = 0; step < kLimit; ++step) {
    while (clusters.size() < resident && !waiting.empty()) {
      uint32_t next = waiting.back();
      waiting.pop_back();
      start(next);
    }
    if (clusters.empty()) return std::move(found);
    if (!work.empty() && mode != Mode::Lazy && chance(mode == Mode::Eager ? 2 : 16)) performSome();
    if (Warp *warp = pick()) {
      runWarp(*warp);
    } else if (!performSome()) {
      reportDeadlock();
      return std::move(found);
    }
  }
  found.add(Fault::Deadlock, 0, "the kernel does not end");
  return std::move(found);
}

void Machine::reportDeadlock() {
  std::map<std::pair<uint32_t, std::string>, uint32_t> waiters;
  for (auto &cluster : clusters)
    for (auto &block : cluster->blocks)
      for (auto &thread : block->threads)
        if (thread->waitsFor) ++waiters[{thread->waitsAt, thread->waitsFor}];
  for (auto &[where, count] : waiters)
    found.add(Fault::Deadlock, where.first,
              sites[where.first] + ": " + std::to_string(count) + " threads wait for " + where.second);
}

void Machine::wait(WaitList &list, const char *reason, uint32_t site) {
  Thread *thread = running;
  list.push_back(thread);
  thread->waitsFor = reason;
  thread->waitsAt = site;
  Fiber::suspend();
  thread->waitsFor = nullptr;
}

void Machine::wake(WaitList &list) {
  for (Thread *thread : list) {
    Warp &warp = *thread->warp;
    warp.ready |= 1u << thread->lane();
    if (warp.queued) continue;
    warp.queued = true;
    ready.push_back(&warp);
  }
  list.clear();
}

void Machine::pause() {
  running->warp->ready |= 1u << running->lane();
  Fiber::suspend();
}

uint64_t Machine::defer(Block *block, bool needsBlock, uint32_t site, std::function<void()> perform) {
  work.push_back({block, needsBlock, site, std::move(perform), ++tickets});
  return tickets;
}

void Machine::force(uint64_t ticket) {
  auto entry = std::find_if(work.begin(), work.end(), [&](const AsyncWork &w) { return w.ticket == ticket; });
  if (entry == work.end()) return;
  std::function<void()> perform = std::move(entry->perform);
  *entry = std::move(work.back());
  work.pop_back();
  perform();
}

std::string Machine::prefix(uint32_t site) const {
  std::string text = sites[site];
  if (!running) return text + ": ";
  const auto &p = running->block->position;
  text += " of block (" + std::to_string(p[0]) + "," + std::to_string(p[1]) + "," + std::to_string(p[2]) + ") thread ";
  return text + std::to_string(running->number) + ": ";
}

void Machine::report(Fault kind, uint32_t site, const std::string &text) {
  if (!found.repeat(kind, site)) found.add(kind, site, prefix(site) + text);
}

void Machine::report(uint32_t site, const std::string &place, const Trouble &trouble) {
  if (found.repeat(trouble.kind, site)) return;
  std::string text = prefix(site) + place + " " + trouble.what;
  if (trouble.other.time && running) {
    const Cluster &own = *running->block->cluster;
    text += " " + (trouble.cluster == own.number ? own.nameOf(trouble.other.agent)
                                                 : "cluster " + std::to_string(trouble.cluster));
  }
  found.add(trouble.kind, site, text);
}

void Machine::synchronise(const void *pointer) {
  auto &clocks = published[pointer];
  uint32_t own = running->block->cluster->number;
  for (auto &[cluster, clock] : clocks)
    if (cluster == own)
      running->clock.join(clock);
    else
      running->clock.joinForeign(cluster, clock);
  clocks[own].join(running->fenced);
}

bool Machine::isShared(const void *pointer) const {
  const std::vector<uint8_t> &memory = running->block->cluster->memory;
  return pointer >= memory.data() && pointer < memory.data() + memory.size();
}

SharedPlace Machine::sharedPlace(const void *pointer, uint32_t bytes, uint32_t site) {
  auto *address = static_cast<const uint8_t *>(pointer);
  for (auto &block : running->block->cluster->blocks) {
    if (address < block->shared || address + bytes > block->shared + what.sharedBytes) continue;
    if (!block->live) report(Fault::Protocol, site, "uses the shared memory of a block that has ended");
    if (block.get() != running->block) {
      block->uses.raise(running->actor().now);
      block->usedAt = site;
    }
    return {block.get(), uint32_t(address - block->shared)};
  }
  auto distance = address - running->block->shared;
  report(Fault::OutOfBounds, site,
         isShared(pointer) ? "shared + " + std::to_string(distance) + " lies outside of the " +
                                 std::to_string(what.sharedBytes) + " bytes of the block"
                           : "the address is not in shared memory");
  return {};
}

} // namespace ein::gpumodel
