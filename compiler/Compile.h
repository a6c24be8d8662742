// The only way into the compiler.
#pragma once

#include "ein/Compile.h"

namespace ein {

/// Runs every stage in this process. Thread-safe; one compilation at a time.
Expected<CompileResult> compileModule(const CompileRequest &request);

} // namespace ein
