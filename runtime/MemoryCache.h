// The kernels an engine keeps in memory, least recently used last.
#pragma once

#include "runtime/LoadedKernel.h"

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ein {

/// 128 bits of XXH3.
struct KeyHash {
  uint64_t low, high;
  friend bool operator==(const KeyHash &, const KeyHash &) = default;
};
KeyHash hashKey(std::string_view key);

/// Maps whole keys to kernels; the hash only finds the place. Its caller holds a lock.
class MemoryCache {
public:
  using Kernel = std::shared_ptr<const LoadedKernel>;

  explicit MemoryCache(size_t capacity) : capacity(capacity) {}

  /// The kernel of a key, which becomes the most recently used; null if there is none.
  Kernel find(KeyHash hash, std::string_view key);
  /// Adds or replaces. Returns what had to go, to be released outside of the lock; null if nothing.
  Kernel insert(KeyHash hash, std::string_view key, Kernel kernel);

private:
  struct Entry {
    KeyHash hash;
    std::string key;
    Kernel kernel;
  };
  struct Low {
    size_t operator()(const KeyHash &hash) const { return hash.low; }
  };

  size_t capacity;
  std::list<Entry> entries; ///< most recently used first
  std::unordered_map<KeyHash, std::list<Entry>::iterator, Low> places;
};

} // namespace ein
