// Compiles, caches and loads kernels.
#pragma once

#include "ein/CompileOptions.h"
#include "ein/Kernel.h"

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ein {

class Buffer; // ein/Einsum.h

/// Whether an engine keeps kernels on disk.
enum class DiskUse : uint8_t {
  Environment, ///< yes, unless EIN_CACHE=0; in the folder that EIN_CACHE_DIR, XDG_CACHE_HOME or HOME names
  Off,
};

/// How much an engine keeps in memory, and whether it keeps anything on disk. The environment is read when it is made.
struct EngineOptions {
  size_t maxKernels = 1024;
  /// Bytes of code: of its image in memory, and of the copy in `CompiledModule::code`. A kernel above it is not kept.
  size_t maxCodeBytes = size_t(256) << 20;
  DiskUse disk = DiskUse::Environment;
};

/// Counters of an engine since it was made; exact while no call is under way.
struct EngineStats {
  uint64_t hits = 0;
  uint64_t misses = 0;   ///< calls that found no kernel in memory
  uint64_t compiles = 0; ///< compilations that were run: at most one per key, however many threads asked
  uint64_t evictions = 0;
  uint64_t diskHits = 0;   ///< misses that were served from disk instead of by a compilation
  uint64_t diskWrites = 0; ///< compilations that were kept on disk
  /// Misses that a generic kernel answered while the compilation was under way.
  uint64_t genericRuns = 0;
};

/// Owns the cache of kernels in memory (least recently used goes first) and the loaded code.
/// Thread-safe. Threads that ask for one key at once compile it once: the others wait. A kernel that is found takes no
/// lock. A forked child may use the engine; fork() waits for compilations under way, which are started again in the
/// child by whoever asks. No call may be under way when the engine is destroyed; compilations in the background that
/// have begun are waited for, others are dropped.
class Engine {
public:
  explicit Engine(const EngineOptions &options = {});
  ~Engine();
  Engine(const Engine &) = delete;
  Engine &operator=(const Engine &) = delete;

  /// The kernel of an einsum string or Program text for operands of these types. The first call for a
  /// key reads the kernel from disk or, where it is not there, loads the compiler and compiles; later calls are a
  /// hash and a comparison.
  Expected<Kernel> compile(std::string_view text, std::span<const TensorType> operands,
                           const CompileOptions &options = {});
  /// The same for operands like these; their data is not looked at.
  Expected<Kernel> compile(std::string_view text, std::span<const TensorView> operands,
                           const CompileOptions &options = {});
  /// Compiles (or finds) and runs in one call.
  Expected<void> run(std::string_view text, std::span<const TensorView> operands, std::span<const TensorView> results,
                     const CompileOptions &options = {});
  /// The same, with memory made for the one result.
  Expected<Buffer> einsum(std::string_view text, std::span<const TensorView> operands,
                          const CompileOptions &options = {});
  /// Loads a module that was compiled elsewhere; it does not enter the cache.
  Expected<Kernel> load(CompiledModule module);
  /// Loads a kernel of a bundle (ein/Bundle.h): that of this name, or for an empty name the only one. Needs no
  /// compiler; refused as `unsupported` where this CPU lacks what the kernel was compiled for.
  Expected<Kernel> load(const std::string &path, std::string_view name);
  /// All kernels of a bundle, by name.
  Expected<std::map<std::string, Kernel, std::less<>>> loadAll(const std::string &path);

  EngineStats stats() const;

  /// The process-wide engine that `einsum` uses. Made at first use, never destroyed.
  static Engine &global();

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace ein
