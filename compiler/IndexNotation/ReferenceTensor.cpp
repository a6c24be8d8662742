// Tensors in memory as the interpreter takes and gives them.
#include "compiler/IndexNotation/Element.h"
#include "compiler/IndexNotation/Interpreter.h"
#include "compiler/IndexNotation/Rows.h"

namespace ein {
namespace {

/// A complex tensor as one of its parts, which are the last dimension.
TensorType partsOf(TensorType type) {
  if (!isComplex(type.dtype)) return type;
  type.dtype = partType(type.dtype);
  for (int64_t &stride : type.strides) stride *= 2;
  type.shape.push_back(2);
  type.strides.push_back(1);
  return type;
}

bool isWhole(DType dtype) { return isInteger(dtype) || dtype == DType::Bool; }

} // namespace

ReferenceTensor readReference(const TensorView &view) {
  const TensorType type = partsOf(view.type);
  const auto count = static_cast<size_t>(type.numElements());
  ReferenceTensor result{type.shape, std::vector<double>(count), {}};
  double *value = result.values.data();
  forEachRow(type, [&](int64_t offset, int64_t extent, int64_t stride) {
    value = readElements(type.dtype, view.data, offset, stride, extent, value);
  });
  if (!isWhole(type.dtype)) return result;
  result.integers.reserve(count);
  forEachRow(type, [&](int64_t offset, int64_t extent, int64_t stride) {
    for (int64_t i = 0; i < extent; ++i)
      result.integers.push_back(integerAt(type.dtype, view.data, offset + i * stride));
  });
  return result;
}

void writeReference(const ReferenceTensor &tensor, const TensorView &view) {
  const TensorType type = partsOf(view.type);
  const double *value = tensor.values.data();
  const int64_t *integer = isWhole(type.dtype) && !tensor.integers.empty() ? tensor.integers.data() : nullptr;
  forEachRow(type, [&](int64_t offset, int64_t extent, int64_t stride) {
    if (!integer) {
      value = writeElements(type.dtype, view.data, offset, stride, extent, value);
      return;
    }
    for (int64_t i = 0; i < extent; ++i) setInteger(type.dtype, view.data, offset + i * stride, *integer++);
  });
}

} // namespace ein
