// The reference: evaluates a bound Program by nested loops in double. Optimised for readability; the
// oracle of every numerical test.
#pragma once

#include "compiler/IndexNotation/Program.h"
#include "ein/TensorView.h"

#include <functional>
#include <span>
#include <vector>

namespace ein {

/// A row-major tensor of doubles; one of integers or bool has its exact values as well (the bits of a u64).
/// The parts of complex numbers are one more dimension, the last.
struct ReferenceTensor {
  std::vector<int64_t> shape;
  std::vector<double> values;
  std::vector<int64_t> integers = {};
};

/// Reads a view of any dtype and strides into a ReferenceTensor.
ReferenceTensor readReference(const TensorView &view);
/// Writes a tensor that has the view's shape, each number rounded once.
void writeReference(const ReferenceTensor &tensor, const TensorView &view);

/// Computes an assignment in the interpreter's place: reads the values of tensors, row-major and by id, and writes
/// those of the result. False, and nothing is written, where it leaves that to the interpreter.
using AssignmentShortcut = std::function<bool(const Assignment &, std::span<std::vector<double>> values)>;

/// Evaluates every output of `p`, in double; where all tensors are integers or bool, exactly. `operands` follow
/// `p.inputs`. Results are not rounded to narrow floats. `shortcut` is for speed, and asked where real numbers are
/// computed; the reference is what comes out without one.
std::vector<ReferenceTensor> interpret(const Program &p, std::span<const ReferenceTensor> operands,
                                       const AssignmentShortcut &shortcut = {});

/// Whether `interpret` computes `p` in integers.
bool isExact(const Program &p);

/// The magnitude that bounds rounding errors: `p` evaluated with absolute values in place of operands
/// and literals and with + in place of -. Only meaningful for sums of products.
std::vector<ReferenceTensor> interpretMagnitude(const Program &p, std::span<const ReferenceTensor> operands);

} // namespace ein
