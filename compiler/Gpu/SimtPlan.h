// The plan of an operation as a GPU kernel without tensor cores: who computes which element, and how. No MLIR.
#pragma once

#include "compiler/Lowering/NestShape.h"

#include <array>
#include <string>
#include <vector>

namespace ein {

/// What the plans know of a GPU.
struct GpuModel {
  int64_t multiprocessors = 132;
  bool hasWgmma = false;     ///< warpgroup products and tensor maps of Hopper
  int64_t sharedBytes = 0;   ///< that one block can have
  double halfProducts = 0;   ///< of 16-bit floats by mma.sync, by cycle and multiprocessor; 0: it has none
  double doubleProducts = 0; ///< the same of f64
  int64_t tf32Products = 0;  ///< that may stand for one of f32: 1, or 3, which keep nearly all digits; 0: none

  /// Threads that keep all of them busy.
  int64_t threads() const { return multiprocessors * 1024; }
};

/// What a plan sees of an operand beside its strides.
struct SimtOperand {
  int64_t bytes = 4;       ///< of an element in memory
  int64_t alignment = 16;  ///< of its element at index zero, in bytes; 16 at most
  bool isConstant = false; ///< a scalar of the operation: no memory
};

/// What a plan sees of a body.
struct SimtBody {
  bool reduces = false;
  bool isTileable = false; ///< two tensors, and a few operations on an element of each (hasTileableBody)
  bool zeroPads = false;   ///< a sum of products: zeros at the end of the depth change nothing
};

/// How the work is shared.
enum class SimtKind : uint8_t {
  Map,       ///< a group of threads for each run of adjacent elements of the output
  Transpose, ///< squares of the output through shared memory: what is adjacent in an input is not in the output
  Tile,      ///< a contraction: squares of the output by blocks, panels of both operands in shared memory
};

/// A grid of threads for one operation.
///
/// Map: items are runs of `lanes` elements along `lane` where that is parallel, else single elements. Where nothing is
/// reduced the last run may be shorter. Each is computed
/// by `group` threads, which share the reduced points, in runs of `lanes` along `lane` where that is reduced, and add
/// up through shuffles and shared memory.
/// With `split` > 1 the reduced points (of Tile: the depth) are cut into as many parts, each with a result of its own
/// in the workspace, and a second kernel combines these.
struct SimtPlan {
  SimtKind kind = SimtKind::Map;
  NestShape shape; ///< simplified
  std::vector<SimtOperand> operands;

  int lane = -1; ///< loop along which a thread takes `lanes` neighbours; -1: none
  int64_t lanes = 1;
  int64_t group = 1; ///< threads of one item: 1, a warp, or the block
  int64_t split = 1;
  int64_t chunk = 0; ///< reduced points (of Map in runs) of one part

  int across = -1;    ///< Transpose: the loop adjacent in the staged operands; `lane` is the output's
  int64_t staged = 0; ///< Transpose: set of operands (bits) that go through shared memory
  int64_t side = 32;  ///< Transpose: rows and columns of a square

  int64_t registers = 4;                ///< Tile: each thread has a square of this many rows and columns
  std::vector<int> batches, rows, cols; ///< Tile: the parallel loops, outermost first
  bool zeroPads = false;                ///< Tile: the depth is filled up with zeros

  std::array<int64_t, 3> grid = {1, 1, 1};
  int64_t threads = 256; ///< of a block
  bool strides = false;  ///< the grid is smaller than the work: blocks stride over it
  int64_t sharedBytes = 0;

  static constexpr int64_t kTileThreads = 16, kTileDepth = 16;

  bool isStaged(unsigned o) const { return staged >> o & 1; }
  bool laneIsReduced() const { return lane >= 0 && shape.dims[lane].reduced; }
  /// The parallel (or reduced) loops, outermost first.
  std::vector<int> loops(bool reduced) const;
  /// Product of extents.
  int64_t points(const std::vector<int> &loops) const;
  /// Runs of outputs, each of one group of threads.
  int64_t items() const;
  /// Map: whether the last run along `lane` has less than `lanes` elements.
  bool endsWithin() const { return lane >= 0 && shape.dims[lane].extent % lanes != 0; }
  /// What the threads of a group share: reduced points in runs of `lanes`.
  int64_t runs() const { return shape.points(true) / (laneIsReduced() ? lanes : 1); }
  /// Rows or columns of the output in a block's square.
  int64_t tile() const { return kTileThreads * registers; }
  /// Elements from one row of a panel in shared memory to the next: 16 bytes more than there are.
  int64_t panelStride() const { return tile() + std::max<int64_t>(1, 16 / shape.outputBytes); }
  /// Bytes that an access of `lanes` neighbours of an operand along `lane` may rely on.
  int64_t alignment(unsigned o) const;
  /// Transpose: neighbours along `across` that one load of a staged operand takes, as stores take `lanes`.
  int64_t stagedLanes(unsigned o) const;
  /// Transpose: elements from one row of a square in shared memory to the next. With a row one element longer than the
  /// square, and rows of a warp that lie `rowStep` apart, columns and rows meet all banks.
  int64_t pitch() const { return side + 1; }
  int64_t rowStep() const;
  /// Transpose: bytes of a square of a staged operand in shared memory.
  int64_t squareBytes(unsigned o) const { return (side * pitch() * operands[o].bytes + 15) / 16 * 16; }
  /// Bytes of the parts of a split reduction.
  int64_t partBytes() const { return split > 1 ? split * shape.points(false) * shape.outputBytes : 0; }
  /// "map 262144 items of 4 along loop 0, grid 1024 x 256, ...".
  std::string str() const;
};

/// Plans an operation of any kind.
SimtPlan planSimt(const NestShape &shape, const std::vector<SimtOperand> &operands, const SimtBody &body,
                  const GpuModel &gpu);

/// Blocks of the grid along x: as many as the work needs, or fewer that stride over it.
int64_t simtBlocks(int64_t needed);

} // namespace ein
