// Fatal errors of LLVM as errors of ours.
#pragma once

#include "ein/Error.h"

#include <functional>
#include <optional>

namespace ein {

/// Runs `work`. What LLVM or MLIR reports as a fatal error meanwhile, on this thread, ends it and comes back as
/// ErrorCode::Compile; what LLVM had allocated is lost, all else is destroyed as usual. Without it such an error ends
/// the process. A crash (a signal) is not caught. Thread-safe.
std::optional<Error> catchFatalErrors(const std::function<void()> &work);

} // namespace ein
