// The table of environment variables and what is derived from them.
#include "runtime/Environment.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <sched.h>
#include <thread>

namespace ein {
namespace {

constexpr EnvironmentEntry kTable[] = {
    {"EIN_NUM_THREADS", "threads of a kernel, 1 to 1024; default: the cores this process may run on"},
    {"EIN_COMPILER", "path of libein-compiler.so; default: beside libein.so"},
    {"EIN_CACHE", "0: no cache on disk"},
    {"EIN_CACHE_DIR", "folder of the cache, an absolute path; default: $XDG_CACHE_HOME/ein/v1"},
    {"EIN_CACHE_SIZE", "bytes that the cache may take: 500000, 64K, 100M, 2G; default: 1G"},
    {"EIN_LOG", "recompiles: why a text is compiled again, on stderr; several words with commas"},
    {"XDG_CACHE_HOME", "folder of all caches; default: $HOME/.cache"},
    {"HOME", "home folder; without it, XDG_CACHE_HOME and EIN_CACHE_DIR no cache on disk"},
    {"EIN_CUDA_LIBRARY", "path of the CUDA driver's library; default: libcuda.so.1, found as every library is"},
    {"EIN_BACKGROUND", "1: calls run on a generic kernel while theirs is being compiled, as with "
                       "CompileOptions::background"},
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

std::optional<uint64_t> parseByteSize(std::string_view word) {
  uint64_t value = 0;
  const char *end = word.data() + word.size();
  const auto [stop, status] = std::from_chars(word.data(), end, value);
  if (status != std::errc()) return std::nullopt;
  const std::string_view unit(stop, end);
  const int shift = unit.empty() ? 0 : unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : -1;
  if (shift < 0 || value > std::numeric_limits<uint64_t>::max() >> shift) return std::nullopt;
  return value << shift;
}

uint64_t resolveCacheSize() {
  const char *word = environment(EnvironmentVariable::CacheSize);
  return parseByteSize(word ? word : "").value_or(uint64_t(1) << 30);
}

} // namespace ein
