// The cost model behind the choice between one n-ary nest and pairwise steps.
#include "compiler/Paths/Fusion.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace ein {
namespace {

using Indices = std::vector<uint32_t>;

/// Elements of f32 that a core loads, or multiplies and adds, in a cycle.
constexpr double kElementsPerCycle = 32;
/// Bytes per cycle for tensors that stay in a core's cache, in the shared one, or in neither.
constexpr double kOwnCache = 1 << 20, kOwnRate = 32, kSharedCache = 16 << 20, kSharedRate = 10, kMemoryRate = 3;
/// Cycles to start a nest.
constexpr double kNestCycles = 200;
/// A contraction in pairs is done in register tiles where each of its sides is at least this long.
constexpr double kTiled = 4;
/// Loads that an operand costs whose elements are not adjacent along the lanes.
constexpr double kGatherLoads = 8;
/// How many times longer one nest may take where pairs do not fit the memory limit.
constexpr double kTimeForMemory = 10;
/// Bytes of a vector.
constexpr double kVectorBytes = 64;

bool contains(const Indices &indices, uint32_t i) {
  return std::find(indices.begin(), indices.end(), i) != indices.end();
}

class Model {
public:
  Model(const ContractionProblem &problem, const ContractionPath &path) : problem(problem), path(path) {
    for (const Indices &operand : problem.operands) nodes.push_back(&operand);
    for (const PathStep &step : path.steps) nodes.push_back(&step.result);
  }

  double fused() const;
  double pairwise() const;
  double intermediateBytes() const;

private:
  double size(const Indices &indices) const {
    double n = 1;
    for (uint32_t i : indices) n *= double(problem.extents[i]);
    return n;
  }
  double bytes(const Indices &indices) const { return size(indices) * double(problem.elementBytes); }
  double traffic(const Indices &indices) const {
    const double b = bytes(indices);
    return b / (b <= kOwnCache ? kOwnRate : b <= kSharedCache ? kSharedRate : kMemoryRate);
  }
  double step(const PathStep &step) const;
  double tripCycles(uint32_t lane) const;

  const ContractionProblem &problem;
  const ContractionPath &path;
  std::vector<const Indices *> nodes;
};

double Model::step(const PathStep &step) const {
  const Indices none, &left = *nodes[step.left], &right = step.right < 0 ? none : *nodes[step.right];
  double rows = 1, cols = 1, depth = 1, batch = 1, points = size(left);
  for (uint32_t i : left)
    (!contains(step.result, i) ? depth : contains(right, i) ? batch : rows) *= double(problem.extents[i]);
  for (uint32_t i : right)
    if (!contains(left, i)) points *= double(problem.extents[i]), cols *= double(problem.extents[i]);
  const bool tiled = std::min({rows, cols, depth}) >= kTiled;
  const double cycles = points * (tiled ? 1 : 3) / kElementsPerCycle * double(problem.elementBytes) / 4;
  return kNestCycles + cycles + traffic(left) + traffic(right) + 2 * traffic(step.result);
}

double Model::pairwise() const {
  double cycles = 0;
  for (const PathStep &s : path.steps) cycles += step(s);
  return cycles;
}

double Model::intermediateBytes() const {
  double sum = 0;
  for (size_t s = 0; s + 1 < path.steps.size(); ++s) sum += bytes(path.steps[s].result);
  return sum;
}

/// Cycles of one trip along `lane`, the index that the lanes would follow: for each vector a load and a multiplication
/// per operand that moves, once per trip those of the others.
double Model::tripCycles(uint32_t lane) const {
  const double lanes = kVectorBytes / double(problem.elementBytes);
  const double vectors = std::ceil(double(problem.extents[lane]) / lanes);
  double cycles = 0;
  for (const Indices &operand : problem.operands)
    cycles += !contains(operand, lane) ? 1 : operand.back() == lane ? vectors : vectors * kGatherLoads;
  if (contains(problem.output, lane)) cycles += problem.output.back() == lane ? vectors : vectors * kGatherLoads;
  return cycles;
}

double Model::fused() const {
  Indices all = problem.output;
  double cycles = kNestCycles + 2 * traffic(problem.output), best = 1e300;
  for (const Indices &operand : problem.operands) {
    for (uint32_t i : operand)
      if (!contains(all, i)) all.push_back(i);
    cycles += traffic(operand);
  }
  for (uint32_t lane : all) best = std::min(best, size(all) / double(problem.extents[lane]) * tripCycles(lane));
  return cycles + (all.empty() ? 0 : best);
}

} // namespace

std::string FusionChoice::str() const {
  char text[160];
  std::snprintf(text, sizeof text, "one nest: %.2e cycles; in pairs: %.2e cycles and %.2e bytes of intermediates; %s",
                fusedCycles, pairwiseCycles, intermediateBytes, fused ? "one nest" : "pairs");
  return text;
}

FusionChoice chooseFusion(const ContractionProblem &problem, const ContractionPath &path, double memoryLimit) {
  FusionChoice choice;
  if (problem.operands.size() < 3) return choice;
  const Model model(problem, path);
  choice.fusedCycles = model.fused();
  choice.pairwiseCycles = model.pairwise();
  choice.intermediateBytes = model.intermediateBytes();
  const bool tooLarge = memoryLimit > 0 && choice.intermediateBytes > memoryLimit;
  choice.fused = choice.fusedCycles < (tooLarge ? kTimeForMemory : 1) * choice.pairwiseCycles;
  return choice;
}

} // namespace ein
