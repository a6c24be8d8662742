// A tensor map as the model's kernels get it in place of the hardware's 128 bytes.
#pragma once

#include "ein/DType.h"

#include <array>
#include <cstdint>

namespace ein::gpumodel {

struct TensorMap {
  static constexpr uint64_t kMark = 0x70616d20726f736e; ///< tells one from other memory
  uint64_t mark = kMark;
  uint8_t *data = nullptr;
  DType type = DType::BF16;
  uint32_t elementBytes = 2;
  uint32_t rank = 1;
  std::array<int64_t, 5> extents = {1, 1, 1, 1, 1}, strides = {}; ///< strides in bytes
  std::array<uint32_t, 5> box = {1, 1, 1, 1, 1};
  uint32_t swizzle = 0; ///< 0, 32, 64 or 128 bytes

  uint32_t boxBytes() const { return box[0] * box[1] * box[2] * box[3] * box[4] * elementBytes; }
};

} // namespace ein::gpumodel
