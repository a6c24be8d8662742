// The types of a Program's results in memory.
#pragma once

#include "compiler/IndexNotation/Program.h"

namespace ein {

/// Types of the results: row-major, or with the strides that `options` ask for. Refuses strides of which two elements
/// would share memory.
Expected<std::vector<TensorType>> resultTypes(const Program &program, const CompileOptions &options);

} // namespace ein
