// The real compiler, asked for what LLVM refuses, and for other machines.
#include "ein/Compile.h"
#include "ein/Cpu.h"
#include "ein/Engine.h"

#include <gtest/gtest.h>
#include <thread>

using namespace ein;

namespace {

CompileRequest request(const char *cpu) {
  CompileRequest made;
  made.text = "ik,kj->ij";
  made.operands = {TensorType(DType::F32, {33, 20}), TensorType(DType::F32, {20, 50})};
  made.options.target.cpu = cpu;
  made.options.threads = 1;
  return made;
}

// A CPU without long mode is a fatal error of LLVM's ("64-bit code requested on a subtarget that doesn't support it!"),
// which would abort.
TEST(FatalError, IsACompileFailureAndTheNextCompilationIsFine) {
  for (int i = 0; i < 20; ++i) {
    auto failed = compile(request("i386"));
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::Compile);
    EXPECT_NE(failed.error().message.find("LLVM gave up: 64-bit code requested"), std::string::npos)
        << failed.error().message;
    auto good = compile(request(""));
    ASSERT_TRUE(good) << good.error().render();
    EXPECT_TRUE(Engine::global().load(std::move(good->module)));
  }
}

TEST(FatalError, OfOneThreadLeavesOthersAlone) {
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) wrong += bool(compile(request(t % 2 ? "i386" : ""))) != (t % 2 == 0);
    });
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Target, NativeCodeNeedsWhatThisCpuHas) {
  auto result = compile(request(""));
  ASSERT_TRUE(result) << result.error().render();
  EXPECT_EQ(result->module.features, cpuFeatures());
  EXPECT_EQ(result->compiler.rfind("LLVM 22.", 0), 0u);
  EXPECT_FALSE(result->cpu.empty());
}

TEST(Target, PortableCodeNeedsItsLevelAndNoMore) {
  for (const char *level : {"x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    CompileRequest portable = request(level);
    portable.options.target.portable = true;
    auto result = compile(portable);
    ASSERT_TRUE(result) << result.error().render();
    EXPECT_EQ(result->module.features, levelFeatures(level));
    EXPECT_EQ(bool(Engine::global().load(result->module)), missingFeatures(levelFeatures(level)).empty());
  }
}

} // namespace
