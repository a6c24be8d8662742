// The engine: keys, the memory cache, one compilation per key however many threads ask.
#include "ein/Engine.h"
#include "ein/Compile.h"
#include "runtime/DiskCache.h"
#include "runtime/DiskKey.h"
#include "runtime/Environment.h"
#include "runtime/KernelKey.h"
#include "runtime/MemoryCache.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

namespace ein {
namespace {

using KernelPointer = std::shared_ptr<const LoadedKernel>;

/// A compilation under way. The threads that wait for it hold it, and the engine's lock.
struct Flight {
  std::condition_variable landed;
  std::optional<Expected<KernelPointer>> outcome;
};

const TensorType &typeOf(const TensorType &type) { return type; }
const TensorType &typeOf(const TensorView &view) { return view.type; }

} // namespace

/// One lock guards everything here. It is held for a lookup, never for a compilation. A child that was
/// forked during a lookup or a compilation of another thread must not use the engine.
struct Engine::Impl {
  Impl(size_t capacity, DiskUse disk) : cache(capacity), defaultThreads(resolveThreads(0)) {
    if (disk == DiskUse::Environment) diskCache = DiskCache::fromEnvironment();
  }

  /// The kernel for operands given by their types or by views.
  template <class Operand>
  Expected<KernelPointer> find(std::string_view text, std::span<const Operand> operands, const CompileOptions &options);

  /// Waits for the flight of this key, or makes one and compiles. `lock` is held, and free afterwards.
  Expected<KernelPointer> miss(std::unique_lock<std::mutex> &lock, KeyHash hash, std::string_view key,
                               CompileRequest request);

  /// Finds on disk, or compiles and keeps on disk. The lock is not held.
  Expected<KernelPointer> compileAndLoad(const CompileRequest &request);
  void count(uint64_t EngineStats::*counter) {
    const std::lock_guard lock(mutex);
    ++(counters.*counter);
  }

  std::optional<DiskCache> diskCache;
  std::mutex mutex;
  MemoryCache cache;
  std::map<std::string, std::shared_ptr<Flight>> flights;
  EngineStats counters;
  const int defaultThreads;
};

namespace {

Expected<void> verifyOperands(const CompileRequest &request) {
  for (size_t i = 0; i < request.operands.size(); ++i)
    if (auto fine = request.operands[i].verify(); !fine) {
      fine.error().message = "operand " + std::to_string(i) + ": " + fine.error().message;
      return fine.error();
    }
  return {};
}

/// The kernel of a key on disk. A module that cannot be loaded is as good as none.
KernelPointer loadFromDisk(const DiskCache &disk, std::string_view key, const CompileRequest &request) {
  auto module = disk.get(key);
  if (!module) return nullptr;
  // Whoever compiled it may have spelled the text and the strides of extents 1 in another way.
  module->key = request.keyText();
  module->operands = request.operands;
  auto kernel = LoadedKernel::load(std::move(*module));
  return kernel ? *kernel : nullptr;
}

} // namespace

Expected<KernelPointer> Engine::Impl::compileAndLoad(const CompileRequest &request) {
  if (auto fine = verifyOperands(request); !fine) return fine.error();
  const std::string key = diskCache ? diskKey(request) : std::string();
  if (diskCache)
    if (KernelPointer kernel = loadFromDisk(*diskCache, key, request)) {
      count(&EngineStats::diskHits);
      return kernel;
    }
  count(&EngineStats::compiles);
  auto result = ein::compile(request);
  if (!result) return result.error();
  auto kernel = LoadedKernel::load(std::move(result->module));
  if (kernel && diskCache && diskCache->put(key, (*kernel)->module())) count(&EngineStats::diskWrites);
  return kernel;
}

template <class Operand>
Expected<KernelPointer> Engine::Impl::find(std::string_view text, std::span<const Operand> operands,
                                           const CompileOptions &options) {
  const int threads = options.threads == 0 ? defaultThreads : options.threads;
  if (threads < 1 || threads > kMaxThreads)
    return makeError(ErrorCode::Limit, "a team of " + std::to_string(threads) + " threads",
                     "1 to " + std::to_string(kMaxThreads) + " threads, or 0 for the default");
  KernelKey key;
  key.add(text);
  key.number(operands.size());
  for (const Operand &operand : operands) key.add(typeOf(operand));
  key.add(options, threads);
  const KeyHash hash = hashKey(key.bytes());

  std::unique_lock lock(mutex);
  if (KernelPointer kernel = cache.find(hash, key.bytes())) {
    ++counters.hits;
    return kernel;
  }
  CompileRequest request;
  request.text = text;
  for (const Operand &operand : operands) request.operands.push_back(typeOf(operand));
  request.options = options;
  request.options.threads = threads;
  return miss(lock, hash, key.bytes(), std::move(request));
}

Expected<KernelPointer> Engine::Impl::miss(std::unique_lock<std::mutex> &lock, KeyHash hash, std::string_view key,
                                           CompileRequest request) {
  ++counters.misses;
  const auto [place, mine] = flights.try_emplace(std::string(key));
  if (mine) place->second = std::make_shared<Flight>();
  const std::shared_ptr<Flight> flight = place->second;
  if (!mine) {
    flight->landed.wait(lock, [&] { return flight->outcome.has_value(); });
    return *flight->outcome;
  }
  lock.unlock();
  Expected<KernelPointer> outcome = compileAndLoad(request);
  lock.lock();
  KernelPointer gone;
  if (outcome) gone = cache.insert(hash, key, *outcome);
  if (gone) ++counters.evictions;
  flight->outcome = outcome;
  flights.erase(place);
  lock.unlock();
  flight->landed.notify_all();
  return outcome;
}

Engine::Engine(size_t capacity, DiskUse disk) : impl(std::make_unique<Impl>(capacity, disk)) {}
Engine::~Engine() = default;

Expected<Kernel> Engine::compile(std::string_view text, std::span<const TensorType> operands,
                                 const CompileOptions &options) {
  auto kernel = impl->find(text, operands, options);
  if (!kernel) return kernel.error();
  return Kernel(std::move(*kernel));
}

Expected<Kernel> Engine::compile(std::string_view text, std::span<const TensorView> operands,
                                 const CompileOptions &options) {
  auto kernel = impl->find(text, operands, options);
  if (!kernel) return kernel.error();
  return Kernel(std::move(*kernel));
}

Expected<void> Engine::run(std::string_view text, std::span<const TensorView> operands,
                           std::span<const TensorView> results, const CompileOptions &options) {
  auto kernel = impl->find(text, operands, options);
  if (!kernel) return kernel.error();
  return (*kernel)->run(operands, results);
}

Expected<Kernel> Engine::load(CompiledModule module) {
  auto kernel = LoadedKernel::load(std::move(module));
  if (!kernel) return kernel.error();
  return Kernel(std::move(*kernel));
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(impl->mutex);
  return impl->counters;
}

Engine &Engine::global() {
  static Engine *engine = new Engine;
  return *engine;
}

} // namespace ein
