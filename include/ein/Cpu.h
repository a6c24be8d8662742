// Instruction-set extensions by name: what this CPU has, and what code needs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ein {

/// Where CPUID reports an extension.
struct CpuFeature {
  const char *name; ///< as LLVM spells it: "sse4.2", "avx2", "avx512vl"
  uint32_t leaf, subleaf;
  char reg;       ///< 'a', 'b', 'c' or 'd'
  uint8_t bit;    ///< of that register
  uint32_t state; ///< bits of XCR0 that say that the operating system saves its registers
};

/// All extensions that code generation uses by itself. Their order is that of every list of names below.
std::span<const CpuFeature> cpuFeatureTable();

/// Those that this CPU has and the operating system lets programs use. Thread-safe.
const std::vector<std::string> &cpuFeatures();

/// Those of a level of the x86-64 psABI, "x86-64-v2" to "x86-64-v4"; empty for any other word.
std::vector<std::string> levelFeatures(std::string_view level);

/// Those of `needed` that this machine lacks; a name that is not in the table is lacking.
std::vector<std::string> missingFeatures(const std::vector<std::string> &needed);

} // namespace ein
