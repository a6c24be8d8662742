// A sample of expressions for GPUs: all compile to PTX that calls nothing, with a launch for each kernel.
#include "ein/Compile.h"
#include "tests/conformance/Generators.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace ein;
using namespace ein::test;

namespace {

/// Empty if the request compiles for a GPU to code that fits its launches.
std::string mistake(CompileRequest request, const char *gpu) {
  request.options.target = {{}, false, gpu};
  request.options.threads = 1;
  auto result = compile(request);
  if (!result) return result.error().render();
  const CompiledModule &module = result->module;
  if (module.gpu != gpu) return "the module is not for " + std::string(gpu);
  if (module.code.find(".extern .func") != std::string::npos) return "the code calls a function";
  for (const GpuLaunch &launch : module.launches)
    if (module.code.find(".entry " + launch.name + "(") == std::string::npos) return "there is no " + launch.name;
  auto again = CompiledModule::deserialize(module.serialize());
  if (!again) return again.error().render();
  return again->launches == module.launches ? "" : "launches change on the way through bytes";
}

TEST(GpuCompile, ASampleOfTheConformanceList) {
  constexpr size_t every = 60;
  std::ifstream file(EIN_TEST_DATA "/conformance_valid.json");
  size_t number = 0, tried = 0;
  for (const auto &line : nlohmann::json::parse(file, nullptr, false)) {
    if (line["tier"] == 3 || number++ % every != 0) continue;
    CompileRequest request;
    request.text = line["expr"];
    const auto dtype = static_cast<DType>(number / every % kDTypes.size());
    for (const auto &shape : line["shapes"]) request.operands.emplace_back(dtype, shape.get<std::vector<int64_t>>());
    request.options.scatter = line.contains("extension");
    EXPECT_EQ(mistake(request, number % 2 ? "sm_90a" : "sm_80"), "") << request.text << " of " << name(dtype);
    ++tried;
  }
  EXPECT_GT(tried, 10U);
}

TEST(GpuCompile, RandomExpressionsAndPrograms) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    for (const Case &c : {randomEinsum(seed), randomProgram(seed)}) {
      CompileRequest request;
      request.text = c.text;
      request.operands = c.types;
      request.options = c.options;
      request.options.plans.clear();
      EXPECT_EQ(mistake(request, seed % 2 ? "sm_90a" : "sm_80"), "") << "seed " << seed << ": " << c.text;
    }
  }
}

} // namespace
