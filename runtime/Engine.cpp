// The engine: keys, the memory cache, one compilation per key however many threads ask.
#include "ein/Engine.h"
#include "ein/Compile.h"
#include "runtime/BackgroundThread.h"
#include "runtime/Environment.h"
#include "runtime/Fork.h"
#include "runtime/KernelKey.h"
#include "runtime/KernelSource.h"
#include "runtime/MemoryCache.h"
#include "runtime/NewResult.h"
#include "runtime/ShapeClass.h"

#include <array>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>

namespace ein {
namespace {

using KernelPointer = std::shared_ptr<const LoadedKernel>;

/// A compilation under way, or one in the background that failed and of which nobody was told. The threads that wait
/// for it hold it, and the engine's lock.
struct Flight {
  std::condition_variable changed;
  std::optional<Expected<KernelPointer>> outcome;
  KernelPointer generic;                     ///< for calls that need not wait
  std::optional<KernelSource::Order> queued; ///< until somebody begins with it
};

/// What a call may be answered with while its kernel is being compiled.
enum class Answer : uint8_t { Compiled, Generic };

/// Failures in the background that are kept until somebody asks for the same again; further ones are forgotten.
constexpr size_t kMaxUntold = 256;

const TensorType &typeOf(const TensorType &type) { return type; }
const TensorType &typeOf(const TensorView &view) { return view.type; }
const ShapeClass::Operand &typeOf(const ShapeClass::Operand &operand) { return operand; }

} // namespace

/// A kernel that is found takes no lock. One lock guards the rest; it is held for a lookup, never for a compilation.
struct Engine::Impl final : ForkLock {
  explicit Impl(const EngineOptions &options)
      : source(options.disk == DiskUse::Environment), cache(options.maxKernels, options.maxCodeBytes),
        defaultThreads(resolveThreads(0)), alwaysInBackground(wantsBackground()) {
    join();
  }
  ~Impl() { leave(); }

  /// Calls `use` with the kernel for operands given by their types or by views, whose key is found or compiled; with
  /// `Answer::Generic` and where the options or the environment ask for it, perhaps with a generic one.
  template <class Operand, class Use>
  std::invoke_result_t<Use, const KernelPointer &> with(std::string_view text, std::span<const Operand> operands,
                                                        const CompileOptions &options, Answer answer, Use use);

  /// The same once the threads are resolved; `keyed`: the operands that name the kernel, of the shape class of
  /// `operands` where indices are dynamic.
  template <class Keyed, class Operand, class Use>
  std::invoke_result_t<Use, const KernelPointer &>
  withKey(std::string_view text, std::span<const Keyed> keyed, std::span<const Operand> operands,
          const CompileOptions &options, int threads, Answer answer, Use use);

  /// For a key that is not in the table. Waits for its flight, or makes one and compiles. `operands`: of the call.
  Expected<KernelPointer> findOrCompile(const Hazard &hazard, uint64_t hash, std::string_view key,
                                        const CompileRequest &request, const std::vector<TensorType> &operands,
                                        Answer answer);
  /// For a flight of one's own: its outcome; nothing where it has a generic kernel and goes on in the background.
  std::optional<Expected<KernelPointer>> fly(const std::shared_ptr<Flight> &flight, uint64_t hash, std::string_view key,
                                             const CompileRequest &request, const std::vector<TensorType> &operands,
                                             Answer answer);
  /// Compiles what is queued, if nobody has begun. `isTold`: as below.
  void flyQueued(Flight &flight, uint64_t hash, const std::string &key, bool isTold);
  /// Ends a flight. `isTold`: whether its outcome reaches a caller as it is.
  void land(Flight &flight, uint64_t hash, const std::string &key, const Expected<KernelPointer> &outcome, bool isTold);

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
  static bool wantsBackground() {
    const char *word = environment(EnvironmentVariable::Background);
    return word && std::strcmp(word, "1") == 0;
  }

