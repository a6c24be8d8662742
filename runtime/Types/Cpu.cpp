// The table of instruction-set extensions, and CPUID.
#include "ein/Cpu.h"

#include <algorithm>
#include <cpuid.h>

namespace ein {
namespace {

constexpr uint32_t kYmm = 0x6, kZmm = 0xe6; // bits of XCR0

constexpr CpuFeature kTable[] = {
    {"sse3", 1, 0, 'c', 0, 0},
    {"ssse3", 1, 0, 'c', 9, 0},
    {"sse4.1", 1, 0, 'c', 19, 0},
    {"sse4.2", 1, 0, 'c', 20, 0},
    {"popcnt", 1, 0, 'c', 23, 0},
    {"movbe", 1, 0, 'c', 22, 0},
    {"aes", 1, 0, 'c', 25, 0},
    {"pclmul", 1, 0, 'c', 1, 0},
    {"sahf", 0x80000001, 0, 'c', 0, 0},
    {"lzcnt", 0x80000001, 0, 'c', 5, 0},
    {"sse4a", 0x80000001, 0, 'c', 6, 0},
    {"prfchw", 0x80000001, 0, 'c', 8, 0},
    {"xop", 0x80000001, 0, 'c', 11, kYmm},
    {"fma4", 0x80000001, 0, 'c', 16, kYmm},
    {"tbm", 0x80000001, 0, 'c', 21, 0},
    {"bmi", 7, 0, 'b', 3, 0},
    {"bmi2", 7, 0, 'b', 8, 0},
    {"gfni", 7, 0, 'c', 8, 0},
    {"avx", 1, 0, 'c', 28, kYmm},
    {"f16c", 1, 0, 'c', 29, kYmm},
    {"fma", 1, 0, 'c', 12, kYmm},
    {"avx2", 7, 0, 'b', 5, kYmm},
    {"vaes", 7, 0, 'c', 9, kYmm},
    {"vpclmulqdq", 7, 0, 'c', 10, kYmm},
    {"avxvnni", 7, 1, 'a', 4, kYmm},
    {"avxifma", 7, 1, 'a', 23, kYmm},
    {"avxneconvert", 7, 1, 'd', 5, kYmm},
    {"avxvnniint8", 7, 1, 'd', 4, kYmm},
    {"avxvnniint16", 7, 1, 'd', 10, kYmm},
    {"avx512f", 7, 0, 'b', 16, kZmm},
    {"avx512cd", 7, 0, 'b', 28, kZmm},
    {"avx512bw", 7, 0, 'b', 30, kZmm},
    {"avx512dq", 7, 0, 'b', 17, kZmm},
    {"avx512vl", 7, 0, 'b', 31, kZmm},
    {"avx512ifma", 7, 0, 'b', 21, kZmm},
    {"avx512vbmi", 7, 0, 'c', 1, kZmm},
    {"avx512vbmi2", 7, 0, 'c', 6, kZmm},
    {"avx512vnni", 7, 0, 'c', 11, kZmm},
    {"avx512bitalg", 7, 0, 'c', 12, kZmm},
    {"avx512vpopcntdq", 7, 0, 'c', 14, kZmm},
    {"avx512bf16", 7, 1, 'a', 5, kZmm},
    {"avx512fp16", 7, 0, 'd', 23, kZmm},
};

/// XCR0; 0 where programs may not ask.
uint32_t savedState() {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  constexpr uint32_t osxsave = 1u << 27;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & osxsave)) return 0;
  asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  return a;
}

bool has(const CpuFeature &feature, uint32_t state) {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(feature.leaf, 0, &a, &b, &c, &d)) return false;
  // Of leaf 7, register a of subleaf 0 is the number of the last subleaf.
  if (feature.subleaf > 0 && (a < feature.subleaf || !__get_cpuid_count(feature.leaf, feature.subleaf, &a, &b, &c, &d)))
    return false;
  const uint32_t word = feature.reg == 'a' ? a : feature.reg == 'b' ? b : feature.reg == 'c' ? c : d;
  return (word >> feature.bit & 1) && (state & feature.state) == feature.state;
}

} // namespace

std::span<const CpuFeature> cpuFeatureTable() { return kTable; }

const std::vector<std::string> &cpuFeatures() {
  static const std::vector<std::string> features = [] {
    std::vector<std::string> found;
    const uint32_t state = savedState();
    for (const CpuFeature &feature : kTable)
      if (has(feature, state)) found.emplace_back(feature.name);
    return found;
  }();
  return features;
}

std::vector<std::string> levelFeatures(std::string_view level) {
  std::vector<std::string> names;
  const auto add = [&](std::initializer_list<const char *> more) {
    names.insert(names.end(), more.begin(), more.end());
  };
  if (level != "x86-64-v2" && level != "x86-64-v3" && level != "x86-64-v4") return names;
  add({"sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "sahf"});
  if (level != "x86-64-v2") add({"movbe", "lzcnt", "bmi", "bmi2", "avx", "f16c", "fma", "avx2"});
  if (level == "x86-64-v4") add({"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"});
  const auto place = [](const std::string &name) {
    return std::find_if(std::begin(kTable), std::end(kTable), [&](const CpuFeature &f) { return f.name == name; });
  };
  std::sort(names.begin(), names.end(),
            [&](const std::string &a, const std::string &b) { return place(a) < place(b); });
  return names;
}

std::vector<std::string> missingFeatures(const std::vector<std::string> &needed) {
  const std::vector<std::string> &have = cpuFeatures();
  std::vector<std::string> missing;
  for (const std::string &name : needed)
    if (std::find(have.begin(), have.end(), name) == have.end()) missing.push_back(name);
  return missing;
}

} // namespace ein
