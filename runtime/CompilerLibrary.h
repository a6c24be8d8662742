// libein-compiler: where it is looked for, how it is loaded and called.
#pragma once

#include "ein/Error.h"

#include <cstdint>
#include <string>

namespace ein {

/// The one function of libein-compiler. `response` is malloc'ed; it holds CompileResult::serialize() where
/// the function returns 0 and serializeError() where it returns 1.
using CompileFunction = int(const char *request, uint64_t requestSize, char **response, uint64_t *responseSize);

/// Loads the library at the first call and never unloads it; a failure is tried again by the next call.
/// Only the file EIN_COMPILER names, if it is set; else the compiler that the program is linked with,
/// libein-compiler.so beside libein, in ../lib beside that, and where the dynamic linker looks. Thread-safe.
Expected<CompileFunction *> loadCompiler();

} // namespace ein
