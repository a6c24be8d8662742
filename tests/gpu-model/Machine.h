// The modelled GPU: threads, warps, blocks and clusters of one launch, and the state that operations act on.
#pragma once

#include "tests/gpu-model/Fiber.h"
#include "tests/gpu-model/GlobalMemory.h"
#include "tests/gpu-model/Shadow.h"

#include <memory>
#include <random>
#include <string>

namespace ein::gpumodel {

struct Block;
struct Cluster;
struct Thread;
struct Warp;
struct Warpgroup;

/// Where shared memory begins in the 32-bit addresses that descriptors hold, as on Hopper, whose first KiB is reserved.
constexpr uint32_t kSharedWindow = 1024;

/// What a launch is. `entry` is called once for each thread.
struct MachineLaunch {
  std::function<void()> entry;
  std::array<uint32_t, 3> grid = {1, 1, 1}, block = {1, 1, 1}, cluster = {1, 1, 1};
  uint32_t sharedBytes = 0;
};

/// Threads waiting for something; woken all at once.
using WaitList = std::vector<Thread *>;

/// An operation that the hardware performs at some later moment.
struct AsyncWork {
  Block *block;    ///< whose thread asked for it
  bool needsBlock; ///< it writes into the block's shared memory
  uint32_t site;   ///< where it was asked for
  std::function<void()> perform;
  uint64_t ticket;
};

struct MBarrier {
  uint32_t expected = 0; ///< arrivals of a phase
  int64_t pending = 0;   ///< arrivals missing
  int64_t bytes = 0;     ///< transfers announced and not complete; below zero where they came first
  uint32_t phase = 0;    ///< phases completed
  VectorClock arriving, completed;
  uint32_t agent = 0;  ///< phase p is complete at time p + 1
  Epoch made;          ///< its initialisation
  bool fenced = false; ///< the initialisation is visible to the asynchronous proxy and the cluster
  bool valid = false;
  WaitList waiters;
};

/// bar.sync and its kin, and the barrier of a cluster.
struct NamedBarrier {
  uint32_t arrived = 0, expected = 0, generation = 0;
  VectorClock arriving, passed; ///< of this round; of all rounds before
  WaitList waiters;
};

/// Groups of asynchronous copies of one thread: cp.async, or cp.async.bulk and its reductions.
struct CopyGroups {
  struct Copy {
    uint32_t group;
    uint64_t read, write; ///< tickets of the work that performs it
  };
  uint32_t readAgent = 0, doneAgent = 0; ///< group g has read, is complete at time g; 0 before the first copy
  uint32_t current = 1;                  ///< group that copies join now; groups count from 1
  uint32_t last = 0;                     ///< group of the last copy
  uint32_t retired = 0;                  ///< groups waited for, at least for their reads
  uint32_t site = 0;                     ///< of the last copy
  std::vector<Copy> copies;
};

/// A meeting of the lanes of a warp under one mask.
struct Meeting {
  static constexpr size_t kWords = 16;
  struct Round {
    std::array<std::array<uint64_t, kWords>, 32> given = {}, taken = {};
    VectorClock clock;
  };
  uint32_t mask = 0, arrived = 0, generation = 0, site = 0;
  Round rounds[2];
  WaitList waiters;
};

struct Thread {
  Thread(std::function<void()> body) : fiber(std::move(body)) {}
  Fiber fiber;
  Block *block = nullptr;
  Warp *warp = nullptr;
  uint32_t number = 0; ///< in the block
  uint32_t agent = 0;
  VectorClock clock, fenced; ///< what it knows; what it knew at its last fence
  CopyGroups bulk, async;
  uint32_t wgmmaIssued = 0, wgmmaGroup = 1,
           wgmmaRetired = 0;      ///< operations issued; group they join; last group waited for
  uint32_t wgmmaWaited = 0;       ///< operations of these groups
  uint32_t clusterRound = 0;      ///< of the last arrival at the barrier of the cluster
  bool wgmmaFenced = false;       ///< wgmma.fence since the registers were last free
  const char *waitsFor = nullptr; ///< while blocked
  uint32_t waitsAt = 0;           ///< site

