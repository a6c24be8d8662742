// The reference: evaluates a bound Program by nested loops in double. Optimised for readability; the
// oracle of every numerical test.
#pragma once

#include "compiler/IndexNotation/Program.h"
#include "ein/TensorView.h"

#include <span>
#include <vector>

namespace ein {

/// A row-major tensor of doubles.
struct ReferenceTensor {
  std::vector<int64_t> shape;
  std::vector<double> values;
};

/// Reads a view of any dtype and strides into a ReferenceTensor.
ReferenceTensor readReference(const TensorView &view);

/// Evaluates every output of `p`. `operands` follow `p.inputs`.
std::vector<ReferenceTensor> interpret(const Program &p, std::span<const ReferenceTensor> operands);

/// The magnitude that bounds rounding errors: `p` evaluated with absolute values in place of operands
/// and literals and with + in place of -. Only meaningful for sums of products.
std::vector<ReferenceTensor> interpretMagnitude(const Program &p, std::span<const ReferenceTensor> operands);

} // namespace ein
