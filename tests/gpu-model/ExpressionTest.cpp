// Whole expressions, compiled for a GPU, in the CPU model: as the interpreter computes them, and without a fault.
#include "ein/Compile.h"
#include "tests/conformance/Generators.h"
#include "tests/gpu-model/GemmCase.h"
#include "tests/gpu-model/RunOnModel.h"
#include "tools/einc/Operands.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include <cstring>

using namespace ein;
using namespace ein::gpumodel;
using namespace ein::test;

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

/// Compiles a case for a GPU and runs its kernels in the model; what is wrong, or nothing.
std::string mistake(Case c, const char *gpu, uint32_t seed) {
  c.options.target = {{}, false, gpu};
  c.options.threads = 1;
  c.options.plans.clear();
  CompileRequest request;
  request.text = c.text;
  request.operands = c.types;
  request.options = c.options;
  request.dumpStages = {"nvvm"};
  auto result = compile(request);
  if (!result) return result.error().render();
  auto parsed = mlir::parseSourceString<mlir::ModuleOp>(result->stages.at(0).second, &modelContext());
  if (!parsed) return "the nvvm stage cannot be read";
  auto kernels = *parsed->getOps<mlir::gpu::GPUModuleOp>().begin();
  auto program = ModelProgram::compile(kernels);
  if (!program) return program.error().render();

  auto execution = Execution::prepare(c);
  if (!execution) return execution.error().render();
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
  auto report = (*program)->run(result->module.launches, result->module.workspaceBytes, buffers, seed);
  if (!report) return report.error().render();
  for (size_t i = 0; i < buffers.results.size(); ++i) copyBack(buffers.results[i], execution->results[i].view);
  auto agrees = agreesWithInterpreter(*execution);
  return report->str() + (agrees ? "" : agrees.message());
}

struct Expression {
  const char *text, *types;
};

/// Each stands for a way through the planner or an emitter.
const Expression kExpressions[] = {
    {"i,i->i", "f32[4096] f32[4096]"},                    // whole vectors
    {"i,i->i", "bf16[4100] bf16[4100]"},                  // vectors of four
    {"i,j->ij", "f32[33] f64[17]"},                       // nothing to load as vectors
    {"ij->i", "f32[40,1000]"},                            // rows by warps
    {"ij->i", "f64[5,3000]"},                             // rows by blocks
    {"ij->j", "f32[300,70]"},                             // columns, one thread each
    {"ijk->", "f32[100,30,7]"},                           // everything, in parts
    {"ij->", "bool[60,70]"},                              // conditions through shuffles
    {"ij->", "i64[60,70]"},                               // 64-bit words through shuffles
    {"ij->i", "u8[9,700]"},                               // narrow words
    {"ij->ji", "f32[65,70]"},                             // squares
    {"abc->cba", "bf16[9,33,40]"},                        // squares with a loop around them
    {"ij,ji->ij", "f32[40,33] f32[33,40]"},               // one input is staged, one is not
    {"ii->i", "f32[50,50]"},                              // a diagonal
    {"ik,kj->ij", "f32[70,40] f32[40,65]"},               // squares of 64
    {"ik,jk->ij", "f64[64,33] f64[70,33]"},               // both along the depth
    {"ki,kj->ji", "i32[20,64] i32[20,70]"},               // neither
    {"bik,bkj->bij", "f32[2,33,20] f32[2,20,34]"},        // batches
    {"ik,kj->ij", "f32[16,3000] f32[3000,16]"},           // the depth in parts
    {"ik,kj->ij", "c64[20,17] c64[17,30]"},               // complex
    {"ik,kj->ij", "bool[33,40] bool[40,31]"},             // or of ands
    {"ik,kj->ij", "bf16[64,64] bf16[64,64]"},             // tensor cores
    {"ik,jk->ij", "f16[33,50] f16[40,50]"},               // tensor cores, a layout that TMA does not take
    {"bki,bkj->bji", "f64[2,33,20] f64[2,33,18]"},        // tensor cores for f64
    {"ik,kj->ij", "f32[40,33]{-33,-1} f32[33,40]{1,33}"}, // strides
    {"in X: f32[i,j]; Y = softmax[j](X); out Y", "f32[20,130]"},
    {"in X: f32[i], I: i32[j] below(i); Y[j] = X[I[j]]; out Y", "f32[20] i32[50]"},
    {"in X: f32[i,j]; Y[i,j] = if i < j then exp(X) else tanh(X); out Y", "f32[20,33]"},
};

TEST(GpuModelExpression, EveryKindOfKernel) {
  uint32_t seed = 0;
  for (const Expression &e : kExpressions) {
    Case c;
    c.text = e.text;
    c.types = types(e.types);
    // Kernels without tensor cores are the same for both.
    ++seed;
    EXPECT_EQ(mistake(c, seed % 2 ? "sm_80" : "sm_90a", seed), "") << e.text << " of " << e.types;
  }
}

/// Where the target allows tensor cores for f32, and with integers.
TEST(GpuModelExpression, TensorCoresByOption) {
  Case c;
  c.text = "ki,jk->ij";
  c.types = types("f32[40,37] f32[33,40]");
  EXPECT_EQ(mistake(c, "sm_80+tf32x3", 1), "");
  EXPECT_NE(mistake(c, "sm_80+tf32", 1), "") << "as exact as f32";
  for (const char *type : {"i8[40,40] i8[33,40]", "u8[40,40] u8[33,40]"}) {
    c.types = types(type);
    c.options.resultDType = type[0] == 'i' ? DType::I32 : DType::U32;
    EXPECT_EQ(mistake(c, "sm_80", 2), "") << type;
  }
}

TEST(GpuModelExpression, OtherSemirings) {
  for (Semiring semiring : {Semiring::MinPlus, Semiring::MaxPlus, Semiring::MaxTimes, Semiring::LogAddExpPlus}) {
    Case c;
    c.text = "ik,kj->ij";
    c.types = types("f32[40,37] f32[37,33]");
    c.options.semiring = semiring;
    EXPECT_EQ(mistake(c, "sm_80", 2), "") << name(semiring);
  }
}

TEST(GpuModelExpression, AlphaAndBeta) {
  for (const char *text : {"ik,kj->ij", "ik,kj->i", "ik,kj->"}) {
    Case c;
    c.text = text;
    c.types = types("f32[40,37] f32[37,33]");
    c.options.alpha = 0.5;
    c.options.beta = -2;
    EXPECT_EQ(mistake(c, "sm_80", 3), "") << text;
  }
}

TEST(GpuModelExpression, RandomEinsumsAndPrograms) {
  for (uint64_t seed = 1; seed <= 5; ++seed)
    for (const Case &c : {randomEinsum(seed), randomProgram(seed)})
      EXPECT_EQ(mistake(c, seed % 2 ? "sm_90a" : "sm_80", uint32_t(seed)), "") << "seed " << seed << ": " << c.text;
}

} // namespace
