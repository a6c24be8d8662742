// einc: the command line. Options in, exit code out; the work is in the subcommands' files.
#include "ein/Version.h"
#include "runtime/Environment.h"
#include "tools/einc/Commands.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

using namespace einc;

static const char kFooter[] = R"(
TEXT is an einsum string ('ik,kj->ij') or a Program; @FILE reads it from a file, - from standard input. Operands are
.npy files or --type 'f32[64,32]', once per operand ('f64[]' is a scalar, 'f32[64,32]{1,64}' has strides). Results go
to stdout, all else to stderr.
Exit codes: 0 fine, 1 wrong in --check, 2 expression, operands or usage, 3 compile failure, 4 run failure,
5 device missing. Environment variables: einc --help env.)";
static const char kCacheFooter[] = R"(
Kernels are kept in $XDG_CACHE_HOME/ein/v1 (else $HOME/.cache/ein/v1) and evicted, least recently used first, above
EIN_CACHE_SIZE; einc --help env. Exit codes: 0 fine, 1 verify found a damaged entry, 2 usage or no such entry or cache,
4 the answer could not be written.)";

/// What all subcommands take.
static void addArguments(CLI::App &command, Arguments &arguments, bool needsText = true) {
  command.add_option("TEXT", arguments.text, "einsum string, Program, @FILE or -")->required(needsText)->type_name("");
  command.add_option("FILES", arguments.files, "operands as .npy files")->type_name("");
  command.add_option("--type", arguments.types, "type of an operand; once per operand")
      ->type_name("TYPE")
      ->allow_extra_args(false);
  command
      .add_option("--target", arguments.target,
                  "host, host:x86-64-v4, -v3, -v2; x86-64-v4, ... for another machine; "
                  "cuda:sm_90a, cuda:sm_80, ... for NVIDIA GPUs")
      ->type_name("TARGET");
  command.add_option("--path", arguments.path, "contraction order: auto (default), optimal, greedy, fused")
      ->type_name("STRATEGY");
  command.add_option("--threads", arguments.threads, "team size; 0: EIN_NUM_THREADS, else all cores")
      ->type_name("N")
      ->check(CLI::Range(0, ein::kMaxThreads).description(""));
  command.add_option("--memory-limit", arguments.memoryLimit, "most bytes of workspace; 0: no limit")
      ->type_name("BYTES");
  command.add_flag("--names", arguments.names, "labels are names separated by white space");
  command.add_option("--out-dtype", arguments.outDType, "dtype of an einsum string's result")->type_name("DTYPE");
  command.add_flag("--no-fuse", arguments.noFuse, "a kernel for each step: chains of reductions never run as one pass");
  command
      .add_option("--compute-dtype", arguments.computeDType, "dtype operands are rounded to before they are multiplied")
      ->type_name("DTYPE");
  command.add_option("--accumulate-dtype", arguments.accumulateDType, "dtype that sums are taken in")
      ->type_name("DTYPE");
  command.add_option("--conj", arguments.conjugate, "operands to conjugate, by number: 0,2")
      ->type_name("N,...")
      ->allow_extra_args(false)
      ->delimiter(',');
  command.add_option("--dynamic", arguments.dynamic, "indices whose extents come with each call: b,q")
      ->type_name("INDEX,...")
      ->allow_extra_args(false)
      ->delimiter(',');
  command.add_flag("--scatter", arguments.scatter, "the output may repeat an index: write its diagonal");
  command
      .add_option(
          "--semiring", arguments.semiring,
          "what an einsum string adds and multiplies with: plus-times (default), min-plus, max-plus, max-times, "
          "or-and, logaddexp-plus")
      ->type_name("SEMIRING");
  command.add_option("--alpha", arguments.alpha, "factor of the results, default 1")->type_name("X");
  command.add_option("--beta", arguments.beta, "factor of what results held before, which is then random; default 0")
      ->type_name("X");
  command.add_option("--result-strides", arguments.resultStrides, "layout of a result, as 64,1; once per result")
      ->type_name("STRIDES")
      ->allow_extra_args(false);
}

static void addRun(CLI::App &app, RunArguments &arguments) {
  CLI::App &command = *app.add_subcommand("run", "compile and run");
  addArguments(command, arguments, false);
  command.add_option("--bundle", arguments.bundle, "kernels compiled before, instead of TEXT; needs no compiler")
      ->type_name("FILE");
  command.add_option("--kernel", arguments.kernel, "which kernel of the bundle")->type_name("NAME");
  command.add_option("--seed", arguments.seed, "seed of random operands")->type_name("N");
  command.add_flag("--integers", arguments.integers, "random operands hold -2 to 2 instead of fractions");
  command.add_option("-o,--output", arguments.outputs, "write a result as .npy; once per result")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command.add_flag("--check", arguments.check, "compare with the reference interpreter; exit code 1 when wrong");
  command.add_flag("--time", arguments.time, "median and minimum of several runs");
  command.add_flag("--json", arguments.json, "one JSON object on stdout");
}

