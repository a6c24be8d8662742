// Adjoints of Programs: random ones and the examples against finite differences, compiled ones against the interpreter,
// attention's backward pass as two passes that store no scores.
#include "ein/Adjoint.h"
#include "ein/Engine.h"
#include "tests/conformance/AttentionCase.h"
#include "tests/conformance/Generators.h"
#include "tests/unit/adjoints/Gradients.h"

#include <algorithm>
#include <fstream>
#include <sstream>

using namespace ein;
using namespace ein::test;

namespace {

bool hasGradient(const TensorType &type) { return isFloat(type.dtype) || isComplex(type.dtype); }

class RandomAdjoint : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomAdjoint, MatchesFiniteDifferences) {
  for (uint64_t seed = GetParam() * 10; seed < GetParam() * 10 + 10; ++seed) {
    const Case c = randomProgram(seed);
    if (hasGradient(c.types[0]))
      EXPECT_TRUE(gradientsMatch(c.text, c.types, 1e-5, uint32_t(seed))) << "seed " << seed;
    else
      EXPECT_EQ(adjointText(c.text, c.types, std::vector<size_t>{0}, {}).error().rule, "E19") << c.text;
  }
}

/// A forward's case as that of its adjoint with respect to `which`.
Expected<Case> adjointCase(const Case &forward, const std::vector<size_t> &which) {
  auto p = parseAndBind(forward.text, forward.types);
  if (!p) return p.error();
  auto text = adjoint(forward.text, forward.types, which);
  if (!text) return text.error();
  Case c = forward;
  c.text = *text;
  for (TensorId t : p->outputs)
    if (hasGradient(p->typeOf(t))) c.types.push_back(p->typeOf(t));
  return c;
}

TEST_P(RandomAdjoint, ComputesAsInterpreted) {
  Case forward = randomProgram(GetParam());
  if (!hasGradient(forward.types[0]) || byteSize(partType(forward.types[0].dtype)) == 2) return;
  forward.options = {};
  auto c = adjointCase(forward, {0});
  ASSERT_TRUE(c) << c.error().render();
  EXPECT_TRUE(programComputesAsInterpreted(*c)) << forward.text;
}

INSTANTIATE_TEST_SUITE_P(Seed, RandomAdjoint, ::testing::Range<uint64_t>(1, 41), ::testing::PrintToStringParamName());

// The examples of docs: all but the one whose only result is a position.
struct ForwardExample {
  const char *file, *operands;
};

const ForwardExample kForwards[] = {
    {"01-causal-gqa", "bf16[2,5,8,16] bf16[2,7,2,16] bf16[2,7,2,16] i32[]"},
    {"02-sliding-window", "bf16[2,3,9,8] bf16[2,3,11,8] bf16[2,3,11,5] f32[3] f32[3] i32[]"},
    {"03-packed-documents", "bf16[2,13,8] bf16[2,13,8] bf16[2,13,6] i32[13] i32[13] i32[13]"},
    {"04-paged-decode", "bf16[1,8,3] bf16[2,64,1,3] bf16[2,64,1,3] i32[1,2] i32[1]"},
    {"05-pair-bias", "bf16[2,3,7,8] bf16[2,3,9,8] bf16[2,3,9,5] f32[3,7,9] bf16[2,3,7,5]"},
    {"06-linear-attention", "f32[2,3,7,5] f32[2,3,9,5] f32[2,3,9,4]"},
    {"07-gpt2-mlp", "bf16[5,8] bf16[8,17] f32[17] bf16[17,8] f32[8]"},
    {"08-rmsnorm-swiglu", "bf16[5,8] f32[8] bf16[8,17] bf16[8,17] bf16[17,9]"},
    {"09-layernorm-projection", "f32[7,33] f32[33] f32[33] f32[33,9]"},
    {"10-lora", "bf16[5,16] bf16[16,9] bf16[16,2] bf16[2,9] f32[]"},
    {"11-bilinear", "f64[7,5] f64[3,5,5]"},
    {"12-cross-entropy", "bf16[5,8] bf16[8,37] i32[5]"},
    {"13-moe", "bf16[7,16] bf16[16,6] bf16[6,16,9]"},
    {"14-shortest-paths", "f32[9,9]"},
    {"15-hmm-forward", "f32[5,7] f32[7,7] f32[5,7]"},
    {"17-kalman", "f64[6,6] f64[3,6] f64[3,6,6] f64[6,6] f64[2,6] f64[3,2] f64[3,2,2]"},
    {"18-mps-overlap", "f64[2,3,4] f64[4,5,2]"},
};

