// Whole expressions: memory from the host and back, the module's kernels, the interpreter.
#include "tests/gpu-model/ExpressionCase.h"

#include "ein/Compile.h"
#include "tests/gpu-model/GemmCase.h"
#include "tests/gpu-model/RunOnModel.h"
#include "tools/einc/Operands.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include <algorithm>
#include <cstring>

using namespace ein::test;

namespace ein::gpumodel {

namespace {

/// The bytes of a tensor on the host, and which of them is the element at index zero.
ModelTensor copyOf(const TensorView &view) {
  int64_t low, high;
  view.type.addressRange(low, high);
  const int64_t size = byteSize(view.type.dtype);
  const auto *first = static_cast<const uint8_t *>(view.data);
  ModelTensor tensor;
  // The element at index zero lies on a multiple of 16.
  tensor.origin = (-low * size + 15) / 16 * 16;
  tensor.bytes.resize(size_t(tensor.origin + low * size), 0);
  tensor.bytes.insert(tensor.bytes.end(), first + low * size, first + high * size);
  return tensor;
}

void copyBack(const ModelTensor &tensor, const TensorView &view) {
  int64_t low, high;
  view.type.addressRange(low, high);
  const int64_t size = byteSize(view.type.dtype);
  std::memcpy(static_cast<uint8_t *>(view.data) + low * size, tensor.bytes.data() + tensor.origin + low * size,
              size_t((high - low) * size));
}

Expected<CompileResult> compileFor(Case &c, const char *gpu, const char *stage) {
  c.options.target = {{}, false, gpu};
  c.options.threads = 1;
  c.options.plans.clear();
  CompileRequest request;
  request.text = c.text;
  request.operands = c.types;
  request.options = c.options;
  request.dumpStages = {stage};
  return compile(request);
}

} // namespace

std::string mistake(Case c, const char *gpu, uint32_t seed, const std::function<void(Execution &)> &prepare,
                    const std::function<void(mlir::gpu::GPUModuleOp)> &plant) {
  auto result = compileFor(c, gpu, "nvvm");
  if (!result) return result.error().render();
  auto parsed = mlir::parseSourceString<mlir::ModuleOp>(result->stages.at(0).second, &modelContext());
  if (!parsed) return "the nvvm stage cannot be read";
  auto kernels = *parsed->getOps<mlir::gpu::GPUModuleOp>().begin();
  if (plant) plant(kernels);
  auto program = ModelProgram::compile(kernels);
  if (!program) return program.error().render();

  auto execution = Execution::prepare(c);
  if (!execution) return execution.error().render();
  if (prepare) prepare(*execution);
  auto results = einc::allocateAll(result->module.results);
  if (!results) return results.error().render();
  execution->results = std::move(*results);
  auto priors = einc::fillPriors(c.options, execution->results, c.seed);
  if (!priors) return priors.error().render();
  execution->priors = std::move(*priors);
  ModelBuffers buffers;
  for (const einc::HostTensor &operand : execution->operands) buffers.operands.push_back(copyOf(operand.view));
  for (const einc::HostTensor &tensor : execution->results) buffers.results.push_back(copyOf(tensor.view));
  buffers.resultsHold = c.options.beta != 0;
  // What is not written must not be right by chance: this memory may have held the results of an earlier run.
  if (!buffers.resultsHold)
    for (ModelTensor &tensor : buffers.results) std::fill(tensor.bytes.begin(), tensor.bytes.end(), 0xff);
  auto report = (*program)->run(result->module.launches, result->module.workspaceBytes, buffers, seed);
  if (!report) return report.error().render();
  for (size_t i = 0; i < buffers.results.size(); ++i) copyBack(buffers.results[i], execution->results[i].view);
  auto agrees = agreesWithInterpreter(*execution);
  return report->str() + (agrees ? "" : agrees.message());
}

std::string plansOf(Case c, const char *gpu) {
  auto result = compileFor(c, gpu, "gpu-plan");
  return result ? result->stages.at(0).second : result.error().render();
}

} // namespace ein::gpumodel
