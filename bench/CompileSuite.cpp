// The suite "compile": what compiling, finding and calling a kernel cost.
#include "bench/CompileSuite.h"
#include "ein/Einsum.h"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

using namespace ein;

extern char **environ;

namespace bench {

static Record recordOf(std::string name, std::string text) {
  Record record;
  record.suite = "compile", record.name = std::move(name), record.text = std::move(text);
  return record;
}

/// Every compilation is the first of its key: an engine without a cache of earlier ones, in a process that has
/// compiled.
static Record coldCompiles(const std::string &suite, const RunOptions &options) {
  Record record = recordOf("cold compile, " + suite, "two-operand einsums of the suite");
  CompileOptions compileOptions;
  compileOptions.threads = options.threads;
  std::vector<double> samples;
  Engine engine({.disk = DiskUse::Off});
  uint64_t compiles = 0;
  for (const Case &c : casesOf(suite)) {
    if (c.operands.size() != 2) continue;
    const double start = now();
    const auto kernel = engine.compile(c.text, c.operands, compileOptions);
    const double elapsed = now() - start;
    // Some suites have one einsum under two names.
    const bool isNew = std::exchange(compiles, engine.stats().compiles) < engine.stats().compiles;
    if (kernel && isNew)
      samples.push_back(elapsed);
    else if (!kernel)
      record.error = c.text + ": " + kernel.error().message;
  }
  if (!samples.empty()) record.ours = statsOf(std::move(samples));
  return record;
}

/// Runs a program to its end, output to /dev/null; seconds, negative where it fails.
static double timeProcess(std::vector<std::string> words) {
  std::vector<char *> arguments;
  for (std::string &word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const double start = now();
  pid_t child = 0;
  int status = -1;
  const bool started = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ) == 0;
  const bool ended = started && waitpid(child, &status, 0) == child;
  const double elapsed = now() - start;
  posix_spawn_file_actions_destroy(&actions);
  return ended && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? elapsed : -1;
}

static Record process(const std::string &name, const std::vector<std::string> &words) {
  Record record = recordOf(name, {});
  for (const std::string &word : words) record.text += (record.text.empty() ? "" : " ") + word;
  std::vector<double> samples;
  for (int run = 0; run < 15; ++run) {
    const double elapsed = timeProcess(words);
    if (elapsed < 0) {
      record.error = "cannot run it";
      return record;
    }
    samples.push_back(elapsed);
  }
  record.ours = statsOf(std::move(samples));
  return record;
}

/// What a call costs around the kernel, on operands of n x n: with a look-up, held, and without checks.
static std::vector<Record> tinyCalls(int64_t n, const RunOptions &options) {
  const std::string text = "ik,kj->ij", size = std::to_string(n) + "x" + std::to_string(n);
  std::vector<Record> records{
      recordOf("einsum() " + size + ", hit", text), recordOf("Engine::run " + size + ", hit", text),
      recordOf("Kernel::run " + size + ", held", text), recordOf("Kernel::runUnchecked " + size, text),
      recordOf("Engine::run " + size + ", all indices dynamic, hit", text)};
  float a[64] = {}, b[64] = {}, c[64] = {};
  const std::vector<TensorView> in{TensorView(a, {n, n}), TensorView(b, {n, n})}, out{TensorView(c, {n, n})};
  CompileOptions compileOptions;
  compileOptions.threads = options.threads;
  Engine engine({.disk = DiskUse::Off});
  const auto kernel = engine.compile(text, in, compileOptions);
  CompileOptions anySize = compileOptions;
  anySize.dynamic = {"i", "j", "k"};
  const auto dynamic = engine.compile(text, in, anySize);
  for (const auto *made : {&kernel, &dynamic})
    if (!*made) {
      for (Record &record : records) record.error = made->error().message;
      return records;
    }
  void *const operands[] = {a, b}, *const results[] = {c};
  const std::function<void()> calls[] = {
      [&] { (void)einsum(text, in, compileOptions); }, [&] { (void)engine.run(text, in, out, compileOptions); },
      [&] { (void)kernel->run(in, out); }, [&] { (void)kernel->runUnchecked(operands, results); },
      [&] { (void)engine.run(text, in, out, anySize); }};
  // No thread team: nothing of this forks.
  const std::vector<Stats> stats = interleave(calls, options.seconds, 1);
  for (size_t r = 0; r < records.size(); ++r) records[r].ours = stats[r];
  return records;
}

/// From the first call of a key to its result, n x n x n, in a process that has compiled; with and without a generic
/// kernel while the compilation runs. Each sample is an engine of its own, which waits for its compilation after the
/// clock has stopped.
static std::vector<Record> firstResults(int64_t n, const RunOptions &options) {
  const std::string text = "ik,kj->ij", size = std::to_string(n) + "^3";
  std::vector<Record> records{recordOf("first result " + size, text),
                              recordOf("first result " + size + ", in the background", text)};
  const Buffer a(TensorType(DType::F32, {n, n})), b(a.type()), c(a.type());
  std::fill_n(a.data<float>(), n * n, 1.0f);
  std::fill_n(b.data<float>(), n * n, 2.0f);
  const TensorView in[] = {a.view(), b.view()}, out[] = {c.view()};
  std::vector<double> samples[2];
  for (int run = 0; run < 41; ++run)
    for (size_t r = 0; r < 2; ++r) {
      CompileOptions compileOptions;
      compileOptions.threads = options.threads;
      compileOptions.background = r == 1;
      Engine engine({.disk = DiskUse::Off});
      const double start = now();
      const auto done = engine.run(text, in, out, compileOptions);
      const double elapsed = now() - start;
      if (!done) records[r].error = done.error().message;
      if (run > 0) samples[r].push_back(elapsed); // before, libraries are loaded
    }
  for (size_t r = 0; r < 2; ++r) records[r].ours = statsOf(std::move(samples[r]));
  return records;
}

/// A kernel that is on disk, loaded by an engine that has not seen it.
static Record diskHits(const RunOptions &options) {
  Record record = recordOf("Engine::compile 4x4, from disk", "ik,kj->ij");
  const std::vector<TensorType> types(2, TensorType(DType::F32, {4, 4}));
  CompileOptions compileOptions;
  compileOptions.threads = options.threads;
  std::vector<double> samples;
  for (int run = 0; run < 200; ++run) {
    Engine engine;
    const double start = now();
    const auto kernel = engine.compile("ik,kj->ij", types, compileOptions);
    const double elapsed = now() - start;
    if (!kernel) record.error = kernel.error().message;
    if (engine.stats().diskHits == 1) samples.push_back(elapsed);
  }
  if (samples.size() < 199) record.error = "the kernel was not found on disk";
  if (!samples.empty()) record.ours = statsOf(std::move(samples));
  return record;
}

/// What a kernel on disk saves, in a cache of this measurement's own.
static std::vector<Record> warmStarts(const RunOptions &options, const std::vector<std::string> &run) {
  char folder[] = "/tmp/ein-bench-XXXXXX";
  if (!mkdtemp(folder)) return {};
  setenv("EIN_CACHE", "1", 1);
  setenv("EIN_CACHE_DIR", folder, 1);
  std::vector<Record> records{diskHits(options)};
  if (timeProcess(run) >= 0) records.push_back(process("run with its kernel on disk, from exec", run));
  setenv("EIN_CACHE", "0", 1);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return records;
}

std::vector<Record> runCompileSuite(const RunOptions &options, const std::string &einc) {
  std::vector<Record> records;
  for (int64_t n : {2, 4})
    for (Record &record : tinyCalls(n, options)) records.push_back(std::move(record));
  for (int64_t n : {64, 512})
    for (Record &record : firstResults(n, options)) records.push_back(std::move(record));
  for (std::string_view suite : kSuites) records.push_back(coldCompiles(std::string(suite), options));
  if (einc.empty()) return records;
  setenv("EIN_CACHE", "0", 1);
  const std::vector<std::string> run{einc, "run", "ik,kj->ij", "--type", "f32[4,4]", "--type", "f32[4,4]"};
  records.push_back(process("einc --version, from exec", {einc, "--version"}));
  records.push_back(process("first compile and run, from exec", run));
  for (Record &record : warmStarts(options, run)) records.push_back(std::move(record));
  return records;
}

} // namespace bench
