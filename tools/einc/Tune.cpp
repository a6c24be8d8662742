// einc tune: searches faster plans for one expression, prints what was measured, stores the best.
#include "runtime/TunedPlans.h"
#include "tools/einc/Files.h"
#include "tools/einc/Progress.h"
#include "tools/einc/TuneSearch.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace ein;

namespace einc {

/// The decisions of a plan: its text without the version and the step.
static std::vector<std::string> decisionsOf(const std::string &plan) {
  std::vector<std::string> words;
  std::istringstream stream(plan);
  for (std::string word; stream >> word;)
    if (word.find('=') != word.npos && !word.starts_with("step=")) words.push_back(word);
  return words;
}

/// The decisions in which a plan is not like `standard`.
static std::string difference(const std::string &plan, const std::string &standard) {
  const std::vector<std::string> known = decisionsOf(standard);
  std::string text;
  for (const std::string &word : decisionsOf(plan))
    if (std::find(known.begin(), known.end(), word) == known.end()) text += (text.empty() ? "" : " ") + word;
  return text;
}

static std::string defaultOf(const TuneReport &report, int32_t step) {
  for (const Trial &trial : report.trials)
    if (trial.isDefault && trial.candidate.step == step) return trial.candidate.plan;
  return {};
}

/// One line: step, predicted cycles, measured time, ratio, decisions.
static std::string rowOf(const TuneReport &report, const Trial &trial) {
  char numbers[96];
  std::string text;
  std::snprintf(numbers, sizeof numbers, "%4d  ", trial.candidate.step);
  text += numbers;
  if (trial.candidate.predictedCycles > 0)
    std::snprintf(numbers, sizeof numbers, "%10.0f  ", trial.candidate.predictedCycles * 1e-3);
  else
    std::snprintf(numbers, sizeof numbers, "%10s  ", "-");
  text += numbers;
  if (trial.timing)
    std::snprintf(numbers, sizeof numbers, "%11.5g  %6.3f  %6.3f  ", trial.timing->median * 1e3, trial.ratio,
                  trial.bestRatio);
  else
    std::snprintf(numbers, sizeof numbers, "%11s  %6s  %6s  ", "-", "-", "-");
  text += numbers;
  text += trial.isDefault ? "the planner's choice"
                          : difference(trial.candidate.plan, defaultOf(report, trial.candidate.step));
  if (!trial.problem.empty()) text += "  (" + trial.problem + ")";
  return text + "\n";
}

static std::string tableOf(const Request &request, const TuneReport &report) {
  std::string text = "expression    " + request.text + "\noperands     ";
  for (const TensorType &type : request.operands) text += " " + type.str();
  text += "\nthreads       " + std::to_string(request.options.threads) + "\n";
  if (report.trials.empty()) return text + "no step of this kernel is a tiled contraction: there is nothing to tune\n";

  // Of each step the fastest first; what was not timed last.
  std::vector<const Trial *> order;
  for (const Trial &trial : report.trials) order.push_back(&trial);
  std::stable_sort(order.begin(), order.end(), [](const Trial *a, const Trial *b) {
    if (a->candidate.step != b->candidate.step) return a->candidate.step < b->candidate.step;
    if (a->timing.has_value() != b->timing.has_value()) return a->timing.has_value();
    return a->bestRatio < b->bestRatio;
  });
  text += "\nstep  predicted/k  measured/ms   ratio    best  plan\n";
  for (const Trial *trial : order) text += rowOf(report, *trial);

  const auto untimed =
      std::count_if(order.begin(), order.end(), [](const Trial *t) { return !t->timing && t->problem.empty(); });
  if (untimed > 0) text += "\n" + std::to_string(untimed) + " were not timed: --seconds gives more time\n";

  char ratio[96];
  std::snprintf(ratio, sizeof ratio, "%.3f of the planner's %.5g ms, %.3f at best\n", report.ratio,
                report.standard.median * 1e3, report.bestRatio);
  text += "\nwinner        ";
  if (report.plans.empty()) return text + "the planner's choice\n";
  text += ratio;
  for (const std::string &plan : report.plans) text += "              " + plan + "\n";
  return text;
}

static std::string jsonOf(const Request &request, const TuneReport &report, const std::string &stored) {
  nlohmann::ordered_json json;
  json["expression"] = request.text;
  for (const TensorType &type : request.operands) json["operands"].push_back(type.str());
  json["threads"] = request.options.threads;
  json["default_median_s"] = report.standard.median;
  json["candidates"] = nlohmann::json::array();
  for (const Trial &trial : report.trials) {
    nlohmann::ordered_json entry;
    entry["step"] = trial.candidate.step;
    entry["plan"] = trial.candidate.plan;
    entry["default"] = trial.isDefault;
    entry["predicted_cycles"] = trial.candidate.predictedCycles;
    if (trial.timing) {
      entry["median_s"] = trial.timing->median;
      entry["min_s"] = trial.timing->min;
      entry["ratio"] = trial.ratio;
      entry["best_ratio"] = trial.bestRatio;
    }
    if (!trial.problem.empty()) entry["problem"] = trial.problem;
    json["candidates"].push_back(std::move(entry));
  }
  json["winner"] = {{"plans", report.plans}, {"ratio", report.ratio}, {"best_ratio", report.bestRatio}};
  json["stored"] = stored;
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

ExitCode tune(const TuneArguments &arguments) {
  auto request = resolve(arguments);
  if (!request) return fail(request.error());
  if (request->options.target.isGpu())
    return fail(makeError(ErrorCode::Unsupported, "plans of kernels for GPUs are not tuned", "tune for a CPU target"));
  if (request->options.beta != 0)
    return fail(makeError(ErrorCode::Unsupported, "a kernel that reads its results cannot be timed again and again",
                          "tune without --beta"));
  if (!request->options.dynamic.empty())
    return fail(makeError(ErrorCode::Unsupported, "plans are tuned for known extents", "tune without --dynamic"));
  CompileRequest compilation;
  compilation.text = request->text;
  compilation.operands = request->operands;
  compilation.options = request->options;
  // Before the time is spent: can the winner be stored?
  if (!arguments.dryRun)
    if (auto path = tunedPlansPath(compilation); !path) return fail(path.error(), While::Writing);
  auto report = [&] {
    Progress progress;
    return search(arguments, *request, [&](double fraction, double ratio) {
      char note[64];
      std::snprintf(note, sizeof note, "best %.3f of the planner's time", ratio);
      progress.show(fraction, note);
    });
  }();
  if (!report) return fail(report.error());
  std::string text = tableOf(*request, *report), stored;
  if (!arguments.dryRun && !report->trials.empty()) {
    // Also that the planner's choices are best: it replaces what was stored before.
    auto path = storeTunedPlans(compilation, report->plans);
    if (!path) return fail(path.error(), While::Writing);
    stored = *path;
    text += "stored        " + stored + "\n";
  }
  if (!arguments.jsonFile.empty())
    if (auto ok = writeFile(arguments.jsonFile, {jsonOf(*request, *report, stored)}); !ok)
      return fail(ok.error(), While::Writing);
  if (auto ok = printResult(text); !ok) return fail(ok.error(), While::Writing);
  const bool wrong = std::any_of(report->trials.begin(), report->trials.end(), [](const Trial &t) { return t.wrong; });
  return wrong ? kWrong : kFine;
}

} // namespace einc
