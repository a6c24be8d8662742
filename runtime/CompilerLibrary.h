// libein-compiler: where it is looked for, how it is loaded and called.
#pragma once

#include "ein/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ein {

/// The one function of libein-compiler. `response` is malloc'ed; it holds CompileResult::serialize() where
/// the function returns 0 and serializeError() where it returns 1.
using CompileFunction = int(const char *request, uint64_t requestSize, char **response, uint64_t *responseSize);

/// Where a library that belongs to libein may be, in the order to try: beside it, in ../lib beside that, and where the
/// dynamic linker looks.
std::vector<std::string> besideThisLibrary(const std::string &file);

/// Loads the library at the first call and never unloads it; a failure is tried again by the next call.
/// Only the file EIN_COMPILER names, if it is set; else the compiler that the program is linked with, then
/// libein-compiler.so as `besideThisLibrary` says. Thread-safe.
Expected<CompileFunction *> loadCompiler();

} // namespace ein
