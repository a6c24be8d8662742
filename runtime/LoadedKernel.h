// A module whose code is in memory: what kernels and the cache share.
#pragma once

#include "ein/CompiledModule.h"
#include "ein/TensorView.h"
#include "runtime/Loader.h"

#include <memory>
#include <span>

namespace ein {

/// Immutable; any number of threads may run it at once. The code is unloaded with the last reference.
class LoadedKernel {
public:
  /// Refuses a module whose types are not valid or whose code cannot be loaded.
  static Expected<std::shared_ptr<const LoadedKernel>> load(CompiledModule module);

  const CompiledModule &module() const { return compiled; }

  /// Refuses operands and results that the code must not see: a wrong count, dtype, extent or stride, no
  /// data, misaligned data, a result that overlaps anything else.
  Expected<void> check(std::span<const TensorView> operands, std::span<const TensorView> results) const;
  /// Runs without a check; false if there is no memory for the workspace.
  bool call(void *const *operands, void *const *results) const;
  /// Checks, then runs.
  Expected<void> run(std::span<const TensorView> operands, std::span<const TensorView> results) const;

private:
  LoadedKernel(CompiledModule module, CodeImage image);

  /// Bytes [low, high) that a tensor addresses, relative to its element at index zero.
  struct Extent {
    int64_t low, high;
  };

  CompiledModule compiled;
  CodeImage image;
  std::vector<Extent> operandExtents, resultExtents;
};

} // namespace ein
