// Lookup, insertion and eviction of kernels in memory.
#include "runtime/MemoryCache.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ein {

KeyHash hashKey(std::string_view key) {
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  return {hash.low64, hash.high64};
}

MemoryCache::Kernel MemoryCache::find(KeyHash hash, std::string_view key) {
  const auto place = places.find(hash);
  if (place == places.end() || place->second->key != key) return nullptr;
  entries.splice(entries.begin(), entries, place->second);
  return place->second->kernel;
}

MemoryCache::Kernel MemoryCache::insert(KeyHash hash, std::string_view key, Kernel kernel) {
  if (capacity == 0) return kernel;
  const auto remove = [&](std::list<Entry>::iterator entry) {
    Kernel gone = std::move(entry->kernel);
    places.erase(entry->hash);
    entries.erase(entry);
    return gone;
  };
  Kernel gone;
  if (const auto place = places.find(hash); place != places.end())
    gone = remove(place->second);
  else if (entries.size() == capacity)
    gone = remove(std::prev(entries.end()));
  entries.push_front({hash, std::string(key), std::move(kernel)});
  places.emplace(hash, entries.begin());
  return gone;
}

} // namespace ein
