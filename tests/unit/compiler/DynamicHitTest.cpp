// What a call with dynamic indices costs once its kernel is there: no allocation. This program counts them all.
#include "ein/Engine.h"

#include <atomic>
#include <cstdlib>
#include <gtest/gtest.h>
#include <new>

static thread_local size_t allocations = 0;

// The thread sanitizer's own cannot be replaced.
#if __has_feature(thread_sanitizer)
static constexpr bool kCounts = false;
#else
static constexpr bool kCounts = true;
void *operator new(size_t bytes) {
  ++allocations;
  if (void *memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
// The address sanitizer has one of its own, whose memory `free` does not take.
void *operator new(size_t bytes, const std::nothrow_t &) noexcept {
  ++allocations;
  return std::malloc(bytes);
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
#endif

using namespace ein;

namespace {

TEST(DynamicHit, AllocatesNothing) {
  if (!kCounts) GTEST_SKIP() << "the thread sanitizer has an operator new that cannot be replaced";
  std::vector<float> a(12 * 20, 1), b(20 * 30, 2), c(12 * 30);
  CompileOptions options;
  options.threads = 1;
  options.dynamic = {"i", "j", "k"};
  Engine engine({.disk = DiskUse::Off});
  size_t before = 0;
  for (int64_t n = 5; n < 12; ++n) {
    const TensorView in[] = {TensorView(a.data(), {n, n + 3}), TensorView(b.data(), {n + 3, 7})};
    const TensorView out[] = {TensorView(c.data(), {n, 7})};
    before = allocations;
    const auto done = engine.run("ik,kj->ij", in, out, options);
    ASSERT_TRUE(done) << done.error().render();
    EXPECT_EQ(c[static_cast<size_t>(n) * 7 - 1], 2.0f * static_cast<float>(n + 3));
    if (n == 5) {
      EXPECT_GT(allocations, before); // it is counted
      continue;
    }
    EXPECT_EQ(allocations, before) << n;
  }
  EXPECT_EQ(engine.stats().compiles, 1u);
}

} // namespace
