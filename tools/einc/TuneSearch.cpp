// The search behind einc tune.
#include "tools/einc/TuneSearch.h"

#include "compiler/IndexNotation/Program.h"
#include "ein/Engine.h"
#include "tools/einc/Check.h"
#include "tools/einc/Operands.h"

#include <algorithm>
#include <cmath>
#include <map>

using namespace ein;

namespace einc {

namespace {

/// A gain below this is noise.
constexpr double kNoise = 0.02;
/// Part of the time that goes to the last comparison.
constexpr double kConfirmation = 0.2;

/// A kernel and the plans it was compiled with, by step.
struct Contender {
  std::map<int32_t, std::string> plans;
  Kernel kernel;
};

class Search {
public:
  Search(const TuneArguments &arguments, const Request &request) : arguments(arguments), request(request) {}

  Expected<void> prepare();
  void tryAll(const std::function<void(double, double)> &progress);
  Expected<void> confirm();

  TuneReport report;

private:
  Expected<Kernel> compilePlans(const std::map<int32_t, std::string> &plans, int32_t candidates);
  Expected<void> computeExpected();
  void tryOne(Trial &trial, double seconds);
  std::function<Expected<void>()> call(const Kernel &kernel) {
    return [this, &kernel] { return kernel.run(in, out); };
  }

  const TuneArguments &arguments;
  const Request &request;
  const double begin = now();
  Engine engine;
  Program program;
  std::vector<HostTensor> operands, results, expected, magnitudes;
  std::vector<TensorView> in, out;
  std::optional<Contender> standard, best;
  double bestRatio = 1;
};

} // namespace

/// Compiles with these plans and no others, whatever is stored. Candidates go to the report.
Expected<Kernel> Search::compilePlans(const std::map<int32_t, std::string> &plans, int32_t candidates) {
  CompileRequest compilation;
  compilation.text = request.text;
  compilation.operands = request.operands;
  compilation.options = request.options;
  compilation.candidates = candidates;
  for (const auto &[step, plan] : plans) compilation.options.plans.push_back(plan);
  auto result = compile(compilation);
  if (!result) return result.error();
  int32_t step = -1;
  for (PlanCandidate &candidate : result->candidates) {
    const bool first = candidate.step != step;
    step = candidate.step;
    report.trials.push_back({std::move(candidate), first, {}, 0, {}, false});
  }
  return engine.load(std::move(result->module));
}

static void takeAbsolute(const HostTensor &tensor) {
  const int64_t count = storageElements(tensor.view.type);
  auto absolute = [&](auto *values) {
    for (int64_t i = 0; i < count; ++i) values[i] = std::abs(values[i]);
  };
  if (tensor.view.type.dtype == DType::F32)
    absolute(static_cast<float *>(tensor.memory.get()));
  else
    absolute(static_cast<double *>(tensor.memory.get()));
}

/// The default kernel's results, and those for absolute values.
Expected<void> Search::computeExpected() {
  const Kernel &kernel = standard->kernel;
  for (std::vector<HostTensor> *tensors : {&results, &expected, &magnitudes}) {
    auto allocated = allocateAll(kernel.results());
    if (!allocated) return allocated.error();
    *tensors = std::move(*allocated);
  }
  in = viewsOf(operands), out = viewsOf(results);
  if (auto ok = kernel.run(in, viewsOf(expected)); !ok) return ok;
  if (!countRoundings(program).sumsOfProducts) return {};
  auto absolute = loadOperands(arguments, request, arguments.seed);
  if (!absolute) return absolute.error();
  for (const HostTensor &tensor : *absolute) takeAbsolute(tensor);
  return kernel.run(viewsOf(*absolute), viewsOf(magnitudes));
}

Expected<void> Search::prepare() {
  auto parsed = parseAndBind(request.text, request.operands);
  if (!parsed) return parsed.error();
  program = std::move(*parsed);
  auto kernel = compilePlans({}, arguments.top);
  if (!kernel) return kernel.error();
  standard = best = Contender{{}, *kernel};
  auto loaded = loadOperands(arguments, request, arguments.seed);
  if (!loaded) return loaded.error();
  operands = std::move(*loaded);
  return computeExpected();
}

void Search::tryOne(Trial &trial, double seconds) {
  const double end = now() + seconds;
  std::map<int32_t, std::string> plans = best->plans;
  plans[trial.candidate.step] = trial.candidate.plan;
  auto kernel = compilePlans(plans, 0);
  if (!kernel) {
    trial.problem = kernel.error().message;
    return;
  }
  if (auto ok = kernel->run(in, out); !ok) {
    trial.problem = ok.error().message;
    return;
  }
  if (std::string place = disagreement(program, viewsOf(expected), viewsOf(magnitudes), out); !place.empty()) {
    trial.problem = "wrong: " + place;
    trial.wrong = true;
    return;
  }
  auto timings = timeInTurns(call(best->kernel), call(*kernel), end - now());
  if (!timings) {
    trial.problem = timings.error().message;
    return;
  }
  const double ratio = timings->second.median / timings->first.median;
  trial.timing = timings->second;
  trial.ratio = ratio * bestRatio;
  if (ratio > 1 - kNoise) return;
  best = Contender{std::move(plans), *kernel};
  bestRatio = trial.ratio;
}

void Search::tryAll(const std::function<void(double, double)> &progress) {
  const double end = begin + (1 - kConfirmation) * arguments.seconds;
  size_t left = report.trials.size();
  for (Trial &trial : report.trials) {
    const double seconds = (end - now()) / static_cast<double>(left--);
    if (!trial.isDefault && seconds > 0) tryOne(trial, seconds);
    progress(1 - static_cast<double>(left) / static_cast<double>(report.trials.size()), bestRatio);
  }
}

/// The best against the default once more: it was picked out of many, so its ratio flatters it.
Expected<void> Search::confirm() {
  const double seconds = kConfirmation * arguments.seconds;
  auto timings = timeInTurns(call(standard->kernel), call(best->kernel), seconds);
  if (!timings) return timings.error();
  report.standard = timings->first;
  const double ratio = timings->second.median / timings->first.median;
  for (Trial &trial : report.trials)
    if (trial.isDefault) trial.timing = timings->first, trial.ratio = 1;
  if (best->plans.empty() || ratio > 1 - kNoise) return {};
  for (const auto &[step, plan] : best->plans) report.plans.push_back(plan);
  report.ratio = ratio;
  return {};
}

Expected<TuneReport> search(const TuneArguments &arguments, const Request &request,
                            const std::function<void(double, double)> &progress) {
  Search search(arguments, request);
  if (auto ok = search.prepare(); !ok) return ok.error();
  if (search.report.trials.empty()) return std::move(search.report);
  search.tryAll(progress);
  if (auto ok = search.confirm(); !ok) return ok.error();
  return std::move(search.report);
}

} // namespace einc
