// ein::attention: the Programs that it writes, against the interpreter, and what it refuses.
#include "tests/conformance/AttentionCase.h"
#include "tests/conformance/Generators.h"

using namespace ein;
using namespace ein::test;

namespace {

const AttentionCase kForms[] = {
    {"plain", {}, "f32[2,3,20,8] f32[2,3,33,8] f32[2,3,33,5]"},
    {"scaled", with([](auto &o) { o.scale = 0.7; }), "f64[1,2,17,8] f64[1,2,9,8] f64[1,2,9,8]"},
    {"causal", with([](auto &o) { o.causal = true; }), "f32[1,2,40,16] f32[1,2,40,16] f32[1,2,40,16]"},
    {"causalAfterKeys", with([](auto &o) { o.causal = true; }), "f32[1,2,20,16] f32[1,2,33,16] f32[1,2,33,16]"},
    {"causalBeforeKeys", with([](auto &o) { o.causal = true; }), "f32[1,2,33,16] f32[1,2,20,16] f32[1,2,20,16]"},
    {"window", with([](auto &o) { o.causal = true, o.window = 7; }), "f32[1,2,70,16] f32[1,2,70,16] f32[1,2,70,16]"},
    {"softcap", with([](auto &o) { o.softcap = 3; }), "f32[1,2,20,16] f32[1,2,20,16] f32[1,2,20,16]"},
    {"offset", with([](auto &o) { o.causal = true, o.offset = true; }),
     "f32[1,2,20,8] f32[1,2,33,8] f32[1,2,33,8] i32[]"},
    {"slopes", with([](auto &o) { o.slopes = true; }), "f32[1,2,20,8] f32[1,2,20,8] f32[1,2,20,8] f32[2]"},
    {"bias", with([](auto &o) { o.bias = true; }), "f32[2,2,20,8] f32[2,2,30,8] f32[2,2,30,8] f32[2,20,30]"},
    {"sinks", with([](auto &o) { o.sinks = true; }), "f32[1,2,20,8] f32[1,2,30,8] f32[1,2,30,8] f32[2]"},
    {"lengths", with([](auto &o) { o.lengths = true; }), "f32[3,2,20,8] f32[3,2,30,8] f32[3,2,30,8] i32[3]"},
    {"shared", with([](auto &o) { o.causal = true; }), "f32[1,6,20,8] f32[1,2,20,8] f32[1,2,20,8]"},
    {"everythingShared", with([](auto &o) {
       o.causal = o.offset = o.slopes = o.bias = o.sinks = o.lengths = o.logSumExp = true;
       o.window = 9, o.softcap = 5;
     }),
     "f32[2,6,20,8] f32[2,2,30,8] f32[2,2,30,8] i32[] f32[6] f32[6,20,30] f32[6] i32[2]"},
    {"sequenceFirst", with([](auto &o) { o.layout = HeadLayout::SequenceFirst; }),
     "f32[2,20,3,8] f32[2,33,3,8] f32[2,33,3,5]"},
    {"bfloat", with([](auto &o) { o.causal = true; }), "bf16[1,2,20,8] bf16[1,2,20,8] bf16[1,2,20,8]"},
};

class Attention : public ::testing::TestWithParam<AttentionCase> {};

TEST_P(Attention, AsInterpretedInOnePass) {
  Case c;
  c.types = types(GetParam().operands);
  auto text = attentionProgram(c.types, GetParam().options);
  ASSERT_TRUE(text) << text.error().render();
  c.text = *text;
  auto execution = Execution::prepare(c);
  ASSERT_TRUE(execution) << execution.error().render() << *text;
  auto ok = execution->run();
  ASSERT_TRUE(ok) << ok.error().render();
  EXPECT_TRUE(closeToInterpreter(*execution)) << *text;
  auto kernel = Engine::global().compile(*text, c.types, c.options);
  ASSERT_TRUE(kernel) << kernel.error().render();
  EXPECT_EQ(kernel->explain().steps.size(), 1u) << kernel->explain().str();
  EXPECT_TRUE(kernel->explain().boundaries.empty()) << kernel->explain().str();
}

INSTANTIATE_TEST_SUITE_P(, Attention, ::testing::ValuesIn(kForms), [](const auto &info) { return info.param.name; });

TEST(AttentionErrors, SayWhatIsAccepted) {
  auto message = [](const char *operands, AttentionOptions options = {}) {
    auto text = attentionProgram(types(operands), options);
    return text ? *text : std::string(errorCodeName(text.error().code)) + ": " + text.error().message;
  };
  EXPECT_EQ(message("f32[1,2,3,4] f32[1,2,3,4]"), "operand-count: this attention has 3 operands, got 2");
  EXPECT_EQ(message("f32[1,2,3] f32[1,2,3,4] f32[1,2,3,4]"),
            "rank: operand 0 of an attention is f32[1,2,3], which has rank 3");
  EXPECT_EQ(message("f32[1,5,3,4] f32[1,2,3,4] f32[1,2,3,4]"),
            "extent: 5 heads of queries cannot share 2 heads of keys");
  EXPECT_EQ(message("f32[1,2,3,4] f32[1,2,3,4] f32[1,2,3,4]", with([](auto &o) { o.softcap = -1; })),
            "unsupported: the scale or softcap of an attention is no finite number");
  // What is left to the Program: extents that differ have a place in it.
  std::vector<float> data(64);
  auto result = attention({{data.data(), {1, 2, 3, 4}}, {data.data(), {1, 2, 3, 2}}, {data.data(), {1, 2, 3, 4}}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Extent);
}

TEST(AttentionCall, RunsOnTheGlobalEngine) {
  const std::vector<float> ones(2 * 16 * 4, 1), values(2 * 16 * 4, 2.5f);
  auto out = attention({{ones.data(), {1, 2, 16, 4}}, {ones.data(), {1, 2, 16, 4}}, {values.data(), {1, 2, 16, 4}}});
  ASSERT_TRUE(out) << out.error().render();
  EXPECT_EQ(out->type().shape, (std::vector<int64_t>{1, 2, 16, 4}));
  for (int i = 0; i < 128; ++i) EXPECT_FLOAT_EQ(out->data<float>()[i], 2.5f);
}

} // namespace
