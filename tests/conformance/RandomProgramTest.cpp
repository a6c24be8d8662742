// Seeded random Programs against the interpreter.
#include "compiler/IndexNotation/ProgramHash.h"
#include "tests/conformance/Generators.h"

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

INSTANTIATE_TEST_SUITE_P(Seed, RandomProgram, ::testing::Range<uint64_t>(1, 401), ::testing::PrintToStringParamName());

} // namespace
