// Integer labels as an einsum string.
#include "ein/Sublists.h"

#include <map>

namespace ein {
namespace {

void appendTerm(std::string &text, const Sublist &labels) {
  for (int64_t label : labels) text += label == kEllipsis ? "..." : "{i" + std::to_string(label) + "}";
}

/// An ellipsis if some operand has one, then what occurs once.
Sublist implicitOutput(std::span<const Sublist> operands) {
  std::map<int64_t, size_t> occurrences; // kEllipsis is the least label
  for (const Sublist &labels : operands)
    for (int64_t label : labels) ++occurrences[label];
  Sublist output;
  for (const auto &[label, count] : occurrences)
    if (label == kEllipsis || count == 1) output.push_back(label);
  return output;
}

Expected<void> check(const Sublist &labels, const std::string &where) {
  for (int64_t label : labels)
    if (label < 0 && label != kEllipsis)
      return makeError(ErrorCode::Syntax, "label " + std::to_string(label) + " of " + where + " is negative",
                       "labels are integers from 0 on, or kEllipsis");
  return {};
}

} // namespace

Expected<std::string> sublistText(std::span<const Sublist> operands, const std::optional<Sublist> &output) {
  std::string text;
  for (size_t o = 0; o < operands.size(); ++o) {
    if (auto fine = check(operands[o], "operand " + std::to_string(o)); !fine) return fine.error();
    if (o > 0) text += ',';
    appendTerm(text, operands[o]);
  }
  const Sublist result = output ? *output : implicitOutput(operands);
  if (auto fine = check(result, "the output"); !fine) return fine.error();
  text += "->";
  appendTerm(text, result);
  return text;
}

Expected<Buffer> einsum(std::span<const LabelledOperand> operands, const std::optional<Sublist> &output,
                        const CompileOptions &options) {
  std::vector<Sublist> labels;
  std::vector<TensorView> views;
  for (const LabelledOperand &operand : operands) {
    labels.push_back(operand.labels);
    views.push_back(operand.view);
  }
  auto text = sublistText(labels, output);
  if (!text) return text.error();
  return einsum(*text, std::span<const TensorView>(views), options);
}

} // namespace ein
