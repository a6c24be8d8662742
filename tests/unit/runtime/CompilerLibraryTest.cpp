// A compiler that cannot be loaded, and the environment table. Each case in a process of its own: a
// process loads a compiler once.
#include "ein/Compile.h"
#include "runtime/Environment.h"

#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>

using namespace ein;

// Under a sanitizer, too much memory asked for is a null pointer, as it is without.
extern "C" const char *__asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char *__tsan_default_options() { return "allocator_may_return_null=1"; }

namespace {

/// Compiles in this process and exits with 0 if the error's text holds `expected`.
void expectLoadError(const char *compiler, const char *expected) {
  setenv("EIN_COMPILER", compiler, 1);
  CompileRequest request;
  request.text = "i->i";
  auto result = compile(request);
  if (result) std::exit(2);
  const std::string text = result.error().render();
  const bool good = result.error().code == ErrorCode::Compile && text.find(expected) != std::string::npos;
  if (!good) std::fputs(text.c_str(), stderr);
  std::exit(good ? 0 : 1);
}

TEST(CompilerLibraryDeathTest, MissingLibraryNamesThePath) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(expectLoadError("/nonexistent/libein-compiler.so", "tried /nonexistent/libein-compiler.so"),
              testing::ExitedWithCode(0), "");
}

TEST(CompilerLibraryDeathTest, LibraryWithoutTheFunction) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(expectLoadError("libm.so.6", "ein_compile"), testing::ExitedWithCode(0), "");
}

TEST(Environment, Threads) {
  EXPECT_EQ(resolveThreads(5), 5);
  setenv("EIN_NUM_THREADS", "3", 1);
  EXPECT_EQ(resolveThreads(0), 3);
  EXPECT_EQ(resolveThreads(5), 5);
  unsetenv("EIN_NUM_THREADS");
  const int cores = resolveThreads(0);
  EXPECT_GE(cores, 1);
  for (const char *word : {"", "0", "-1", "4x", "99999999999", "1025"}) {
    setenv("EIN_NUM_THREADS", word, 1);
    EXPECT_EQ(resolveThreads(0), cores) << word;
  }
  unsetenv("EIN_NUM_THREADS");
}

TEST(Environment, TableIsComplete) {
  const auto name = [](EnvironmentVariable v) { return std::string(environmentTable()[static_cast<size_t>(v)].name); };
  EXPECT_EQ(name(EnvironmentVariable::NumThreads), "EIN_NUM_THREADS");
  EXPECT_EQ(name(EnvironmentVariable::Compiler), "EIN_COMPILER");
  EXPECT_EQ(name(EnvironmentVariable::Cache), "EIN_CACHE");
  EXPECT_EQ(name(EnvironmentVariable::CacheDir), "EIN_CACHE_DIR");
  EXPECT_EQ(name(EnvironmentVariable::CacheSize), "EIN_CACHE_SIZE");
  EXPECT_EQ(name(EnvironmentVariable::Log), "EIN_LOG");
  EXPECT_EQ(name(EnvironmentVariable::XdgCacheHome), "XDG_CACHE_HOME");
  EXPECT_EQ(name(EnvironmentVariable::Home), "HOME");
  EXPECT_EQ(name(EnvironmentVariable::CudaLibrary), "EIN_CUDA_LIBRARY");
  EXPECT_EQ(name(EnvironmentVariable::Background), "EIN_BACKGROUND");
  EXPECT_EQ(environmentTable().size(), 10u);
}

} // namespace
