// The engine under load: many threads, forks, and a process that never stops compiling.
#include "FakeCompilerFixture.h"
#include "ein/Einsum.h"

#include <array>
#include <atomic>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace ein;
using test::compilations;

namespace {

#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

/// Runs a copy of four elements; whether the result is right.
bool copies(Engine &engine, std::string_view text) {
  const float from[4] = {1, 2, 3, 4};
  float to[4] = {};
  const TensorView operand(from, {4}), result(to, {4});
  auto done = engine.run(text, {&operand, 1}, {&result, 1});
  return done && std::equal(from, from + 4, to);
}

class ConcurrencyTest : public testing::Test {
protected:
  void SetUp() override { test::useFakeCompiler(); }
};

TEST_F(ConcurrencyTest, SixtyFourThreadsThousandKeys) {
  constexpr int kThreads = 64, kKeys = 1000, kCalls = kSanitized ? 1000 : 10000;
  std::vector<std::string> keys;
  for (int k = 0; k < kKeys; ++k) keys.push_back("key " + std::to_string(k));
  Engine engine;
  const int before = compilations();
  std::atomic<int> bad = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      // Half of the threads begin at the same key.
      for (int i = 0; i < kCalls; ++i)
        bad += !copies(engine, keys[static_cast<size_t>(i * 7 + t % 2 * t * 31) % kKeys]);
    });
  for (std::thread &t : threads) t.join();
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(compilations() - before, kKeys);
  const EngineStats stats = engine.stats();
  EXPECT_EQ(stats.compiles, uint64_t(kKeys));
  EXPECT_EQ(stats.evictions, 0u);
  EXPECT_EQ(stats.hits + stats.misses, uint64_t(kThreads) * kCalls);
}

TEST_F(ConcurrencyTest, EvictedWhileOthersRunIt) {
  Engine small({.maxKernels = 4}); // as many as are preferred
  std::atomic<int> bad = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      // Each thread prefers a key, whose kernel takes a while, and evicts those of others by using more.
      for (int i = 0; i < 30; ++i)
        bad += !copies(small, i % 4 ? "workspace " + std::to_string(t % 4) : "evict " + std::to_string(i + t % 3));
    });
  for (std::thread &t : threads) t.join();
  EXPECT_EQ(bad, 0);
  EXPECT_GT(small.stats().hits, 0u);
  EXPECT_GT(small.stats().evictions, 0u);
}

size_t residentBytes() {
  size_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST_F(ConcurrencyTest, CodeBudgetBoundsALongProcess) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer keeps freed memory";
  constexpr size_t kBudget = size_t(1) << 20;
  constexpr int kFirst = 500, kAll = 4000;
  Engine engine({.maxKernels = kAll, .maxCodeBytes = kBudget});
  size_t early = 0;
  for (int i = 0; i < kAll; ++i) {
    ASSERT_TRUE(copies(engine, "long " + std::to_string(i)));
    if (i == kFirst) early = residentBytes();
  }
  const EngineStats stats = engine.stats();
  EXPECT_EQ(stats.compiles, uint64_t(kAll));
  const uint64_t kept = stats.compiles - stats.evictions;
  EXPECT_GT(kept, 1u);
  EXPECT_LE(kept * 14000, kBudget); // a fake kernel has 13888 bytes and its image whole pages
  EXPECT_LT(residentBytes(), early + kBudget);
  EXPECT_TRUE(copies(engine, "long " + std::to_string(kAll - 1)));
  EXPECT_EQ(engine.stats().compiles, uint64_t(kAll)); // the latest is still there
}

TEST_F(ConcurrencyTest, KernelAboveTheBudgetIsNotKept) {
  Engine engine({.maxCodeBytes = 1});
  EXPECT_TRUE(copies(engine, "large"));
  EXPECT_TRUE(copies(engine, "large"));
  EXPECT_EQ(engine.stats().compiles, 2u);
}

/// Runs `body` in a forked child and gives its exit status; -1 if it does not end.
template <class Body> int inChild(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(ConcurrencyTest, ChildFinishesWhatItsParentWasCompiling) {
  Engine engine;
  const int before = compilations();
  std::thread compiler([&] { EXPECT_TRUE(copies(engine, "slow fork")); });
  std::thread waiter([&] { EXPECT_TRUE(copies(engine, "slow fork")); });
  while (compilations() == before) std::this_thread::yield();
  EXPECT_EQ(inChild([&] { return copies(engine, "slow fork"); }), 0);
  compiler.join();
  waiter.join();
  EXPECT_TRUE(copies(engine, "slow fork"));
}

TEST_F(ConcurrencyTest, ChildrenMayCallEverything) {
  Engine engine({.maxKernels = 8});
  std::atomic<bool> stop = false;
  std::atomic<int> bad = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) bad += !copies(engine, "fork " + std::to_string((i + t) % 20));
    });
  for (int f = 0; f < (kSanitized ? 10 : 50); ++f) {
    const int status = inChild([&] {
      for (int i = 0; i < 20; ++i)
        if (!copies(engine, "fork " + std::to_string(i))) return false;
      if (!copies(engine, "child")) return false;
      const float from[4] = {1, 2, 3, 4};
      auto sum = einsum("i->i", {TensorView(from, {4})});
      Engine other;
      return sum && sum->data<float>()[3] == 4 && copies(other, "other") && engine.stats().compiles > 0;
    });
    EXPECT_EQ(status, 0) << "fork " << f;
    if (status != 0) break;
  }
  stop = true;
  for (std::thread &t : threads) t.join();
  EXPECT_EQ(bad, 0);
}

} // namespace