static void addCompile(CLI::App &app, CompileArguments &arguments) {
  CLI::App &command = *app.add_subcommand("compile", "write a shared object with a C function, or a bundle of kernels");
  addArguments(command, arguments);
  command
      .add_option("-o,--output", arguments.output,
                  "libNAME.so: C functions; NAME.ein: a bundle, for which @FILE is a list of lines\n"
                  "NAME 'EXPRESSION' TYPE...; a .json beside it describes it")
      ->required()
      ->type_name("FILE");
  command.add_option("--header", arguments.header, "C and C++ header to write, with the contract of the functions")
      ->type_name("FILE");
  command.add_option("--name", arguments.name, "of the function or kernel; default: from -o")->type_name("NAME");
}

static void addDoctor(CLI::App &app, DoctorArguments &arguments) {
  CLI::App &command = *app.add_subcommand("doctor", "what this machine has, and a kernel tried on each back end");
  command.add_option("--target", arguments.target, "what has to work: host (default) or cuda")->type_name("TARGET");
  command.add_flag("--json", arguments.json, "one JSON object on stdout");
}

static void addDump(CLI::App &app, DumpArguments &arguments) {
  CLI::App &command = *app.add_subcommand("dump", "print the stages of a compilation");
  addArguments(command, arguments);
  command
      .add_option(
          "--stage", arguments.stages,
          "notation, path, linalg, plan, nest, llvm-dialect, llvm, asm; for a GPU notation, path, linalg, gpu-plan, "
          "nvvm, llvm, ptx, sass; several with commas; default all")
      ->type_name("STAGE")
      ->allow_extra_args(false)
      ->delimiter(',');
  command.add_option("--dump-dir", arguments.directory, "write numbered files and command.txt here")->type_name("DIR");
}

static void addExplain(CLI::App &app, ExplainArguments &arguments) {
  CLI::App &command =
      *app.add_subcommand("explain", "the steps of a kernel: what they store, and why they are not fewer");
  addArguments(command, arguments);
  command.add_flag("--json", arguments.json, "one JSON object on stdout");
}

static void addAdjoint(CLI::App &app, AdjointArguments &arguments) {
  CLI::App &command = *app.add_subcommand("adjoint", "print the Program or einsum string of gradients");
  addArguments(command, arguments);
  command.add_option("--wrt", arguments.operands, "operands, by number: 0,2; default: all that hold floats")
      ->type_name("N,...")
      ->allow_extra_args(false)
      ->delimiter(',');
}

static void addBench(CLI::App &app, BenchArguments &arguments) {
  CLI::App &command = *app.add_subcommand("bench", "time compilation, execution and the cache hit");
  addArguments(command, arguments);
  command.add_option("--seed", arguments.seed, "seed of random operands")->type_name("N");
  command.add_flag("--compile", arguments.compile, "the stages of the compilation instead of the kernel");
  command.add_flag("--json", arguments.json, "one JSON object on stdout");
}

static void addTune(CLI::App &app, TuneArguments &arguments) {
  CLI::App &command = *app.add_subcommand("tune", "search faster plans; the best is stored and used from then on");
  addArguments(command, arguments);
  command.add_option("--seed", arguments.seed, "seed of random operands")->type_name("N");
  command.add_option("--seconds", arguments.seconds, "how long to search, default 10")
      ->type_name("S")
      ->check(CLI::Range(0.0, 1e6).description(""));
  command.add_option("--top", arguments.top, "candidates of each contraction, default 24")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""));
  command.add_option("--json", arguments.jsonFile, "write what was measured as JSON")->type_name("FILE");
  command.add_flag("--dry-run", arguments.dryRun, "store nothing");
}

static void addCache(CLI::App &app, CacheArguments &arguments) {
  CLI::App &command = *app.add_subcommand("cache", "look at the kernels on disk, remove them");
  command.footer(kCacheFooter); // its subcommands take it over
  command.require_subcommand(1);
  const auto add = [&](const char *name, const char *meaning) -> CLI::App & {
    CLI::App &verb = *command.add_subcommand(name, meaning);
    verb.add_flag("--json", arguments.json, "JSON on stdout");
    verb.callback([&arguments, name] { arguments.command = name; });
    return verb;
  };
  add("info", "folder, state, size, and what keys say of this machine");
  add("list", "all entries, most recently used first");
  add("show", "one entry")
      .add_option("NAME", arguments.entry, "how its name begins; einc cache list")
      ->required()
      ->type_name("");
  add("verify", "read and check all entries; exit code 1 if one is damaged");
  add("prune", "remove damaged entries, then the least recently used")
      .add_option("--size", arguments.size, "what may remain: 500000, 64K, 100M, 2G; default: EIN_CACHE_SIZE")
      ->type_name("SIZE");
  add("clear", "remove all entries");
}

