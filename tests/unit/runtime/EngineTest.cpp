// Engine, cache, single flight and loader, with a fake compiler whose kernels copy operand 0.
#include "ein/Engine.h"
#include "FakeCompilerFixture.h"
#include "ein/Compile.h"
#include "ein/Einsum.h"
#include "runtime/Environment.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <dlfcn.h>
#include <fstream>
#include <gtest/gtest.h>
#include <numeric>
#include <thread>

using namespace ein;

int ein::test::compilations() {
  void *library = dlopen(EIN_FAKE_COMPILER, RTLD_NOW | RTLD_NOLOAD);
  if (!library) return 0;
  const int count = *static_cast<std::atomic<int> *>(dlsym(library, "ein_fake_compilations"));
  dlclose(library);
  return count;
}

namespace {

using test::compilations;

class EngineTest : public testing::Test {
protected:
  void SetUp() override {
    test::useFakeCompiler();
    std::iota(std::begin(from), std::end(from), 1.0f);
  }

  /// Runs a copy of n elements and says whether the result is right.
  bool copies(Engine &engine, const char *text, int64_t n, const CompileOptions &options = {}) {
    std::vector<float> source(static_cast<size_t>(n)), target(static_cast<size_t>(n), -1);
    std::iota(source.begin(), source.end(), 1.0f);
    const TensorView operand(source.data(), {n}), result(target.data(), {n});
    auto done = engine.run(text, {&operand, 1}, {&result, 1}, options);
    if (!done) ADD_FAILURE() << done.error().render();
    return done && source == target;
  }

  Kernel kernel(const char *text, std::vector<int64_t> shape) {
    const TensorType type(DType::F32, std::move(shape));
    auto compiled = engine.compile(text, {&type, 1});
    if (!compiled) ADD_FAILURE() << compiled.error().render();
    return *compiled;
  }

  Error failure(const char *text) {
    const TensorType type(DType::F32, {4});
    auto compiled = engine.compile(text, {&type, 1});
    EXPECT_FALSE(compiled);
    return compiled ? Error{} : compiled.error();
  }

  Engine engine;
  float from[64], to[64] = {};
};

TEST_F(EngineTest, RunsAndHits) {
  const int before = compilations();
  EXPECT_TRUE(copies(engine, "i->i", 8));
  EXPECT_TRUE(copies(engine, "i->i", 8));
  EXPECT_TRUE(copies(engine, "i->i", 9));   // another type
  EXPECT_TRUE(copies(engine, "i -> i", 8)); // another text
  CompileOptions options;
  options.threads = 3;
  EXPECT_TRUE(copies(engine, "i->i", 8, options)); // another option
  options.background = true;
  EXPECT_TRUE(copies(engine, "i->i", 8, options)); // no part of the key
  EXPECT_EQ(compilations() - before, 4);
  const EngineStats stats = engine.stats();
  EXPECT_EQ(stats.hits, 2u);
  EXPECT_EQ(stats.misses, 4u);
  EXPECT_EQ(stats.compiles, 4u);
  EXPECT_EQ(stats.evictions, 0u);
}

TEST_F(EngineTest, EachPartOfTheKeyCounts) {
  const auto compiles = [&](const CompileOptions &options, const TensorType &type) {
    const uint64_t before = engine.stats().compiles;
    EXPECT_TRUE(engine.compile("i->i", {&type, 1}, options));
    return engine.stats().compiles - before;
  };
  const TensorType type(DType::F32, {4, 2});
  EXPECT_EQ(compiles({}, type), 1u);
  EXPECT_EQ(compiles({}, type), 0u);
  EXPECT_EQ(compiles({}, TensorType(DType::F64, {4, 2})), 1u);
  EXPECT_EQ(compiles({}, TensorType(DType::F32, {2, 4})), 1u);
  EXPECT_EQ(compiles({}, TensorType(DType::F32, {4, 2}, {1, 4})), 1u);
  CompileOptions options;
  options.target.cpu = "x86-64-v3";
  EXPECT_EQ(compiles(options, type), 1u);
  options = {};
  options.path = PathStrategy::Greedy;
  EXPECT_EQ(compiles(options, type), 1u);
  options = {};
  options.pathBudgetMs = 5;
  EXPECT_EQ(compiles(options, type), 1u);
  options = {};
  options.memoryLimit = 1 << 20;
  EXPECT_EQ(compiles(options, type), 1u);
  options = {};
  options.resultStrides = {{1, 4}};
  EXPECT_EQ(compiles(options, type), 1u);
  options = {};
  options.plans = {"v1 step=0 kind=nest"};
  EXPECT_EQ(compiles(options, type), 1u);
  options.plans = {"v1 step=1 kind=nest"};
  EXPECT_EQ(compiles(options, type), 1u);
}

TEST_F(EngineTest, LongKeys) {
  const std::string text(5000, 'i');
  EXPECT_TRUE(copies(engine, text.c_str(), 8));
  EXPECT_TRUE(copies(engine, text.c_str(), 8));
  EXPECT_TRUE(copies(engine, (text + "j").c_str(), 8));
  EXPECT_EQ(engine.stats().compiles, 2u);
}

TEST_F(EngineTest, SixteenThreadsCompileOnce) {
  const int before = compilations();
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) threads.emplace_back([&] { good += copies(engine, "slow i->i", 8); });
  for (std::thread &t : threads) t.join();
  EXPECT_EQ(good, 16);
  EXPECT_EQ(compilations() - before, 1);
  EXPECT_EQ(engine.stats().compiles, 1u);
  EXPECT_EQ(engine.stats().hits + engine.stats().misses, 16u);
}

