// Verdicts on executions that are too large for the interpreter as they stand.
#pragma once

#include "tests/conformance/Support.h"

namespace ein::test {

/// For an einsum string: computes evenly spread elements of the result as written, in double, until about `products`
/// products are spent (never fewer than one element). Requires that the compiler sums in any order: the bound is
/// gamma(n) times the sum of absolute values.
::testing::AssertionResult agreesAtSamples(const Execution &execution, double products);

/// For an einsum string of many operands: the interpreter on the pairwise contractions of a greedy order. The result
/// is that of the expression, whatever order the compiler chose.
::testing::AssertionResult agreesWithPairwise(const Execution &execution);

} // namespace ein::test
