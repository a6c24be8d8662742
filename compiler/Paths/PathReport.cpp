// Prints a ContractionPath as the table that users of opt_einsum know.
#include "compiler/Paths/ContractionPath.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <set>

namespace ein {

namespace {

/// Rows printed from either end of a long path, operands named in one cell.
constexpr size_t kRowsPerEnd = 10, kOperandsPerCell = 8;

[[gnu::format(printf, 1, 2)]] std::string format(const char *pattern, ...) {
  char buffer[160];
  va_list args;
  va_start(args, pattern);
  std::vsnprintf(buffer, sizeof buffer, pattern, args);
  va_end(args);
  return buffer;
}

/// Code points: the width of a column that holds the text.
size_t width(const std::string &text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string padded(std::string text, size_t columns) {
  size_t now = width(text);
  return now < columns ? text + std::string(columns - now, ' ') : text;
}

using Indices = std::vector<uint32_t>;

std::string einsumText(const ContractionProblem &problem, const std::vector<const Indices *> &operands,
                       const Indices &result, size_t most) {
  bool spaced = false;
  for (const Indices *term : operands)
    for (uint32_t i : *term) spaced |= width(problem.names[i]) > 1;
  auto append = [&](std::string &text, const Indices &term) {
    for (size_t n = 0; n < term.size(); ++n) text += (spaced && n > 0 ? " " : "") + problem.names[term[n]];
  };
  std::string text;
  if (operands.size() > most)
    text = format("(%zu operands)", operands.size());
  else
    for (size_t n = 0; n < operands.size(); ++n) {
      text += n == 0 ? "" : spaced ? ", " : ",";
      append(text, *operands[n]);
    }
  text += spaced ? " -> " : "->";
  append(text, result);
  return text;
}

class Report {
public:
  Report(const ContractionPath &path, const ContractionProblem &problem);
  std::string str();

private:
  std::string summary() const;
  Indices loopIndices(const PathStep &step) const;
  size_t naiveScaling() const;
  std::string row(const PathStep &step, const std::set<int32_t> &remaining) const;

  const ContractionPath &path;
  const ContractionProblem &problem;
  std::vector<const Indices *> nodes;
};

Report::Report(const ContractionPath &path, const ContractionProblem &problem) : path(path), problem(problem) {
  for (const Indices &operand : problem.operands) nodes.push_back(&operand);
  for (const PathStep &step : path.steps) nodes.push_back(&step.result);
}

Indices Report::loopIndices(const PathStep &step) const {
  Indices all = *nodes[step.left];
  if (step.right >= 0) all.insert(all.end(), nodes[step.right]->begin(), nodes[step.right]->end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

size_t Report::naiveScaling() const {
  std::set<uint32_t> all;
  for (const auto &operand : problem.operands) all.insert(operand.begin(), operand.end());
  return all.size();
}

std::string Report::row(const PathStep &step, const std::set<int32_t> &remaining) const {
  std::vector<const Indices *> now{nodes[step.left]}, rest;
  if (step.right >= 0) now.push_back(nodes[step.right]);
  for (int32_t node : remaining) rest.push_back(nodes[node]);
  return format("  %7zu  ", loopIndices(step).size()) +
         padded(einsumText(problem, now, step.result, kOperandsPerCell), 24) + "  " +
         einsumText(problem, rest, problem.output, kOperandsPerCell) + "\n";
}

std::string Report::summary() const {
  size_t scaling = 0;
  for (const PathStep &step : path.steps) scaling = std::max(scaling, loopIndices(step).size());
  double bytes = path.largestIntermediate * static_cast<double>(problem.elementBytes);
  double speedUp = path.optimisedFlops > 0 ? path.naiveFlops / path.optimisedFlops : 1;
  std::vector<const Indices *> operands(nodes.begin(), nodes.begin() + static_cast<ptrdiff_t>(problem.operands.size()));
  std::string text = "contraction: " + einsumText(problem, operands, problem.output, kOperandsPerCell) + "\n";
  text +=
      format("  order:                 %s%s\n", path.strategy.c_str(), path.provedOptimal ? ", proved optimal" : "");
  text += format("  naive scaling:         %zu\n", naiveScaling());
  text += format("  optimised scaling:     %zu\n", scaling);
  text += format("  naive FLOP count:      %.3e\n", path.naiveFlops);
  text += format("  optimised FLOP count:  %.3e\n", path.optimisedFlops);
  text += format("  theoretical speed-up:  %.3g\n", speedUp);
  text += format("  largest intermediate:  %.3e elements, %.3e bytes\n", path.largestIntermediate, bytes);
  return text;
}

std::string Report::str() {
  std::string text = summary() + "  scaling  " + padded("current", 24) + "  remaining\n";
  std::set<int32_t> remaining;
  for (size_t o = 0; o < problem.operands.size(); ++o) remaining.insert(static_cast<int32_t>(o));
  for (size_t s = 0; s < path.steps.size(); ++s) {
    const PathStep &step = path.steps[s];
    remaining.erase(step.left);
    remaining.erase(step.right);
    remaining.insert(static_cast<int32_t>(problem.operands.size() + s));
    bool shown = path.steps.size() <= 2 * kRowsPerEnd || s < kRowsPerEnd || s + kRowsPerEnd >= path.steps.size();
    if (shown)
      text += row(step, remaining);
    else if (s == kRowsPerEnd)
      text += format("      ...  (%zu steps)\n", path.steps.size() - 2 * kRowsPerEnd);
  }
  return text;
}

} // namespace

std::string ContractionProblem::str() const {
  std::vector<const Indices *> all;
  for (const Indices &operand : operands) all.push_back(&operand);
  return einsumText(*this, all, output, all.size());
}

std::string ContractionPath::str(const ContractionProblem &problem) const { return Report(*this, problem).str(); }

} // namespace ein
