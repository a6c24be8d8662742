// Makes a ContractionPath out of a list of merges.
#include "compiler/Paths/PathBuilder.h"

#include <algorithm>

namespace ein {

double sizeOf(const ContractionProblem &problem, std::span<const uint32_t> indices) {
  double size = 1;
  for (uint32_t i : indices) {
    // A zero extent wins over one that has been cut off.
    if (problem.extents[i] == 0) return 0;
    size = multiplyCost(size, static_cast<double>(problem.extents[i]));
  }
  return size;
}

namespace {

class PathBuilder {
public:
  explicit PathBuilder(const ContractionProblem &problem)
      : problem(problem), nodes(problem.operands), inOutput(problem.extents.size()), users(problem.extents.size()),
        inLeft(problem.extents.size()), inRight(problem.extents.size()), outputPlace(problem.extents.size()) {
    for (uint32_t i : problem.output) inOutput[i] = true;
    for (size_t at = 0; at < problem.output.size(); ++at) outputPlace[problem.output[at]] = at;
    for (const auto &operand : nodes) {
      firstOperand.push_back(static_cast<int32_t>(firstOperand.size()));
      for (uint32_t i : operand) ++users[i];
    }
  }

  PathStep step(Merge merge, bool last);
  bool before(const std::vector<uint32_t> &a, const std::vector<uint32_t> &b) const;
  void countNaive(ContractionPath &path) const;

private:
  const ContractionProblem &problem;
  std::vector<std::vector<uint32_t>> nodes; ///< indices of each node
  std::vector<int32_t> firstOperand;        ///< of each node, the first operand that went into it
  std::vector<char> inOutput;
  std::vector<uint32_t> users; ///< how many live nodes have the index
  std::vector<char> inLeft, inRight;
  std::vector<size_t> outputPlace; ///< where the output has the index
};

/// Whether `a` comes first in the layout of what the two make: what the output has last comes last, what it has not
/// comes first. Does not depend on the order of the text, so that one expression has one layout however it is spelt.
bool PathBuilder::before(const std::vector<uint32_t> &a, const std::vector<uint32_t> &b) const {
  auto key = [&](const std::vector<uint32_t> &node) {
    size_t latest = 0;
    for (uint32_t i : node) {
      const bool own = !(inLeft[i] && inRight[i]) && (inOutput[i] || users[i] > 1);
      if (own) latest = std::max(latest, inOutput[i] ? 2 * outputPlace[i] + 1 : problem.output.size());
    }
    return std::pair(latest, -sizeOf(problem, node));
  };
  return key(a) < key(b);
}

PathStep PathBuilder::step(Merge merge, bool last) {
  static const std::vector<uint32_t> nothing;
  // The operands keep the order of the text.
  if (merge.second >= 0 && firstOperand[merge.second] < firstOperand[merge.first]) std::swap(merge.first, merge.second);
  const auto &left = nodes[merge.first];
  const auto &right = merge.second < 0 ? nothing : nodes[merge.second];
  for (uint32_t i : left) inLeft[i] = true;
  for (uint32_t i : right) inRight[i] = true;
  auto kept = [&](uint32_t i) { return inOutput[i] || users[i] > uint32_t(inLeft[i]) + uint32_t(inRight[i]); };

  PathStep step;
  step.left = merge.first;
  step.right = merge.second;
  std::vector<uint32_t> all = left;
  for (uint32_t i : right)
    if (!inLeft[i]) all.push_back(i);
  const bool swap = before(right, left);
  const auto &first = swap ? right : left, &second = swap ? left : right;
  for (uint32_t i : first)
    if (inLeft[i] && inRight[i] && kept(i)) step.result.push_back(i);
  for (const auto *node : {&first, &second})
    for (uint32_t i : *node)
      if (!(inLeft[i] && inRight[i]) && kept(i)) step.result.push_back(i);
  bool sums = step.result.size() < all.size();
  if (last) step.result = problem.output;
  step.flops = multiplyCost(sizeOf(problem, all), sums ? 2 : 1);
  step.resultSize = sizeOf(problem, step.result);

  for (uint32_t i : left) inLeft[i] = false, --users[i];
  for (uint32_t i : right) inRight[i] = false, --users[i];
  for (uint32_t i : step.result) ++users[i];
  nodes.push_back(step.result);
  firstOperand.push_back(firstOperand[merge.first]);
  return step;
}

void PathBuilder::countNaive(ContractionPath &path) const {
  std::vector<uint32_t> all;
  for (const auto &operand : problem.operands) all.insert(all.end(), operand.begin(), operand.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  size_t multiplications = std::max<size_t>(1, problem.operands.size() - 1);
  bool sums = all.size() > problem.output.size();
  path.naiveFlops = multiplyCost(sizeOf(problem, all), static_cast<double>(multiplications + sums));
}

} // namespace

Clock::time_point deadlineAfter(Clock::time_point start, double budgetMs) {
  std::chrono::duration<double, std::milli> budget(std::clamp(budgetMs, 0.0, 1e9));
  return start + std::chrono::duration_cast<Clock::duration>(budget);
}

ContractionPath buildPath(const ContractionProblem &problem, std::span<const Merge> merges, std::string strategy) {
  ContractionPath path;
  path.strategy = std::move(strategy);
  if (problem.operands.empty()) return path;
  PathBuilder builder(problem);
  builder.countNaive(path);
  const Merge copy{0, -1};
  if (merges.empty()) merges = {&copy, 1};
  for (const Merge &merge : merges) {
    path.steps.push_back(builder.step(merge, &merge == &merges.back()));
    path.optimisedFlops += path.steps.back().flops;
    path.largestIntermediate = std::max(path.largestIntermediate, path.steps.back().resultSize);
  }
  return path;
}

} // namespace ein
