// Generic kernels against the interpreter, their errors against the compiler's, and the engine that answers with them.
#include "compiler/Generic/GenericKernel.h"
#include "ein/Einsum.h"
#include "tests/conformance/Generators.h"
#include "tests/conformance/GuardedMemory.h"
#include "tools/einc/Operands.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace ein;
using namespace ein::test;

namespace {

CompileRequest requestOf(const Case &c) {
  CompileRequest request;
  request.text = c.text;
  request.operands = c.types;
  request.options = c.options;
  request.options.threads = 1;
  return request;
}

/// What became of a case.
enum class Outcome { None, Right, Wrong };

/// Runs a case on its generic kernel, if it has one, on guarded memory.
Outcome runGeneric(Case c, ::testing::AssertionResult (*agrees)(const Execution &)) {
  c.options.target = {};
  auto execution = Execution::prepare(c);
  auto kernel = GenericKernel::make(requestOf(c));
  EXPECT_TRUE(execution && kernel) << c.text;
  if (!execution || !kernel) return Outcome::Wrong;
  if (!*kernel) return Outcome::None;
  for (const TensorType &type : (*kernel)->results()) {
    execution->results.push_back(guardedTensor(type, Guard::Above));
    poison(execution->results.back());
  }
  execution->priors = einc::fillPriors(c.options, execution->results, c.seed).value();
  std::vector<const einc::HostTensor *> tensors;
  std::vector<void *> operands, results;
  for (const einc::HostTensor &t : execution->operands) tensors.push_back(&t), operands.push_back(t.view.data);
  for (const einc::HostTensor &t : execution->results) tensors.push_back(&t), results.push_back(t.view.data);
  watch(tensors, c.text + " on its generic kernel");
  (*kernel)->run(operands.data(), results.data());
  bool outside = touched().has_value();
  for (const einc::HostTensor &result : execution->results) outside |= writtenOutside(result).has_value();
  const ::testing::AssertionResult same = agrees(*execution);
  EXPECT_FALSE(outside) << c.text;
  EXPECT_TRUE(same) << same.message();
  return same && !outside ? Outcome::Right : Outcome::Wrong;
}

struct Source {
  const char *name;
  Case (*make)(uint64_t seed);
  ::testing::AssertionResult (*agrees)(const Execution &);
  uint64_t cases;
  int least; ///< how many of them have generic kernels
};

class RandomGeneric : public ::testing::TestWithParam<Source> {};

TEST_P(RandomGeneric, AsInterpreted) {
  const Source &source = GetParam();
  int right = 0;
  for (uint64_t seed = 1; seed <= source.cases; ++seed) {
    const Outcome outcome = runGeneric(source.make(seed), source.agrees);
    ASSERT_NE(outcome, Outcome::Wrong) << "seed " << seed;
    right += outcome == Outcome::Right;
  }
  EXPECT_GE(right, source.least);
}

INSTANTIATE_TEST_SUITE_P(Of, RandomGeneric,
                         ::testing::Values(Source{"Einsums", randomEinsum, agreesWithInterpreter, 200, 150},
                                           Source{"Semirings", randomSemiringEinsum, agreesWithInterpreter, 200, 150},
                                           Source{"Scaled", randomScaledEinsum, agreesWithInterpreter, 200, 150},
                                           Source{"Contractions", randomContraction, agreesWithInterpreter, 30, 20},
                                           Source{"Programs", randomProgram, closeToInterpreter, 200, 100}),
                         [](const auto &info) { return info.param.name; });

TEST(Generic, TilesOfEveryShape) {
  for (const char *sizes : {"f32[1,300] f32[300,1]", "f32[5,7] f32[7,3]", "f32[97,257] f32[257,9]",
                            "f32[7,1] f32[1,521]", "f32[64,64]{1,64} f32[64,64]", "f32[3,0] f32[0,4]"}) {
    Case c;
    c.text = "ik,kj->ji";
    c.types = types(sizes);
    EXPECT_EQ(runGeneric(c, agreesWithInterpreter), Outcome::Right) << sizes;
  }
}

/// The same mistake is told in the same words, whoever is asked.
void expectSameError(const Case &c) {
  auto generic = GenericKernel::make(requestOf(c));
  auto compiled = compile(requestOf(c));
  ASSERT_EQ(bool(generic), bool(compiled)) << c.text;
  if (!compiled) EXPECT_EQ(generic.error().render(), compiled.error().render());
}

TEST(Generic, RefusesWhatTheCompilerRefuses) {
  std::ifstream file(EIN_TEST_DATA "/conformance_invalid.json");
  size_t compared = 0;
  for (const auto &entry : nlohmann::json::parse(file, nullptr, false)) {
    if (!entry["expr"].is_string()) continue;
    Case c;
    c.text = entry["expr"].get<std::string>();
    for (const auto &shape : entry["shapes"]) c.types.emplace_back(DType::F64, shape.get<std::vector<int64_t>>());
    if (entry.contains("grammar")) c.options.labels = LabelStyle::Names;
    if (entry.contains("path")) c.options.order = entry["path"];
    expectSameError(c);
    ++compared;
  }
  EXPECT_GT(compared, 40u);
  Case c;
  c.types = types("f32[4,4]");
  const std::pair<const char *, const char *> programs[] = {
      {"in A: f32[i,j]\nB[i] = sum[j](A)\nC[i] = sum[j](A * exp(B))\nout C\nrequire onepass(C)", "E17"},
      {"in A: f32[i,j]\nB[i] = sum[j](A)\nC[i] = sum[j](A * exp(B))\nout C\nrequire nostore(B)", "E18"},
      {"in A: f32[i,j]\nB[i,j] = A[i]\nout B", nullptr}};
  for (const auto &[text, rule] : programs) {
    c.text = text;
    expectSameError(c);
    auto refused = GenericKernel::make(requestOf(c));
    ASSERT_FALSE(refused) << text;
    if (rule) EXPECT_EQ(refused.error().rule, rule);
  }
  c.text = "ij->ij";
  c.options.resultStrides = {{0, 1}};
  expectSameError(c);
}

TEST(Generic, LongProductsWait) {
  Case c;
  c.text = "ik,kj->ij";
  c.types = types("f32[512,512] f32[512,512]");
  EXPECT_TRUE(*GenericKernel::make(requestOf(c)));
  c.types = types("f32[2048,2048] f32[2048,2048]");
  EXPECT_FALSE(*GenericKernel::make(requestOf(c)));
}

TEST(Generic, FirstAnswersThenTheCompiledKernel) {
  Engine engine({.disk = DiskUse::Off});
  CompileOptions options;
  options.background = true;
  std::vector<float> a(31 * 17), b(17 * 40);
  for (size_t i = 0; i < a.size(); ++i) a[i] = std::sin(float(i));
  for (size_t i = 0; i < b.size(); ++i) b[i] = std::cos(float(i));
  const TensorView operands[] = {TensorView(a.data(), {31, 17}), TensorView(b.data(), {17, 40})};
  auto first = engine.einsum("ik,kj->ij", operands, options);
  ASSERT_TRUE(first) << first.error().render();
  ASSERT_TRUE(engine.compile("ik,kj->ij", operands));
  auto second = engine.einsum("ik,kj->ij", operands, options);
  ASSERT_TRUE(second);
  const EngineStats stats = engine.stats();
  EXPECT_EQ(stats.genericRuns, 1u);
  EXPECT_EQ(stats.compiles, 1u);
  EXPECT_GE(stats.hits, 1u);
  for (int64_t i = 0; i < 31 * 40; ++i) EXPECT_NEAR(first->data<float>()[i], second->data<float>()[i], 1e-5);
}

} // namespace
