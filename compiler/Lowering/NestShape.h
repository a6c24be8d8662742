// What a plan sees of an operation: its loops, and how each operand moves along them. No MLIR.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ein {

inline constexpr int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// One loop. `strides[o]` is how many elements operand `o` moves per iteration; the output is last.
struct LoopDim {
  int64_t extent = 1;
  bool reduced = false;          ///< bound by the reduction: the output does not move
  bool valued = false;           ///< the body uses the index's value, so the loop cannot be fused with another
  std::vector<int64_t> strides;  ///< by operand; then of what a fold's last operation reads besides
  std::vector<unsigned> sources; ///< the operation's loops it stands for, outermost first
  int extentSlot =
      -1;            ///< place among the sizes of the step of an extent that comes at run time: `extent` is an example
  int64_t least = 0; ///< that it then is
  std::vector<int> strideSlots = {}; ///< the same of strides; empty: all are known

  bool isDynamic() const { return extentSlot >= 0; }
  /// Whether it comes at run time and may be too short for vectors and blocks, or be 0.
  bool maybeShort() const { return isDynamic() && least < kLongLoop; }
  int strideSlot(unsigned o) const { return strideSlots.empty() ? -1 : strideSlots[o]; }
  bool hasSizes() const;

  static constexpr int64_t kLongLoop = 64; ///< as much as vectors and blocks take of a loop that comes at run time
};

/// A perfect loop nest over strided operands.
struct NestShape {
  std::vector<LoopDim> dims;
  unsigned operands = 0;    ///< inputs and the output
  int64_t elementBytes = 4; ///< of the widest type computed with
  int64_t outputBytes = 4;  ///< of an element of the output
  bool sized = false;       ///< extents or strides come at run time
  bool wholeDepth = false;  ///< a contraction has to sum each point at once
  bool computes = false;    ///< of a contraction: its first operand is computed where it is packed, from the tensor
                            ///< that has its strides and from those whose strides follow the output's
  bool pairs = false;       ///< a sum, in 32 bits, of products of integers that 16 bits hold with their sign

  unsigned output() const { return operands - 1; }
  /// Product of the extents of the parallel (or reduced) loops.
  int64_t points(bool reduced) const;
  /// "i0=64 p[64,0|1] ..." for plans and debugging.
  std::string str() const;
};

/// What the plans know of the CPU.
struct CpuModel {
  int64_t vectorBytes = 16;
  int64_t vectorRegisters = 16;
  bool fma = false;
  bool splitsWideVectors = false; ///< a 64-byte operation takes two 32-byte slots
  int64_t l1Bytes = 32 << 10;
  int64_t l2Bytes = 1 << 20;
  int64_t l3Bytes = 32 << 20;
  int64_t threads = 1;

  int64_t lanes(int64_t elementBytes) const { return vectorBytes / elementBytes; }
};

/// Drops loops of extent 1, orders parallel loops by falling output stride and reduced loops by falling
/// stride of the operands, each after those that may be short, and fuses neighbours that every operand walks as one.
/// Changes no result.
NestShape simplify(const NestShape &shape);

/// Work below which a team costs more than it gives: floating-point operations and bytes moved.
/// From the fork cost of libomp (3 us) against a core's rate; docs/benchmarks.md.
inline constexpr double kSerialFlops = 4e6;
inline constexpr double kSerialBytes = 256e3;

} // namespace ein
