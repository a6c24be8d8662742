// einc run: compiles, runs, checks, times; prints or writes the results.
#include "ein/Bundle.h"
#include "tools/einc/Check.h"
#include "tools/einc/Commands.h"
#include "tools/einc/Executable.h"
#include "tools/einc/Npy.h"
#include "tools/einc/Operands.h"

#include "compiler/IndexNotation/Element.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

using namespace ein;

namespace einc {

namespace {

/// What was measured and found beside the results.
struct Findings {
  std::optional<Timing> timing;
  double flops = 0;
  std::optional<CheckReport> check;
  std::vector<Error> warnings;
};

} // namespace

static void printFindings(const Findings &findings) {
  if (const auto &t = findings.timing)
    std::fprintf(stderr, "time: median %.4g ms, min %.4g ms of %d runs, %.4g GFLOP/s\n", t->median * 1e3, t->min * 1e3,
                 t->runs, findings.flops / t->median * 1e-9);
  if (const auto &c = findings.check)
    std::fprintf(stderr, "check: %s, error %.3g, bound %.3g%s\n", c->fine ? "ok" : "WRONG", c->error, c->bound,
                 c->fine ? "" : (" (" + c->place + ")").c_str());
}

/// Values of a result for JSON, flat and row-major; nothing above the size that is printed in full.
static nlohmann::json valuesOf(const TensorView &view) {
  nlohmann::json values = nlohmann::json::array();
  const DType dtype = view.type.dtype;
  for (int64_t i = 0; i < view.type.numElements(); ++i)
    if (isComplex(dtype))
      values.push_back(
          {elementAt(partType(dtype), view.data, 2 * i), elementAt(partType(dtype), view.data, 2 * i + 1)});
    else if (dtype == DType::U64)
      values.push_back(static_cast<uint64_t>(integerAt(dtype, view.data, i)));
    else if (isFloat(dtype))
      values.push_back(elementAt(dtype, view.data, i));
    else
      values.push_back(integerAt(dtype, view.data, i));
  return values;
}

static std::string jsonReport(const RunArguments &arguments, const Request &request, const Executable &kernel,
                              std::span<const HostTensor> results, const Findings &findings) {
  nlohmann::ordered_json report;
  report["expression"] = request.text;
  for (const TensorType &type : request.operands) report["operands"].push_back(type.str());
  for (size_t r = 0; r < results.size(); ++r) {
    nlohmann::ordered_json result;
    result["type"] = results[r].view.type.str();
    if (!arguments.outputs.empty())
      result["file"] = arguments.outputs[r];
    else if (results[r].view.type.numElements() <= 1000)
      result["values"] = valuesOf(results[r].view);
    report["results"].push_back(std::move(result));
  }
  report["threads"] = kernel.module().threads;
  if (const auto &t = findings.timing) {
    report["median_s"] = t->median;
    report["min_s"] = t->min;
    report["runs"] = t->runs;
    report["gflops"] = findings.flops / t->median * 1e-9;
  }
  if (const auto &c = findings.check) {
    report["check"] = c->fine ? "ok" : "wrong";
    report["max_error"] = c->error;
    report["bound"] = c->bound;
  }
  for (const Error &warning : findings.warnings)
    report["warnings"].push_back({{"rule", warning.rule}, {"message", warning.message}, {"help", warning.help}});
  return report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

static Expected<Findings> examine(const RunArguments &arguments, const Request &request, const Executable &kernel,
                                  std::span<HostTensor> operands, std::span<HostTensor> results) {
  Findings findings;
  findings.warnings = warningsAbout(request);
  std::vector<TensorView> in = viewsOf(operands);
  const std::vector<TensorView> out = viewsOf(results);
  if (arguments.time) {
    auto timing = kernel.time(in, out);
    if (!timing) return timing.error();
    auto flops = countFlops(request);
    if (!flops) return flops.error();
    findings.timing = *timing;
    findings.flops = *flops;
  }
  // With beta the results are read: those of the timing are of no use.
  auto priors = fillPriors(request.options, results, arguments.seed);
  if (!priors) return priors.error();
  if (auto ok = kernel.run(in, out); !ok) return ok.error();
  if (arguments.check) {
    CompileOptions options = request.options;
    options.dynamic.clear(); // extents are numbers here
    auto program = parseAndBind(request.text, request.operands, options);
    if (!program) return program.error();
    for (const TensorView &prior : viewsOf(*priors)) in.push_back(prior);
    findings.check = check(*program, in, out);
  }
  return findings;
}

/// Writes the files that -o names and prints what stdout is to show.
static Expected<void> deliver(const RunArguments &arguments, std::span<const HostTensor> results,
                              const std::string &json) {
  std::string text = json;
  for (size_t r = 0; r < results.size(); ++r) {
    if (arguments.outputs.empty()) {
      if (!arguments.json) text += printTensor(results[r].view);
    } else if (auto ok = writeNpy(arguments.outputs[r], results[r].view); !ok) {
      return ok;
    }
  }
  return printResult(text);
}

namespace {

/// What is run and where it came from.
struct Subject {
  Request request;
  Executable kernel;
};

} // namespace

static Expected<Subject> compiled(const RunArguments &arguments) {
  if (arguments.text.empty())
    return makeError(ErrorCode::Syntax, "there is nothing to run", "give an expression, or a bundle with --bundle");
  if (!arguments.kernel.empty())
    return makeError(ErrorCode::Syntax, "--kernel names a kernel of a bundle", "give the bundle with --bundle");
  auto request = resolve(arguments);
  if (!request) return request.error();
  auto kernel = Executable::compile(*request);
  if (!kernel) return kernel.error();
  return Subject{std::move(*request), std::move(*kernel)};
}

/// Of a bundle. Needs no compiler.
static Expected<Subject> bundled(const RunArguments &arguments) {
  if (!arguments.types.empty()) return makeError(ErrorCode::Syntax, "the kernels of a bundle have types of their own");
  auto bundle = Bundle::read(arguments.bundle);
  if (!bundle) return bundle.error();
  auto found = bundle->find(arguments.kernel);
  if (!found) return found.error();
  auto kernel = Executable::load((*found)->module);
  if (!kernel) return kernel.error();
  Request request;
  request.text = (*found)->text;
  request.operands = kernel->operands();
  return Subject{std::move(request), std::move(*kernel)};
}

ExitCode run(RunArguments arguments) {
  // What stands where the expression would be is the first operand.
  if (!arguments.bundle.empty() && !arguments.text.empty())
    arguments.files.insert(arguments.files.begin(), std::exchange(arguments.text, {}));
  auto subject = arguments.bundle.empty() ? compiled(arguments) : bundled(arguments);
  if (!subject) return fail(subject.error());
  const auto &[request, kernel] = *subject;
  if (!arguments.outputs.empty() && arguments.outputs.size() != kernel.results().size())
    return fail(makeError(ErrorCode::OperandCount, "the expression has " + std::to_string(kernel.results().size()) +
                                                       " results, but -o is given " +
                                                       std::to_string(arguments.outputs.size()) + " times"));
  auto operands = loadOperands(arguments, request, arguments.seed);
  if (!operands) return fail(operands.error());
  auto resultTypes = kernel.resultsFor(request.operands);
  if (!resultTypes) return fail(resultTypes.error());
  auto results = allocateAll(*resultTypes);
  if (!results) return fail(results.error());

  auto findings = examine(arguments, request, kernel, *operands, *results);
  if (!findings) return fail(findings.error());
  for (HostTensor &result : *results) { // in the order of their indices, whatever their strides
    auto ordered = rowMajor(result);
    if (!ordered) return fail(ordered.error());
    result = std::move(*ordered);
  }
  std::string json = arguments.json ? jsonReport(arguments, request, kernel, *results, *findings) : "";
  if (auto ok = deliver(arguments, *results, json); !ok) return fail(ok.error(), While::Writing);
  warn(findings->warnings);
  printFindings(*findings);
  return findings->check && !findings->check->fine ? kWrong : kFine;
}

} // namespace einc
