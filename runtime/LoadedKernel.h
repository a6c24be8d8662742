// A module whose code is in memory: what kernels and the cache share.
#pragma once

#include "ein/CompiledModule.h"
#include "ein/TensorView.h"
#include "runtime/GenericCode.h"
#include "runtime/Loader.h"

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace ein {

/// Immutable; any number of threads may run it at once. The code is unloaded with the last reference.
class LoadedKernel {
public:
  /// Refuses a module whose types are not valid or whose code cannot be loaded.
  static Expected<std::shared_ptr<const LoadedKernel>> load(CompiledModule module);
  /// A kernel without code of its own: `types` has its operands and results.
  static std::shared_ptr<const LoadedKernel> makeGeneric(CompiledModule types, GenericCode generic);

  const CompiledModule &module() const { return compiled; }
  /// Bytes of memory that the code takes: its anonymous file, and the copy that `module` shows.
  size_t codeBytes() const;

  /// Refuses operands and results that the code must not see: a wrong count, dtype, extent or stride, no
  /// data, misaligned data, results that overlap.
  Expected<void> check(std::span<const TensorView> operands, std::span<const TensorView> results) const;
  /// Runs without a check; false if there is no memory for the workspace. `sizes`: of a module with dynamic indices.
  bool call(void *const *operands, void *const *results, const int64_t *sizes = nullptr) const;
  /// Checks, then runs.
  Expected<void> run(std::span<const TensorView> operands, std::span<const TensorView> results) const;
  /// The types of the results for operands of these types.
  Expected<std::vector<TensorType>> resultsFor(std::span<const TensorType> operands) const;

private:
  LoadedKernel(CompiledModule module, CodeImage image, GenericCode generic);

  /// What one operand or result must be, apart from its extents and strides.
  struct Want {
    DType dtype;
    size_t rank;
    uintptr_t alignmentMask; ///< bits of its address that must be 0
    int64_t low, high;       ///< bytes [low, high) that it addresses, relative to its element at index zero
  };
  /// Calls with more operands and results than this keep their pointers on the heap.
  static constexpr size_t kFew = 16;

  /// Whether the views are what `check` accepts, without a message and without the odd cases that it accepts
  /// too: empty tensors and other strides of extent 1. Fills in the pointers. At most kFew views.
  bool evidentlyFit(std::span<const TensorView> operands, std::span<const TensorView> results, void **pointers) const;
  using Sizes = std::array<int64_t, kMaxSizes>;
  /// The same of a module with dynamic indices. Fills in the sizes, too.
  bool evidentlyFit(std::span<const TensorView> operands, std::span<const TensorView> results, void **pointers,
                    Sizes &sizes) const;
  /// Of a module with dynamic indices: whether the types fit its class. Fills in the sizes.
  Expected<void> readSizes(std::span<const TensorView> operands, std::span<const TensorView> results,
                           Sizes &sizes) const;
  Expected<void> readSizes(const char *role, size_t number, const TensorType &type, const TensorType &want,
                           const int32_t *slots, Sizes &sizes) const;
  /// `slots`: of the type's extents, which its dynamic indices have in `sizes`.
  TensorType sized(const TensorType &type, const int32_t *slots, const Sizes &sizes) const;
  /// For views that do not evidently fit. Results that overlap operands are computed elsewhere.
  Expected<void> checkAndRun(std::span<const TensorView> operands, std::span<const TensorView> results) const;
  /// Types, then data, alignment and overlap of results; `ranges` become those of the views, `sizes` are read.
  Expected<void> check(std::span<const TensorView> operands, std::span<const TensorView> results,
                       std::vector<Want> &ranges, Sizes &sizes) const;
  Error noWorkspace(const int64_t *sizes) const;
  int64_t workspaceBytes(const int64_t *sizes) const;

  CompiledModule compiled;
  CodeImage image;              ///< empty where there is `generic`
  GenericCode generic;          ///< in place of code
  size_t resultsAt;             ///< of the first result in `wanted`
  std::vector<Want> wanted;     ///< operands, then results
  std::vector<int64_t> numbers; ///< of each of `wanted`: its extents, then its strides
};

} // namespace ein
