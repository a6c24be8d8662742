// Packs intermediates that do not live at the same time into one workspace.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ein {

/// Every place in a workspace is a multiple of this many bytes.
inline constexpr int64_t kWorkspaceAlignment = 64;

/// A block of memory that is in use from step `first` to step `last`, both included.
struct Lifetime {
  int64_t bytes = 0;
  size_t first = 0;
  size_t last = 0;
};

struct WorkspacePlan {
  std::vector<int64_t> offsets; ///< by lifetime
  int64_t bytes = 0;            ///< one past the highest byte in use, rounded up to the alignment
};

/// Largest block first, each at the lowest place that is free for all its life. Nothing if the workspace
/// does not fit 63 bits.
std::optional<WorkspacePlan> packWorkspace(std::span<const Lifetime> lifetimes);

} // namespace ein
