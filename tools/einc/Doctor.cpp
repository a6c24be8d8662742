// einc doctor: what this machine has, and whether each back end works.
#include "compiler/IndexNotation/Program.h"
#include "ein/Compile.h"
#include "ein/Cpu.h"
#include "ein/Device.h"
#include "ein/Engine.h"
#include "ein/Version.h"
#include "runtime/CacheFolder.h"
#include "runtime/Environment.h"
#include "tools/einc/Check.h"
#include "tools/einc/Commands.h"
#include "tools/einc/Operands.h"

#include <algorithm>
#include <dlfcn.h>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

using namespace ein;

namespace einc {

using Json = nlohmann::ordered_json;

/// Highest level of the x86-64 psABI that this CPU has.
static std::string levelHere() {
  for (const char *level : {"x86-64-v4", "x86-64-v3", "x86-64-v2"})
    if (missingFeatures(levelFeatures(level)).empty()) return level;
  return "x86-64";
}

static Json cpuReport() {
  Json report;
  report["level"] = levelHere();
  report["features"] = cpuFeatures();
  report["threads"] = resolveThreads(0);
  return report;
}

/// The state of a part that failed: "failed", the message, what would help.
static Json failureReport(const Error &error) {
  Json report;
  report["state"] = "failed";
  report["error"] = error.message;
  report["code"] = errorCodeName(error.code);
  if (!error.notes.empty()) report["notes"] = error.notes;
  if (!error.help.empty()) report["help"] = error.help;
  return report;
}

/// Compiles and runs a matrix product of size n on random operands and checks it with the interpreter.
static Expected<CompileResult> tryProduct(int64_t n, int threads) {
  CompileRequest request;
  request.text = "ik,kj->ij";
  request.operands = {TensorType(DType::F32, {n, n}), TensorType(DType::F32, {n, n})};
  request.options.threads = threads;
  auto result = compile(request);
  if (!result) return result;
  auto kernel = Engine::global().load(result->module);
  if (!kernel) return kernel.error();
  auto operands = allocateAll(kernel->operands()), results = allocateAll(kernel->results());
  if (!operands) return operands.error();
  if (!results) return results.error();
  fillRandom(*operands, 0);
  if (auto ok = kernel->run(viewsOf(*operands), viewsOf(*results)); !ok) return ok.error();
  auto program = parseAndBind(request.text, request.operands);
  if (!program) return program.error();
  const CheckReport report = check(*program, viewsOf(*operands), viewsOf(*results));
  if (!report.fine) return makeError(ErrorCode::Run, "a wrong result: " + report.place);
  return result;
}

/// Where a library that is loaded lies; empty where it is not.
static std::string pathOfLoaded(const char *library, const char *symbol) {
  void *handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
  if (!handle) return {};
  Dl_info info;
  void *address = dlsym(handle, symbol);
  const std::string path = address && dladdr(address, &info) && info.dli_fname ? info.dli_fname : library;
  dlclose(handle);
  return path;
}

static Json compilerReport(const Expected<CompileResult> &product) {
  if (!product && product.error().code == ErrorCode::Compile) return failureReport(product.error());
  Json report;
  report["state"] = "ok";
  if (product) {
    report["version"] = product->compiler;
    report["target"] = product->cpu;
  }
  return report;
}

/// Runs a kernel that is large enough to fork.
static Json openMPReport() {
  constexpr int64_t forks = 160;
  auto product = tryProduct(forks, 2);
  if (!product) return failureReport(product.error());
  Json report;
  report["state"] = product->module.threads > 1 ? "ok" : "not tried";
  report["path"] = pathOfLoaded("libomp.so.5", "omp_get_max_threads");
  return report;
}

/// The cache folder, and whether it can be used.
static Json cacheReport() {
  Json report;
  const auto folder = CacheFolder::fromEnvironment();
  if (!folder) {
    report["state"] = "off";
    return report;
  }
  report["folder"] = folder->path();
  const auto opened = folder->open(CacheFolder::Missing::Leave);
  if (!opened) return report.update(failureReport(opened.error())), report;
  report["state"] = !*opened                                        ? "ok, not there yet"
                    : ::faccessat(opened->get(), ".", W_OK, 0) == 0 ? "ok"
                                                                    : "not writable";
  return report;
}

/// The driver and its GPUs, each with the target for it. Makes no context on any of them.
static Json cudaReport(const DeviceReport &found) {
  Json report;
  report["state"] = found.devices.empty() ? "unavailable" : "found";
  if (!found.why.empty()) report["why"] = found.why;
  const int version = found.driverVersion;
  if (version > 0) report["driver"] = std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
  for (const DeviceInfo &device : found.devices)
    report["devices"].push_back(
        {{"name", device.name}, {"target", device.target.isGpu() ? device.target.str() : "none: too old"}});
  return report;
}

/// A line per value: "cpu.level  x86-64-v4"; lists with commas.
static std::string textOf(const Json &report) {
  std::string text;
  for (const auto &[section, fields] : report.items()) {
    if (!fields.is_object()) {
      text += section + std::string(22 - section.size(), ' ') + fields.get<std::string>() + "\n";
      continue;
    }
    for (const auto &[field, value] : fields.items()) {
      const std::string key = section + " " + field;
      std::string line = value.is_string() ? value.get<std::string>() : value.is_array() ? "" : value.dump();
      if (value.is_array())
        for (const Json &entry : value)
          line += (line.empty() ? "" : ", ") + (entry.is_string() ? entry.get<std::string>() : entry.dump());
      text += key + std::string(key.size() < 22 ? 22 - key.size() : 1, ' ') + line + "\n";
    }
  }
  return text;
}

ExitCode doctor(const DoctorArguments &arguments) {
  const bool wantsCuda = arguments.target == "cuda";
  if (!wantsCuda && arguments.target != "host")
    return fail(makeError(ErrorCode::Syntax, "unknown target '" + arguments.target + "'", "host or cuda"));
  const Expected<CompileResult> product = tryProduct(16, 1);
  const DeviceReport devices = findDevices();
  Json report;
  report["version"] = version();
  report["cpu"] = cpuReport();
  report["compiler"] = compilerReport(product);
  report["kernel"] = product ? Json{{"state", "ok"}} : failureReport(product.error());
  report["openmp"] = openMPReport();
  report["cuda"] = cudaReport(devices);
  report["cache"] = cacheReport();
  auto printed =
      printResult(arguments.json ? report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n" : textOf(report));
  if (!printed) return fail(printed.error(), While::Writing);
  if (!product) return fail(product.error());
  if (wantsCuda && devices.devices.empty()) return fail(makeError(ErrorCode::DeviceMissing, devices.why));
  return kFine;
}

} // namespace einc
