// Integer labels in place of an einsum string.
#pragma once

#include "ein/Einsum.h"

#include <limits>
#include <optional>
#include <string>

namespace ein {

/// The labels of one operand or of the output, one per dimension: integers from 0 on, without an upper limit.
using Sublist = std::vector<int64_t>;

/// Stands for '...' in a Sublist.
inline constexpr int64_t kEllipsis = std::numeric_limits<int64_t>::min();

/// The einsum string that sublists mean, with label 7 written {i7}; for `Engine` and everything else that takes a
/// text. Without `output` it is the ellipsis' dimensions, then the labels that occur once, by number. A negative
/// label is a `syntax` error.
///
///     sublistText({{0, 1}, {1, 2}}, Sublist{0, 2})   →  "{i0}{i1},{i1}{i2}->{i0}{i2}"
Expected<std::string> sublistText(std::span<const Sublist> operands, const std::optional<Sublist> &output = {});

/// An operand and its labels.
struct LabelledOperand {
  TensorView view;
  Sublist labels;
};

/// `auto c = ein::einsum({{a, {0, 1}}, {b, {1, 2}}}, ein::Sublist{0, 2});`
Expected<Buffer> einsum(std::span<const LabelledOperand> operands, const std::optional<Sublist> &output = {},
                        const CompileOptions &options = {});
inline Expected<Buffer> einsum(std::initializer_list<LabelledOperand> operands,
                               const std::optional<Sublist> &output = {}, const CompileOptions &options = {}) {
  return einsum(std::span<const LabelledOperand>(operands.begin(), operands.size()), output, options);
}

} // namespace ein
