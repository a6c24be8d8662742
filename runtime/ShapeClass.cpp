// Making of shape classes.
#include "runtime/ShapeClass.h"
#include "runtime/OperandLabels.h"

#include <algorithm>
#include <array>

namespace ein {
namespace {

/// What stands for the extent of dynamic index `i`: where there are many, smaller numbers, so that sizes fit 63 bits.
int64_t standardExtent(size_t i, bool isLong, size_t count) {
  static constexpr int64_t kShort[kMaxDynamic] = {13, 17, 19, 23, 29, 31, 37, 41};
  static constexpr int64_t kFew[4] = {509, 521, 523, 541};
  static constexpr int64_t kMany[kMaxDynamic] = {67, 71, 73, 79, 83, 89, 97, 101};
  return !isLong ? kShort[i] : count <= 4 ? kFew[i] : kMany[i];
}

/// Strides that nest around the dimensions of stride 1, of twice the room that a tensor without gaps takes.
std::vector<int64_t> standardStrides(const std::vector<int64_t> &shape, const std::vector<int64_t> &strides) {
  std::vector<int64_t> standard(strides);
  int64_t room = 2;
  for (size_t d = 0; d < shape.size(); ++d)
    if (strides[d] == 1) room *= std::max<int64_t>(shape[d], 1);
  for (size_t d = shape.size(); d-- > 0;) {
    if (strides[d] == 0 || strides[d] == 1) continue;
    standard[d] = room;
    room *= std::max<int64_t>(shape[d], 1);
  }
  return standard;
}

} // namespace

std::vector<TensorType> shapeClass(std::string_view text, std::span<const TensorType> operands,
                                   const CompileOptions &options) {
  std::vector<size_t> ranks;
  for (const TensorType &type : operands) ranks.push_back(type.shape.size());
  const OperandLabels labels = operandLabels(text, options.labels, ranks);
  const size_t count = std::min(options.dynamic.size(), kMaxDynamic);
  const auto numberOf = [&](std::string_view label) {
    return static_cast<size_t>(
        std::find(options.dynamic.begin(), options.dynamic.begin() + static_cast<long>(count), label) -
        options.dynamic.begin());
  };

  // 1 gives way to any other extent, as where operands broadcast.
  std::array<int64_t, kMaxDynamic> extents;
  extents.fill(1);
  for (size_t o = 0; o < operands.size(); ++o)
    for (size_t d = 0; d < ranks[o]; ++d)
      if (const size_t i = numberOf(labels[o][d]); i < count && extents[i] == 1) extents[i] = operands[o].shape[d];

  std::vector<TensorType> standard(operands.begin(), operands.end());
  for (size_t o = 0; o < operands.size(); ++o) {
    TensorType &type = standard[o];
    bool isDynamic = false;
    for (size_t d = 0; d < ranks[o]; ++d) {
      const size_t i = numberOf(labels[o][d]);
      if (i >= count || (type.shape[d] == 1 && extents[i] != 1) || type.shape[d] < 0) continue;
      type.shape[d] = standardExtent(i, type.shape[d] >= kLongExtent, count);
      isDynamic = true;
    }
    if (!isDynamic || type.strides.size() != ranks[o]) continue;
    if (operands[o].isContiguous())
      type = TensorType(type.dtype, std::move(type.shape));
    else
      type.strides = standardStrides(type.shape, type.strides);
  }
  return standard;
}

} // namespace ein
