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

/// 128 bits of XXH3.
struct KeyHash {
  uint64_t low, high;
  friend bool operator==(const KeyHash &, const KeyHash &) = default;
};
KeyHash hashKey(std::string_view key);

/// Maps whole keys to kernels; the hash only finds the place. Beyond a number of kernels or of bytes of code the
/// least recently used go. Uses between two insertions count as simultaneous.
///
/// A map, whose caller holds a lock, has all kernels. In front of it lies a table that readers search without one.
/// It may lack a kernel, where too many hashes meet; it never has one that the map has not.
class MemoryCache {
public:
  using Kernel = std::shared_ptr<const LoadedKernel>;

  struct Entry {
    KeyHash hash;
    std::string key;
    Kernel kernel;
    mutable std::atomic<uint64_t> lastUse;
  };
  using Entries = std::vector<std::unique_ptr<const Entry>>;

  MemoryCache(size_t maxKernels, size_t maxCodeBytes);

  /// The kernel of a key from the table, valid until `hazard` protects something else. Needs no lock.
  const Kernel *find(Hazard &hazard, KeyHash hash, std::string_view key) const;

  /// The kernel of a key, null if there is none. Under the lock, like everything below.
  Kernel findInMap(KeyHash hash, std::string_view key);
  /// Adds a key that is not there. Returns what had to go and nobody reads, to be destroyed outside of the lock;
  /// what somebody reads comes back from a later call.
  Entries insert(KeyHash hash, std::string_view key, Kernel kernel);
  /// How many had to go so far.
  uint64_t evictions() const { return evicted; }

private:
  struct Slot {
    std::atomic<uint64_t> tag = 0; ///< `hash.high`, a hint: it spares most readers of other keys the entry
    std::atomic<const Entry *> entry = nullptr;
  };
  struct Low {
    size_t operator()(const KeyHash &hash) const { return hash.low; }
  };
  using Map = std::unordered_map<KeyHash, std::unique_ptr<const Entry>, Low>;

  /// Where the table may hold an entry: kWays slots from here on.
  Slot *slotsOf(KeyHash hash) const { return slots.get() + (hash.low & mask); }
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
