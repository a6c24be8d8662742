// The plan of a nest without packing: which loop the vector lanes follow, unrolling and threads. No MLIR.
#pragma once

#include "compiler/Lowering/NestShape.h"

#include <string>

namespace ein {

/// What the vector lanes of a nest follow.
enum class Lanes : uint8_t {
  Parallel, ///< a parallel loop: each vector is a run of the output
  Reduced,  ///< a reduced loop: partial results are combined across the vector at the end
  Square,   ///< two parallel loops, one adjacent in the output, one in some input: in-register transposes
};

/// A vectorised loop nest for pointwise operations, reductions, and contractions too thin to tile.
///
/// No masks: where a loop is not a multiple of the vector, the last vector of a parallel loop moves back
/// over what is already written (the same values), and the rest of a reduced loop is done with narrower
/// vectors.
struct NestPlan {
  NestShape shape; ///< simplified
  Lanes kind = Lanes::Parallel;
  int lane = -1;                    ///< loop that the lanes follow; -1: there is no loop
  int across = -1;                  ///< Square: the loop adjacent in the transposed inputs
  int64_t lanes = 1;                ///< elements of a vector
  int64_t unroll = 1;               ///< vectors per trip
  int block0 = -1, block1 = -1;     ///< parallel loops done several values at a time, block0 innermost: what is
  int64_t factor0 = 1, factor1 = 1; ///< loaded of an operand that does not move along them is used that often
  bool transposed = false;          ///< Parallel: block0 is adjacent in the output and `lanes` values long: the sums of
                                    ///< a block are transposed in registers before they are stored
  int64_t run = 0;                  ///< Square: trips along `across` before the lanes move on
  int near = -1;                    ///< parallel loop moved to just around the innermost one
  int64_t sweep = 0;      ///< Parallel: steps of the innermost reduced loop done per pass over a stretch of the
                          ///< output that stays in L1; 0: each vector is summed at once
  int hoist = -1;         ///< Reduced: reduced loop run outside the parallel ones, adding to an output that
                          ///< stays in cache, so that the input is read in the order in which it lies
  int64_t staged = 0;     ///< set of operands (bits) copied to scratch memory first, adjacent along the lanes
  bool streaming = false; ///< stores go past the caches where the output is aligned
  int split = -1;         ///< loop split over the team; -1: serial
  int64_t threads = 1;
  std::string reason;

  bool isStaged(unsigned o) const { return staged >> o & 1; }
  /// Stride of operand `o` along loop `d`, as staged: its loops in order, the lanes innermost.
  int64_t stride(unsigned o, int d) const;
  /// Elements of a staged operand.
  int64_t stagedElements(unsigned o) const;
  /// Elements of one trip of the lane loop.
  int64_t width() const { return lanes * unroll; }
  /// Values of loop `d` done at a time, lanes aside.
  int64_t factor(int d) const { return d < 0 ? 1 : d == block0 ? factor0 : d == block1 ? factor1 : 1; }
  /// Trips of loop `d` as the nest runs it.
  int64_t trips(int d) const;
  /// Whether what is transposed is a square of which one side is adjacent in the output.
  bool transposedFits() const;
  /// Whether the team splits a reduced loop, so that partial results are combined afterwards.
  bool splitsReduction() const { return split >= 0 && shape.dims[split].reduced; }
  std::string str() const;
};

/// Plans a nest. `overwrite`: the output is only written, so that a vector may be computed twice.
NestPlan planNest(const NestShape &shape, const CpuModel &cpu, bool overwrite);

} // namespace ein
