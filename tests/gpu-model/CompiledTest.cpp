// What the compiler makes of expressions for a GPU, run in the CPU model and compared with the interpreter.
#include "ein/Compile.h"
#include "tests/conformance/Generators.h"
#include "tests/conformance/GuardedMemory.h"
#include "tests/gpu-model/GemmCase.h"
#include "tools/einc/Operands.h"

#include "mlir/Parser/Parser.h"

#include <cstring>

using namespace ein;
using namespace ein::gpumodel;
using namespace ein::test;

namespace {

/// All storage of a tensor and where its element at index zero lies in it.
ModelTensor storageOf(const einc::HostTensor &tensor) {
  const TensorType &type = tensor.view.type;
  int64_t size = byteSize(type.dtype), low = 0;
  for (size_t i = 0; i < type.shape.size(); ++i) low += std::min<int64_t>(type.strides[i] * (type.shape[i] - 1), 0);
  ModelTensor storage;
  storage.origin = -low * size;
  storage.bytes.resize(size_t(einc::storageElements(type) * size));
  std::memcpy(storage.bytes.data(), static_cast<const char *>(tensor.view.data) - storage.origin, storage.bytes.size());
  return storage;
}

void copyBack(const ModelTensor &storage, einc::HostTensor &tensor) {
  std::memcpy(static_cast<char *>(tensor.view.data) - storage.origin, storage.bytes.data(), storage.bytes.size());
}

const std::string &stageOf(const CompileResult &compiled, std::string_view name) {
  static const std::string none;
  for (const auto &[stage, text] : compiled.stages)
    if (stage == name) return text;
  return none;
}

/// Compiles for a GPU, runs in the model, compares. `refused` becomes true where there is no kernel for this on a GPU.
::testing::AssertionResult runsOnModel(Case c, bool &refused) {
  refused = false;
  c.options.target = *Target::parse("cuda:sm_90a");
  auto execution = Execution::prepare(c);
  if (!execution) return failure(c, execution.error().render());
  auto compiled = compile({c.text, c.types, c.options, {"nvvm"}});
  if (!compiled) {
    refused = compiled.error().code == ErrorCode::Unsupported || compiled.error().code == ErrorCode::Limit;
    return failure(c, compiled.error().render());
  }
  for (const TensorType &type : compiled->module.results) {
    execution->results.push_back(guardedTensor(type, Guard::Above));
    poison(execution->results.back());
  }
  auto priors = einc::fillPriors(c.options, execution->results, c.seed);
  if (!priors) return failure(c, priors.error().render());
  execution->priors = std::move(*priors);

  auto module = mlir::parseSourceString<mlir::ModuleOp>(stageOf(*compiled, "nvvm"), &modelContext());
  if (!module) return failure(c, "the stage nvvm does not parse");
  auto kernels = *module->getOps<mlir::gpu::GPUModuleOp>().begin();
  auto program = ModelProgram::compile(kernels);
  if (!program) return failure(c, program.error().message);
  ModelBuffers buffers;
  for (const einc::HostTensor &operand : execution->operands) buffers.operands.push_back(storageOf(operand));
  for (const einc::HostTensor &result : execution->results) buffers.results.push_back(storageOf(result));
  buffers.resultsHold = c.options.beta != 0;
  auto report = (*program)->run(compiled->module.launches, compiled->module.workspaceBytes, buffers, uint32_t(c.seed));
  if (!report) return failure(c, report.error().render());
  if (!report->clean()) return failure(c, report->str());
  for (size_t i = 0; i < buffers.results.size(); ++i) copyBack(buffers.results[i], execution->results[i]);
  return agreesWithInterpreter(*execution);
}

/// Cases until `count` of them have run.
void runMany(int count, Case (*make)(uint64_t), uint64_t seed) {
  int run = 0;
  for (uint64_t last = seed + 20 * uint64_t(count); run < count && seed < last; ++seed) {
    Case c = make(seed);
    auto execution = Execution::prepare(c);
    if (!execution || points(execution->program) > 30000) continue;
    bool refused;
    auto verdict = runsOnModel(c, refused);
    if (refused) continue;
    EXPECT_TRUE(verdict);
    ++run;
  }
  EXPECT_EQ(run, count) << "too few cases have kernels for a GPU";
}

TEST(GpuModelCompiled, RandomEinsums) { runMany(60, randomEinsum, 1); }
TEST(GpuModelCompiled, RandomSemirings) { runMany(15, randomSemiringEinsum, 1); }
TEST(GpuModelCompiled, RandomScaled) { runMany(15, randomScaledEinsum, 1); }
TEST(GpuModelCompiled, RandomPrograms) { runMany(20, randomProgram, 1); }

/// Each kind of kernel without tensor cores, at sizes that take several blocks.
TEST(GpuModelCompiled, KindsOfKernels) {
  struct {
    const char *text, *types;
  } cases[] = {
      {"ij->ji", "f32[70,45]"},
      {"ij->j", "f32[300,40]"},
      {"ij->i", "bf16[20,700]"},
      {"ij->", "f64[100,130]"},
      {"ik,kj->ij", "f32[40,50] f32[50,70]"},
      {"ii->i", "i32[50,50]"},
      {"bij,bjk->bik", "f32[3,20,30] f32[3,30,40]"},
      {"i,j->ij", "f16[33] f16[65]"},
      {"ijk->kji", "u8[17,20,33]"},
      {"ik,kj->ij", "c64[20,10] c64[10,30]"},
  };
  for (auto &[text, list] : cases) {
    Case c;
    c.text = text;
    c.types = types(list);
    bool refused;
    EXPECT_TRUE(runsOnModel(c, refused));
  }
}

} // namespace
