// Seeded random Programs against the interpreter.
#include "tests/conformance/Generators.h"

#include <gtest/gtest.h>

using namespace ein::test;

namespace {

class RandomProgram : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomProgram, AsInterpreted) { EXPECT_TRUE(programComputesAsInterpreted(randomProgram(GetParam()))); }

INSTANTIATE_TEST_SUITE_P(Seed, RandomProgram, ::testing::Range<uint64_t>(1, 101), ::testing::PrintToStringParamName());

} // namespace
