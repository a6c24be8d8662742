// Kernels of a device in memory.
#include "runtime/Cuda/DeviceCache.h"

#include <algorithm>

namespace ein {

Expected<DeviceCache::Module> DeviceCache::get(std::string_view key, const std::function<Expected<Module>()> &make) {
  std::unique_lock lock(mutex);
  if (const auto known = entries.find(key); known != entries.end()) {
    known->second.lastUse = ++uses;
    return known->second.module;
  }
  const auto [place, mine] = flights.try_emplace(std::string(key));
  if (mine) place->second = std::make_shared<Flight>();
  const std::shared_ptr<Flight> flight = place->second;
  if (!mine) {
    flight->landed.wait(lock, [&] { return flight->outcome.has_value(); });
    return *flight->outcome;
  }
  lock.unlock();
  Expected<Module> outcome = make();
  Module gone; // destroyed after the lock
  lock.lock();
  if (outcome) {
    if (entries.size() == kMostKernels) {
      const auto oldest = std::ranges::min_element(entries, {}, [](const auto &e) { return e.second.lastUse; });
      gone = std::move(oldest->second.module);
      entries.erase(oldest);
    }
    entries.emplace(std::string(key), Entry{*outcome, ++uses});
  }
  flights.erase(flights.find(key));
  flight->outcome = outcome;
  lock.unlock();
  flight->landed.notify_all();
  return outcome;
}

} // namespace ein
