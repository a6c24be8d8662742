// Processes that end while the compiler works.
#include "ein/Einsum.h"

#include <chrono>
#include <cstdlib>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace ein;

namespace {

bool lingers = false;
/// Registered before the compiler is loaded, so it runs after whatever that registers.
[[maybe_unused]] const int registered = std::atexit([] {
  if (lingers) std::this_thread::sleep_for(std::chrono::milliseconds(50));
});

// What a compiler destroys at exit, a thread of it may be using: without compiler/ExitHandlers.cpp some of these crash.
TEST(ExitTest, WhileCompilingInTheBackground) {
  CompileOptions options;
  options.background = true;
  const std::vector<float> a(64, 1);
  for (int run = 0; run < 12; ++run) {
    const pid_t child = fork();
    if (child == 0) {
      for (int64_t n = 2; n <= 8; ++n) {
        const TensorView view(a.data(), {n, n});
        if (!einsum("ij,jk,kl->il", {view, view, view}, options)) _exit(1);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(8 * run));
      lingers = true;
      std::exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "run " << run << ": " << status;
  }
}

} // namespace
