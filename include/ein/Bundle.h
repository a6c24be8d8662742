// Kernels that were compiled ahead of time, in one file.
#pragma once

#include "ein/CompiledModule.h"

#include <string>
#include <string_view>
#include <vector>

namespace ein {

/// One of them, by the name that its file gives it.
struct BundledKernel {
  std::string name;
  std::string text; ///< the expression
  CompiledModule module;
};

/// What `einc compile -o FILE.ein` writes and `Engine::load` reads. Plain data; needs no compiler.
///
/// Like any program, a bundle is to be trusted by who loads it: its checks are against accidents.
struct Bundle {
  std::vector<BundledKernel> kernels; ///< no two of one name

  /// The kernel of that name, for an empty name the only one. The error lists the names there are.
  Expected<const BundledKernel *> find(std::string_view name) const;

  /// Binary form, self-describing and checksummed; `deserialize(serialize())` is the identity and any
  /// other input is an error, never a crash.
  std::string serialize() const;
  static Expected<Bundle> deserialize(std::string_view bytes);
  /// From a regular file of at most 1 GiB. An IO error names it.
  static Expected<Bundle> read(const std::string &path);
};

} // namespace ein