TEST_F(EngineTest, FailuresReachEveryWaiterAndAreNotCached) {
  const int before = compilations();
  std::atomic<int> bad = 0;
  std::vector<std::thread> threads;
  const TensorType type(DType::F32, {4});
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      auto compiled = engine.compile("slow fail", {&type, 1});
      bad += !compiled && compiled.error().code == ErrorCode::Extent && compiled.error().help == "ask for less";
    });
  for (std::thread &t : threads) t.join();
  EXPECT_EQ(bad, 8);
  EXPECT_EQ(compilations() - before, 1);
  failure("slow fail");
  EXPECT_EQ(compilations() - before, 2);
}

TEST_F(EngineTest, ManyThreadsManyKeys) {
  constexpr int kThreads = 16, kKeys = 40;
  const int before = compilations();
  std::atomic<int> bad = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) bad += !copies(engine, "i->i", 1 + (i * 7 + t) % kKeys);
    });
  for (std::thread &t : threads) t.join();
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(compilations() - before, kKeys);
}

TEST_F(EngineTest, EvictsTheLeastRecentlyUsed) {
  Engine small({.maxKernels = 2});
  EXPECT_TRUE(copies(small, "i", 1));
  EXPECT_TRUE(copies(small, "i", 2));
  EXPECT_TRUE(copies(small, "i", 1)); // now 2 is the oldest
  EXPECT_TRUE(copies(small, "i", 3)); // evicts 2
  EXPECT_EQ(small.stats().evictions, 1u);
  EXPECT_TRUE(copies(small, "i", 1));
  EXPECT_EQ(small.stats().compiles, 3u);
  EXPECT_TRUE(copies(small, "i", 2));
  EXPECT_EQ(small.stats().compiles, 4u);
  Engine none({.maxKernels = 0});
  EXPECT_TRUE(copies(none, "i", 1));
  EXPECT_TRUE(copies(none, "i", 1));
  EXPECT_EQ(none.stats().compiles, 2u);
}

TEST_F(EngineTest, EvictedWhileRunning) {
  Engine small({.maxKernels = 1});
  std::atomic<int> bad = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) bad += !copies(small, "i", 1 + (i + t) % 3);
    });
  for (std::thread &t : threads) t.join();
  EXPECT_EQ(bad, 0);
}

TEST_F(EngineTest, KernelOutlivesItsEngine) {
  auto local = std::make_unique<Engine>();
  const TensorType type(DType::F32, {4});
  auto compiled = local->compile("i->i", {&type, 1});
  ASSERT_TRUE(compiled);
  local.reset();
  const TensorView operand(from, {4}), result(to, {4});
  ASSERT_TRUE(compiled->run({&operand, 1}, {&result, 1}));
  EXPECT_EQ(to[3], 4.0f);
  const std::string key = compiled->module().key;
  EXPECT_EQ(key.substr(0, 14), "i->i; f32[4]; ");
  EXPECT_NE(key.find("threads " + std::to_string(resolveThreads(0))), std::string::npos) << key;
}

int mappedImages() {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find("memfd:ein") != std::string::npos;
  return count;
}

TEST_F(EngineTest, CodeIsUnloadedWithTheLastHandle) {
  const int before = mappedImages();
  {
    auto local = std::make_unique<Engine>();
    const TensorType type(DType::F32, {4});
    auto first = local->compile("a", {&type, 1}), second = local->compile("b", {&type, 1});
    ASSERT_TRUE(first && second);
    const int two = mappedImages() - before;
    EXPECT_GT(two, 0);
    EXPECT_EQ(two % 2, 0);
    local.reset();
    EXPECT_EQ(mappedImages() - before, two);
    Kernel copy = *first;
    first = Expected<Kernel>(*second);
    EXPECT_EQ(mappedImages() - before, two);
    copy = *second;
    EXPECT_EQ(mappedImages() - before, two / 2);
  }
  EXPECT_EQ(mappedImages(), before);
}

