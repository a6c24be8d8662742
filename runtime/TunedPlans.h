// The plans that `einc tune` found, one file per compilation in the cache folder.
#pragma once

#include "ein/Compile.h"

#include <string>
#include <vector>

namespace ein {

/// The file of a compilation: $XDG_CACHE_HOME/ein/v1/tuned/ and the hash of its key, which is the request without
/// plans (text, types, threads, options), the CPU and the build of the compiler. An IO error where there is no cache
/// folder or EIN_CACHE=0 turns it off.
Expected<std::string> tunedPlansPath(const CompileRequest &request);

/// What is stored for this compilation, for `CompileOptions::plans`. Empty where there is no file, or none that
/// reads back whole and is for this very key: a bad file is no error. Costs one open(). Thread-safe.
std::vector<std::string> loadTunedPlans(const CompileRequest &request);

/// Stores the plans for this compilation and gives the file's path. The file appears whole or not at all; folders are
/// made as they are needed, for the user alone. An IO error where it cannot be written or there is no folder.
Expected<std::string> storeTunedPlans(const CompileRequest &request, const std::vector<std::string> &plans);

} // namespace ein
