// The type of a tensor: dtype, extents and strides.
#pragma once

#include "ein/DType.h"
#include "ein/Error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ein {

/// dtype, extents and strides of a dense strided tensor. Strides count elements, may be zero or
/// negative; there is one per dimension.
struct TensorType {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;

  TensorType() = default;
  /// Row-major (C order).
  TensorType(DType dtype, std::vector<int64_t> shape);
  TensorType(DType dtype, std::vector<int64_t> shape, std::vector<int64_t> strides)
      : dtype(dtype), shape(std::move(shape)), strides(std::move(strides)) {}

  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  /// Product of the extents; 1 for a scalar. Requires a type that `verify` accepts.
  int64_t numElements() const;
  /// Whether the strides are those of row-major order (extents 0 and 1 match any stride).
  bool isContiguous() const;
  /// Lowest and one past the highest element offset that the type can address, relative to the
  /// element at index zero. Both 0 for an empty tensor.
  void addressRange(int64_t &low, int64_t &high) const;
  /// Whether two elements may share memory. Exact where the strides nest, as those of slices and transpositions do, and
  /// up to 2^20 elements; else true.
  bool mayOverlapItself() const;
  /// Refuses negative extents, rank above 64, a stride count that is not the rank, and anything whose
  /// element count, offsets or bytes do not fit 63 bits.
  Expected<void> verify() const;

  /// "f32[64,32]"; strides are printed only where they are not row-major: "f32[64,32]{1,64}".
  std::string str() const;
  /// Inverse of `str`: `f64[]` is a scalar, `f32[64,32]{1,64}` has strides in elements.
  static Expected<TensorType> parse(std::string_view text);

  friend bool operator==(const TensorType &, const TensorType &) = default;
};

/// "[64,32]", for messages.
std::string shapeString(const std::vector<int64_t> &shape);

} // namespace ein
