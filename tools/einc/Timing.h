// Times a call: median and minimum of many runs.
#pragma once

#include "ein/Error.h"

#include <functional>
#include <span>
#include <vector>

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

/// Times calls in turns for about `seconds` together, so that a noisy moment hits all alike; at least three turns each.
/// A turn is one untimed call, which brings the caches back, and then samples for about 2 ms; calls of more than 20 ms
/// go without the untimed one. Stops at the first error.
ein::Expected<std::vector<Timing>> timeInTurns(std::span<const std::function<ein::Expected<void>()>> calls,
                                               double seconds);

/// Seconds on a clock that only goes forward.
double now();

} // namespace einc
