// The contraction order that the caller gives.
#include "compiler/Paths/PathBuilder.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace ein {

std::optional<std::string> checkOrder(const std::vector<std::vector<int64_t>> &order, size_t operands) {
  size_t left = operands;
  for (size_t s = 0; s < order.size(); ++s) {
    std::string where = "step " + std::to_string(s) + " of the order ";
    if (order[s].empty()) return where + "takes no operand";
    for (int64_t position : order[s])
      if (position < 0 || position >= static_cast<int64_t>(left))
        return where + "takes operand " + std::to_string(position) + " of " + std::to_string(left);
    if (std::set<int64_t>(order[s].begin(), order[s].end()).size() != order[s].size())
      return where + "takes an operand twice";
    left -= order[s].size() - 1;
  }
  if (left != 1) return "the order leaves " + std::to_string(left) + " operands uncontracted";
  return std::nullopt;
}

ContractionPath givenPath(const ContractionProblem &problem, const std::vector<std::vector<int64_t>> &order) {
  std::vector<int32_t> left(problem.operands.size());
  std::iota(left.begin(), left.end(), 0);
  std::vector<Merge> merges;
  for (const std::vector<int64_t> &step : order) {
    int32_t result = left[step[0]];
    for (size_t k = 1; k < step.size(); ++k) {
      merges.push_back(std::minmax(result, left[step[k]]));
      result = static_cast<int32_t>(problem.operands.size() + merges.size() - 1);
    }
    std::vector<int64_t> gone = step;
    std::sort(gone.rbegin(), gone.rend());
    for (int64_t position : gone) left.erase(left.begin() + position);
    left.push_back(result);
  }
  return buildPath(problem, merges, "given");
}

} // namespace ein
