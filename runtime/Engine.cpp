// The engine: keys, the memory cache, one compilation per key however many threads ask.
#include "ein/Engine.h"
#include "ein/Compile.h"
#include "runtime/DiskCache.h"
#include "runtime/DiskKey.h"
#include "runtime/Environment.h"
#include "runtime/Fork.h"
#include "runtime/KernelKey.h"
#include "runtime/MemoryCache.h"
#include "runtime/NewResult.h"
#include "runtime/RecompileLog.h"
#include "runtime/ShapeClass.h"
#include "runtime/TunedPlans.h"

#include <array>
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

template <class Operand>
std::vector<TensorType> classOf(std::string_view text, std::span<const Operand> operands,
                                const CompileOptions &options) {
  std::vector<TensorType> types;
  for (const Operand &operand : operands) types.push_back(typeOf(operand));
  return shapeClass(text, types, options);
}

} // namespace

/// A kernel that is found takes no lock. One lock guards the rest; it is held for a lookup, never for a compilation.
struct Engine::Impl final : ForkLock {
  explicit Impl(const EngineOptions &options)
      : cache(options.maxKernels, options.maxCodeBytes), defaultThreads(resolveThreads(0)) {
    if (RecompileLog::isWanted()) recompiles.emplace();
    if (options.disk == DiskUse::Environment) diskCache = DiskCache::fromEnvironment();
    join();
  }
  ~Impl() { leave(); }

  /// Calls `use` with the kernel for operands given by their types or by views, whose key is found or compiled.
  template <class Operand, class Use>
  std::invoke_result_t<Use, const KernelPointer &> with(std::string_view text, std::span<const Operand> operands,
                                                        const CompileOptions &options, Use use);

  /// The same once the threads are resolved; `keyed`: the operands that name the kernel, of the shape class of
  /// `operands` where indices are dynamic.
  template <class Keyed, class Operand, class Use>
  std::invoke_result_t<Use, const KernelPointer &> withKey(std::string_view text, std::span<const Keyed> keyed,
                                                           std::span<const Operand> operands,
                                                           const CompileOptions &options, int threads, Use use);

  /// For a key that is not in the table. Waits for its flight, or makes one and compiles. `operands`: of the call.
  Expected<KernelPointer> findOrCompile(const Hazard &hazard, uint64_t hash, std::string_view key,
                                        const CompileRequest &request, const std::vector<TensorType> &operands);

  void lockForFork() override { mutex.lock(); }
  void unlockAfterFork(bool inChild) override {
    if (inChild) flights.clear();
    mutex.unlock();
  }

  /// Counts hits in several places, so that threads seldom meet in one.
  struct alignas(64) Counter {
    std::atomic<uint64_t> value = 0;
  };
  void countHit(const Hazard &hazard) {
    hits[hazard.threadNumber() % hits.size()].value.fetch_add(1, std::memory_order_relaxed);
  }

  /// Finds on disk, or compiles and keeps on disk; with the plans that `einc tune` stored, if there are. The lock is
  /// not held.
  Expected<KernelPointer> compileAndLoad(CompileRequest request);

