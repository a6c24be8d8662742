// The kernels of a device that are in memory, and one compilation per key however many threads ask.
#pragma once

#include "ein/Device.h"

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

namespace ein {

/// Thread-safe. Keeps up to `kMostKernels`, those that were used last. What fails is not kept.
class DeviceCache {
public:
  static constexpr size_t kMostKernels = 1024;
  using Module = std::shared_ptr<const CudaModule>;

  /// The kernel of a key. `make` is called for one that is not there, by one thread; others wait for it. No lock is
  /// held meanwhile.
  Expected<Module> get(std::string_view key, const std::function<Expected<Module>()> &make);

private:
  struct Entry {
    Module module;
    uint64_t lastUse = 0;
  };
  /// A compilation under way.
  struct Flight {
    std::condition_variable landed;
    std::optional<Expected<Module>> outcome;
  };

  std::mutex mutex;
  std::map<std::string, Entry, std::less<>> entries;
  std::map<std::string, std::shared_ptr<Flight>, std::less<>> flights;
  uint64_t uses = 0;
};

} // namespace ein
