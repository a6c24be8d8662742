// The version of the library, from the one place CMake keeps it.
#pragma once

namespace ein {

/// "0.1.0".
const char *version();

} // namespace ein
