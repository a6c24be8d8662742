// The artefact: what the compiler returns, the caches hold and the runtime loads. Plain data.
#pragma once

#include "ein/Explanation.h"
#include "ein/Launch.h"
#include "ein/TensorType.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ein {

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

  /// Binary form, self-describing and checksummed; `deserialize(serialize())` is the identity and any
  /// other input is an error, never a crash.
  std::string serialize() const;
  static Expected<CompiledModule> deserialize(std::string_view bytes);
};

} // namespace ein
