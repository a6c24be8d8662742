// The plan of a contraction: index groups, register tile, cache blocks, packing and threads. No MLIR.
#pragma once

#include "compiler/Lowering/NestShape.h"

#include <algorithm>
#include <optional>
#include <string>

namespace ein {

/// The indices of one group: runs of the innermost loop, one for each point of the others. Strides are for the
/// operand that plays S, the one that plays V, the output, whatever else a computed operand is made of, and what a
/// pointwise operation after it reads.
struct IndexGroup {
  std::vector<LoopDim> dims;

  int64_t size() const;
  int64_t run() const { return dims.empty() ? 1 : dims.back().extent; }
  int64_t runs() const { return size() / run(); }
  /// Elements that operand `o` moves along a run.
  int64_t stride(unsigned o) const { return dims.empty() ? 0 : dims.back().strides[o]; }
  /// Elements from one run to the next where a single stride walks them all.
  std::optional<int64_t> runStride(unsigned o) const;
};

/// How panels of an operand are made.
enum class Packing : uint8_t {
  None,      ///< the micro-kernel reads the operand in place
  Rows,      ///< adjacent elements are neighbours in the panel: vector copies
  Transpose, ///< adjacent elements follow a loop of the depth: in-register transposes
  Cross,     ///< adjacent elements follow the loop around the runs of columns: in-register transposes between runs
  Gather,    ///< element by element
};

/// What is split over the team. `Depth`: each thread sums a part of the contracted index into a result of
/// its own, and the parts are added up.
enum class Split : uint8_t { Serial, Batch, Cols, Rows, Depth };

/// A contraction as a packed matrix product C[b,s,v] = sum over k of S[b,s,k] * V[b,k,v].
///
/// V owns the output's unit stride where one of the operands does: its elements are the vector lanes,
/// elements of S are broadcast. A register tile is `mr` elements of S by `nr` = nv * lanes of V. The runs of each
/// side are cut into panels as wide as the tile, the last of a run narrower, so that inside a tile everything has a
/// stride; where runs begin is looked up. Blocks of the depth are boxes: a piece of each of its loops.
/// The last piece of a loop takes what is left over.
struct ContractionPlan {
  IndexGroup batch, rows, cols, depth;  ///< strides of each loop: [operand S, operand V, output, ...]
  bool swapped = false;                 ///< the operation's second input plays S
  int rowLoop = -1, colLoop = -1;       ///< loops of the shape that are the runs of rows and columns
  int64_t colRun = 0;                   ///< runs of columns are cut into runs of this length; 0: they are not
  int64_t lanes = 1, mr = 1, nv = 1;    ///< register tile, in elements and vectors
  std::vector<int64_t> depthPieces;     ///< steps of each loop of the depth that a block holds
  int64_t kUnroll = 1;                  ///< unrolling of the innermost loop
  int64_t rowPanels = 1, colPanels = 1; ///< panels in one cache block of each side, at most
  int64_t colPieces = 1;                ///< Cross: pieces that the loop around the runs of columns is cut into
  Packing packRows = Packing::Gather, packCols = Packing::Gather;
  bool colsOuter = false; ///< cols are packed once and shared; rows are packed per block
  bool streaming = false; ///< stores go past the caches where the output is aligned
  Split split = Split::Serial;
  int64_t threads = 1;
  int64_t elementBytes = 4;
  bool computes = false;      ///< the operation's first operand is computed as it is packed (NestShape)
  bool paired = false;        ///< an element of a panel is two steps of the depth, of 16 bits each
  bool finishes = false;      ///< a pointwise operation follows on each tile before it is stored
  double predictedCycles = 0; ///< of one core for all the work
  std::string reason;         ///< why this split and not another

  int64_t nr() const { return nv * lanes; }
  /// Whether S (0) or V (1) is computed.
  bool computed(unsigned o) const { return computes && (o == 0) != swapped; }
  int64_t depthBlocks() const;
  /// Elements of the contracted index in most blocks, and in the deepest one.
  int64_t kc() const;
  int64_t deepest() const;
  /// Elements that operand `o` moves per step inside a block, where a single stride walks it.
  std::optional<int64_t> depthStride(unsigned o) const;
  /// The loop of the depth along which operand `o` is adjacent; -1 if there is none.
  int adjacentDepth(unsigned o) const;
  /// Whether operand V is adjacent along the loop around the runs of columns.
  bool crosses() const { return cols.dims.size() > 1 && cols.dims[cols.dims.size() - 2].strides[1] == 1; }
  /// Side of the squares that are transposed to pack operand `o`; 0 where there are no runs to transpose.
  int64_t square(unsigned o) const;
  int64_t squareAcross() const;

  /// Panels of a run, and of a whole side.
  int64_t rowPanelsPerRun() const { return ceilDiv(rows.run(), mr); }
  int64_t colPanelsPerRun() const { return ceilDiv(cols.run(), nr()); }
  int64_t allRowPanels() const { return rows.runs() * rowPanelsPerRun(); }
  int64_t allColPanels() const { return cols.runs() * colPanelsPerRun(); }
  int64_t rowBlocks() const { return ceilDiv(allRowPanels(), rowPanels); }
  int64_t colBlocks() const;
  /// Columns are shared out in this many panels: where squares are transposed across runs, all that belong together.
  int64_t colUnit() const;
  /// Elements from one panel to the next: the panel and room for an overlapping store.
  int64_t rowPanelStride() const { return panelSteps() * mr + lanes; }
  int64_t colPanelStride() const { return panelSteps() * nr() + lanes; }
  int64_t panelSteps() const { return paired ? ceilDiv(deepest(), 2) : deepest(); }
  double flops() const;
  /// Whether each element of the output is stored once, as a part of a whole line where the output is aligned.
  bool storesLines() const;
  /// Whether the decisions fit the groups: what a packing needs of its operand holds, every number is in its range.
  bool fits() const;

  /// One line per decision.
  std::string str() const;
};

/// Puts the loops of a simplified contraction into the groups of `plan`, by its `swapped`, `rowLoop`, `colLoop` and
/// `colRun`. False if those are no loops of the rows and of the columns, or do not divide them.
bool classify(const NestShape &shape, ContractionPlan &plan);

/// Plans a two-operand contraction; nothing where a plain nest (NestPlan) is the better kernel: no index
/// on one of the sides, or too little work to tile. `shape` must be simplified and have three operands.
std::optional<ContractionPlan> planContraction(const NestShape &shape, const CpuModel &cpu);
/// The plans that it weighs, best predicted first and at most `most` of them (at least 1): the first is its choice.
/// Empty where it gives nothing.
std::vector<ContractionPlan> weighedPlans(const NestShape &shape, const CpuModel &cpu, size_t most);
/// The same where extents or strides come at run time: tiles and blocks of static size, everything packed
/// (EmitSizedContraction.cpp). Nothing where a loop may be short, too.
std::optional<ContractionPlan> planSizedContraction(const NestShape &shape, const CpuModel &cpu);
/// Cycles of one core for a whole contraction, by the planner's cost model.
double predictCycles(const ContractionPlan &plan, const CpuModel &cpu);

} // namespace ein
