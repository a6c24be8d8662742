// Extensions by name, and levels.
#include "ein/Cpu.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>

using namespace ein;

namespace {

TEST(Cpu, AgreesWithTheCompilersRuntime) {
  const std::vector<std::string> &have = cpuFeatures();
  const auto has = [&](const char *name) { return std::find(have.begin(), have.end(), name) != have.end(); };
  __builtin_cpu_init();
  EXPECT_EQ(has("sse4.2"), bool(__builtin_cpu_supports("sse4.2")));
  EXPECT_EQ(has("popcnt"), bool(__builtin_cpu_supports("popcnt")));
  EXPECT_EQ(has("avx2"), bool(__builtin_cpu_supports("avx2")));
  EXPECT_EQ(has("fma"), bool(__builtin_cpu_supports("fma")));
  EXPECT_EQ(has("fma4"), bool(__builtin_cpu_supports("fma4")));
  EXPECT_EQ(has("bmi2"), bool(__builtin_cpu_supports("bmi2")));
  EXPECT_EQ(has("gfni"), bool(__builtin_cpu_supports("gfni")));
  EXPECT_EQ(has("avx512vl"), bool(__builtin_cpu_supports("avx512vl")));
  EXPECT_EQ(has("avx512bf16"), bool(__builtin_cpu_supports("avx512bf16")));
  EXPECT_EQ(has("avx512vnni"), bool(__builtin_cpu_supports("avx512vnni")));
}

TEST(Cpu, NamesAreUnique) {
  std::set<std::string> names;
  for (const CpuFeature &feature : cpuFeatureTable()) EXPECT_TRUE(names.insert(feature.name).second) << feature.name;
}

TEST(Cpu, EachLevelHasTheOneBelow) {
  const auto v2 = levelFeatures("x86-64-v2"), v3 = levelFeatures("x86-64-v3"), v4 = levelFeatures("x86-64-v4");
  const auto below = [](const auto &small, const auto &large) {
    return std::all_of(small.begin(), small.end(), [&](const std::string &name) {
      return std::find(large.begin(), large.end(), name) != large.end();
    });
  };
  EXPECT_EQ(v2.size(), 6u);
  EXPECT_TRUE(below(v2, v3) && v3.size() == 14u);
  EXPECT_TRUE(below(v3, v4) && v4.size() == 19u);
  EXPECT_TRUE(levelFeatures("x86-64-v5").empty());
}

TEST(Cpu, WhatTheTableDoesNotNameIsMissing) {
  EXPECT_TRUE(missingFeatures({}).empty());
  EXPECT_TRUE(missingFeatures(cpuFeatures()).empty());
  EXPECT_EQ(missingFeatures({"time-travel"}), std::vector<std::string>{"time-travel"});
}

} // namespace
