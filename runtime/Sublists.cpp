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

/// Writes sublists as lists; the place of the first negative label, if there is one.
struct ListText {
  std::string text;
  std::optional<Label> negative;

  void append(const Sublist &labels) {
    text += '[';
    for (size_t d = 0; d < labels.size(); ++d) {
      if (d > 0) text += ',';
      const auto begin = static_cast<uint32_t>(text.size());
      text += labels[d] == kEllipsis ? "..." : std::to_string(labels[d]);
      if (labels[d] < 0 && labels[d] != kEllipsis && !negative)
        negative = Label{{begin, static_cast<uint32_t>(text.size())}, "here"};
    }
    text += ']';
  }
};

Expected<void> checkLabels(std::span<const Sublist> operands, const Sublist *output) {
  ListText list;
  for (size_t o = 0; o < operands.size(); ++o) {
    if (o > 0) list.text += ',';
    list.append(operands[o]);
  }
  if (output) list.text += "->", list.append(*output);
  if (!list.negative) return {};
  const Span span = list.negative->span;
  Error error =
      makeError(ErrorCode::Syntax, "label " + list.text.substr(span.begin, span.end - span.begin) + " is negative",
                "labels are integers from 0 on, or kEllipsis");
  error.text = std::move(list.text);
  error.labels = {*list.negative};
  return error;
}

} // namespace

Expected<std::string> sublistText(std::span<const Sublist> operands, const std::optional<Sublist> &output) {
  if (auto fine = checkLabels(operands, output ? &*output : nullptr); !fine) return fine.error();
  std::string text;
  for (size_t o = 0; o < operands.size(); ++o) {
    if (o > 0) text += ',';
    appendTerm(text, operands[o]);
  }
  text += "->";
  appendTerm(text, output ? *output : implicitOutput(operands));
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
