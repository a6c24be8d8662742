// Times a call: median and minimum of many runs.
#pragma once

#include "ein/Error.h"

#include <functional>

namespace einc {

/// Seconds per call.
struct Timing {
  double median = 0;
  double min = 0;
  int runs = 0; ///< samples; each is the mean of enough calls to outlast the clock's own cost
};

/// Calls `call` once untimed, then for about half a second, at least 5 and at most 1000 samples. Stops at the first
/// error.
ein::Expected<Timing> timeCall(const std::function<ein::Expected<void>()> &call);

} // namespace einc
