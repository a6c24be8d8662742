// Tensors in memory as the interpreter takes them.
#include "compiler/IndexNotation/Element.h"
#include "compiler/IndexNotation/Interpreter.h"

#include <algorithm>

namespace ein {

ReferenceTensor readReference(const TensorView &view) {
  if (isComplex(view.type.dtype)) {
    TensorType parts = view.type;
    parts.dtype = partType(parts.dtype);
    for (int64_t &stride : parts.strides) stride *= 2;
    parts.shape.push_back(2);
    parts.strides.push_back(1);
    return readReference(TensorView(view.data, std::move(parts)));
  }
  const TensorType &type = view.type;
  ReferenceTensor result{type.shape, {}, {}};
  const bool integers = isInteger(type.dtype) || type.dtype == DType::Bool;
  if (std::find(type.shape.begin(), type.shape.end(), 0) != type.shape.end()) return result;
  std::vector<int64_t> position(type.shape.size(), 0);
  for (int64_t offset = 0;;) {
    result.values.push_back(elementAt(type.dtype, view.data, offset));
    if (integers) result.integers.push_back(integerAt(type.dtype, view.data, offset));
    size_t d = position.size();
    while (d > 0 && position[d - 1] + 1 == type.shape[d - 1]) { // carry
      offset -= position[d - 1] * type.strides[d - 1];
      position[--d] = 0;
    }
    if (d == 0) return result;
    ++position[d - 1];
    offset += type.strides[d - 1];
  }
}

} // namespace ein
