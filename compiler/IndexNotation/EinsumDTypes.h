// The dtypes of an einsum: what operands are rounded to, what sums are taken in, what the result is stored in.
#pragma once

#include "ein/CompileOptions.h"
#include "ein/Error.h"
#include "ein/TensorType.h"

#include <optional>
#include <span>

namespace ein {

/// Each is what the options say, or their documented default.
struct EinsumDTypes {
  DType result = DType::F32;
  DType accumulate = DType::F32;
  std::optional<DType> compute; ///< where operands are to be rounded before they are multiplied

  /// The dtype an operand is rounded to first; nothing where that changes no value.
  std::optional<DType> roundingOf(DType operand) const;
};

/// Settles the dtypes. An error names what would be accepted, but no place.
Expected<EinsumDTypes> dtypesOfEinsum(std::span<const TensorType> operands, const CompileOptions &options);

} // namespace ein
