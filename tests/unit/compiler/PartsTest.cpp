// Code that several threads generate.
#include "ein/Compile.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <sched.h>

using namespace ein;

namespace {

/// Large enough for parts.
CompileRequest attention() {
  CompileRequest made;
  made.text = "in Q: f32[b,q,d], K: f32[b,k,d], V: f32[b,k,e]\n"
              "S = sum[d](Q * K)\nP = softmax[k | k <= q](S)\nO[b,q,e] = sum[k](P * V)\nout O";
  made.operands.assign(3, TensorType(DType::F32, {2, 300, 64}));
  made.options.threads = 1;
  return made;
}

size_t threadsOfThisProcess() {
  size_t count = 0;
  if (FILE *status = std::fopen("/proc/self/status", "r")) {
    char line[256];
    while (std::fgets(line, sizeof line, status))
      if (std::strncmp(line, "Threads:", 8) == 0) count = std::strtoul(line + 8, nullptr, 10);
    std::fclose(status);
  }
  return count;
}

TEST(Parts, AreTheSameBytesOnAnyNumberOfCores) {
  const auto first = compile(attention());
  ASSERT_TRUE(first) << first.error().render();
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  const auto second = compile(attention());
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  ASSERT_TRUE(second) << second.error().render();
  EXPECT_TRUE(first->module.code == second->module.code); // no print of either
}

TEST(Parts, LeaveNoThreadBehind) {
  const size_t before = threadsOfThisProcess();
  ASSERT_GE(before, 1u);
  ASSERT_TRUE(compile(attention()));
  EXPECT_EQ(threadsOfThisProcess(), before);
}

} // namespace