TEST_F(EngineTest, NoPageIsWritableAndExecutable) {
  const Kernel held = kernel("i->i", {4});
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) EXPECT_EQ(line.find(" rwxp "), std::string::npos) << line;
  const Error error = failure("executable");
  EXPECT_EQ(error.code, ErrorCode::Run);
  EXPECT_NE(error.message.find("writable and executable"), std::string::npos) << error.message;
}

TEST_F(EngineTest, BadCompilerResponses) {
  EXPECT_EQ(failure("garbage").code, ErrorCode::IO);
  EXPECT_EQ(failure("garbage error").code, ErrorCode::IO);
  EXPECT_EQ(failure("null").code, ErrorCode::IO);
  EXPECT_EQ(failure("no-symbol").code, ErrorCode::Run);
  EXPECT_EQ(failure("not-elf").code, ErrorCode::Run);
  const Error error = failure("fail");
  EXPECT_EQ(error.render(), "error: as asked for\n  fail\n  ^^^^\n  here\nhelp: ask for less\n");
}

TEST_F(EngineTest, BadRequestsDoNotReachTheCompiler) {
  const int before = compilations();
  CompileOptions options;
  for (int threads : {-1, 1025}) {
    options.threads = threads;
    const TensorType type(DType::F32, {4});
    auto compiled = engine.compile("i", {&type, 1}, options);
    ASSERT_FALSE(compiled);
    EXPECT_EQ(compiled.error().code, ErrorCode::Limit);
  }
  const TensorType huge(DType::F32, {int64_t(1) << 32, int64_t(1) << 32});
  auto compiled = engine.compile("ij", {&huge, 1});
  ASSERT_FALSE(compiled);
  EXPECT_EQ(compiled.error().code, ErrorCode::Limit);
  EXPECT_NE(compiled.error().message.find("operand 0"), std::string::npos);
  EXPECT_EQ(compilations(), before);
}

TEST_F(EngineTest, ParallelKernelLoadsOpenMP) {
  const Kernel parallel = kernel("threads", {4});
  EXPECT_NE(dlsym(RTLD_DEFAULT, "__kmpc_fork_call"), nullptr);
}

TEST_F(EngineTest, WorkspaceIsAlignedAndWhole) {
  EXPECT_TRUE(copies(engine, "workspace", 8));
  std::thread([&] { EXPECT_TRUE(copies(engine, "workspace", 8)); }).join();
  CompiledModule module = kernel("workspace", {4}).module();
  module.workspaceBytes = int64_t(1) << 60;
  auto loaded = engine.load(module);
  ASSERT_TRUE(loaded) << loaded.error().render();
  const TensorView operand(from, {4}), result(to, {4});
  auto done = loaded->run({&operand, 1}, {&result, 1});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::Limit);
  EXPECT_TRUE(copies(engine, "workspace", 8)); // the thread's workspace is still good
}

TEST_F(EngineTest, Checks) {
  const Kernel k = kernel("i->i", {4, 2});
  const TensorView operand(from, {4, 2}), result(to, {4, 2});
  const auto error = [&](std::vector<TensorView> operands, std::vector<TensorView> results) {
    auto done = k.run(operands, results);
    return done ? std::string("ran") : std::string(errorCodeName(done.error().code)) + ": " + done.error().message;
  };
  EXPECT_EQ(error({operand}, {result}), "ran");
  EXPECT_EQ(error({}, {result}), "operand-count: 0 operands given, the kernel takes 1");
  EXPECT_EQ(error({operand}, {result, result}), "operand-count: 2 results given, the kernel takes 1");
  EXPECT_EQ(error({TensorView(from, {2, 4})}, {result}), "extent: operand 0 is f32[2,4], expected f32[4,2]");
  EXPECT_EQ(error({TensorView(from, {8})}, {result}), "rank: operand 0 is f32[8], expected f32[4,2]");
  EXPECT_EQ(error({operand}, {TensorView(to, TensorType(DType::F64, {4, 2}))}),
            "dtype-mismatch: result 0 is f64[4,2], expected f32[4,2]");
  EXPECT_EQ(error({operand}, {TensorView(to, TensorType(DType::F32, {4, 2}, {1, 4}))}),
            "layout: result 0 is f32[4,2]{1,4}, expected f32[4,2]");
  EXPECT_EQ(error({operand}, {TensorView(static_cast<float *>(nullptr), {4, 2})}),
            "layout: result 0 has no data: its pointer is null");
  EXPECT_EQ(error({TensorView(reinterpret_cast<float *>(reinterpret_cast<char *>(from) + 1), {4, 2})}, {result}),
            "layout: operand 0 is not aligned to its element of 4 bytes");
  EXPECT_EQ(error({operand}, {TensorView(from + 8, {4, 2})}), "ran");
}

