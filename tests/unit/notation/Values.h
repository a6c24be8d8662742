// Tensors for the interpreter, in tests.
#pragma once

#include "compiler/IndexNotation/Interpreter.h"

#include <utility>
#include <vector>

namespace ein::test {

/// A tensor with given values.
inline ReferenceTensor tensor(std::vector<int64_t> shape, std::vector<double> values) {
  return {std::move(shape), std::move(values)};
}

/// A tensor with reproducible values, or parts, in [-1, 1).
inline ReferenceTensor noise(const TensorType &type, uint32_t seed) {
  ReferenceTensor t{type.shape, {}};
  for (int64_t i = 0; i < type.numElements() * (isComplex(type.dtype) ? 2 : 1); ++i) {
    seed = seed * 1664525u + 1013904223u;
    t.values.push_back(static_cast<double>(seed >> 8) / (1 << 23) - 1);
  }
  return t;
}

} // namespace ein::test
