// A call that makes memory for its result.
#pragma once

#include "ein/Einsum.h"

namespace ein {

/// Refuses a kernel of several results, and memory that is not there. `options`: those it was compiled with.
Expected<Buffer> runForNew(const LoadedKernel &kernel, std::span<const TensorView> operands,
                           const CompileOptions &options);

} // namespace ein
