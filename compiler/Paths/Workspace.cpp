// Packs intermediates that do not live at the same time into one workspace.
#include "compiler/Paths/Workspace.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace ein {

std::optional<WorkspacePlan> packWorkspace(std::span<const Lifetime> lifetimes) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max() - (kWorkspaceAlignment - 1);
  std::vector<size_t> bySize(lifetimes.size());
  std::iota(bySize.begin(), bySize.end(), size_t(0));
  std::sort(bySize.begin(), bySize.end(),
            [&](size_t a, size_t b) { return std::pair(-lifetimes[a].bytes, a) < std::pair(-lifetimes[b].bytes, b); });

  WorkspacePlan plan;
  plan.offsets.resize(lifetimes.size());
  std::vector<size_t> placed; // by offset
  for (size_t block : bySize) {
    const Lifetime &life = lifetimes[block];
    if (life.bytes > kMax) return std::nullopt;
    int64_t size = (life.bytes + kWorkspaceAlignment - 1) / kWorkspaceAlignment * kWorkspaceAlignment;
    int64_t offset = 0;
    for (size_t other : placed) {
      const Lifetime &o = lifetimes[other];
      if (o.last < life.first || life.last < o.first) continue;
      if (plan.offsets[other] - offset >= size) break;
      int64_t end =
          plan.offsets[other] + (o.bytes + kWorkspaceAlignment - 1) / kWorkspaceAlignment * kWorkspaceAlignment;
      offset = std::max(offset, end);
    }
    if (offset > kMax - size) return std::nullopt;
    plan.offsets[block] = offset;
    plan.bytes = std::max(plan.bytes, offset + size);
    auto place = std::upper_bound(placed.begin(), placed.end(), offset,
                                  [&](int64_t at, size_t other) { return at < plan.offsets[other]; });
    placed.insert(place, block);
  }
  return plan;
}

} // namespace ein