std::string textOf(const std::string &file) {
  std::ifstream stream(EIN_TEST_DATA "/programs/" + file + ".ein");
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

class ExampleAdjoint : public ::testing::TestWithParam<ForwardExample> {};

TEST_P(ExampleAdjoint, MatchesFiniteDifferencesAndTheInterpreter) {
  Case forward;
  forward.text = textOf(GetParam().file);
  forward.types = types(GetParam().operands);
  EXPECT_TRUE(gradientsMatch(forward.text, forward.types));
  std::vector<size_t> which;
  for (size_t o = 0; o < forward.types.size(); ++o)
    if (hasGradient(forward.types[o])) which.push_back(o);
  auto c = adjointCase(forward, which);
  ASSERT_TRUE(c) << c.error().render();
  EXPECT_TRUE(programComputesAsInterpreted(*c)) << c->text;
}

INSTANTIATE_TEST_SUITE_P(, ExampleAdjoint, ::testing::ValuesIn(kForwards), [](const auto &info) {
  std::string name = info.param.file;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(ExampleAdjointRefused, OfAPosition) {
  auto text = adjoint(textOf("16-k-means"), types("f32[40,5] f32[7,5]"), 0);
  ASSERT_FALSE(text) << *text;
  EXPECT_EQ(text.error().rule, "E19");
}

const AttentionCase kBackwards[] = {
    {"plain", {}, "f32[2,3,20,8] f32[2,3,33,8] f32[2,3,33,5]"},
    {"long", {}, "f32[1,2,197,40] f32[1,2,130,40] f32[1,2,130,40]"},
    {"double", {}, "f64[1,2,37,24] f64[1,2,29,24] f64[1,2,29,24]"},
    {"causal", with([](auto &o) { o.causal = true; }), "f32[1,2,77,16] f32[1,2,77,16] f32[1,2,77,16]"},
    {"causalBeforeKeys", with([](auto &o) { o.causal = true; }), "f32[1,2,33,16] f32[1,2,20,16] f32[1,2,20,16]"},
    {"window", with([](auto &o) { o.causal = true, o.window = 7; }), "f32[1,2,70,16] f32[1,2,70,16] f32[1,2,70,16]"},
    {"softcap", with([](auto &o) { o.softcap = 3; }), "f32[1,2,20,16] f32[1,2,20,16] f32[1,2,20,16]"},
    {"slopes", with([](auto &o) { o.slopes = true; }), "f32[1,2,20,8] f32[1,2,20,8] f32[1,2,20,8] f32[2]"},
    {"bias", with([](auto &o) { o.bias = true; }), "f32[2,2,20,8] f32[2,2,30,8] f32[2,2,30,8] f32[2,20,30]"},
    {"sinks", with([](auto &o) { o.sinks = true; }), "f32[1,2,20,8] f32[1,2,30,8] f32[1,2,30,8] f32[2]"},
    {"lengths", with([](auto &o) { o.lengths = true; }), "f32[3,2,20,8] f32[3,2,30,8] f32[3,2,30,8] i32[3]"},
    {"logSumExp", with([](auto &o) { o.causal = o.logSumExp = true; }), "f32[1,2,20,8] f32[1,2,30,8] f32[1,2,30,8]"},
    {"sequenceFirst", with([](auto &o) { o.layout = HeadLayout::SequenceFirst; }),
     "f32[2,20,3,8] f32[2,33,3,8] f32[2,33,3,5]"},
    {"shared", with([](auto &o) { o.causal = true; }), "f32[1,6,20,8] f32[1,2,20,8] f32[1,2,20,8]"},
    {"bfloat", with([](auto &o) { o.causal = true; }), "bf16[1,2,40,8] bf16[1,2,40,8] bf16[1,2,40,8]"},
    {"everythingShared", with([](auto &o) {
       o.causal = o.offset = o.slopes = o.bias = o.sinks = o.lengths = true;
       o.window = 9, o.softcap = 5;
     }),
     "f32[2,6,20,8] f32[2,2,30,8] f32[2,2,30,8] i32[] f32[6] f32[6,20,30] f32[6] i32[2]"},
};

class AttentionBackward : public ::testing::TestWithParam<AttentionCase> {};

/// One pass over the keys for the queries' gradient, one over the queries for those of keys and values.
TEST_P(AttentionBackward, IsTwoPassesThatStoreNoScores) {
  Case forward;
  forward.types = types(GetParam().operands);
  auto text = attentionProgram(forward.types, GetParam().options);
  ASSERT_TRUE(text) << text.error().render();
  forward.text = *text;
  auto c = adjointCase(forward, {0, 1, 2});
  ASSERT_TRUE(c) << c.error().render();
  c->text += "require exact(Q_bar)\n"; // else the chain, which computes less, is taken for so few scores
  auto execution = Execution::prepare(*c);
  ASSERT_TRUE(execution) << execution.error().render() << c->text;
  auto ok = execution->run();
  ASSERT_TRUE(ok) << ok.error().render();
  EXPECT_TRUE(closeToInterpreter(*execution)) << c->text;
  auto kernel = Engine::global().compile(c->text, c->types, c->options);
  ASSERT_TRUE(kernel) << kernel.error().render();
  const Explanation e = kernel->explain();
  EXPECT_TRUE(e.boundaries.empty()) << c->text << e.str();
  EXPECT_EQ(std::ranges::count(e.steps, "cascade", &StepReport::kind), 2) << c->text << e.str();
  const bool isShared = c->types[0].shape[1] > c->types[1].shape[1]; // then the parts of heads are added up
  EXPECT_EQ(e.steps.size(), isShared ? 4u : 2u) << c->text << e.str();
}

INSTANTIATE_TEST_SUITE_P(, AttentionBackward, ::testing::ValuesIn(kBackwards),
                         [](const auto &info) { return info.param.name; });

} // namespace
