// What a caller may choose about a compilation.
#pragma once

#include "ein/Target.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ein {

/// How the contraction order is searched.
enum class PathStrategy : uint8_t {
  Auto,    ///< exact while that is cheap, else greedy; never beyond `pathBudgetMs`
  Optimal, ///< exact: dynamic programming over subsets of operands
  Greedy,  ///< n log n
};

/// A plain struct with defaults; part of the cache key.
struct CompileOptions {
  Target target;
  PathStrategy path = PathStrategy::Auto;
  /// Wall-clock cap of the order search, milliseconds.
  double pathBudgetMs = 100;
  /// Team size. 0: EIN_NUM_THREADS, else the cores this process may use.
  int threads = 0;
  /// Refuse a kernel that needs more workspace than this many bytes. 0: no limit.
  int64_t memoryLimit = 0;
  /// Layout of each result; empty: row-major. Strides in elements, one list per result.
  std::vector<std::vector<int64_t>> resultStrides;
  /// Decisions about single steps in place of the planner's, as `einc tune` finds them; one that does not fit
  /// its step is left out, and the plan says why. Empty: what `einc tune` stored for this compilation, if
  /// anything. Only to be passed on as they are.
  std::vector<std::string> plans;

  friend bool operator==(const CompileOptions &, const CompileOptions &) = default;
};

} // namespace ein
