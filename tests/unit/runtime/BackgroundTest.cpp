// Calls that run on a generic kernel while a thread of the engine compiles, with the fake compiler, whose kernels
// copy operand 0, and the true libein-generic.
#include "FakeCompilerFixture.h"
#include "ein/Einsum.h"
#include "runtime/BackgroundThread.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <gtest/gtest.h>
#include <numeric>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace ein;
using test::compilations;

namespace {

/// A Program that copies its operand, whose name tells the fake compiler how to behave. `n` makes it another key.
std::string copyText(const std::string &behaviour, int n = 0) {
  return "in " + behaviour + ": f32[i]; y[i] = " + behaviour + "[i]; out y # " + std::to_string(n);
}

CompileOptions inBackground() {
  CompileOptions options;
  options.background = true;
  return options;
}

Expected<void> copy(Engine &engine, std::string_view text, const CompileOptions &options = inBackground()) {
  const float from[4] = {1, 2, 3, 4};
  float to[4] = {};
  const TensorView operand(from, {4}), result(to, {4});
  auto done = engine.run(text, {&operand, 1}, {&result, 1}, options);
  if (done && !std::equal(from, from + 4, to)) return makeError(ErrorCode::Compile, "wrong values");
  return done;
}

/// Waits for the compilation under way.
void wait(Engine &engine, std::string_view text) {
  const TensorType type(DType::F32, {4});
  (void)engine.compile(text, {&type, 1});
}

class BackgroundTest : public testing::Test {
protected:
  void SetUp() override { test::useFakeCompiler(); }
  Engine engine;
};

TEST_F(BackgroundTest, AnswersAtOnceAndHitsLater) {
  const std::string text = copyText("slow");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(copy(engine, text));
  EngineStats stats = engine.stats();
  EXPECT_EQ(stats.genericRuns, 3u); // the compilation takes 100 ms
  EXPECT_EQ(stats.misses, 3u);
  EXPECT_EQ(stats.hits, 0u);
  wait(engine, text);
  ASSERT_TRUE(copy(engine, text));
  ASSERT_TRUE(copy(engine, text, {})); // the same key
  stats = engine.stats();
  EXPECT_EQ(stats.genericRuns, 3u);
  EXPECT_EQ(stats.compiles, 1u);
  EXPECT_GE(stats.hits, 2u);
}

TEST_F(BackgroundTest, EinsumMakesItsResult) {
  const float from[4] = {1, 2, 3, 4};
  const TensorView operand(from, {4});
  auto made = engine.einsum(copyText("slow"), {&operand, 1}, inBackground());
  ASSERT_TRUE(made) << made.error().render();
  EXPECT_EQ(made->type(), TensorType(DType::F32, {4}));
  EXPECT_TRUE(std::equal(from, from + 4, made->data<float>()));
  EXPECT_EQ(engine.stats().genericRuns, 1u);
}

TEST_F(BackgroundTest, OnlyWhereItIsAskedFor) {
  ASSERT_TRUE(copy(engine, copyText("slow"), {}));
  EXPECT_EQ(engine.stats().genericRuns, 0u);
  setenv("EIN_BACKGROUND", "1", 1);
  Engine asked;
  setenv("EIN_BACKGROUND", "0", 1);
  Engine refused;
  unsetenv("EIN_BACKGROUND");
  ASSERT_TRUE(copy(asked, copyText("slow"), {}));
  ASSERT_TRUE(copy(refused, copyText("slow"), {}));
  EXPECT_EQ(asked.stats().genericRuns, 1u);
  EXPECT_EQ(refused.stats().genericRuns, 0u);
}

TEST_F(BackgroundTest, WaitsWhereThereIsNoGenericKernel) {
  CompileOptions options = inBackground();
  options.target.cpu = "x86-64-v2";
  ASSERT_TRUE(copy(engine, copyText("slow"), options));
  // What would take longer than a compilation.
  const std::vector<float> from(size_t(1) << 22, 1);
  std::vector<float> to(from.size());
  const TensorView operand(from.data(), {1 << 22}), result(to.data(), {1 << 22});
  ASSERT_TRUE(engine.run(copyText("slow"), {&operand, 1}, {&result, 1}, inBackground()));
  EXPECT_EQ(from, to);
  EXPECT_EQ(engine.stats().genericRuns, 0u);
}

TEST_F(BackgroundTest, BadTextIsRefusedAtOnce) {
  const int before = compilations();
  auto done = copy(engine, "in slow: f32[i]; y[i] = absent[i]; out y");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::UnknownName);
  EXPECT_EQ(compilations(), before);
  // A result that does not fit what the generic kernel makes.
  const float from[4] = {1, 2, 3, 4};
  float to[3] = {};
  const TensorView operand(from, {4}), result(to, {3});
  done = engine.run(copyText("slow"), {&operand, 1}, {&result, 1}, inBackground());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::Extent);
}

