// einc bench: times compilation, execution and the cache hit.
#include "ein/Engine.h"
#include "tools/einc/Commands.h"
#include "tools/einc/Executable.h"
#include "tools/einc/Operands.h"
#include "tools/einc/Timing.h"

#include <cstdio>
#include <nlohmann/json.hpp>

using namespace ein;

namespace einc {

namespace {

/// Names and units of the JSON output; a contract.
struct Measurement {
  Timing timing;
  double flops = 0;
  double bytes = 0; ///< operands and results, each once
  int threads = 1;
  double coldCompileSeconds = 0; ///< the first compilation of this process; it loads the compiler
  double hitSeconds = 0; ///< a repeated Engine::run on these operands, kernel included; on a GPU the host's part of a
                         ///< launch
};

} // namespace

static double bytesOf(const std::vector<TensorType> &types) {
  double bytes = 0;
  for (const TensorType &type : types) bytes += static_cast<double>(type.numElements() * byteSize(type.dtype));
  return bytes;
}

static Expected<Measurement> measure(const BenchArguments &arguments, const Request &request) {
  Measurement m;
  Engine engine({.disk = DiskUse::Off});
  const double start = now();
  auto kernel = Executable::compile(request, engine);
  m.coldCompileSeconds = now() - start;
  if (!kernel) return kernel.error();
  auto operands = loadOperands(arguments, request, arguments.seed);
  if (!operands) return operands.error();
  auto resultTypes = kernel->resultsFor(request.operands);
  if (!resultTypes) return resultTypes.error();
  auto results = allocateAll(*resultTypes);
  if (!results) return results.error();
  auto flops = countFlops(request);
  if (!flops) return flops.error();
  m.flops = *flops;
  m.bytes = bytesOf(request.operands) + bytesOf(*resultTypes);
  m.threads = kernel->module().threads;

  std::vector<TensorView> in = viewsOf(*operands), out = viewsOf(*results);
  auto timing = kernel->time(in, out);
  if (!timing) return timing.error();
  m.timing = *timing;
  if (const DeviceProgram *there = kernel->onDevice()) {
    auto launch = there->launchSeconds();
    if (!launch) return launch.error();
    m.hitSeconds = *launch;
    return m;
  }
  auto hit = timeCall([&] { return engine.run(request.text, in, out, request.options); });
  if (!hit) return hit.error();
  m.hitSeconds = hit->median;
  return m;
}

static std::string jsonOf(const Request &request, const Measurement &m) {
  nlohmann::ordered_json report;
  report["expression"] = request.text;
  report["median_s"] = m.timing.median;
  report["min_s"] = m.timing.min;
  report["gflops"] = m.flops / m.timing.median * 1e-9;
  report["gbs"] = m.bytes / m.timing.median * 1e-9;
  report["threads"] = m.threads;
  report["cold_compile_ms"] = m.coldCompileSeconds * 1e3;
  report["hit_ns"] = m.hitSeconds * 1e9;
  report["runs"] = m.timing.runs;
  return report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

static std::string tableOf(const Request &request, const Measurement &m) {
  std::string operands;
  for (const TensorType &type : request.operands) operands += (operands.empty() ? "" : " ") + type.str();
  char numbers[512];
  std::snprintf(numbers, sizeof numbers,
                "threads       %d\nmedian        %.6g ms (%d runs)\nmin           %.6g ms\ncompute       %.4g GFLOP/s\n"
                "memory        %.4g GB/s\ncold compile  %.4g ms\nhit           %.6g us\n",
                m.threads, m.timing.median * 1e3, m.timing.runs, m.timing.min * 1e3, m.flops / m.timing.median * 1e-9,
                m.bytes / m.timing.median * 1e-9, m.coldCompileSeconds * 1e3, m.hitSeconds * 1e6);
  return "expression    " + request.text + "\noperands      " + operands + "\n" + numbers;
}

ExitCode bench(const BenchArguments &arguments) {
  auto request = resolve(arguments);
  if (!request) return fail(request.error());
  auto measurement = measure(arguments, *request);
  if (!measurement) return fail(measurement.error());
  auto printed = printResult(arguments.json ? jsonOf(*request, *measurement) : tableOf(*request, *measurement));
  return printed ? kFine : fail(printed.error(), While::Writing);
}

} // namespace einc
