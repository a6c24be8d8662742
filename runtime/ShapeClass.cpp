// Making of shape classes.
#include "runtime/ShapeClass.h"

#include <algorithm>
#include <array>
#include <limits>

namespace ein {
namespace {

/// What stands for the extent of dynamic index `i`: where there are many, smaller numbers, so that sizes fit 63 bits.
int64_t standardExtent(size_t i, bool isLong, size_t count) {
  static constexpr int64_t kShort[kMaxDynamic] = {13, 17, 19, 23, 29, 31, 37, 41};
  static constexpr int64_t kFew[4] = {509, 521, 523, 541};
  static constexpr int64_t kMany[kMaxDynamic] = {67, 71, 73, 79, 83, 89, 97, 101};
  return !isLong ? kShort[i] : count <= 4 ? kFew[i] : kMany[i];
}

/// Room for so many more; what does not fit saturates, for `TensorType::verify` to refuse.
int64_t times(int64_t room, int64_t extent) {
  return __builtin_mul_overflow(room, std::max<int64_t>(extent, 1), &room) ? std::numeric_limits<int64_t>::max() : room;
}

/// Those of row-major order.
void setContiguous(const ShapeClass::Operand &type) {
  int64_t room = 1;
  for (size_t d = type.shape.size(); d-- > 0; room = times(room, type.shape[d])) type.strides[d] = room;
}

/// Strides that nest around the dimensions of stride 1, of twice the room that a tensor without gaps takes.
void standardiseStrides(const ShapeClass::Operand &type) {
  int64_t room = 2;
  for (size_t d = 0; d < type.shape.size(); ++d)
    if (type.strides[d] == 1) room = times(room, type.shape[d]);
  for (size_t d = type.shape.size(); d-- > 0;) {
    if (type.strides[d] == 0 || type.strides[d] == 1) continue;
    type.strides[d] = room;
    room = times(room, type.shape[d]);
  }
}

size_t numbersOf(std::span<const TensorType *const> operands) {
  size_t count = 0;
  for (const TensorType *type : operands) count += type->shape.size() + type->strides.size();
  return count;
}

} // namespace

ShapeClass::ShapeClass(std::string_view text, std::span<const TensorType *const> operands,
                       const CompileOptions &options)
    : all(operands.size()), numbers(numbersOf(operands)) {
  Few<size_t, 8> ranks(operands.size());
  int64_t *at = numbers.values().data();
  for (size_t o = 0; o < operands.size(); ++o) {
    const TensorType &type = *operands[o];
    int64_t *const shape = at, *const strides = std::copy(type.shape.begin(), type.shape.end(), shape);
    at = std::copy(type.strides.begin(), type.strides.end(), strides);
    all[o] = {type.dtype, {shape, strides}, {strides, at}};
    ranks[o] = type.shape.size();
  }
  fixExtents(operands, dynamicDimensions(text, options, ranks.values()), std::min(options.dynamic.size(), kMaxDynamic));
}

void ShapeClass::fixExtents(std::span<const TensorType *const> operands, std::span<const uint8_t> dimensions,
                            size_t count) {
  // 1 gives way to any other extent, as where operands broadcast.
  std::array<int64_t, kMaxDynamic> extents;
  extents.fill(1);
  const uint8_t *index = dimensions.data();
  for (const TensorType *type : operands)
    for (int64_t extent : type->shape)
      if (const uint8_t i = *index++; i != kStaticDimension && extents[i] == 1) extents[i] = extent;

  index = dimensions.data();
  for (size_t o = 0; o < operands.size(); ++o) {
    const Operand &type = all[o];
    bool isDynamic = false;
    for (int64_t &extent : type.shape) {
      const uint8_t i = *index++;
      if (i == kStaticDimension || (extent == 1 && extents[i] != 1) || extent < 0) continue;
      extent = standardExtent(i, extent >= kLongExtent, count);
      isDynamic = true;
    }
    if (!isDynamic || type.strides.size() != type.shape.size()) continue;
    if (operands[o]->isContiguous())
      setContiguous(type);
    else
      standardiseStrides(type);
  }
}

std::vector<TensorType> shapeClass(std::string_view text, std::span<const TensorType> operands,
                                   const CompileOptions &options) {
  std::vector<const TensorType *> types;
  for (const TensorType &type : operands) types.push_back(&type);
  const ShapeClass standard(text, types, options);
  return {standard.operands().begin(), standard.operands().end()};
}

} // namespace ein