TEST_F(BackgroundTest, NextCallReturnsAFailureOnce) {
  const std::string text = copyText("slow_fail");
  ASSERT_TRUE(copy(engine, text));
  while (engine.stats().compiles == 0) std::this_thread::yield();
  Expected<void> told = copy(engine, text);
  for (int i = 0; told && i < 2000; ++i, told = copy(engine, text))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().message, "as asked for");
  EXPECT_EQ(engine.stats().compiles, 1u);
  EXPECT_TRUE(copy(engine, text)); // tried again
  wait(engine, text);
  EXPECT_EQ(engine.stats().compiles, 2u);
}

TEST_F(BackgroundTest, ManyThreadsCompileOnce) {
  constexpr int kThreads = 16, kKeys = 10, kCalls = 200;
  const int before = compilations();
  std::atomic<int> bad = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCalls; ++i) bad += !copy(engine, copyText("quick", (i + t) % kKeys));
    });
  for (std::thread &thread : threads) thread.join();
  for (int k = 0; k < kKeys; ++k) wait(engine, copyText("quick", k));
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(compilations() - before, kKeys);
  const EngineStats stats = engine.stats();
  EXPECT_EQ(stats.hits + stats.misses, uint64_t(kThreads * kCalls + kKeys));
}

TEST_F(BackgroundTest, WhoWaitsDoesNotStandInTheQueue) {
  constexpr int kKeys = 30;
  for (int k = 0; k < kKeys; ++k) ASSERT_TRUE(copy(engine, copyText("slow", k)));
  wait(engine, copyText("slow", kKeys - 1)); // 100 ms each
  EXPECT_LT(engine.stats().compiles, uint64_t(kKeys - 1));
  EXPECT_TRUE(copy(engine, copyText("slow", kKeys - 1)));
  EXPECT_GE(engine.stats().hits, 1u);
}

TEST_F(BackgroundTest, DestructorWaitsForWhatHasBegun) {
  const int before = compilations();
  {
    Engine brief;
    for (int k = 0; k < 20; ++k) ASSERT_TRUE(copy(brief, copyText("slow", k)));
    while (compilations() == before) std::this_thread::yield();
  }
  EXPECT_LE(compilations() - before, 2); // not the 20 of 100 ms each
}

TEST_F(BackgroundTest, ChildFinishesWhatItsParentHadQueued) {
  for (int k = 0; k < 3; ++k) ASSERT_TRUE(copy(engine, copyText("slow", k)));
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);
    bool fine = true;
    for (int k = 0; k < 4; ++k) fine &= bool(copy(engine, copyText("slow", k)));
    for (int k = 0; k < 4; ++k) wait(engine, copyText("slow", k));
    _exit(fine && engine.stats().genericRuns >= 3 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  for (int k = 0; k < 3; ++k) wait(engine, copyText("slow", k));
  EXPECT_EQ(engine.stats().compiles, 3u);
}

TEST(BackgroundThreadTest, RunsJobsInOrderAndTakesNoSignals) {
  BackgroundThread thread;
  std::vector<int> ran;
  std::atomic<int> count = 0;
  sigset_t mask;
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(thread.add([&, i] {
      pthread_sigmask(SIG_SETMASK, nullptr, &mask);
      ran.push_back(i);
      ++count;
    }));
  while (count < 100) std::this_thread::yield();
  std::vector<int> wanted(100);
  std::iota(wanted.begin(), wanted.end(), 0);
  EXPECT_EQ(ran, wanted);
  EXPECT_TRUE(sigismember(&mask, SIGINT));
}

} // namespace
