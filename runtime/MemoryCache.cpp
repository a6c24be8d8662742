// Lookup, insertion and eviction of kernels in memory.
#include "runtime/MemoryCache.h"

#include <algorithm>
#include <bit>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ein {
namespace {

constexpr size_t kWays = 4;
/// The table is half full at most, until it is as large as this.
constexpr size_t kMaxSlots = size_t(1) << 16;

} // namespace

uint64_t hashKey(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }

MemoryCache::MemoryCache(size_t maxKernels, size_t maxCodeBytes)
    : maxKernels(maxKernels), maxCodeBytes(maxCodeBytes),
      mask(std::bit_ceil(std::clamp<size_t>(2 * std::min(maxKernels, kMaxSlots), 1, kMaxSlots)) - 1),
      slots(std::make_unique<Slot[]>(mask + kWays)) {}

/// Shared memory is written only once per insertion: otherwise threads that use one kernel would wait for each other.
void MemoryCache::touch(const Entry &entry) const {
  const uint64_t now = clock.load(std::memory_order_relaxed);
  if (entry.lastUse.load(std::memory_order_relaxed) != now) entry.lastUse.store(now, std::memory_order_relaxed);
}

const MemoryCache::Kernel *MemoryCache::find(Hazard &hazard, uint64_t hash, std::string_view key) const {
  const Slot *slot = slotsOf(hash);
  for (size_t way = 0; way < kWays; ++way, ++slot) {
    if (slot->hash.load(std::memory_order_relaxed) != hash) continue;
    const Entry *entry = hazard.protect(slot->entry);
    if (!entry || entry->hash != hash || entry->key != key) continue;
    touch(*entry);
    return &entry->kernel;
  }
  return nullptr;
}

MemoryCache::Kernel MemoryCache::findInMap(uint64_t hash, std::string_view key) {
  const auto place = map.find(hash);
  if (place == map.end() || place->second->key != key) return nullptr;
  touch(*place->second);
  publish(*place->second);
  return place->second->kernel;
}

void MemoryCache::publish(const Entry &entry) {
  Slot *const begin = slotsOf(entry.hash), *const end = begin + kWays;
  const auto holds = [&](const Entry *what) { return [what](const Slot &slot) { return slot.entry == what; }; };
  if (std::any_of(begin, end, holds(&entry))) return;
  Slot *slot = std::find_if(begin, end, holds(nullptr));
  if (slot == end) slot = begin + (entry.hash >> 32) % kWays;
  slot->entry = &entry;
  slot->hash.store(entry.hash, std::memory_order_relaxed);
}

void MemoryCache::evict(Map::iterator place) {
  const Entry *entry = place->second.get();
  Slot *const begin = slotsOf(entry->hash);
  for (Slot *slot = begin; slot != begin + kWays; ++slot)
    if (slot->entry == entry) slot->entry = nullptr;
  codeBytes -= entry->kernel->codeBytes();
  ++evicted;
  retired.push_back(std::move(place->second));
  map.erase(place);
}

MemoryCache::Entries MemoryCache::insert(uint64_t hash, std::string_view key, Kernel kernel) {
  // Another key with this hash.
  if (const auto place = map.find(hash); place != map.end()) evict(place);
  codeBytes += kernel->codeBytes();
  // Later than all uses before, earlier than all uses after.
  const uint64_t now = clock.load(std::memory_order_relaxed) + 1;
  auto entry = std::unique_ptr<const Entry>(new Entry{hash, std::string(key), std::move(kernel), now});
  publish(*entry);
  map.emplace(hash, std::move(entry));
  clock.store(now + 1, std::memory_order_relaxed);
  const auto older = [](const auto &a, const auto &b) { return a.second->lastUse < b.second->lastUse; };
  while (map.size() > maxKernels || codeBytes > maxCodeBytes) evict(std::min_element(map.begin(), map.end(), older));

  const auto gone = std::partition(retired.begin(), retired.end(),
                                   [](const auto &entry) { return Hazard::isProtected(entry.get()); });
  Entries unread(std::make_move_iterator(gone), std::make_move_iterator(retired.end()));
  retired.erase(gone, retired.end());
  return unread;
}

} // namespace ein
