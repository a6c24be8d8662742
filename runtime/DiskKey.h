// The key under which a kernel lies on disk.
#pragma once

#include "ein/Compile.h"

#include <string>
#include <string_view>

namespace ein {

/// Version, hash of the compiler's sources, LLVM's version: what was fixed when libein was built.
std::string_view buildId();

/// Everything the code of a kernel depends on: the build, another compiler that EIN_COMPILER names (its file's
/// identity, where it exists), this CPU, and the request as it goes to the compiler, its text canonical and the strides
/// of dimensions of extent 1 forgotten. Two requests with one key may share one module.
std::string diskKey(const CompileRequest &request);

} // namespace ein
