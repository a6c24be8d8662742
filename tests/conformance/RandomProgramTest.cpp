// Seeded random Programs against the interpreter.
#include "compiler/IndexNotation/ProgramHash.h"
#include "compiler/Paths/Flatten.h"
#include "tests/conformance/Generators.h"
#include "tests/unit/adjoints/Gradients.h"

#include <gtest/gtest.h>

using namespace ein;
using namespace ein::test;

namespace {

class RandomProgram : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomProgram, AsInterpreted) { EXPECT_TRUE(programComputesAsInterpreted(randomProgram(GetParam()))); }

/// A Program is what its text says, and its hash does not see how that is spelled.
TEST_P(RandomProgram, PrintsAndHashes) {
  for (uint64_t seed = GetParam() * 5; seed < GetParam() * 5 + 5; ++seed) {
    const Case c = randomProgram(seed);
    auto p = parseAndBind(c.text, c.types);
    ASSERT_TRUE(p) << p.error().render();
    auto fine = verify(*p);
    ASSERT_TRUE(fine) << fine.error().message << c.text;
    auto again = parseAndBind(print(*p), c.types);
    ASSERT_TRUE(again) << again.error().render();
    EXPECT_EQ(print(*again), print(*p));
    EXPECT_EQ(programHash(*again), programHash(*p)) << c.text << "\n" << print(*p);
  }
}

/// What is done to a Program before any code is generated keeps its meaning: 2,000 Programs, in double.
TEST_P(RandomProgram, MeansTheSameFlat) {
  for (uint64_t seed = GetParam() * 5; seed < GetParam() * 5 + 5; ++seed) {
    const Case c = randomProgram(seed);
    if (isComplex(c.types[0].dtype)) continue; // its parts are tensors of their own there
    auto p = parseAndBind(c.text, c.types);
    ASSERT_TRUE(p) << p.error().render();
    auto flat = flatten(*p, c.options);
    ASSERT_TRUE(flat) << flat.error().render();
    const FusedProgram masked{flat->program, flat->cascades, {}};
    std::vector<ReferenceTensor> operands;
    for (size_t o = 0; o < c.types.size(); ++o) operands.push_back(valuesFor(*p, o, uint32_t(seed + o)));
    const auto expected = interpret(*p, operands), got = interpret(withExplicitMasks(masked), operands);
    for (size_t r = 0; r < expected.size(); ++r)
      for (size_t i = 0; i < expected[r].values.size(); ++i) {
        const double x = expected[r].values[i], y = got[r].values[i];
        ASSERT_TRUE(x == y || (std::isnan(x) && std::isnan(y)) || std::fabs(x - y) <= 1e-9 * (1 + std::fabs(x)))
            << "seed " << seed << "\n"
            << c.text << "\n"
            << print(flat->program) << x << " became " << y;
      }
  }
}

INSTANTIATE_TEST_SUITE_P(Seed, RandomProgram, ::testing::Range<uint64_t>(1, 401), ::testing::PrintToStringParamName());

} // namespace
