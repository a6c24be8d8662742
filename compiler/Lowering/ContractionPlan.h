// The plan of a contraction: index groups, register tile, cache blocks, packing and threads. No MLIR.
#pragma once

#include "compiler/Lowering/NestShape.h"

#include <algorithm>
#include <optional>
#include <string>

namespace ein {

/// The indices of one group seen as one linear index: innermost last, strides for the operand that plays
/// S, the one that plays V, and the output.
struct IndexGroup {
  std::vector<LoopDim> dims;

  int64_t size() const;
  /// The stride of operand `o` if a single loop walks the whole group for it.
  std::optional<int64_t> affine(unsigned o) const;
  /// Whether `lanes` neighbours starting at a multiple of `lanes` are adjacent elements of operand `o`.
  bool contiguous(unsigned o, int64_t lanes) const;
};

/// How panels of an operand are made.
enum class Packing : uint8_t {
  None,      ///< the micro-kernel reads the operand in place
  Rows,      ///< adjacent elements are neighbours in the panel: vector copies
  Transpose, ///< adjacent elements follow the contracted index: in-register transposes
  Cross,     ///< adjacent elements follow another column index: in-register transposes between panels
  Gather,    ///< element by element, from offset tables where the group is not affine
};

/// What is split over the team. `Depth`: each thread sums a part of the contracted index into a result of
/// its own, and the parts are added up.
enum class Split : uint8_t { Serial, Batch, Cols, Rows, Depth };

/// A contraction as a packed matrix product C[b,s,v] = sum over k of S[b,s,k] * V[b,k,v].
///
/// V owns the output's unit stride where one of the operands does: its elements are the vector lanes,
/// elements of S are broadcast. A register tile is `mr` elements of S by `nr` = nv * lanes of V.
struct ContractionPlan {
  IndexGroup batch, rows, cols, depth;  ///< strides of each loop: [operand S, operand V, output]
  bool swapped = false;                 ///< the operation's second input plays S
  int64_t lanes = 1, mr = 1, nv = 1;    ///< register tile, in elements and vectors
  int64_t kc = 1, kUnroll = 1;          ///< depth of a block, unrolling of the innermost loop
  int64_t rowPanels = 1, colPanels = 1; ///< panels in one cache block of each side
  Packing packRows = Packing::Gather, packCols = Packing::Gather;
  int64_t square = 0;          ///< Cross: side of the squares that the columns are cut into
  bool colsOuter = false;      ///< cols are packed once and shared; rows are packed per block
  bool contiguousStore = true; ///< a tile's rows are adjacent elements of the output
  Split split = Split::Serial;
  int64_t threads = 1;
  int64_t elementBytes = 4;
  double predictedCycles = 0; ///< of one core for all the work
  std::string reason;         ///< why this split and not another

  int64_t nr() const { return nv * lanes; }
  int64_t depthBlocks() const { return (depth.size() + kc - 1) / kc; }
  /// Panels that cover a whole side.
  int64_t allRowPanels() const { return (rows.size() + mr - 1) / mr; }
  int64_t allColPanels() const { return (cols.size() + nr() - 1) / nr(); }
  /// Columns are shared out in this many panels: whole squares.
  int64_t colUnit() const { return square ? std::max<int64_t>(1, square / nv) : 1; }
  /// Elements from one panel to the next: the panel and room for an overlapping store.
  int64_t rowPanelStride() const { return kc * mr + lanes; }
  int64_t colPanelStride() const { return kc * nr() + lanes; }
  double flops() const;
  /// Whether the decisions fit the groups: what a packing needs of its operand holds, squares are whole.
  bool fits() const;

  /// One line per decision.
  std::string str() const;
};

/// Puts the loops of a simplified contraction into the groups of `plan`, by its `swapped` and `square`.
void classify(const NestShape &shape, ContractionPlan &plan);

/// Plans a two-operand contraction; nothing where a plain nest (NestPlan) is the better kernel: no index
/// on one of the sides, or too little work to tile. `shape` must be simplified and have three operands.
std::optional<ContractionPlan> planContraction(const NestShape &shape, const CpuModel &cpu);
/// The plans that it weighs, best predicted first and at most `most` of them (at least 1): the first is its choice.
/// Empty where it gives nothing.
std::vector<ContractionPlan> weighedPlans(const NestShape &shape, const CpuModel &cpu, size_t most);
/// Cycles of one core for a whole contraction, by the planner's cost model.
double predictCycles(const ContractionPlan &plan, const CpuModel &cpu);

} // namespace ein
