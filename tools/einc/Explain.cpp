// einc explain: what a kernel does and why.
#include "ein/Compile.h"
#include "ein/Engine.h"
#include "tools/einc/Commands.h"

#include <nlohmann/json.hpp>

using namespace ein;

namespace einc {

static nlohmann::ordered_json jsonOf(const std::vector<TensorReport> &tensors) {
  auto list = nlohmann::ordered_json::array();
  for (const TensorReport &t : tensors) list.push_back({{"name", t.name}, {"type", t.type}, {"bytes", t.bytes}});
  return list;
}

static std::string jsonOf(const Explanation &e) {
  nlohmann::ordered_json report{{"kernels", nlohmann::ordered_json::array()},
                                {"boundaries", nlohmann::ordered_json::array()},
                                {"passes", nlohmann::ordered_json::object()},
                                {"workspace_bytes", e.workspaceBytes}};
  for (const StepReport &s : e.steps) {
    nlohmann::ordered_json step{
        {"kind", s.kind},   {"stored", jsonOf(s.stored)}, {"never_stored", jsonOf(s.neverStored)},
        {"plan", s.plan},   {"flops", s.flops},           {"functions", s.functions},
        {"bytes", s.bytes}, {"threads", s.threads},       {"predicted_seconds", s.seconds},
        {"bound", s.bound}};
    if (!s.rule.empty()) step["rule"] = s.rule;
    if (!s.key.empty()) step["key"] = s.key, step["guard"] = s.guard, step["share"] = s.share;
    report["kernels"].push_back(std::move(step));
  }
  for (const BoundaryReport &b : e.boundaries)
    report["boundaries"].push_back({{"result", b.result}, {"code", b.code}, {"reason", b.reason}, {"hint", b.hint}});
  for (const auto &[index, count] : e.passes) report["passes"][index] = count;
  return report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// Of a kernel for this CPU, loaded as it would run; of one for a GPU, which need not be here, as it is compiled.
static Expected<Explanation> explanationOf(Request request) {
  if (!request.options.target.isGpu()) {
    auto kernel = Engine::global().compile(request.text, request.operands, request.options);
    if (!kernel) return kernel.error();
    return kernel->explain();
  }
  CompileRequest compilation;
  compilation.text = std::move(request.text);
  compilation.operands = std::move(request.operands);
  compilation.options = std::move(request.options);
  auto result = compile(compilation);
  if (!result) return result.error();
  return std::move(result->module.explanation);
}

ExitCode explain(const ExplainArguments &arguments) {
  auto request = resolve(arguments);
  if (!request) return fail(request.error());
  auto explanation = explanationOf(std::move(*request));
  if (!explanation) return fail(explanation.error());
  auto printed = printResult(arguments.json ? jsonOf(*explanation) : explanation->str());
  return printed ? kFine : fail(printed.error(), While::Writing);
}

} // namespace einc