/// Whether the command line is `--help env` or `--help=env`.
static bool asksForEnvironment(int argc, char **argv) {
  const std::string first = argc > 1 ? argv[1] : "", second = argc > 2 ? argv[2] : "";
  return (argc == 2 && first == "--help=env") || (argc == 3 && first == "--help" && second == "env");
}

static ExitCode printEnvironment() {
  std::string text;
  size_t width = 0;
  for (const ein::EnvironmentEntry &entry : ein::environmentTable())
    width = std::max(width, std::string_view(entry.name).size());
  for (const ein::EnvironmentEntry &entry : ein::environmentTable()) {
    const std::string name = entry.name;
    text += name + std::string(width + 1 - name.size(), ' ') + entry.meaning + "\n";
  }
  text += "All are ignored in set-user-id processes.\n";
  auto printed = printResult(text);
  return printed ? kFine : fail(printed.error(), While::Writing);
}

/// Prints what CLI11 found wrong with the command line.
static int usageError(int argc, char **argv, const CLI::App &app, const CLI::ParseError &mistake) {
  std::string message = mistake.what();
  auto isNamed = [&](const CLI::App *command) { return command->get_name() == argv[1]; };
  auto commands = app.get_subcommands({});
  if (argc > 1 && argv[1][0] != '-' && std::none_of(commands.begin(), commands.end(), isNamed))
    message = "there is no subcommand '" + std::string(argv[1]) + "'";
  std::fprintf(stderr,
               "error: %s\nhelp: subcommands are run, compile, dump, path, hash, explain, adjoint, bench, tune, cache "
               "and doctor; einc "
               "--help, einc run --help\n",
               message.c_str());
  return kUserError;
}

/// The words of the command line as CLI11 takes them: last first.
static std::vector<std::string> wordsOf(int argc, char **argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  // "->" is an expression, not an option; white space means nothing in one.
  for (std::string &word : words)
    if (word.starts_with("->")) word.insert(0, " ");
  std::reverse(words.begin(), words.end());
  return words;
}

int main(int argc, char **argv) {
  if (asksForEnvironment(argc, argv)) return printEnvironment();
  CLI::App app("einc: compiles einsum expressions to machine code and runs them", "einc");
  app.set_version_flag("--version", std::string("ein ") + ein::version() + " (MLIR/LLVM 22)");
  app.require_subcommand(1);
  app.footer(kFooter);
  RunArguments runArguments;
  DumpArguments dumpArguments;
  Arguments pathArguments, hashArguments;
  CompileArguments compileArguments;
  ExplainArguments explainArguments;
  AdjointArguments adjointArguments;
  BenchArguments benchArguments;
  DoctorArguments doctorArguments;
  TuneArguments tuneArguments;
  CacheArguments cacheArguments;
  addRun(app, runArguments);
  addCompile(app, compileArguments);
  addDump(app, dumpArguments);
  addArguments(*app.add_subcommand("path", "print the contraction order and what it costs"), pathArguments);
  addArguments(*app.add_subcommand("hash", "identify what is computed, whatever its spelling"), hashArguments);
  addExplain(app, explainArguments);
  addAdjoint(app, adjointArguments);
  addBench(app, benchArguments);
  addTune(app, tuneArguments);
  addDoctor(app, doctorArguments);
  for (CLI::App *command : app.get_subcommands({})) command->footer(kFooter);
  addCache(app, cacheArguments);

  // CLI11 reports by exception; none leaves this block.
  try {
    app.parse(wordsOf(argc, argv));
  } catch (const CLI::ParseError &mistake) {
    if (mistake.get_exit_code() == 0) return app.exit(mistake);
    return usageError(argc, argv, app, mistake);
  }
  if (app.got_subcommand("run")) return run(runArguments);
  if (app.got_subcommand("path")) return path(pathArguments);
  if (app.got_subcommand("hash")) return hash(hashArguments);
  if (app.got_subcommand("explain")) return explain(explainArguments);
  if (app.got_subcommand("adjoint")) return adjointOf(adjointArguments);
  if (app.got_subcommand("compile")) return compileAhead(compileArguments);
  if (app.got_subcommand("bench")) return benchArguments.compile ? benchCompile(benchArguments) : bench(benchArguments);
  if (app.got_subcommand("doctor")) return doctor(doctorArguments);
  if (app.got_subcommand("tune")) return tune(tuneArguments);
  if (app.got_subcommand("cache")) return cache(cacheArguments);
  dumpArguments.command.assign(argv, argv + argc);
  return dump(dumpArguments);
}
