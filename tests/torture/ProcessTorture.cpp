// ein-process-torture: a process that never stops compiling, forks under load, a crowd of threads; all with the real
// compiler. Prints what it counted; exit code 1 if anything was wrong.
#include "ein/Engine.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace ein;

namespace {

constexpr size_t kMiB = size_t(1) << 20;

int report(bool fine, const char *name, const std::string &what) {
  std::printf("%-7s %-5s %s\n", name, fine ? "fine" : "WRONG", what.c_str());
  return fine ? 0 : 1;
}

double residentMiB() {
  size_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return static_cast<double>(resident * static_cast<size_t>(sysconf(_SC_PAGESIZE))) / kMiB;
}

/// Runs the n-th of many einsums that all differ, and says whether every element of its result is right.
bool computes(Engine &engine, uint64_t n) {
  const auto rows = static_cast<int64_t>(1 + n % 37), depth = static_cast<int64_t>(1 + n / 37 % 29),
             columns = static_cast<int64_t>(1 + n / (37 * 29));
  std::vector<float> a(static_cast<size_t>(rows * depth)), b(static_cast<size_t>(depth * columns)),
      c(static_cast<size_t>(rows * columns), NAN);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>((i + n) % 5);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 7);
  const TensorView operands[] = {TensorView(a.data(), {rows, depth}), TensorView(b.data(), {depth, columns})};
  const TensorView results[] = {TensorView(c.data(), {rows, columns})};
  if (auto ok = engine.run("ij,jk->ik", operands, results); !ok) {
    std::fprintf(stderr, "%s\n", ok.error().render().c_str());
    return false;
  }
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t k = 0; k < columns; ++k) {
      float sum = 0;
      for (int64_t j = 0; j < depth; ++j) sum += a[i * depth + j] * b[j * columns + k];
      if (c[i * columns + k] != sum) return false; // small integers: exact in any order
    }
  return true;
}

/// A kernel large enough for a team of two.
bool computesInATeam(Engine &engine) {
  constexpr int64_t kSide = 192;
  std::vector<float> a(kSide * kSide, 1), c(kSide * kSide, NAN);
  const TensorView operands[] = {TensorView(a.data(), {kSide, kSide}), TensorView(a.data(), {kSide, kSide})};
  const TensorView results[] = {TensorView(c.data(), {kSide, kSide})};
  CompileOptions options;
  options.threads = 2;
  return engine.run("ij,jk->ik", operands, results, options) &&
         std::all_of(c.begin(), c.end(), [](float x) { return x == kSide; });
}

/// `count` einsums that all differ, under a budget of code: what the process occupies stops growing.
int compileAll(uint64_t count) {
  constexpr size_t kBudget = 16 * kMiB;
  Engine engine({.maxKernels = count, .maxCodeBytes = kBudget, .disk = DiskUse::Off});
  uint64_t wrong = 0;
  double half = 0;
  std::string sizes;
  for (uint64_t n = 0; n < count; ++n) {
    wrong += !computes(engine, n);
    if (n + 1 == count / 2) half = residentMiB();
    if ((n + 1) % std::max<uint64_t>(count / 5, 1) == 0)
      sizes += (sizes.empty() ? "" : ", ") + std::to_string(std::lround(residentMiB()));
  }
  const EngineStats stats = engine.stats();
  const bool fine = wrong == 0 && stats.compiles == count && residentMiB() < half + 0.5 * kBudget / kMiB;
  return report(fine, "memory",
                std::to_string(stats.compiles) + " kernels, " + std::to_string(stats.evictions) + " evicted, " +
                    std::to_string(wrong) + " wrong; MiB resident after each fifth: " + sizes);
}

/// `count` children, forked while threads hit and miss. Each calls what it inherited, compiles, and runs a team.
int forkUnderLoad(uint64_t count) {
  Engine engine({.maxKernels = 16, .disk = DiskUse::Off});
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> bad = 0, calls = 0;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; !stop; ++i, ++calls) bad += !computes(engine, (i + t) % 24);
    });
  uint64_t failed = 0;
  for (uint64_t f = 0; f < count; ++f) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      Engine other({.disk = DiskUse::Off});
      _exit(computes(engine, f % 24) && computes(engine, 100 + f) && computes(other, f) && computesInATeam(engine) ? 0
                                                                                                                   : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    failed += status != 0;
  }
  stop = true;
  for (std::thread &t : threads) t.join();
  return report(failed == 0 && bad == 0, "fork",
                std::to_string(count) + " children, " + std::to_string(failed) + " failed; " + std::to_string(calls) +
                    " calls meanwhile, " + std::to_string(bad) + " wrong");
}

/// 64 threads call `count` kernels in orders of their own: each is compiled once.
int crowd(uint64_t count) {
  constexpr uint64_t kThreads = 64, kCalls = 10000;
  Engine engine({.maxKernels = count, .disk = DiskUse::Off});
  std::atomic<uint64_t> bad = 0;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < kCalls; ++i) bad += !computes(engine, (i * (2 * t + 1) + t) % count);
    });
  for (std::thread &t : threads) t.join();
  const EngineStats stats = engine.stats();
  const bool fine = bad == 0 && stats.compiles == count && stats.hits + stats.misses == kThreads * kCalls;
  return report(fine, "crowd",
                std::to_string(kThreads * kCalls) + " calls of " + std::to_string(kThreads) + " threads, " +
                    std::to_string(stats.compiles) + " compilations of " + std::to_string(count) + " keys, " +
                    std::to_string(bad) + " wrong");
}

} // namespace

int main(int argc, char **argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  uint64_t count = 0;
  if (argc == 3) std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), count);
  if (count > 0 && count <= 1'000'000) {
    if (what == "memory") return compileAll(count);
    if (what == "fork") return forkUnderLoad(count);
    if (what == "crowd") return crowd(count);
  }
  std::fprintf(stderr, "usage: ein-process-torture memory KERNELS | fork CHILDREN | crowd KEYS\n");
  return 2;
}
