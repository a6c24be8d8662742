// Seeded random einsums against the interpreter: plain ones, in other semirings, and scaled into what results held.
#include "tests/conformance/Generators.h"

#include <gtest/gtest.h>

using namespace ein::test;

namespace {

class RandomEinsum : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomEinsum, AsInterpreted) { EXPECT_TRUE(computesAsInterpreted(randomEinsum(GetParam()))); }

INSTANTIATE_TEST_SUITE_P(Seed, RandomEinsum, ::testing::Range<uint64_t>(1, 301), ::testing::PrintToStringParamName());

class RandomSemiring : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomSemiring, AsInterpreted) { EXPECT_TRUE(computesAsInterpreted(randomSemiringEinsum(GetParam()))); }

INSTANTIATE_TEST_SUITE_P(Seed, RandomSemiring, ::testing::Range<uint64_t>(1, 201), ::testing::PrintToStringParamName());

class RandomScaled : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomScaled, AsInterpreted) { EXPECT_TRUE(computesAsInterpreted(randomScaledEinsum(GetParam()))); }

INSTANTIATE_TEST_SUITE_P(Seed, RandomScaled, ::testing::Range<uint64_t>(1, 101), ::testing::PrintToStringParamName());

} // namespace
