// Engines that share a folder: one compiles, the others load; keys tell apart what must not be shared.
#include "CacheFixture.h"
#include "FakeCompilerFixture.h"
#include "ein/Compile.h"
#include "ein/Engine.h"
#include "runtime/DiskKey.h"
#include "runtime/HostCpu.h"

#include <fstream>
#include <gtest/gtest.h>
#include <numeric>
#include <unistd.h>

using namespace ein;
namespace fs = std::filesystem;

namespace {

class DiskEngineTest : public test::CacheTest {
protected:
  void SetUp() override {
    CacheTest::SetUp();
    test::useFakeCompiler();
    setenv("EIN_CACHE", "1", 1);
    setenv("EIN_CACHE_DIR", folder().c_str(), 1);
  }
  void TearDown() override {
    setenv("EIN_CACHE", "0", 1);
    unsetenv("EIN_CACHE_DIR");
    CacheTest::TearDown();
  }

  /// Copies 8 numbers on a new engine; its counters. The result must be right whatever the cache holds.
  static EngineStats runOnce(const char *text = "i->i", const CompileOptions &options = {}) {
    Engine engine;
    std::vector<float> from(8), to(8, -1);
    std::iota(from.begin(), from.end(), 1.0f);
    const TensorView operand(from.data(), {8}), result(to.data(), {8});
    auto done = engine.run(text, {&operand, 1}, {&result, 1}, options);
    EXPECT_TRUE(done) << done.error().render();
    EXPECT_EQ(from, to);
    return engine.stats();
  }
};

TEST_F(DiskEngineTest, TheSecondEngineLoads) {
  EngineStats stats = runOnce();
  EXPECT_EQ(stats.compiles, 1u);
  EXPECT_EQ(stats.diskHits, 0u);
  EXPECT_EQ(stats.diskWrites, 1u);
  stats = runOnce();
  EXPECT_EQ(stats.compiles, 0u);
  EXPECT_EQ(stats.misses, 1u);
  EXPECT_EQ(stats.diskHits, 1u);
  EXPECT_EQ(stats.diskWrites, 0u);
  EXPECT_EQ(runOnce(" x -> x").diskHits, 1u);
  EXPECT_EQ(runOnce("x").diskHits, 1u);
}

TEST_F(DiskEngineTest, OffMeansOff) {
  Engine engine({.disk = DiskUse::Off});
  const TensorType type(DType::F32, {8});
  ASSERT_TRUE(engine.compile("i->i", {&type, 1}));
  setenv("EIN_CACHE", "0", 1);
  EXPECT_EQ(runOnce().diskWrites, 0u);
  EXPECT_FALSE(fs::exists(folder()));
}

TEST_F(DiskEngineTest, AKernelFromDiskSaysWhatWasAskedFor) {
  const TensorType plain(DType::F32, {1, 4}), strange(DType::F32, {1, 4}, {99, 1});
  ASSERT_TRUE(Engine().compile("ij->ij", {&plain, 1}));
  Engine engine;
  auto kernel = engine.compile("xy->xy", {&strange, 1});
  ASSERT_TRUE(kernel);
  EXPECT_EQ(engine.stats().diskHits, 1u);
  EXPECT_EQ(kernel->operands()[0], strange);
  EXPECT_EQ(kernel->module().key.substr(0, 8), "xy->xy; ");
}

TEST_F(DiskEngineTest, FailuresAreNotKept) {
  Engine engine;
  const TensorType type(DType::F32, {8});
  for (const char *text : {"fail", "garbage", "no-symbol", "not-elf"}) EXPECT_FALSE(engine.compile(text, {&type, 1}));
  EXPECT_EQ(engine.stats().diskWrites, 0u);
}

TEST_F(DiskEngineTest, AnEntryWhoseCodeCannotBeLoadedIsReplaced) {
  runOnce();
  CompileRequest request;
  request.text = "i->i";
  request.operands = {TensorType(DType::F32, {8})};
  request.options.threads = 3;
  CompiledModule bad = module('b');
  ASSERT_TRUE(DiskCache(CacheFolder(folder()), 1 << 20).put(diskKey(request), bad));
  CompileOptions options;
  options.threads = 3;
  EngineStats stats = runOnce("i->i", options);
  EXPECT_EQ(stats.diskHits, 0u);
  EXPECT_EQ(stats.diskWrites, 1u);
  EXPECT_EQ(runOnce("i->i", options).diskHits, 1u);
}

TEST_F(DiskEngineTest, UnsafeFoldersAreNotUsed) {
  fs::create_directory(folder());
  fs::permissions(folder(), fs::perms::all);
  testing::internal::CaptureStderr();
  EngineStats stats = runOnce();
  EXPECT_EQ(stats.compiles, 1u);
  EXPECT_EQ(stats.diskWrites, 0u);
  EXPECT_TRUE(fs::is_empty(folder()));
  runOnce();
  const std::string warning = testing::internal::GetCapturedStderr();
  EXPECT_EQ(warning, "warning: ein keeps no kernels on disk: '" + folder() +
                         "' may be written by others (EIN_CACHE=0 turns this off)\n");
}

TEST_F(DiskEngineTest, EachPartOfTheKeyCounts) {
  CompileRequest request;
  request.text = "ij->i";
  request.operands = {TensorType(DType::F32, {4, 2})};
  request.options.threads = 1;
  std::vector<std::string> keys{diskKey(request)};
  const auto differs = [&](auto change) {
    CompileRequest changed = request;
    change(changed);
    const std::string key = diskKey(changed);
    EXPECT_EQ(std::count(keys.begin(), keys.end(), key), 0);
    keys.push_back(key);
  };
  differs([](CompileRequest &r) { r.text = "ij->j"; });
  differs([](CompileRequest &r) { r.operands[0] = TensorType(DType::F64, {4, 2}); });
  differs([](CompileRequest &r) { r.operands[0] = TensorType(DType::F32, {2, 4}); });
  differs([](CompileRequest &r) { r.operands[0] = TensorType(DType::F32, {4, 2}, {1, 4}); });
  differs([](CompileRequest &r) { r.operands.push_back(r.operands[0]); });
  differs([](CompileRequest &r) { r.options.threads = 2; });
  differs([](CompileRequest &r) { r.options.target.cpu = "x86-64-v3"; });
  differs([](CompileRequest &r) { r.options.path = PathStrategy::Greedy; });
  differs([](CompileRequest &r) { r.options.pathBudgetMs = 5; });
  differs([](CompileRequest &r) { r.options.memoryLimit = 1; });
  differs([](CompileRequest &r) { r.options.resultStrides = {{2}}; });
  differs([](CompileRequest &r) { r.options.plans = {"v1 step=0 kind=nest"}; });
  differs([](CompileRequest &r) { r.options.scatter = true; });
  differs([](CompileRequest &r) { r.options.fuse = false; });
  differs([](CompileRequest &r) { r.options.resultDType = DType::I64; });
  differs([](CompileRequest &r) { r.options.computeDType = DType::F64; });
  differs([](CompileRequest &r) { r.options.accumulateDType = DType::F64; });
  differs([](CompileRequest &r) { r.options.conjugate = {1}; });
  differs([](CompileRequest &r) { r.options.semiring = Semiring::MinPlus; });
  differs([](CompileRequest &r) { r.options.beta = 1; });
  differs([](CompileRequest &r) { r.options.order = {{0}}; });
  differs([](CompileRequest &r) { r.options.labels = LabelStyle::Names; });
  differs([](CompileRequest &r) { r.options.labels = LabelStyle::Names, r.text = "i j->i"; });
  // What changes nothing in the code changes nothing in the key.
  CompileRequest same = request;
  same.text = "xy->x";
  same.dumpStages = {"asm"};
  same.candidates = 5;
  EXPECT_EQ(diskKey(same), keys[0]);
  // The machine and the build are in it, and another compiler; a compiler that is not there is no other.
  EXPECT_NE(keys[0].find(buildId()), std::string::npos);
  EXPECT_NE(buildId().find(" LLVM 22."), std::string_view::npos);
  EXPECT_NE(keys[0].find(hostCpuText()), std::string::npos);
  EXPECT_NE(keys[0].find(EIN_FAKE_COMPILER), std::string::npos);
  setenv("EIN_COMPILER", "/absent", 1);
  const std::string absent = diskKey(request);
  unsetenv("EIN_COMPILER");
  EXPECT_EQ(diskKey(request), absent);
  EXPECT_NE(absent, keys[0]);
  test::useFakeCompiler();
}

constexpr const char *kShared = "EIN_TEST_SHARED_FOLDER";

/// The processes below share the folder of the first, whom the others inherit the variable from. They exit without
/// TearDown, and leave nothing behind.
std::string shareFolder(const fs::path &mine) {
  if (const char *shared = std::getenv(kShared)) {
    fs::remove_all(mine);
    return shared;
  }
  setenv(kShared, (mine / "cache").c_str(), 1);
  return mine / "cache";
}

/// In a process of its own: compiles with the fake compiler, and leaves the module under the key that it has without.
void compileInto(const std::string &folder) {
  setenv("EIN_CACHE_DIR", folder.c_str(), 1);
  CompileRequest request;
  request.text = "i->i";
  request.operands = {TensorType(DType::F32, {8})};
  request.options.threads = 1;
  auto kernel = Engine().compile(request.text, std::span<const TensorType>(request.operands), request.options);
  unsetenv("EIN_COMPILER");
  std::exit(kernel && DiskCache::fromEnvironment()->put(diskKey(request), kernel->module()) ? 0 : 1);
}

/// In another one, whose compiler cannot be loaded: it is missed only where the kernel is not on disk.
void runWithoutCompiler(const std::string &folder) {
  setenv("EIN_CACHE_DIR", folder.c_str(), 1);
  setenv("EIN_COMPILER", "/absent/libein-compiler.so", 1);
  Engine engine;
  CompileOptions options;
  options.threads = 1;
  float from[8] = {1, 2, 3, 4, 5, 6, 7, 8}, to[8] = {};
  const TensorView operand(from, {8}), result(to, {8});
  const bool ran = bool(engine.run("i->i", {&operand, 1}, {&result, 1}, options)) && to[7] == 8;
  const bool missed = !engine.run("i,j->i", std::vector{operand, operand}, {&result, 1}, options);
  std::exit(ran && missed && engine.stats().diskHits == 1 ? 0 : 1);
}

TEST_F(DiskEngineTest, NoCompilerIsNeeded) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::string shared = shareFolder(top);
  EXPECT_EXIT(compileInto(shared), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(runWithoutCompiler(shared), testing::ExitedWithCode(0), "");
  unsetenv(kShared);
}

} // namespace
