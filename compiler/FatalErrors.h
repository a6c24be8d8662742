// Fatal errors of LLVM as errors of ours.
#pragma once

#include "ein/Compile.h"

#include <functional>

namespace ein {

/// Runs `work`. What LLVM or MLIR reports as a fatal error meanwhile ends it and comes back as ErrorCode::Compile; what
/// LLVM had allocated is lost, all else is destroyed as usual. Without it such an error ends the process.
/// A crash (a signal) is not caught. Thread-safe.
Expected<CompileResult> catchFatalErrors(const std::function<Expected<CompileResult>()> &work);

} // namespace ein
