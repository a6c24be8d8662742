// The kernels an engine keeps in memory.
#pragma once

#include "runtime/Hazard.h"
#include "runtime/LoadedKernel.h"

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ein {

/// XXH3.
uint64_t hashKey(std::string_view key);

/// Maps whole keys to kernels; the hash only finds the place. Beyond a number of kernels or of bytes of code the
/// least recently used go. Uses between two insertions count as simultaneous.
///
/// A map, whose caller holds a lock, has all kernels. In front of it lies a table that readers search without one.
/// It may lack a kernel, where too many hashes meet; it never has one that the map has not.
class MemoryCache {
public:
  using Kernel = std::shared_ptr<const LoadedKernel>;

  struct Entry {
    uint64_t hash;
    std::string key;
    Kernel kernel;
    mutable std::atomic<uint64_t> lastUse;
  };
  using Entries = std::vector<std::unique_ptr<const Entry>>;

  MemoryCache(size_t maxKernels, size_t maxCodeBytes);

  /// The kernel of a key from the table, valid until `hazard` protects something else. Needs no lock.
  const Kernel *find(Hazard &hazard, uint64_t hash, std::string_view key) const;

  /// The kernel of a key, null if there is none. Under the lock, like everything below.
  Kernel findInMap(uint64_t hash, std::string_view key);
  /// Adds a key that is not there. Returns what had to go and nobody reads, to be destroyed outside of the lock;
  /// what somebody reads comes back from a later call.
  Entries insert(uint64_t hash, std::string_view key, Kernel kernel);
  /// How many had to go so far.
  uint64_t evictions() const { return evicted; }

private:
  struct Slot {
    std::atomic<uint64_t> hash = 0; ///< a hint: it spares readers of other keys the entry
    std::atomic<const Entry *> entry = nullptr;
  };
  using Map = std::unordered_map<uint64_t, std::unique_ptr<const Entry>>;

  /// Where the table may hold an entry: kWays slots from here on.
  Slot *slotsOf(uint64_t hash) const { return slots.get() + (hash & mask); }
  void publish(const Entry &entry);
  void evict(Map::iterator place);
  void touch(const Entry &entry) const;

  const size_t maxKernels, maxCodeBytes, mask;
  const std::unique_ptr<Slot[]> slots;
  std::atomic<uint64_t> clock = 0; ///< ticks with each insertion
  Map map;
  Entries retired; ///< evicted, but perhaps still read
  size_t codeBytes = 0;
  uint64_t evicted = 0;
};

} // namespace ein
