// Shape classes: the operands' types with what dynamic indices leave to each call put into one standard form.
#pragma once

#include "ein/CompileOptions.h"
#include "ein/TensorType.h"

#include <span>
#include <string_view>
#include <vector>

namespace ein {

/// Extents from here on are served by one kernel, those below by another.
inline constexpr int64_t kLongExtent = 64;
/// Most dynamic indices.
inline constexpr size_t kMaxDynamic = 8;

/// The types that stand for all operands of a class in keys and in the compiler. Every extent of a dynamic index
/// becomes a number that says which index it is and whether it is long (a prime, so that nothing divides it by chance).
/// An operand with such a dimension is row-major if it was; else its strides of 0 and 1 stay, and the others become
/// numbers of their own. All else stays as it is, extents 1 that broadcast as well. Idempotent. `options.dynamic` must
/// not be empty; at most kMaxDynamic names count.
std::vector<TensorType> shapeClass(std::string_view text, std::span<const TensorType> operands,
                                   const CompileOptions &options);

} // namespace ein