  KernelSource source;
  std::mutex mutex;
  MemoryCache cache;
  std::map<std::string, std::shared_ptr<Flight>> flights;
  uint64_t misses = 0, genericRuns = 0;
  std::array<Counter, 16> hits;
  const int defaultThreads;
  const bool alwaysInBackground;
  BackgroundThread background; ///< destroyed first: its job needs all the others
};

template <class Operand, class Use>
std::invoke_result_t<Use, const KernelPointer &>
Engine::Impl::with(std::string_view text, std::span<const Operand> operands, const CompileOptions &options,
                   Answer answer, Use use) {
  const int threads = options.threads == 0 ? defaultThreads : options.threads;
  if (threads < 1 || threads > kMaxThreads)
    return makeError(ErrorCode::Limit, "a team of " + std::to_string(threads) + " threads",
                     "1 to " + std::to_string(kMaxThreads) + " threads, or 0 for the default");
  if (options.dynamic.empty()) return withKey(text, operands, operands, options, threads, answer, use);
  Few<const TensorType *, 8> types(operands.size());
  for (size_t o = 0; o < operands.size(); ++o) types[o] = &typeOf(operands[o]);
  const ShapeClass standard(text, types.values(), options);
  return withKey(text, standard.operands(), operands, options, threads, answer, use);
}

template <class Keyed, class Operand, class Use>
[[gnu::always_inline]] inline std::invoke_result_t<Use, const KernelPointer &>
Engine::Impl::withKey(std::string_view text, std::span<const Keyed> keyed, std::span<const Operand> operands,
                      const CompileOptions &options, int threads, Answer answer, Use use) {
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
  if (!options.background && !alwaysInBackground) answer = Answer::Compiled;
  auto kernel = findOrCompile(hazard, hash, key.bytes(), request, given, answer);
  if (!kernel) return kernel.error();
  return use(*kernel);
}

Expected<KernelPointer> Engine::Impl::findOrCompile(const Hazard &hazard, uint64_t hash, std::string_view key,
                                                    const CompileRequest &request,
                                                    const std::vector<TensorType> &operands, Answer answer) {
  std::unique_lock lock(mutex);
  if (KernelPointer kernel = cache.findInMap(hash, key)) {
    countHit(hazard);
    return kernel;
  }
  ++misses;
  const auto [place, mine] = flights.try_emplace(std::string(key));
  if (mine) place->second = std::make_shared<Flight>();
  const std::shared_ptr<Flight> flight = place->second;
  if (mine) {
    lock.unlock();
    if (auto outcome = fly(flight, hash, key, request, operands, answer)) return *outcome;
    lock.lock();
  }
  const bool mayBeGeneric = answer == Answer::Generic;
  if (!mayBeGeneric && flight->queued) {
    // Who waits does not stand in the queue.
    lock.unlock();
    flyQueued(*flight, hash, std::string(key), /*isTold=*/true);
    lock.lock();
  }
  flight->changed.wait(lock, [&] { return flight->outcome || (mayBeGeneric && flight->generic); });
  if (!flight->outcome) {
    ++genericRuns;
    return flight->generic;
  }
  // Whoever is told of a failure takes it away, if it is still there.
  if (const auto left = flights.find(std::string(key)); left != flights.end() && left->second == flight)
    flights.erase(left);
  return *flight->outcome;
}

std::optional<Expected<KernelPointer>> Engine::Impl::fly(const std::shared_ptr<Flight> &flight, uint64_t hash,
                                                         std::string_view key, const CompileRequest &request,
                                                         const std::vector<TensorType> &operands, Answer answer) {
  const std::string ownKey(key);
  const auto arrive = [&](const Expected<KernelPointer> &outcome) {
    land(*flight, hash, ownKey, outcome, /*isTold=*/true);
    return outcome;
  };
  const ForkGate gate;
  auto order = source.order(request, operands);
  if (!order) return arrive(order.error());
  if (KernelPointer kernel = source.fromDisk(*order)) return arrive(kernel);
  if (answer == Answer::Generic) {
    auto generic = source.generic(*order);
    if (!generic) return arrive(generic.error());
    if (*generic) {
      {
        const std::lock_guard lock(mutex);
        flight->generic = *generic;
        flight->queued = std::move(*order);
      }
      flight->changed.notify_all();
      const auto job = [this, flight, hash, ownKey] { flyQueued(*flight, hash, ownKey, /*isTold=*/false); };
      if (!background.add(job)) flyQueued(*flight, hash, ownKey, /*isTold=*/true);
      return std::nullopt;
    }
  }
  return arrive(source.compile(*order));
}

void Engine::Impl::flyQueued(Flight &flight, uint64_t hash, const std::string &key, bool isTold) {
  const ForkGate gate;
  std::optional<KernelSource::Order> order;
  {
    const std::lock_guard lock(mutex);
    order.swap(flight.queued);
  }
  if (order) land(flight, hash, key, source.compile(*order), isTold);
}

void Engine::Impl::land(Flight &flight, uint64_t hash, const std::string &key, const Expected<KernelPointer> &outcome,
                        bool isTold) {
  MemoryCache::Entries unread;
  {
    const std::lock_guard lock(mutex);
    if (outcome) unread = cache.insert(hash, key, *outcome);
    flight.outcome = outcome;
    if (outcome || isTold || flights.size() > kMaxUntold) flights.erase(key);
  }
  flight.changed.notify_all();
}

Engine::Engine(const EngineOptions &options) : impl(std::make_unique<Impl>(options)) {}
Engine::~Engine() = default;

Expected<Kernel> Engine::compile(std::string_view text, std::span<const TensorType> operands,
                                 const CompileOptions &options) {
  return impl->with(text, operands, options, Answer::Compiled,
                    [](const KernelPointer &k) -> Expected<Kernel> { return Kernel(k); });
}

Expected<Kernel> Engine::compile(std::string_view text, std::span<const TensorView> operands,
                                 const CompileOptions &options) {
  return impl->with(text, operands, options, Answer::Compiled,
                    [](const KernelPointer &k) -> Expected<Kernel> { return Kernel(k); });
}

Expected<void> Engine::run(std::string_view text, std::span<const TensorView> operands,
                           std::span<const TensorView> results, const CompileOptions &options) {
  return impl->with(text, operands, options, Answer::Generic,
                    [&](const KernelPointer &k) { return k->run(operands, results); });
}

Expected<Buffer> Engine::einsum(std::string_view text, std::span<const TensorView> operands,
                                const CompileOptions &options) {
  if (!options.resultStrides.empty())
    return makeError(ErrorCode::Layout, "einsum makes a row-major result, but result strides are given",
                     "compile a kernel and run it on memory of your own");
  if (options.beta != 0)
    return makeError(ErrorCode::Unsupported, "einsum makes a new result, so there is nothing for beta to scale",
                     "compile a kernel and run it on memory of your own");
  return impl->with(text, operands, options, Answer::Generic,
                    [&](const KernelPointer &k) { return runForNew(*k, operands, options); });
}

Expected<Kernel> Engine::load(CompiledModule module) {
  auto kernel = LoadedKernel::load(std::move(module));
  if (!kernel) return kernel.error();
  return Kernel(std::move(*kernel));
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(impl->mutex);
  const KernelSource &source = impl->source;
  EngineStats stats{.misses = impl->misses,
                    .compiles = source.compiles,
                    .evictions = impl->cache.evictions(),
                    .diskHits = source.diskHits,
                    .diskWrites = source.diskWrites,
                    .genericRuns = impl->genericRuns};
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
