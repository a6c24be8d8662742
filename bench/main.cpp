// ein-bench: the command line. Tables go to stdout, progress to stderr.
#include "bench/CompileSuite.h"
#include "bench/DynamicSuite.h"
#include "bench/Report.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <omp.h>
#include <regex>

using namespace bench;

namespace {

struct Arguments {
  std::vector<std::string> suites;
  RunOptions run;
  std::string json, svg, filter, einc;
  bool list = false;
};

int mistake(const std::string &message) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return 2;
}

/// The cases asked for, in order.
std::vector<Case> selected(const Arguments &arguments, const std::regex &filter) {
  std::vector<Case> cases;
  for (const std::string &suite : arguments.suites)
    for (Case &c : casesOf(suite))
      if (std::regex_search(c.suite + "/" + c.name, filter)) cases.push_back(std::move(c));
  return cases;
}

bool write(const std::string &path, const std::string &text) {
  if (path.empty()) return true;
  std::ofstream file(path);
  file << text;
  file.flush();
  if (!file) std::fprintf(stderr, "error: cannot write %s\n", path.c_str());
  return static_cast<bool>(file);
}

void take(Report &report, std::vector<Record> records) {
  for (Record &record : records) {
    std::fputs(tableRow(record).c_str(), stdout);
    report.records.push_back(std::move(record));
  }
  std::fflush(stdout);
}

void runCases(Report &report, const std::vector<Case> &cases) {
  Runner runner(report.options, report.ceilings, report.libraries);
  for (size_t begin = 0; begin < cases.size();) {
    size_t end = begin + 1;
    while (end < cases.size() && !cases[begin].family.empty() && cases[end].family == cases[begin].family) ++end;
    std::fprintf(stderr, "[%zu/%zu] %s/%s\n", begin + 1, cases.size(), cases[begin].suite.c_str(),
                 cases[begin].name.c_str());
    take(report, runner.run(std::span(cases).subspan(begin, end - begin)));
    begin = end;
  }
}

std::string eincBeside() {
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  const auto einc = self.parent_path() / "einc";
  return std::filesystem::exists(einc, failed) ? einc.string() : "";
}

int runAll(const Arguments &arguments, const std::regex &filter) {
  const std::vector<Case> cases = selected(arguments, filter);
  if (arguments.list) {
    for (const Case &c : cases) std::printf("%s/%s\n", c.suite.c_str(), c.name.c_str());
    return 0;
  }
  omp_set_num_threads(arguments.run.threads);
  std::fprintf(stderr, "measuring ceilings\n");
  Report report{arguments.run, measureCeilings(arguments.run.threads), openBlasLibraries(), {}};
  std::fputs((headerText(report) + tableHead()).c_str(), stdout);
  runCases(report, cases);
  if (std::find(arguments.suites.begin(), arguments.suites.end(), "compile") != arguments.suites.end()) {
    std::fprintf(stderr, "compile\n");
    take(report, runCompileSuite(arguments.run, arguments.einc));
  }
  if (std::find(arguments.suites.begin(), arguments.suites.end(), "dynamic") != arguments.suites.end()) {
    std::fprintf(stderr, "dynamic\n");
    take(report, runDynamicSuite(arguments.run));
  }
  std::fputs(footerText(report).c_str(), stdout);
  const bool json = write(arguments.json, jsonText(report)), svg = write(arguments.svg, svgText(report));
  const bool wrong = std::any_of(report.records.begin(), report.records.end(),
                                 [](const Record &record) { return !record.error.empty(); });
  return !json || !svg ? 2 : wrong ? 1 : 0;
}

} // namespace

int main(int argc, char **argv) {
  // Workers of one pool must sleep before the other is timed (Timing.cpp waits 3 ms): 1 ms for libomp, 2^21 cycles for
  // OpenBLAS. Both read it at their first use.
  setenv("KMP_BLOCKTIME", "1", 0);
  setenv("OPENBLAS_THREAD_TIMEOUT", "21", 0);

  Arguments arguments;
  arguments.einc = eincBeside();
  CLI::App app("ein-bench: times ein's kernels beside the BLAS libraries that are installed", "ein-bench");
  app.add_option("--suite", arguments.suites,
                 "gemm, small, batched, tccg, slow, memory, attention-scores, attention, programs, dtypes, compile, "
                 "dynamic")
      ->required()
      ->delimiter(',')
      ->check(CLI::IsMember({"gemm", "small", "batched", "tccg", "slow", "memory", "attention-scores", "attention",
                             "programs", "dtypes", "compile", "dynamic"}));
  app.add_option("--threads", arguments.run.threads, "threads of ein and of its peers")->check(CLI::Range(1, 1024));
  app.add_option("--seconds", arguments.run.seconds, "time for each of the timed in a case")
      ->check(CLI::PositiveNumber);
  app.add_option("--filter", arguments.filter, "only cases whose SUITE/NAME matches this regular expression");
  app.add_option("--json", arguments.json, "write everything measured to this file");
  app.add_option("--svg", arguments.svg, "write a bar chart of the ratios to this file");
  app.add_option("--einc", arguments.einc, "einc for the compile suite; default: the one beside ein-bench");
  app.add_flag("--list", arguments.list, "print the cases and leave");
  app.footer("Ratios above 1: ein is faster. Exit codes: 0 fine, 1 a case failed or differs from its peer, 2 usage.");
  // CLI11 and std::regex report by exception; none leaves this block.
  std::regex filter;
  try {
    app.parse(argc, argv);
    filter = std::regex(arguments.filter);
  } catch (const CLI::ParseError &error) {
    return error.get_exit_code() == 0 ? app.exit(error) : mistake(error.what());
  } catch (const std::regex_error &error) {
    return mistake("--filter: " + std::string(error.what()));
  }
  return runAll(arguments, filter);
}
