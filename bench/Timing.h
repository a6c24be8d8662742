// Interleaved timing: all subjects take turns, so that a noisy moment hits each of them alike.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace bench {

/// Seconds on a clock that only goes forward.
double now();

/// Seconds per call.
struct Stats {
  double median = 0;
  double best = 0;
  int samples = 0;
};

/// Median and best of samples; requires at least one.
Stats statsOf(std::vector<double> samples);

/// Times `subjects` for about `seconds` each. They take turns; a turn is one untimed call (which brings caches and
/// threads back) and then calls back to back for about 2 ms, at least one; calls of more than 20 ms go
/// without the untimed one. A sample is the mean over enough calls to last 20 us.
///
/// With `threads` > 1 a turn begins with a pause, in which the worker threads of the one before fall asleep: two
/// pools that spin on the same cores would measure each other.
std::vector<Stats> interleave(std::span<const std::function<void()>> subjects, double seconds, int threads);

} // namespace bench
