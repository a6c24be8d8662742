// Products of 8- and 16-bit integers, whose panels hold pairs of steps: every depth, sign and extreme, bit for bit.
#include "tests/conformance/Support.h"

#include "compiler/IndexNotation/Element.h"

using namespace ein;
using namespace ein::test;

namespace {

/// The bytes of both operands from a list that is walked with a step of its own.
::testing::AssertionResult exact(const std::string &text, const std::string &operands, const std::string &cpu,
                                 const std::vector<double> &values) {
  Case c;
  c.text = text;
  c.types = types(operands);
  c.data = Data::Integers;
  c.options.resultDType = DType::I32;
  c.options.target.cpu = cpu;
  auto execution = Execution::prepare(c);
  if (!execution) return failure(c, execution.error().render());
  for (size_t o = 0; o < 2; ++o) {
    const TensorView &view = execution->operands[o].view;
    for (int64_t i = 0; i < view.type.numElements(); ++i)
      setElement(view.type.dtype, view.data, i, values[size_t(i) * (2 * o + 1) % values.size()]);
  }
  if (auto ok = execution->run(); !ok) return failure(c, ok.error().render());
  return agreesWithInterpreter(*execution);
}

TEST(Shorts, EveryDepthAndSign) {
  for (const char *cpu : {"", "x86-64-v3", "x86-64-v2"})
    for (int64_t depth : {4, 5, 7, 33, 600, 1025})
      for (const char *text : {"ik,kj->ij", "ki,jk->ij", "ik,jk->ji"}) {
        auto shape = [&](char a, char b) {
          auto extent = [&](char i) { return std::to_string(i == 'k' ? depth : i == 'i' ? 13 : 35); };
          return "[" + extent(a) + "," + extent(b) + "]";
        };
        const std::string left = shape(text[0], text[1]), right = shape(text[3], text[4]);
        EXPECT_TRUE(exact(text, "i8" + left + " i8" + right, cpu, {-128, 127, 3, -1, 0, -77, 100}));
        EXPECT_TRUE(exact(text, "u8" + left + " u8" + right, cpu, {255, 0, 128, 7, 254}));
        EXPECT_TRUE(exact(text, "u8" + left + " i8" + right, cpu, {127, 1, 0, 90, 5}));
        EXPECT_TRUE(exact(text, "i16" + left + " i8" + right, cpu, {-128, 127, 3, -1, 0, -77, 100}));
        EXPECT_TRUE(exact(text, "i16" + left + " i16" + right, cpu, {-32768, 32767, -32768, 12345, -2}));
      }
}

/// The sum of two products is 2^31, which 32 bits do not hold.
TEST(Shorts, WrapLikeSums) {
  for (const char *cpu : {"", "x86-64-v3", "x86-64-v2"})
    EXPECT_TRUE(exact("ik,kj->ij", "i16[20,31] i16[31,40]", cpu, {-32768}));
}

} // namespace
