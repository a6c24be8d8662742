// What a kernel is compiled for.
#pragma once

#include "ein/Error.h"

#include <string>
#include <string_view>

namespace ein {

/// A target by name: `host` (or `native`) is this machine's CPU with all it reports; `host:x86-64-v4` (AVX-512),
/// `host:x86-64-v3` (AVX2 and FMA) and `host:x86-64-v2` (SSE4.2) restrict it; `x86-64-v4`, `x86-64-v3` and
/// `x86-64-v2` are any machine of that level, whatever this one is. `parse` and `str` round-trip.
struct Target {
  /// Empty: whatever the CPU reports.
  std::string cpu;
  /// For any machine with that `cpu`: what this one has is not looked at, and the same request gives the same code
  /// everywhere.
  bool portable = false;

  std::string str() const { return cpu.empty() ? "host" : portable ? cpu : "host:" + cpu; }
  static Expected<Target> parse(std::string_view text);

  friend bool operator==(const Target &, const Target &) = default;
};

} // namespace ein
