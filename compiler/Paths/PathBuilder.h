// What the searches share: sizes, costs, and making a ContractionPath out of a list of merges.
#pragma once

#include "compiler/Paths/ContractionPath.h"

#include <chrono>
#include <span>
#include <utility>

namespace ein {

/// Two nodes to contract; node ids are those of PathStep. The result gets the next free id.
using Merge = std::pair<int32_t, int32_t>;

/// Sizes and costs stop here, so that sums and differences of them stay finite.
inline constexpr double kLargestCost = 1e300;

/// `a * b`, at most kLargestCost.
inline double multiplyCost(double a, double b) {
  double product = a * b;
  return product < kLargestCost ? product : kLargestCost;
}

/// Product of the extents of `indices`.
double sizeOf(const ContractionProblem &problem, std::span<const uint32_t> indices);

/// Turns merges into steps with results, costs and sizes. The left side has the earlier operand. A result keeps the
/// indices that a later operand or the output needs: those of both sides first, then the left's, then the right's, so
/// that it comes out of a batched GEMM as it is; the last result has the output's order. No merges: one operand.
ContractionPath buildPath(const ContractionProblem &problem, std::span<const Merge> merges, std::string strategy);

using Clock = std::chrono::steady_clock;
/// `budgetMs` from `start`.
Clock::time_point deadlineAfter(Clock::time_point start, double budgetMs);

/// The merges of `greedyPath`.
std::vector<Merge> greedyMerges(const ContractionProblem &problem, Clock::time_point deadline);

} // namespace ein
