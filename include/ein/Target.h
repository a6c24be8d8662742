// What a kernel is compiled for.
#pragma once

#include "ein/Error.h"

#include <string>
#include <string_view>

namespace ein {

/// A target by name: `host` (or `native`) is this machine's CPU with all it reports; `host:x86-64-v4` (AVX-512),
/// `host:x86-64-v3` (AVX2 and FMA) and `host:x86-64-v2` (SSE4.2) restrict it; `x86-64-v4`, `x86-64-v3` and
/// `x86-64-v2` are any machine of that level, whatever this one is. `cuda:sm_90a`, `cuda:sm_80` and others are NVIDIA
/// GPUs of that compute capability, whether one is here or not. `+tf32` behind such a name lets tensor cores multiply
/// f32, each factor rounded to 11 bits; `+tf32x3` lets them do so three times for each product, which keeps 22 bits or
/// so. Without either f32 is multiplied in f32. `parse` and `str` round-trip.
struct Target {
  /// Empty: whatever the CPU reports.
  std::string cpu;
  /// For any machine with that `cpu`: what this one has is not looked at, and the same request gives the same code
  /// everywhere.
  bool portable = false;
  /// "sm_90a", "sm_90a+tf32": an NVIDIA GPU, as LLVM and ptxas call it, and what it may do. Empty: a CPU.
  std::string gpu = {};

  bool isGpu() const { return !gpu.empty(); }
  /// Products of tf32 that may stand for one of f32: 0 (none may), 1 or 3.
  int tf32Products() const;
  std::string str() const { return isGpu() ? "cuda:" + gpu : cpu.empty() ? "host" : portable ? cpu : "host:" + cpu; }
  static Expected<Target> parse(std::string_view text);

  friend bool operator==(const Target &, const Target &) = default;
};

/// An NVIDIA GPU that code is generated for.
struct GpuName {
  const char *name;      ///< "sm_90a"
  int computeCapability; ///< 90
  int ptxVersion;        ///< 80: the oldest PTX that names it, in tenths, and no older than CUDA 12.0's
  bool isSpecific;       ///< runs on this compute capability only, not on later ones
};

/// The GPU of that name, with what it may do or without; or null.
const GpuName *findGpu(std::string_view name);

} // namespace ein
