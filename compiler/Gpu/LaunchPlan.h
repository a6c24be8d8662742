// What the runtime needs to launch compiled kernels: grids, shared memory and what each argument is. No MLIR.
#pragma once

#include "compiler/Gpu/TensorMapPlan.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace ein {

/// A place in device memory, `offset` bytes behind the start of a tensor or of the workspace.
struct GpuSlot {
  enum class Kind : uint8_t { Operand, Result, Workspace };
  Kind kind = Kind::Operand;
  unsigned number = 0; ///< of the operand or result, among those of the step that was planned
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
};

/// The launches of a step, in order, on one stream.
struct LaunchPlan {
  std::vector<GpuLaunch> launches;
  int64_t workspaceBytes = 0; ///< that the slots of kind Workspace lie in; its address is a multiple of 256

  std::string str() const;
};

} // namespace ein
