// The table of environment variables and what is derived from them.
#include "runtime/Environment.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <sched.h>
#include <thread>

namespace ein {
namespace {

constexpr EnvironmentEntry kTable[] = {
    {"EIN_NUM_THREADS", "threads of a kernel, 1 to 1024; default: the cores this process may run on"},
    {"EIN_COMPILER", "path of libein-compiler.so; default: beside libein.so"},
    {"EIN_CACHE", "0: nothing is read from or written to the cache folder"},
    {"XDG_CACHE_HOME", "where the cache folder ein/v1 is; default: ~/.cache"},
    {"HOME", "where .cache is"},
};

int usableCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  // More cores than a cpu_set_t holds.
  return static_cast<int>(std::thread::hardware_concurrency());
}

} // namespace

std::span<const EnvironmentEntry> environmentTable() { return kTable; }

const char *environment(EnvironmentVariable variable) {
  return secure_getenv(kTable[static_cast<size_t>(variable)].name);
}

int resolveThreads(int requested) {
  if (requested > 0) return requested;
  if (const char *word = environment(EnvironmentVariable::NumThreads)) {
    int value = 0;
    const char *end = word + std::strlen(word);
    const auto [stop, status] = std::from_chars(word, end, value);
    if (status == std::errc() && stop == end && value >= 1 && value <= kMaxThreads) return value;
  }
  return std::clamp(usableCores(), 1, kMaxThreads);
}

} // namespace ein
