// What a Program may say, but better otherwise.
#pragma once

#include "compiler/IndexNotation/Program.h"

namespace ein {

/// W01 and W02 about a bound Program, once for each place: masks that are added as large negative numbers, and guards
/// that depend on float data.
std::vector<Error> findWarnings(const Program &p);

} // namespace ein
