// A tensor as the tensor memory accelerator (TMA) of Hopper reads or writes it: at most five strided dimensions, moved
// box by box between global and shared memory. No MLIR.
#pragma once

#include "ein/DType.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ein {

/// How 16-byte pieces of a box are permuted in shared memory: in rows of this many bytes, so that a column of them
/// meets all banks. The value is the width of a row of the box, in bytes.
enum class TmaSwizzle : uint8_t { None = 0, B32 = 32, B64 = 64, B128 = 128 };

/// One dimension. Dimension 0 is the contiguous one; the others come in the order in which a box lies in shared memory,
/// fastest first, which need not be the order of their strides.
struct TensorMapDim {
  int64_t extent = 1;
  int64_t stride = 1; ///< elements
  int64_t box = 1;    ///< elements of a box; what lies beyond `extent` is read as zero and never written

  bool operator==(const TensorMapDim &) const = default;
};

/// What cuTensorMapEncodeTiled is told, but for the address.
struct TensorMapPlan {
  static constexpr unsigned kMaxRank = 5;
  static constexpr int64_t kMaxBox = 256;

  DType type = DType::BF16; ///< u16 or i16 serve as well where only bits are moved
  std::vector<TensorMapDim> dims;
  TmaSwizzle swizzle = TmaSwizzle::B128;

  unsigned rank() const { return unsigned(dims.size()); }
  int64_t boxElements() const;
  int64_t boxBytes() const { return boxElements() * byteSize(type); }
  /// Why the hardware would refuse this, where an address is a multiple of `alignment` bytes; empty if it takes it.
  std::string obstacle(int64_t alignment = 16) const;
  /// "bf16 b128 [4096:1/64 8192:4096/128]": of each dimension extent:stride/box.
  std::string str() const;

  bool operator==(const TensorMapPlan &) const = default;
};

} // namespace ein
