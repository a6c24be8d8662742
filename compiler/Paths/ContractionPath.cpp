// Chooses a search.
#include "compiler/Paths/ContractionPath.h"

namespace ein {

namespace {
/// Up to here the exact search is a small part of a compilation, whatever the operands share.
constexpr size_t kOperandsSearchedExactly = 12;
} // namespace

ContractionPath findPath(const ContractionProblem &problem, PathStrategy strategy, double budgetMs) {
  bool few = problem.operands.size() <= kOperandsSearchedExactly;
  bool trivial = problem.operands.size() <= 2;
  if (strategy == PathStrategy::Optimal || trivial || (strategy == PathStrategy::Auto && few))
    return optimalPath(problem, budgetMs);
  return greedyPath(problem, budgetMs);
}

} // namespace ein