  uint32_t lane() const { return number % 32; }
  Actor actor() const;
};

struct Warp {
  uint32_t first = 0; ///< number of lane 0
  uint32_t ready = 0; ///< lanes that can run
  bool queued = false;
  Block *block = nullptr;
  std::vector<std::unique_ptr<Meeting>> meetings;
};

struct Block {
  Cluster *cluster = nullptr;
  uint32_t rank = 0;                     ///< in the cluster
  std::array<uint32_t, 3> position = {}; ///< in the grid
  uint32_t live = 0;                     ///< threads that have not ended
  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<Warp> warps;
  std::vector<std::unique_ptr<Warpgroup>> warpgroups;
  uint8_t *shared = nullptr;
  VectorClock uses;    ///< of its shared memory by other blocks
  uint32_t usedAt = 0; ///< site of the last
  VectorClock ended;   ///< what its threads knew when they ended
  SharedShadow shadow;
  std::map<uint32_t, MBarrier> barriers; ///< by offset in shared memory
  std::array<NamedBarrier, 16> named;
};

struct Cluster {
  uint32_t number = 0;
  std::vector<std::unique_ptr<Block>> blocks;
  std::vector<std::string> agents; ///< names of those behind the threads
  uint32_t threads = 0;
  std::vector<uint8_t> memory;
  NamedBarrier barrier;

  uint32_t addAgent(std::string name);
  std::string nameOf(uint32_t agent) const;
  uint32_t live() const;
};

/// A place in shared memory.
struct SharedPlace {
  Block *block = nullptr;
  uint32_t offset = 0;
};

/// One launch. Deterministic: everything that is left to chance comes from `seed`.
class Machine {
public:
  Machine(const MachineLaunch &launch, GlobalMemory &global, const std::vector<std::string> &sites, uint32_t seed);
  ~Machine();

  /// Runs the whole grid.
  Report run();

  // What operations use. They run on the fiber of `self()`.
  static Machine &current();
  Thread &self() { return *running; }
  const MachineLaunch &launch() const { return what; }
  GlobalMemory &global() { return memory; }
  std::mt19937 &random() { return generator; }
  /// True once in `n` times.
  bool chance(uint32_t n) { return generator() % n == 0; }

  /// Suspends the running thread until `list` is woken.
  void wait(WaitList &list, const char *what, uint32_t site);
  void wake(WaitList &list);
  /// Lets others run.
  void pause();
  /// Leaves `perform` to the hardware, which does it at some moment, or when `force` asks for it.
  uint64_t defer(Block *block, bool needsBlock, uint32_t site, std::function<void()> perform);
  void force(uint64_t ticket);
  /// Whether work that is done at once is still an allowed order of events, and chosen.
  bool eager() { return mode == Mode::Eager || (mode == Mode::Mixed && chance(2)); }

  void report(Fault kind, uint32_t site, const std::string &text);
  void report(uint32_t site, const std::string &place, const Trouble &trouble);
  /// The place that a pointer into shared memory means; null after reporting one that is none.
  SharedPlace sharedPlace(const void *pointer, uint32_t bytes, uint32_t site);
  bool isShared(const void *pointer) const;
  /// An atomic access to global memory: what those before knew at their fences is known here, and what this thread
  /// knew at its last one to those behind.
  void synchronise(const void *pointer);

private:
  /// How eagerly the hardware works, and which warps run.
  enum class Mode : uint8_t { Mixed, Eager, Lazy };

  void start(uint32_t number);
  void addBlock(Cluster &cluster, uint32_t rank, uint8_t *shared);
  void endThread(Thread &thread);
  void endBlock(Block &block);
  void runWarp(Warp &warp);
  Warp *pick();
  bool performSome();
  void reportDeadlock();
  std::string prefix(uint32_t site) const;

  const MachineLaunch &what;
  GlobalMemory &memory;
  const std::vector<std::string> &sites;
  std::mt19937 generator;
  Mode mode;
  bool sticky; ///< a warp runs until it blocks
  uint32_t resident;
  Report found;
  std::vector<uint32_t> waiting; ///< numbers of clusters not yet started
  std::vector<std::unique_ptr<Cluster>> clusters;
  std::vector<Warp *> ready;
  std::vector<AsyncWork> work;
  uint64_t tickets = 0;
  Thread *running = nullptr;
  std::map<const void *, std::map<uint32_t, VectorClock>> published; ///< by place and cluster
};

} // namespace ein::gpumodel
