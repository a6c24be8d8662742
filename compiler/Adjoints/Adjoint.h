// The vector-Jacobian product of an einsum string or a Program, as text.
#pragma once

#include "ein/CompileOptions.h"
#include "ein/TensorType.h"

#include <span>
#include <string>
#include <string_view>

namespace ein {

/// What `ein::adjoint` gives (include/ein/Adjoint.h).
Expected<std::string> adjointText(std::string_view text, std::span<const TensorType> operands,
                                  std::span<const size_t> which, const CompileOptions &options);

} // namespace ein
