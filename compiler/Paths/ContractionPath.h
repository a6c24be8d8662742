// The order in which an n-ary contraction is done, two operands at a time, and what it costs.
#pragma once

#include "ein/CompileOptions.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ein {

/// A contraction to be ordered: each operand is a set of indices, as is the output. Repeated indices
/// (diagonals) have been taken, so an index occurs at most once in an operand.
struct ContractionProblem {
  std::vector<std::vector<uint32_t>> operands; ///< indices of each operand
  std::vector<uint32_t> output;
  std::vector<int64_t> extents;   ///< by index
  std::vector<std::string> names; ///< by index, for printing
  int64_t elementBytes = 4;

  /// As an einsum string: "ij,jk->ik"; with spaces where a name is longer than a character.
  std::string str() const;
};

/// One step: contracts `left` and `right` (operand 0..n-1, or n+s for the result of step s) into a
/// tensor over `result`. `right` is absent (-1) in the one step of a one-operand contraction.
struct PathStep {
  int32_t left = 0;
  int32_t right = -1;
  std::vector<uint32_t> result;
  double flops = 0;      ///< opt_einsum's count: product of all extents, times 2 if an index is summed
  double resultSize = 0; ///< elements
};

/// A contraction tree in execution order, and the report users of opt_einsum know.
struct ContractionPath {
  std::vector<PathStep> steps;
  std::string strategy; ///< "optimal", "greedy", "trivial" or "given"
  bool provedOptimal = false;
  double naiveFlops = 0; ///< of one nest over all indices
  double optimisedFlops = 0;
  double largestIntermediate = 0; ///< elements, the output included
  double searchMs = 0;

  /// The table: scaling, FLOPs naive and optimised, speed-up, largest intermediate, one row per step.
  std::string str(const ContractionProblem &problem) const;
};

/// Finds an order. Never fails: `Auto` and `Optimal` fall back to greedy when `budgetMs` is spent
/// (`provedOptimal` tells), greedy to the smallest pair. Deterministic but for that deadline.
ContractionPath findPath(const ContractionProblem &problem, PathStrategy strategy, double budgetMs);

/// Exact over all binary trees, outer products included: dynamic programming over subsets, pruned by
/// the greedy cost. Up to 12 operands in under 10 ms, practical to about 16; more than 20 go to greedy.
ContractionPath optimalPath(const ContractionProblem &problem, double budgetMs);
/// Cheapest pair first by size(result) - size(left) - size(right), with a heap: O(n k log n).
/// When `budgetMs` is spent, what is left is contracted smallest first.
ContractionPath greedyPath(const ContractionProblem &problem, double budgetMs);

/// Whether `order` (CompileOptions::order) leaves one of `operands` operands; nothing if so, else what is wrong.
std::optional<std::string> checkOrder(const std::vector<std::vector<int64_t>> &order, size_t operands);
/// The path that a valid order means.
ContractionPath givenPath(const ContractionProblem &problem, const std::vector<std::vector<int64_t>> &order);

} // namespace ein
