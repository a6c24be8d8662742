// What the runtime needs to launch the kernels of a module on a GPU: grids, shared memory, what each argument is.
#pragma once

#include "ein/DType.h"

#include <array>
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

/// A tensor as the tensor memory accelerator (TMA) of Hopper reads or writes it: at most five strided dimensions, moved
/// box by box between global and shared memory. What cuTensorMapEncodeTiled is told, but for the address.
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

/// A place in device memory, `offset` bytes behind the start of a tensor (its element at index zero) or of the
/// workspace.
struct GpuSlot {
  enum class Kind : uint8_t { Operand, Result, Workspace };
  Kind kind = Kind::Operand;
  unsigned number = 0; ///< of the operand or result: of the module, or while a step is planned of that step
  int64_t offset = 0;

  /// "operand0", "result0+256", "workspace+4096".
  std::string str() const;
  bool operator==(const GpuSlot &) const = default;
};

/// One argument, in the order of the kernel's parameters.
struct GpuArgument {
  enum class Kind : uint8_t {
    TensorMap, ///< 128 bytes by value, encoded for the address of `slot`: `!llvm.ptr` byval, nvvm.grid_constant
    Pointer,   ///< address of `slot`: `!llvm.ptr<1>`
    I32,       ///< `integer`
    I64,       ///< `integer`
    F32,       ///< `real`
  };
  Kind kind = Kind::Pointer;
  GpuSlot slot;
  TensorMapPlan map;
  int64_t integer = 0;
  double real = 0;

  static GpuArgument tensorMap(TensorMapPlan map, GpuSlot slot) { return {Kind::TensorMap, slot, std::move(map)}; }
  static GpuArgument pointer(GpuSlot slot) { return {Kind::Pointer, slot, {}}; }
  std::string str() const;
  bool operator==(const GpuArgument &) const = default;
};

/// One launch of one kernel. The kernel is `llvm.func @name` in a `gpu.module`, its dynamic shared memory the external
/// `@smem`, aligned to 1024 bytes.
struct GpuLaunch {
  std::string name;
  std::array<int64_t, 3> grid = {1, 1, 1}; ///< blocks; a multiple of `cluster`
  std::array<int64_t, 3> block = {128, 1, 1};
  std::array<int64_t, 3> cluster = {1, 1, 1};
  int64_t sharedBytes = 0; ///< dynamic; above 48 KiB the function's limit must be raised first
  /// The blocks stride over the work (by nctaid.x): the launch takes min(grid[0], multiprocessors) of them, rounded
  /// down to whole clusters.
  bool persistent = false;
  std::vector<GpuArgument> arguments;

  /// Several lines, newline-terminated.
  std::string str() const;
  bool operator==(const GpuLaunch &) const = default;
};

} // namespace ein
