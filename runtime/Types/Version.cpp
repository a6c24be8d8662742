// The version, as CMake states it.
#include "ein/Version.h"

namespace ein {

const char *version() { return EIN_VERSION; }

} // namespace ein
