// The artefact: what the compiler returns, the caches hold and the runtime loads. Plain data.
#pragma once

#include "ein/Explanation.h"
#include "ein/Launch.h"
#include "ein/TensorType.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ein {

/// An index whose extent comes with each call, and which extents its kernel serves.
struct DynamicIndex {
  std::string name;
  int64_t least = 0, most = 0;

  friend bool operator==(const DynamicIndex &, const DynamicIndex &) = default;
};

/// Most entries of `sizes`.
inline constexpr size_t kMaxSizes = 64;

/// Machine code and everything needed to run it.
///
/// `code` is an ELF shared object for the host whose symbol `entry` has the signature
///
///     void entry(void *const *operands, void *const *results, void *workspace)
///
/// Operand and result pointers address the element at index zero; `workspace` is 64-byte aligned and
/// `workspaceBytes` long. The kernel reads operands, writes every element of the results, and calls
/// nothing but the OpenMP runtime (libomp) and libm.
///
/// A module with dynamic indices takes sizes, too, and says how long `workspace` has to be:
///
///     void entry(void *const *operands, void *const *results, void *workspace, const int64_t *sizes)
///     int64_t entry_bytes(const int64_t *sizes)
///
/// `sizes` holds the extents of `dynamic`, in order, then the strides that `sizeSlots` names. `operands` and `results`
/// are then examples of the class.
///
/// For a GPU `code` is PTX text instead, and `launches` say what to run of it, in order on one stream. The pointers are
/// device addresses, those of operands and results multiples of 16 and the workspace's one of 256.
struct CompiledModule {
  std::string entry;
  std::string key; ///< the text of the cache key it was compiled for
  std::vector<TensorType> operands;
  std::vector<TensorType> results;
  int64_t workspaceBytes = 0;
  int32_t threads = 1;               ///< largest team it forks
  std::vector<std::string> features; ///< extensions that its code may use (ein/Cpu.h); loading it needs them all
  std::string gpu;                   ///< "sm_90a": `code` is PTX for that GPU; empty: for a CPU
  std::vector<GpuLaunch> launches;   ///< on a GPU
  Explanation explanation;
  std::string code;
  std::vector<DynamicIndex> dynamic; ///< indices whose extents come with each call
  /// Of a module with dynamic indices: for each operand, then for each result, its extents and then its strides, each
  /// as a place in `sizes`, or as one of the two below.
  std::vector<int32_t> sizeSlots;
  static constexpr int32_t kAsCompiled = -1, ///< what `operands` or `results` say
      kRowMajor = -2;                        ///< a stride that follows from the extents behind it

  /// Binary form, self-describing and checksummed; `deserialize(serialize())` is the identity and any
  /// other input is an error, never a crash.
  std::string serialize() const;
  static Expected<CompiledModule> deserialize(std::string_view bytes);
};

} // namespace ein
