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
        inLeft(problem.extents.size()), inRight(problem.extents.size()) {
    for (uint32_t i : problem.output) inOutput[i] = true;
    for (const auto &operand : nodes) {
      firstOperand.push_back(static_cast<int32_t>(firstOperand.size()));
      for (uint32_t i : operand) ++users[i];
    }
  }

  PathStep step(Merge merge, bool last);
  void countNaive(ContractionPath &path) const;

private:
  const ContractionProblem &problem;
  std::vector<std::vector<uint32_t>> nodes; ///< indices of each node
  std::vector<int32_t> firstOperand;        ///< of each node, the first operand that went into it
  std::vector<char> inOutput;
  std::vector<uint32_t> users; ///< how many live nodes have the index
  std::vector<char> inLeft, inRight;
};

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
  for (uint32_t i : left)
    if (inRight[i] && kept(i)) step.result.push_back(i);
  for (uint32_t i : all)
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
