// The search behind einc tune.
#include "tools/einc/TuneSearch.h"

#include "compiler/IndexNotation/Element.h"

#include "compiler/IndexNotation/Program.h"
#include "ein/Engine.h"
#include "tools/einc/Check.h"
#include "tools/einc/Operands.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

using namespace ein;

namespace einc {

namespace {

/// Whether the shortest time is shorter by more than noise, and the median is not longer by more than that. What else
/// runs on the machine disturbs the median more.
bool beats(const Timing &challenger, const Timing &champion) {
  constexpr double noise = 0.02;
  return challenger.min < (1 - noise) * champion.min && challenger.median < (1 + noise) * champion.median;
}

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
  /// Times every trial that is new until the time is over.
  void tryUntil(double end, const std::function<void(double, double)> &progress);
  /// Adds what is close to the best.
  void widen();
  Expected<void> confirm();

  TuneReport report;

private:
  Expected<Kernel> compilePlans(const std::map<int32_t, std::string> &plans);
  Expected<CompileResult> compileRequest(const std::map<int32_t, std::string> &plans, int32_t candidates);
  void addTrials(const std::vector<PlanCandidate> &candidates);
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
  size_t tried = 0; ///< of the trials
};

} // namespace

/// Compiles with these plans and no others, whatever is stored.
Expected<CompileResult> Search::compileRequest(const std::map<int32_t, std::string> &plans, int32_t candidates) {
  CompileRequest compilation;
  compilation.text = request.text;
  compilation.operands = request.operands;
  compilation.options = request.options;
  compilation.candidates = candidates;
  for (const auto &[step, plan] : plans) compilation.options.plans.push_back(plan);
  return compile(compilation);
}

Expected<Kernel> Search::compilePlans(const std::map<int32_t, std::string> &plans) {
  auto result = compileRequest(plans, 0);
  if (!result) return result.error();
  return engine.load(std::move(result->module));
}

void Search::addTrials(const std::vector<PlanCandidate> &candidates) {
  // The first of every step, then the second: should time run out, each step has had its likeliest.
  std::map<int32_t, int> seen;
  std::multimap<int, const PlanCandidate *> byRank;
  for (const PlanCandidate &candidate : candidates) byRank.emplace(seen[candidate.step]++, &candidate);
  for (const auto &[rank, candidate] : byRank) {
    const auto isKnown = [&](const Trial &trial) { return trial.candidate.plan == candidate->plan; };
    if (std::none_of(report.trials.begin(), report.trials.end(), isKnown))
      report.trials.push_back({*candidate, rank == 0 && best->plans.empty(), {}, 0, 0, {}, false});
  }
}

void Search::widen() {
  if (best->plans.empty()) return;
  if (auto result = compileRequest(best->plans, arguments.top)) addTrials(result->candidates);
}

static void takeAbsolute(const HostTensor &tensor) {
  const DType dtype = tensor.view.type.dtype, part = partType(dtype);
  const int64_t count = storageElements(tensor.view.type) * (isComplex(dtype) ? 2 : 1);
  for (int64_t i = 0; i < count; ++i)
    setElement(part, tensor.memory.get(), i, std::abs(elementAt(part, tensor.memory.get(), i)));
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
  auto parsed = parseAndBind(request.text, request.operands, request.options);
  if (!parsed) return parsed.error();
  program = std::move(*parsed);
  auto result = compileRequest({}, arguments.top);
  if (!result) return result.error();
  auto kernel = engine.load(std::move(result->module));
  if (!kernel) return kernel.error();
  standard = best = Contender{{}, *kernel};
  addTrials(result->candidates);
  auto loaded = loadOperands(arguments, request, arguments.seed);
  if (!loaded) return loaded.error();
  operands = std::move(*loaded);
  return computeExpected();
}

void Search::tryOne(Trial &trial, double seconds) {
  const double end = now() + seconds;
  std::map<int32_t, std::string> plans = best->plans;
  plans[trial.candidate.step] = trial.candidate.plan;
  auto kernel = compilePlans(plans);
  if (!kernel) {
    trial.problem = kernel.error().message;
    return;
  }
  // NaNs, so that an element that is not written shows.
  for (const TensorView &result : out)
    std::memset(result.data, 0xff, static_cast<size_t>(result.type.numElements() * byteSize(result.type.dtype)));
  if (auto ok = kernel->run(in, out); !ok) {
    trial.problem = ok.error().message;
    return;
  }
  if (std::string place = disagreement(program, viewsOf(expected), viewsOf(magnitudes), out); !place.empty()) {
    trial.problem = "wrong: " + place;
    trial.wrong = true;
    return;
  }
  std::vector<std::function<Expected<void>()>> calls = {call(*kernel), call(standard->kernel)};
  if (!best->plans.empty()) calls.push_back(call(best->kernel));
  auto timings = timeInTurns(calls, end - now());
  if (!timings) {
    trial.problem = timings.error().message;
    return;
  }
  trial.timing = timings->front();
  trial.ratio = timings->front().median / (*timings)[1].median;
  trial.bestRatio = timings->front().min / (*timings)[1].min;
  if (!beats(timings->front(), timings->back())) return;
  best = Contender{std::move(plans), *kernel};
  bestRatio = trial.bestRatio;
}

void Search::tryUntil(double end, const std::function<void(double, double)> &progress) {
  for (; tried < report.trials.size() && now() < end; ++tried) {
    if (report.trials[tried].isDefault) continue;
    tryOne(report.trials[tried], (end - now()) / static_cast<double>(report.trials.size() - tried));
    progress(std::min(1.0, (now() - begin) / arguments.seconds), bestRatio);
  }
}

/// The best against the default once more: it was picked out of many, so its ratio flatters it.
Expected<void> Search::confirm() {
  const std::function<Expected<void>()> calls[] = {call(standard->kernel), call(best->kernel)};
  auto timings = timeInTurns(calls, kConfirmation * arguments.seconds);
  if (!timings) return timings.error();
  report.standard = timings->front();
  for (Trial &trial : report.trials)
    if (trial.isDefault) trial.timing = report.standard, trial.ratio = trial.bestRatio = 1;
  if (!beats(timings->back(), timings->front())) return {};
  for (const auto &[step, plan] : best->plans) report.plans.push_back(plan);
  report.ratio = timings->back().median / timings->front().median;
  report.bestRatio = timings->back().min / timings->front().min;
  return {};
}

Expected<TuneReport> search(const TuneArguments &arguments, const Request &request,
                            const std::function<void(double, double)> &progress) {
  Search search(arguments, request);
  if (auto ok = search.prepare(); !ok) return ok.error();
  if (search.report.trials.empty()) return std::move(search.report);
  const double end = now() + (1 - kConfirmation) * arguments.seconds;
  search.tryUntil((now() + end) / 2, progress);
  search.widen();
  search.tryUntil(end, progress);
  if (auto ok = search.confirm(); !ok) return ok.error();
  progress(1, search.report.bestRatio);
  return std::move(search.report);
}

} // namespace einc
