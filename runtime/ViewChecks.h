// Checks of operands and results against what a kernel was compiled for.
#pragma once

#include "ein/TensorView.h"

#include <span>
#include <string>
#include <vector>

namespace ein {

/// Refuses a wrong count, dtype, extent or stride, no data, and data that is not aligned to its element. `role`:
/// "operand" or "result".
Expected<void> checkViews(const char *role, std::span<const TensorView> views, const std::vector<TensorType> &types);

/// "operand 2".
std::string nameOfView(const char *role, size_t i);

} // namespace ein
