// The groups of a contraction, and what follows from the decisions of its plan.
#include "compiler/Lowering/ContractionPlan.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <sstream>

namespace ein {

int64_t IndexGroup::size() const {
  int64_t n = 1;
  for (const LoopDim &d : dims) n *= d.extent;
  return n;
}

std::optional<int64_t> IndexGroup::runStride(unsigned o) const {
  if (dims.size() < 2) return 0;
  for (size_t i = 0; i + 2 < dims.size(); ++i)
    if (dims[i].strides[o] != dims[i + 1].strides[o] * dims[i + 1].extent) return std::nullopt;
  return dims[dims.size() - 2].strides[o];
}

double ContractionPlan::flops() const {
  return 2.0 * double(batch.size()) * double(rows.size()) * double(cols.size()) * double(depth.size());
}

int64_t ContractionPlan::depthBlocks() const {
  int64_t n = 1;
  for (size_t i = 0; i < depthPieces.size(); ++i) n *= depth.dims[i].extent / depthPieces[i];
  return n;
}

int64_t ContractionPlan::kc() const {
  int64_t n = 1;
  for (int64_t piece : depthPieces) n *= piece;
  return n;
}

int64_t ContractionPlan::deepest() const {
  int64_t n = 1;
  for (size_t i = 0; i < depthPieces.size(); ++i) n *= depthPieces[i] + depth.dims[i].extent % depthPieces[i];
  return n;
}

std::optional<int64_t> ContractionPlan::depthStride(unsigned o) const {
  int last = -1;
  int64_t stride = 0, next = 0;
  for (int i = int(depth.dims.size()) - 1; i >= 0; --i) {
    const LoopDim &d = depth.dims[i];
    if (depthPieces[i] == 1) continue; // does not move inside a block
    if (last < 0)
      stride = d.strides[o];
    else if (depthPieces[last] != depth.dims[last].extent || d.strides[o] != next)
      return std::nullopt;
    next = d.strides[o] * d.extent;
    last = i;
  }
  return stride;
}

int ContractionPlan::adjacentDepth(unsigned o) const {
  for (int i = int(depth.dims.size()) - 1; i >= 0; --i)
    if (depth.dims[i].strides[o] == 1) return i;
  return -1;
}

/// The side of squares along a loop of which at least `extent` steps are together; a square fits the registers.
static int64_t squareSide(int64_t extent, int64_t lanes) {
  const int64_t side = std::min<int64_t>({lanes, 16, int64_t(std::bit_floor(uint64_t(extent)))});
  return side >= std::min<int64_t>(4, lanes) && side > 1 ? side : 0;
}

int64_t ContractionPlan::square(unsigned o) const {
  const int i = adjacentDepth(o);
  return i < 0 ? 0 : squareSide(depthPieces[i], lanes);
}

int64_t ContractionPlan::squareAcross() const {
  return crosses() ? squareSide(cols.dims[cols.dims.size() - 2].extent / colPieces, lanes) : 0;
}

int64_t ContractionPlan::colBlocks() const {
  if (packCols != Packing::Cross || colPieces == 1) return ceilDiv(allColPanels(), colPanels);
  return cols.runs() / cols.dims[cols.dims.size() - 2].extent * colPieces;
}

int64_t ContractionPlan::colUnit() const {
  if (packCols != Packing::Cross) return 1;
  return ceilDiv(cols.dims[cols.dims.size() - 2].extent, colPieces) * colPanelsPerRun();
}

bool ContractionPlan::storesLines() const {
  if (depthBlocks() != 1 || split == Split::Depth || lanes * elementBytes != 64) return false;
  if (cols.stride(2) != 1 || cols.run() % lanes != 0) return false;
  for (const IndexGroup *g : {&batch, &rows, &cols})
    for (const LoopDim &d : g->dims)
      if (&d != &cols.dims.back() && d.strides[2] % lanes != 0) return false;
  return true;
}

bool ContractionPlan::fits() const {
  if (lanes < 1 || mr < 1 || nv < 1 || kUnroll < 1 || rowPanels < 1 || colPanels < 1 || colPieces < 1 || threads < 1)
    return false;
  if (depthPieces.size() != depth.dims.size()) return false;
  for (size_t i = 0; i < depthPieces.size(); ++i)
    if (depthPieces[i] < 1 || depthPieces[i] > depth.dims[i].extent) return false;
  auto packs = [&](Packing packing, const IndexGroup &side, unsigned o) {
    if (paired && packing != Packing::Rows && packing != Packing::Gather) return false;
    if (computed(o) && (packing == Packing::None || packing == Packing::Cross)) return false;
    switch (packing) {
    case Packing::None: return depthStride(o).has_value();
    case Packing::Rows: return side.stride(o) == 1;
    case Packing::Transpose: return square(o) > 0;
    case Packing::Cross: return o == 1 && squareAcross() > 0 && colPanels % colUnit() == 0;
    case Packing::Gather: return true;
    }
    return false;
  };
  if (packCols == Packing::None && (cols.stride(1) != 1 || cols.run() % lanes != 0)) return false;
  if (colPieces > 1 && (packCols != Packing::Cross || colPanels != colUnit())) return false;
  if (streaming && !storesLines()) return false;
  return packs(packRows, rows, 0) && packs(packCols, cols, 1);
}

static const char *name(Packing p) {
  switch (p) {
  case Packing::None: return "none";
  case Packing::Rows: return "rows";
  case Packing::Transpose: return "transpose";
  case Packing::Cross: return "cross";
  case Packing::Gather: return "gather";
  }
  return "";
}

static const char *name(Split s) {
  switch (s) {
  case Split::Serial: return "serial";
  case Split::Batch: return "batch";
  case Split::Cols: return "cols";
  case Split::Rows: return "rows";
  case Split::Depth: return "depth";
  }
  return "";
}

/// "1000" or, of more than one run, "1000 in runs of 20".
static std::string sizeString(const IndexGroup &g) {
  return std::to_string(g.size()) + (g.runs() > 1 ? " in runs of " + std::to_string(g.run()) : "");
}

std::string ContractionPlan::str() const {
  std::ostringstream s;
  s << "contraction b=" << batch.size() << " m=" << sizeString(rows) << " n=" << sizeString(cols)
    << " k=" << depth.size() << "; lanes along operand " << (swapped ? 0 : 1) << "; tile " << mr << "x" << nr() << " ("
    << nv << " vectors of " << lanes << "), k " << (paired ? "in pairs, " : "") << "unrolled by " << kUnroll
    << "; blocks k=" << kc();
  if (depth.dims.size() > 1)
    for (size_t i = 0; i < depthPieces.size(); ++i)
      s << (i ? "x" : " (") << depthPieces[i] << (i + 1 < depthPieces.size() ? "" : ")");
  s << " rows=" << rowPanels * mr << " cols=" << colPanels * nr() << ", " << (colsOuter ? "cols" : "rows")
    << " shared; packing rows=" << (computed(0) ? "computed, " : "") << name(packRows)
    << " cols=" << (computed(1) ? "computed, " : "") << name(packCols) << "; split " << name(split) << " over "
    << threads << "; store "
    << (streaming             ? "lines past the caches"
        : cols.stride(2) == 1 ? "vectors"
                              : "elements")
    << (finishes ? ", what follows on each tile" : "") << "; " << reason << "; predicted "
    << int64_t(std::ceil(predictedCycles / 1e3)) << " thousand cycles of a core";
  return s.str();
}

bool classify(const NestShape &shape, ContractionPlan &plan) {
  const unsigned s = plan.swapped ? 1 : 0, v = 1 - s;
  plan.batch = plan.rows = plan.cols = plan.depth = {};
  std::optional<LoopDim> rowRun, colRun;
  for (int i = 0; i < int(shape.dims.size()); ++i) {
    const LoopDim &d = shape.dims[i];
    LoopDim g = d;
    std::swap(g.strides[0], g.strides[s]);
    if (!d.strideSlots.empty()) g.strideSlots = {d.strideSlots[s], d.strideSlots[v], d.strideSlots[2]};
    const bool inS = g.strides[0] != 0, inV = g.strides[1] != 0;
    if (d.reduced)
      plan.depth.dims.push_back(g);
    else if (inS && inV)
      plan.batch.dims.push_back(g);
    else if (i == plan.colLoop && inV)
      colRun = g;
    else if (i == plan.rowLoop && inS)
      rowRun = g;
    else
      (inV ? plan.cols : plan.rows).dims.push_back(g);
  }
  if (!rowRun || !colRun) return false;
  if (plan.colRun != 0) {
    if (plan.colRun < 1 || colRun->extent % plan.colRun != 0) return false;
    LoopDim around = *colRun;
    around.extent /= plan.colRun;
    for (int64_t &stride : around.strides) stride *= plan.colRun;
    colRun->extent = plan.colRun;
    if (around.extent > 1) plan.cols.dims.push_back(around);
  }
  // Loops may come in any order: in the one of the larger of the tensors that they walk. The loop along which V is
  // adjacent comes next to the runs, so that squares can be transposed.
  auto sort = [](std::vector<LoopDim> &dims, auto key) {
    std::stable_sort(dims.begin(), dims.end(), [&](const LoopDim &a, const LoopDim &b) { return key(a) > key(b); });
  };
  const unsigned rowsBy = plan.cols.size() * colRun->extent >= plan.depth.size() ? 2 : 0;
  const unsigned colsBy = plan.rows.size() * rowRun->extent >= plan.depth.size() ? 2 : 1;
  sort(plan.rows.dims, [&](const LoopDim &d) { return std::abs(d.strides[rowsBy]); });
  sort(plan.cols.dims, [&](const LoopDim &d) { return d.strides[1] == 1 ? 0 : std::abs(d.strides[colsBy]); });
  plan.rows.dims.push_back(*rowRun);
  plan.cols.dims.push_back(*colRun);
  // Of the depth innermost the loop along which S is adjacent, then the one of V.
  sort(plan.depth.dims, [](const LoopDim &d) {
    const int64_t least = std::min(std::abs(d.strides[0]), std::abs(d.strides[1]));
    return d.strides[0] == 1 ? -1 : d.strides[1] == 1 ? 0 : least;
  });
  return true;
}

} // namespace ein
