// Choice of the register tile, the blocks and the packing of a contraction.
#include "compiler/Lowering/ContractionPlan.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

namespace ein {

int64_t IndexGroup::size() const {
  int64_t n = 1;
  for (const LoopDim &d : dims) n *= d.extent;
  return n;
}

std::optional<int64_t> IndexGroup::affine(unsigned o) const {
  if (dims.empty()) return 0;
  for (size_t i = 0; i + 1 < dims.size(); ++i)
    if (dims[i].strides[o] != dims[i + 1].strides[o] * dims[i + 1].extent) return std::nullopt;
  return dims.back().strides[o];
}

bool IndexGroup::contiguous(unsigned o, int64_t lanes) const {
  if (lanes == 1) return true;
  if (dims.empty() || dims.back().strides[o] != 1) return false;
  return affine(o).has_value() || dims.back().extent % lanes == 0;
}

double ContractionPlan::flops() const {
  return 2.0 * double(batch.size()) * double(rows.size()) * double(cols.size()) * double(depth.size());
}

bool ContractionPlan::fits() const {
  if (lanes < 1 || mr < 1 || nv < 1 || kc < 1 || kUnroll < 1 || rowPanels < 1 || colPanels < 1 || threads < 1)
    return false;
  auto packs = [&](Packing packing, const IndexGroup &side, unsigned o, int64_t width) {
    const int64_t k = depth.size(), last = k % kc ? k % kc : std::min(k, kc);
    switch (packing) {
    case Packing::None: return side.affine(o).has_value() && depth.affine(o).has_value();
    case Packing::Rows: return side.contiguous(o, side.affine(o) ? std::min<int64_t>(width, 2) : width);
    case Packing::Transpose: return depth.contiguous(o, lanes) && last >= lanes && (depth.affine(o) || k % lanes == 0);
    case Packing::Cross: return square > 0 && lanes == square && square % nv == 0 && o == 1;
    case Packing::Gather: return true;
    }
    return false;
  };
  if (packCols == Packing::None && (cols.affine(1) != 1 || cols.size() % lanes != 0)) return false;
  return packs(packRows, rows, 0, mr) && packs(packCols, cols, 1, lanes);
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

std::string ContractionPlan::str() const {
  std::ostringstream s;
  s << "contraction b=" << batch.size() << " m=" << rows.size() << " n=" << cols.size() << " k=" << depth.size()
    << "; lanes along operand " << (swapped ? 0 : 1) << "; tile " << mr << "x" << nr() << " (" << nv << " vectors of "
    << lanes << "), k unrolled by " << kUnroll << "; blocks k=" << kc << " rows=" << rowPanels * mr
    << " cols=" << colPanels * nr() << ", " << (colsOuter ? "cols" : "rows")
    << " shared; packing rows=" << name(packRows) << " cols=" << name(packCols) << "; split " << name(split) << " over "
    << threads << "; store " << (contiguousStore ? "vectors" : "elements") << "; " << reason << "; predicted "
    << int64_t(std::ceil(predictedCycles / 1e3)) << " thousand cycles of a core";
  return s.str();
}

/// Cuts the columns into squares: the loop adjacent in the output and the one adjacent in V become an outer
/// and an inner loop each, the inner two innermost.
static void cutSquares(IndexGroup &cols, int64_t side) {
  std::vector<LoopDim> outer, inner;
  for (size_t i = 0; i < cols.dims.size(); ++i) {
    const LoopDim &d = cols.dims[i];
    if (i + 1 != cols.dims.size() && d.strides[1] != 1) {
      outer.push_back(d);
      continue;
    }
    LoopDim blocks = d, within = d;
    blocks.extent = d.extent / side;
    for (int64_t &stride : blocks.strides) stride *= side;
    within.extent = side;
    if (blocks.extent > 1) outer.push_back(blocks);
    inner.push_back(within);
  }
  outer.insert(outer.end(), inner.begin(), inner.end());
  cols.dims = std::move(outer);
}

void classify(const NestShape &shape, ContractionPlan &plan) {
  const unsigned s = plan.swapped ? 1 : 0, v = 1 - s;
  for (const LoopDim &d : shape.dims) {
    LoopDim g = d;
    g.strides = {d.strides[s], d.strides[v], d.strides[2]};
    const bool inS = g.strides[0] != 0, inV = g.strides[1] != 0;
    if (d.reduced)
      plan.depth.dims.push_back(g);
    else if (inS && inV)
      plan.batch.dims.push_back(g);
    else if (inV)
      plan.cols.dims.push_back(g);
    else
      plan.rows.dims.push_back(g);
  }
  if (plan.square) cutSquares(plan.cols, plan.square);
  // Rows may come in any order: in the one in which their operand has them adjacent.
  std::stable_sort(plan.rows.dims.begin(), plan.rows.dims.end(),
                   [](const LoopDim &a, const LoopDim &b) { return std::abs(a.strides[0]) > std::abs(b.strides[0]); });
  // The contracted loops in the order in which the operand that has them adjacent walks them.
  std::stable_sort(plan.depth.dims.begin(), plan.depth.dims.end(), [](const LoopDim &a, const LoopDim &b) {
    return std::min(std::abs(a.strides[0]), std::abs(a.strides[1])) >
           std::min(std::abs(b.strides[0]), std::abs(b.strides[1]));
  });
}

} // namespace ein
