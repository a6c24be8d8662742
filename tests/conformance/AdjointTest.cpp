// Adjoints of Programs: random ones and the examples against finite differences, compiled ones against the interpreter,
// attention's backward pass as two passes that store no scores.
#include "ein/Adjoint.h"
#include "ein/Attention.h"
#include "ein/Engine.h"
#include "tests/conformance/Generators.h"
#include "tests/unit/adjoints/Gradients.h"

#include <algorithm>

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

struct Backward {
  const char *name;
  AttentionOptions options;
  const char *operands;
};

AttentionOptions with(void (*set)(AttentionOptions &)) {
  AttentionOptions options;
  set(options);
  return options;
}

const Backward kBackwards[] = {
    {"plain", {}, "f32[2,3,20,8] f32[2,3,33,8] f32[2,3,33,5]"},
    {"oneKey", {}, "f32[2,3,20,8] f32[2,3,1,8] f32[2,3,1,8]"},
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
       o.causal = o.offset = o.slopes = o.bias = o.sinks = o.lengths = o.logSumExp = true;
       o.window = 9, o.softcap = 5;
     }),
     "f32[2,6,20,8] f32[2,2,30,8] f32[2,2,30,8] i32[] f32[6] f32[6,20,30] f32[6] i32[2]"},
};

class AttentionBackward : public ::testing::TestWithParam<Backward> {};

/// One pass over the keys for the queries' gradient, one over the queries for those of keys and values.
TEST_P(AttentionBackward, IsTwoPassesThatStoreNoScores) {
  Case forward;
  forward.types = types(GetParam().operands);
  auto text = attentionProgram(forward.types, GetParam().options);
  ASSERT_TRUE(text) << text.error().render();
  forward.text = *text;
  auto c = adjointCase(forward, {0, 1, 2});
  ASSERT_TRUE(c) << c.error().render();
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
  const bool isShared = execution->program.indices.size() > 6; // heads: their parts are added up after the pass
  EXPECT_LE(e.steps.size(), isShared ? 4u : 2u) << c->text << e.str();
}

INSTANTIATE_TEST_SUITE_P(, AttentionBackward, ::testing::ValuesIn(kBackwards),
                         [](const auto &info) { return info.param.name; });

} // namespace
