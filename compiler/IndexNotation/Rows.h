// A strided tensor row by row.
#pragma once

#include "ein/TensorType.h"

namespace ein {

/// Calls `body(offset, extent, stride)` for each row along the last dimension, in row-major order: where it begins, in
/// elements from index zero. A scalar is a row of one.
template <class Body> void forEachRow(const TensorType &type, Body body) {
  if (type.numElements() == 0) return;
  if (type.shape.empty()) return body(int64_t{0}, int64_t{1}, int64_t{1});
  const size_t last = type.shape.size() - 1;
  std::vector<int64_t> position(last, 0);
  for (int64_t offset = 0;;) {
    body(offset, type.shape[last], type.strides[last]);
    size_t d = last;
    while (d > 0 && position[d - 1] + 1 == type.shape[d - 1]) { // carry
      offset -= position[d - 1] * type.strides[d - 1];
      position[--d] = 0;
    }
    if (d == 0) return;
    ++position[d - 1];
    offset += type.strides[d - 1];
  }
}

} // namespace ein
