// Random cases, each made from a seed, the same on every machine: for the tests and for tools/soak.sh.
#pragma once

#include "tests/conformance/Support.h"

namespace ein::test {

/// An einsum string of 1 to 6 operands of rank 0 to 8: every rule of the notation, dtype, layout, target, thread count
/// and order.
Case randomEinsum(uint64_t seed);
/// The same in another semiring.
Case randomSemiringEinsum(uint64_t seed);
/// The same with alpha and beta.
Case randomScaledEinsum(uint64_t seed);
/// A contraction of two operands around the edges of register tiles and cache blocks, with integers; exact.
Case randomContraction(uint64_t seed);
/// A Program of pointwise arithmetic, guards, reductions, softmax and einsums, in any dtype.
Case randomProgram(uint64_t seed);

/// Whether every element of an execution that has run is within a tolerance far above rounding and far below a mistake.
::testing::AssertionResult closeToInterpreter(const Execution &execution);

/// Prepares and runs a Program; exactly right in integers, else within a tolerance far above rounding and far below a
/// mistake.
::testing::AssertionResult programComputesAsInterpreted(const Case &c);

} // namespace ein::test