/// The kernel copies byte after byte, so a result just above its operand would repeat the first element.
TEST_F(EngineTest, ResultsThatOverlapOperandsAreRight) {
  const Kernel k = kernel("i->i", {4, 2});
  float memory[12];
  std::iota(memory, memory + 12, 0.0f);
  const TensorView operand(memory, {4, 2}), result(memory + 1, {4, 2});
  ASSERT_TRUE(k.run({&operand, 1}, {&result, 1}));
  const float expected[] = {0, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11};
  EXPECT_TRUE(std::equal(memory, memory + 12, expected));
}

TEST_F(EngineTest, ResultsMustNotOverlapEachOther) {
  CompiledModule module = kernel("i->i", {4}).module();
  module.results.push_back(module.results[0]);
  auto loaded = engine.load(module);
  ASSERT_TRUE(loaded);
  const TensorView operand(from, {4});
  const TensorView close[] = {TensorView(to, {4}), TensorView(to + 3, {4})};
  auto done = loaded->run({&operand, 1}, close);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "result 1 overlaps result 0 in memory");
  const TensorView apart[] = {TensorView(to, {4}), TensorView(to + 4, {4})};
  EXPECT_TRUE(loaded->run({&operand, 1}, apart));
}

TEST_F(EngineTest, StridesOfExtentOneAndEmptyTensors) {
  const Kernel one = kernel("i->i", {1, 4});
  const TensorView strange(from, TensorType(DType::F32, {1, 4}, {99, 1})), result(to, {1, 4});
  EXPECT_TRUE(one.run({&strange, 1}, {&result, 1}));
  const Kernel empty = kernel("i->i", {0, 4});
  const TensorView nothing(static_cast<float *>(nullptr), {0, 4});
  EXPECT_TRUE(empty.run({&nothing, 1}, {&nothing, 1}));
}

TEST_F(EngineTest, ManyOperands) {
  const std::vector<TensorView> operands(100, TensorView(from, {4}));
  const TensorView result(to, {4});
  auto done = engine.run("i,...->i", operands, {&result, 1});
  ASSERT_TRUE(done) << done.error().render();
  EXPECT_EQ(to[3], 4.0f);
}

TEST_F(EngineTest, LoadDoesNotEnterTheCache) {
  const Kernel k = kernel("i->i", {4});
  auto bytes = k.module().serialize();
  auto module = CompiledModule::deserialize(bytes);
  ASSERT_TRUE(module);
  Engine other;
  auto loaded = other.load(*module);
  ASSERT_TRUE(loaded);
  void *operand = from, *result = to;
  EXPECT_TRUE(loaded->runUnchecked(&operand, &result));
  EXPECT_EQ(to[3], 4.0f);
  EXPECT_EQ(other.stats().misses, 0u);
}

TEST_F(EngineTest, Einsum) {
  auto result = einsum("i->i", {TensorView(from, {4, 2})});
  ASSERT_TRUE(result) << result.error().render();
  EXPECT_EQ(result->type(), TensorType(DType::F32, {4, 2}));
  EXPECT_EQ(result->data<float>()[7], 8.0f);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(result->view().data) % 64, 0u);
  auto empty = einsum("i->i", {TensorView(from, {0})});
  ASSERT_TRUE(empty);
  CompileOptions options;
  options.resultStrides = {{1, 4}};
  EXPECT_FALSE(einsum("i->i", {TensorView(from, {4, 2})}, options));
  EXPECT_EQ(Buffer(TensorType(DType::F32, {int64_t(1) << 60})).view().data, nullptr);
}

TEST_F(EngineTest, CostOfAHit) {
  // Printed, not judged: the machine is shared. The promise is 1 microsecond.
  const TensorView operands[] = {TensorView(from, {4, 4}), TensorView(from + 16, {4, 4})};
  const TensorView result(to, {4, 4});
  ASSERT_TRUE(engine.run("ik,kj->ij", operands, {&result, 1}));
  const Kernel held = *engine.compile("ik,kj->ij", operands);
  constexpr int kCalls = 200000;
  const auto time = [&](const char *what, auto call) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) call();
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    std::printf("[ measured ] %s: %.0f ns\n", what, spent.count() / kCalls);
  };
  time("Engine::run", [&] { (void)engine.run("ik,kj->ij", operands, {&result, 1}); });
  time("Kernel::run", [&] { (void)held.run(operands, {&result, 1}); });
  time("einsum", [&] { (void)einsum("ik,kj->ij", operands); });
  EXPECT_EQ(engine.stats().hits, kCalls + 1u);
}

} // namespace
