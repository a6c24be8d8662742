// Checks of operands and results against what a kernel was compiled for.
#pragma once

#include "ein/TensorView.h"

#include <span>
#include <string>
#include <vector>

namespace ein {

// `role` in messages: "operand" or "result".

/// Refuses another number of views than the kernel takes.
Expected<void> checkViewCount(const char *role, size_t given, size_t taken);
/// Refuses a wrong count, dtype, extent or stride.
Expected<void> checkViewTypes(const char *role, std::span<const TensorView> views,
                              const std::vector<TensorType> &types);
/// Refuses no data, and data that is not aligned to its element.
Expected<void> checkViewData(const char *role, std::span<const TensorView> views);

/// "operand 2".
std::string nameOfView(const char *role, size_t i);

} // namespace ein