  std::optional<DiskCache> diskCache;
  std::optional<RecompileLog> recompiles;
  std::mutex mutex;
  MemoryCache cache;
  std::map<std::string, std::shared_ptr<Flight>> flights;
  uint64_t misses = 0;
  std::atomic<uint64_t> compiles = 0, diskHits = 0, diskWrites = 0;
  std::array<Counter, 16> hits;
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

Expected<KernelPointer> Engine::Impl::compileAndLoad(CompileRequest request) {
  if (auto fine = verifyOperands(request); !fine) return fine.error();
  if (request.options.plans.empty()) request.options.plans = loadTunedPlans(request);
  const std::string key = diskCache ? diskKey(request) : std::string();
  if (diskCache)
    if (KernelPointer kernel = loadFromDisk(*diskCache, key, request)) {
      ++diskHits;
      return kernel;
    }
  ++compiles;
  auto result = ein::compile(request);
  if (!result) return result.error();
  auto kernel = LoadedKernel::load(std::move(result->module));
  if (kernel && diskCache && diskCache->put(key, (*kernel)->module())) ++diskWrites;
  return kernel;
}

template <class Operand, class Use>
std::invoke_result_t<Use, const KernelPointer &>
Engine::Impl::with(std::string_view text, std::span<const Operand> operands, const CompileOptions &options, Use use) {
  const int threads = options.threads == 0 ? defaultThreads : options.threads;
  if (threads < 1 || threads > kMaxThreads)
    return makeError(ErrorCode::Limit, "a team of " + std::to_string(threads) + " threads",
                     "1 to " + std::to_string(kMaxThreads) + " threads, or 0 for the default");
  if (options.dynamic.empty()) return withKey(text, operands, operands, options, threads, use);
  const std::vector<TensorType> standard = classOf(text, operands, options);
  return withKey(text, std::span<const TensorType>(standard), operands, options, threads, use);
}

template <class Keyed, class Operand, class Use>
[[gnu::always_inline]] inline std::invoke_result_t<Use, const KernelPointer &>
Engine::Impl::withKey(std::string_view text, std::span<const Keyed> keyed, std::span<const Operand> operands,
                      const CompileOptions &options, int threads, Use use) {
  KernelKey key;
  key.add(text);
  key.add(keyed.size());
  for (const Keyed &operand : keyed) key.add(typeOf(operand));
  key.add(options, threads);
  const uint64_t hash = hashKey(key.bytes());

  Hazard hazard;
  if (const KernelPointer *kernel = cache.find(hazard, hash, key.bytes())) {
    countHit(hazard);
    return use(*kernel);
  }
  CompileRequest request;
  request.text = text;
  for (const Keyed &operand : keyed) request.operands.push_back(typeOf(operand));
  request.options = options;
  request.options.threads = threads;
  std::vector<TensorType> given;
  for (const Operand &operand : operands) given.push_back(typeOf(operand));
  auto kernel = findOrCompile(hazard, hash, key.bytes(), request, given);
  if (!kernel) return kernel.error();
  return use(*kernel);
}

Expected<KernelPointer> Engine::Impl::findOrCompile(const Hazard &hazard, uint64_t hash, std::string_view key,
                                                    const CompileRequest &request,
                                                    const std::vector<TensorType> &operands) {
  std::unique_lock lock(mutex);
  if (KernelPointer kernel = cache.findInMap(hash, key)) {
    countHit(hazard);
    return kernel;
  }
  ++misses;
  const auto [place, mine] = flights.try_emplace(std::string(key));
  if (mine) place->second = std::make_shared<Flight>();
  const std::shared_ptr<Flight> flight = place->second;
  if (!mine) {
    flight->landed.wait(lock, [&] { return flight->outcome.has_value(); });
    return *flight->outcome;
  }
  lock.unlock();
  Expected<KernelPointer> outcome = [&] {
    const ForkGate gate;
    if (recompiles) recompiles->compiling(request, operands);
    return compileAndLoad(request);
  }();
  lock.lock();
  MemoryCache::Entries unread;
  if (outcome) unread = cache.insert(hash, key, *outcome);
  flight->outcome = outcome;
  flights.erase(place);
  lock.unlock();
  flight->landed.notify_all();
  return outcome;
}

Engine::Engine(const EngineOptions &options) : impl(std::make_unique<Impl>(options)) {}
Engine::~Engine() = default;

Expected<Kernel> Engine::compile(std::string_view text, std::span<const TensorType> operands,
                                 const CompileOptions &options) {
  return impl->with(text, operands, options, [](const KernelPointer &k) -> Expected<Kernel> { return Kernel(k); });
}

Expected<Kernel> Engine::compile(std::string_view text, std::span<const TensorView> operands,
                                 const CompileOptions &options) {
  return impl->with(text, operands, options, [](const KernelPointer &k) -> Expected<Kernel> { return Kernel(k); });
}

Expected<void> Engine::run(std::string_view text, std::span<const TensorView> operands,
                           std::span<const TensorView> results, const CompileOptions &options) {
  return impl->with(text, operands, options, [&](const KernelPointer &k) { return k->run(operands, results); });
}

Expected<Buffer> Engine::einsum(std::string_view text, std::span<const TensorView> operands,
                                const CompileOptions &options) {
  if (!options.resultStrides.empty())
    return makeError(ErrorCode::Layout, "einsum makes a row-major result, but result strides are given",
                     "compile a kernel and run it on memory of your own");
  if (options.beta != 0)
    return makeError(ErrorCode::Unsupported, "einsum makes a new result, so there is nothing for beta to scale",
                     "compile a kernel and run it on memory of your own");
  return impl->with(text, operands, options, [&](const KernelPointer &k) { return runForNew(*k, operands, options); });
}

Expected<Kernel> Engine::load(CompiledModule module) {
  auto kernel = LoadedKernel::load(std::move(module));
  if (!kernel) return kernel.error();
  return Kernel(std::move(*kernel));
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(impl->mutex);
  EngineStats stats{0, impl->misses, impl->compiles, impl->cache.evictions(), impl->diskHits, impl->diskWrites};
  for (const Impl::Counter &counter : impl->hits) stats.hits += counter.value.load(std::memory_order_relaxed);
  return stats;
}

Engine &Engine::global() {
  // Not a static of the function: a fork during its initialisation would leave the child waiting for ever.
  static constinit std::atomic<Engine *> engine = nullptr;
  if (Engine *made = engine.load(std::memory_order_acquire)) return *made;
  auto mine = std::make_unique<Engine>();
  Engine *other = nullptr;
  return engine.compare_exchange_strong(other, mine.get()) ? *mine.release() : *other;
}

} // namespace ein
