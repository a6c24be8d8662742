// CPUID as text.
#include "runtime/HostCpu.h"

#include <array>
#include <cpuid.h>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace ein {
namespace {

using Registers = std::array<uint32_t, 4>; // eax, ebx, ecx, edx

Registers cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Registers r{};
  __cpuid_count(leaf, subleaf, r[0], r[1], r[2], r[3]);
  return r;
}

/// The leaves that tell features, and which of their registers do; the others hold a core's number or sizes that
/// depend on the moment.
struct FeatureLeaf {
  uint32_t leaf, subleaf;
  std::array<bool, 4> tells;
};
constexpr FeatureLeaf kFeatureLeaves[] = {
    {1, 0, {false, false, true, true}},
    {7, 0, {false, true, true, true}},
    {7, 1, {true, true, true, true}},
    {0xd, 1, {true, false, false, false}},
    {0x14, 0, {false, true, false, false}},
    {0x19, 0, {false, true, false, false}},
    {0x24, 0, {false, true, false, false}},
    {0x80000001, 0, {false, false, true, true}},
    {0x80000008, 0, {false, true, false, false}},
};

uint64_t enabledState() {
  uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

std::string describe() {
  char word[96];
  const Registers vendor = cpuid(0);
  std::string text;
  for (int r : {1, 3, 2}) text.append(reinterpret_cast<const char *>(&vendor[static_cast<size_t>(r)]), 4);
  const uint32_t version = cpuid(1)[0];
  const uint32_t family = (version >> 8 & 15) + (version >> 20 & 255),
                 model = (version >> 4 & 15) | (version >> 12 & 240);
  std::snprintf(word, sizeof word, " %u/%u/%u L1 %ld L2 %ld L3 %ld features", family, model, version & 15,
                sysconf(_SC_LEVEL1_DCACHE_SIZE), sysconf(_SC_LEVEL2_CACHE_SIZE), sysconf(_SC_LEVEL3_CACHE_SIZE));
  text += word;
  const uint32_t last = vendor[0], lastExtended = cpuid(0x80000000)[0];
  for (const FeatureLeaf &leaf : kFeatureLeaves) {
    if (leaf.leaf > (leaf.leaf < 0x80000000 ? last : lastExtended)) continue;
    const Registers r = cpuid(leaf.leaf, leaf.subleaf);
    std::snprintf(word, sizeof word, " %x.%x:", leaf.leaf, leaf.subleaf);
    text += word;
    for (size_t i = 0; i < r.size(); ++i) {
      if (!leaf.tells[i]) continue;
      std::snprintf(word, sizeof word, "%08x", r[i]);
      text += word;
    }
  }
  if (cpuid(1)[2] & bit_OSXSAVE) {
    std::snprintf(word, sizeof word, " xcr0:%llx", static_cast<unsigned long long>(enabledState()));
    text += word;
  }
  return text;
}

} // namespace

const std::string &hostCpuText() {
  static const std::string *text = new std::string(describe());
  return *text;
}

} // namespace ein
