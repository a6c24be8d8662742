// Predicted times: which of work and bytes bounds a step, and how they scale.
#include "compiler/Lowering/StepTime.h"

#include <gtest/gtest.h>

using namespace ein;

namespace {

StepReport step(double flops, double functions, int64_t bytes, int32_t threads = 1, const char *type = "f32[8]") {
  CpuModel cpu;
  cpu.vectorBytes = 32;
  cpu.fma = true;
  StepReport s;
  s.flops = flops, s.functions = functions, s.bytes = bytes, s.threads = threads;
  s.stored = {{"Y", type, 32}};
  predictTime(s, cpu);
  return s;
}

TEST(StepTime, IsBoundByWorkOrByMemory) {
  EXPECT_EQ(step(1e9, 0, 1 << 20).bound, "compute");
  EXPECT_EQ(step(1e6, 0, 1 << 30).bound, "memory");
  EXPECT_GT(step(0, 1e6, 1000).seconds, step(1e6, 0, 1000).seconds);
  EXPECT_NEAR(step(1e9, 0, 1000).seconds, 1e9 / (8 * 4 * 0.8 * 3.5e9), 1e-6);
}

TEST(StepTime, ScalesWithThreadsAndElements) {
  EXPECT_DOUBLE_EQ(step(1e9, 0, 1000, 2).seconds * 2, step(1e9, 0, 1000).seconds);
  EXPECT_GT(step(0, 0, 1 << 30, 2).seconds * 2, step(0, 0, 1 << 30).seconds); // memory is shared
  EXPECT_DOUBLE_EQ(step(1e9, 0, 1000, 1, "f64[8]").seconds, 2 * step(1e9, 0, 1000).seconds);
  EXPECT_EQ(step(0, 0, 0).seconds, 0);
}

} // namespace
