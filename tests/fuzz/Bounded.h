// What one input may cost: time of this thread's CPU and memory.
#pragma once

#include "tests/fuzz/Fuzz.h"

#include <ctime>
#include <string>
#include <sys/resource.h>

namespace ein::fuzz {

/// Milliseconds of this thread's CPU since some moment.
inline double cpuMilliseconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) * 1e3 + double(now.tv_nsec) / 1e6;
}

/// Most of its memory that this process has held at any time, KiB.
inline int64_t peakKiB() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/// Calls `body`, and again where it took more than 50 ms: a machine that does other work makes single calls slow, a
/// slow input all of them. Ends the process where none is faster, or where one takes more than 256 MiB.
template <class Body> void bounded(Body body) {
  constexpr double kMilliseconds = 50;
  constexpr int64_t kKiB = 256 << 10;
  constexpr int kAttempts = 5;
  const int64_t before = peakKiB();
  double fastest = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double start = cpuMilliseconds();
    body();
    const double took = cpuMilliseconds() - start;
    fastest = attempt == 0 ? took : std::min(fastest, took);
    if (fastest <= kMilliseconds) break;
  }
  require(fastest <= kMilliseconds, "an input takes 50 ms at most", std::to_string(fastest));
  require(peakKiB() - before <= kKiB, "an input takes 256 MiB at most", std::to_string(peakKiB() - before) + " KiB");
}

} // namespace ein::fuzz
