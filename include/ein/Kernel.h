// A compiled expression that can be called.
#pragma once

#include "ein/CompiledModule.h"
#include "ein/TensorView.h"

#include <memory>
#include <span>

namespace ein {

class LoadedKernel;

/// An immutable handle to loaded code; copying is cheap, the code lives as long as any handle.
/// Thread-safe: any number of threads may run one kernel at once.
class Kernel {
public:
  /// Checks operands and results against the compiled types (dtype, extents, strides), then runs.
  /// Every element of each result is written. A result that overlaps an operand in memory is right as well: it is
  /// computed in memory of its own, then copied. Results must not overlap each other.
  Expected<void> run(std::span<const TensorView> operands, std::span<const TensorView> results) const;
  /// The same without any check: `operands` and `results` are pointers to elements at index zero, and no result
  /// overlaps anything. False, and nothing is run, if there is no memory for the workspace.
  /// Of a kernel with dynamic indices, which cannot know its sizes, always false.
  bool runUnchecked(void *const *operands, void *const *results) const;
  /// The types of the results for operands of these types: `results()`, unless there are dynamic indices.
  Expected<std::vector<TensorType>> resultsFor(std::span<const TensorType> operands) const;

  const CompiledModule &module() const;
  /// Its steps, what each stores and never stores, and why chains of reductions are or are not one pass.
  const Explanation &explain() const { return module().explanation; }
  const std::vector<TensorType> &operands() const { return module().operands; }
  const std::vector<TensorType> &results() const { return module().results; }

private:
  friend class Engine;
  explicit Kernel(std::shared_ptr<const LoadedKernel> loaded) : loaded(std::move(loaded)) {}
  std::shared_ptr<const LoadedKernel> loaded;
};

} // namespace ein
