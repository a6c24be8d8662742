// einc bench --compile: where the time of a compilation goes.
#include "ein/Compile.h"
#include "ein/Engine.h"
#include "runtime/TunedPlans.h"
#include "tools/einc/Commands.h"
#include "tools/einc/Timing.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace ein;

namespace einc {

namespace {

/// Milliseconds of one stage, one of each compilation.
struct StageTimes {
  std::string stage;
  std::vector<double> samples;
  double median() const { return samples[samples.size() / 2]; }
  double min() const { return samples.front(); }
};

/// What was measured; stages in their order, then other (clearing up, passing on), load (into this
/// process) and total.
struct CompileTimes {
  double first = 0; ///< milliseconds of the first compilation of this process, which loads the compiler
  std::vector<StageTimes> stages;
};

} // namespace

static void addSample(CompileTimes &times, const std::string &stage, double milliseconds) {
  const auto found = std::find_if(times.stages.begin(), times.stages.end(),
                                  [&](const StageTimes &known) { return known.stage == stage; });
  StageTimes &place = found == times.stages.end() ? times.stages.emplace_back(StageTimes{stage, {}}) : *found;
  place.samples.push_back(milliseconds);
}

/// One compilation and one load; its stages go into `times`.
static Expected<void> compileOnce(const CompileRequest &request, Engine &engine, CompileTimes &times) {
  const double begin = now();
  auto result = compile(request);
  if (!result) return result.error();
  const double compiled = now();
  const std::vector<std::pair<std::string, double>> timings = std::move(result->timings);
  if (result->module.gpu.empty()) // what a GPU loads is the driver's work
    if (auto kernel = engine.load(std::move(result->module)); !kernel) return kernel.error();
  const double end = now();
  double other = (compiled - begin) * 1e3;
  for (const auto &[stage, milliseconds] : timings) {
    addSample(times, stage, milliseconds);
    other -= milliseconds;
  }
  addSample(times, "other", other);
  addSample(times, "load", (end - compiled) * 1e3);
  addSample(times, "total", (end - begin) * 1e3);
  return {};
}

static Expected<CompileTimes> measure(const CompileRequest &request) {
  constexpr double budget = 2;
  constexpr size_t fewest = 5, most = 100;
  Engine engine;
  CompileTimes times;
  if (auto ok = compileOnce(request, engine, times); !ok) return ok.error();
  times.first = times.stages.back().median();
  times.stages.clear();
  const double begin = now();
  for (size_t run = 0; run < fewest || (run < most && now() - begin < budget); ++run)
    if (auto ok = compileOnce(request, engine, times); !ok) return ok.error();
  for (StageTimes &stage : times.stages) std::sort(stage.samples.begin(), stage.samples.end());
  return times;
}

static std::string jsonOf(const CompileRequest &request, const CompileTimes &times) {
  nlohmann::ordered_json report;
  report["expression"] = request.text;
  report["runs"] = times.stages.back().samples.size();
  report["first_ms"] = times.first;
  report["median_ms"] = times.stages.back().median();
  report["min_ms"] = times.stages.back().min();
  for (const StageTimes &stage : times.stages)
    if (stage.stage != "total")
      report["stages"].push_back({{"stage", stage.stage}, {"median_ms", stage.median()}, {"min_ms", stage.min()}});
  return report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

static std::string tableOf(const CompileRequest &request, const CompileTimes &times) {
  const StageTimes &total = times.stages.back();
  char line[160];
  std::string text = "expression    " + request.text + "\n";
  for (const StageTimes &stage : times.stages) {
    std::snprintf(line, sizeof line, "%-13s %9.3f ms  min %9.3f ms %5.1f %%\n", stage.stage.c_str(), stage.median(),
                  stage.min(), 100 * stage.median() / total.median());
    text += line;
  }
  std::snprintf(line, sizeof line, "first         %9.3f ms (loads the compiler)\nmedians of %zu compilations\n",
                times.first, total.samples.size());
  return text + line;
}

ExitCode benchCompile(const BenchArguments &arguments) {
  auto request = resolve(arguments);
  if (!request) return fail(request.error());
  CompileRequest compilation;
  compilation.text = std::move(request->text);
  compilation.operands = std::move(request->operands);
  compilation.options = std::move(request->options);
  compilation.options.plans = loadTunedPlans(compilation);
  auto times = measure(compilation);
  if (!times) return fail(times.error());
  auto printed = printResult(arguments.json ? jsonOf(compilation, *times) : tableOf(compilation, *times));
  return printed ? kFine : fail(printed.error(), While::Writing);
}

} // namespace einc
