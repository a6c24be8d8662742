// The suite "compile": what compiling, finding and calling a kernel cost.
#include "bench/CompileSuite.h"

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
  Engine engine(1024, DiskUse::Off);
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

/// Engine::run with its look-up, and the kernel alone, on 4x4 operands.
static std::vector<Record> tinyCalls(const RunOptions &options) {
  Record hit = recordOf("Engine::run 4x4, hit", "ik,kj->ij"), held = recordOf("Kernel::run 4x4, held", "ik,kj->ij");
  float a[16] = {}, b[16] = {}, c[16] = {};
  const std::vector<TensorView> in{TensorView(a, {4, 4}), TensorView(b, {4, 4})}, out{TensorView(c, {4, 4})};
  CompileOptions compileOptions;
  compileOptions.threads = options.threads;
  Engine engine(1024, DiskUse::Off);
  const auto kernel = engine.compile("ik,kj->ij", in, compileOptions);
  if (!kernel) {
    hit.error = held.error = kernel.error().message;
    return {hit, held};
  }
  const std::function<void()> calls[] = {[&] { (void)engine.run("ik,kj->ij", in, out, compileOptions); },
                                         [&] { (void)kernel->run(in, out); }};
  // No thread team: nothing of this forks.
  const std::vector<Stats> stats = interleave(calls, options.seconds, 1);
  hit.ours = stats[0], held.ours = stats[1];
  return {hit, held};
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
  std::vector<Record> records = tinyCalls(options);
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
