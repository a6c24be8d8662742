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

static const char *name(Packing p) {
  switch (p) {
  case Packing::None: return "none";
  case Packing::Rows: return "rows";
  case Packing::Transpose: return "transpose";
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
    << " cols=" << colPanels * nr() << ", " << (colsOuter ? "cols" : "rows") << " shared; packing rows="
    << name(packRows) << " cols=" << name(packCols) << "; split " << name(split) << " over " << threads
    << "; store " << (contiguousStore ? "vectors" : "elements") << "; " << reason;
  return s.str();
}

/// Bytes of one element's run along the contracted index in a block: 512 f32, 256 f64 (docs/rationale.md).
static constexpr int64_t kDepthBytes = 2048;

static int64_t roundUp(int64_t a, int64_t b) { return (a + b - 1) / b * b; }

void classify(const NestShape &shape, ContractionPlan &plan) {
  const unsigned s = plan.swapped ? 1 : 0, v = 1 - s;
  for (const LoopDim &d : shape.dims) {
    LoopDim g = d;
    g.strides = {d.strides[s], d.strides[v], d.strides[2]};
    const bool inS = g.strides[0] != 0, inV = g.strides[1] != 0;
    if (d.reduced) plan.depth.dims.push_back(g);
    else if (inS && inV) plan.batch.dims.push_back(g);
    else if (inV) plan.cols.dims.push_back(g);
    else plan.rows.dims.push_back(g);
  }
  // The contracted loops in the order in which the operand that has them adjacent walks them.
  std::stable_sort(plan.depth.dims.begin(), plan.depth.dims.end(), [](const LoopDim &a, const LoopDim &b) {
    return std::min(std::abs(a.strides[0]), std::abs(a.strides[1])) > std::min(std::abs(b.strides[0]), std::abs(b.strides[1]));
  });
}

/// Cycles of one step of the contracted index on a tile of `mr` rows and `vectors` columns: its
/// multiply-adds, at least as many as hide their latency, and half of its loads.
static double tileCost(int64_t mr, int64_t vectors, double cyclesPerVector) {
  return std::max(double(mr * vectors), 8.0) * cyclesPerVector + 0.5 * double(mr + vectors);
}

/// Cycles of one step over a whole side pair: whole tiles, and the smaller ones at the edges.
static double sideCost(int64_t m, int64_t n, int64_t mr, int64_t nv, int64_t lanes, double cyclesPerVector) {
  const int64_t rowRest = m % mr, colRest = (n % (nv * lanes) + lanes - 1) / lanes;
  auto row = [&](int64_t rows) {
    double cost = double(n / (nv * lanes)) * tileCost(rows, nv, cyclesPerVector);
    return colRest ? cost + tileCost(rows, colRest, cyclesPerVector) : cost;
  };
  return double(m / mr) * row(mr) + (rowRest ? row(rowRest) : 0);
}

/// The register tile with the fewest cycles. Accumulators, one vector per column and one broadcast must fit
/// the register file; a sliver of rows over a block of the depth should fit half of L1.
static void chooseTile(ContractionPlan &plan, const CpuModel &cpu) {
  const int64_t m = plan.rows.size(), n = plan.cols.size(), widest = plan.lanes;
  const int64_t depth = std::min(plan.depth.size(), kDepthBytes / plan.elementBytes);
  double best = 1e300;
  // Where a wide vector takes two slots, half of one costs half: a finer grain for ragged columns.
  for (int64_t lanes = widest; lanes >= (cpu.splitsWideVectors && widest * plan.elementBytes == 64 ? widest / 2 : widest); lanes /= 2) {
    if (plan.packCols == Packing::None && n % lanes != 0) continue;
    const double cycles = lanes < widest ? 0.5 : 1;
    for (int64_t nv = 1; nv <= 4; ++nv)
      for (int64_t mr = 1; mr <= std::min<int64_t>(14, m); ++mr) {
        if (mr * nv + nv + 1 > cpu.vectorRegisters) continue;
        double cost = sideCost(m, n, mr, nv, lanes, cycles);
        if (mr * depth * plan.elementBytes > cpu.l1Bytes / 2) cost *= 1.1;
        if (plan.packRows == Packing::Rows && !plan.rows.contiguous(0, mr)) cost *= 1.15;
        if (cost < best) best = cost, plan.mr = mr, plan.nv = nv, plan.lanes = lanes;
      }
  }
}

static Packing choosePacking(const IndexGroup &side, const IndexGroup &depth, unsigned o, int64_t lanes) {
  if (side.contiguous(o, lanes) && side.size() >= lanes) return Packing::Rows;
  if (depth.contiguous(o, lanes) && depth.size() >= lanes &&
      (depth.affine(o).has_value() || depth.size() % lanes == 0))
    return Packing::Transpose;
  return Packing::Gather;
}

static void choosePackings(ContractionPlan &plan) {
  const int64_t m = plan.rows.size(), n = plan.cols.size(), k = plan.depth.size();
  plan.packRows = choosePacking(plan.rows, plan.depth, 0, plan.lanes);
  plan.packCols = choosePacking(plan.cols, plan.depth, 1, plan.lanes);
  // Small operands stay in cache as they are: packing them costs more than it gives (docs/rationale.md).
  if (plan.rows.affine(0) && plan.depth.affine(0) && m * k * plan.elementBytes <= 256 << 10)
    plan.packRows = Packing::None;
  if (plan.cols.affine(1) == 1 && plan.depth.affine(1) && n % plan.lanes == 0 && n * k * plan.elementBytes <= 32 << 10)
    plan.packCols = Packing::None;
}

static void chooseBlocks(ContractionPlan &plan, const CpuModel &cpu) {
  const int64_t k = plan.depth.size();
  const int64_t deepest = kDepthBytes / plan.elementBytes;
  const int64_t blocks = (k + deepest - 1) / deepest;
  plan.kc = std::min(k, roundUp((k + blocks - 1) / blocks, std::max<int64_t>(plan.lanes, 4)));
  plan.kUnroll = plan.kc >= 2 ? 2 : 1;
  // Half of L2 for the block that is packed per thread; L3 for the shared one.
  const int64_t privateElements = cpu.l2Bytes / 2 / plan.elementBytes / plan.kc;
  const int64_t sharedElements = std::max<int64_t>(3072, cpu.l3Bytes / 4 / plan.elementBytes / plan.kc / 4);
  const int64_t rowsAll = plan.allRowPanels(), colsAll = plan.allColPanels();
  plan.colPanels = std::clamp<int64_t>(privateElements / plan.nr(), 1, colsAll);
  plan.rowPanels = std::clamp<int64_t>(sharedElements / plan.mr, 1, rowsAll);
  if (plan.colPanels == colsAll) {
    // One block of columns: pack it once and stream blocks of rows past it.
    plan.colsOuter = true;
    plan.rowPanels = std::clamp<int64_t>(privateElements / plan.mr, 1, rowsAll);
  }
}

/// Splits `panels` into blocks so that each of `threads` gets the same number of them.
static int64_t evenBlocks(int64_t panels, int64_t perBlock, int64_t threads) {
  const int64_t blocks = roundUp((panels + perBlock - 1) / perBlock, threads);
  return std::max<int64_t>(1, (panels + blocks - 1) / blocks);
}

static void chooseSplit(ContractionPlan &plan, const CpuModel &cpu) {
  plan.threads = 1;
  plan.split = Split::Serial;
  if (cpu.threads == 1 || plan.flops() < kSerialFlops) {
    plan.reason = cpu.threads == 1 ? "one thread" : "too little work to fork";
    return;
  }
  const int64_t t = cpu.threads, b = plan.batch.size();
  plan.threads = t;
  if (b >= 2 * t || (b >= t && b % t == 0)) {
    plan.split = Split::Batch;
    plan.reason = "each thread takes whole batches";
  } else if (!plan.colsOuter && plan.allColPanels() >= 2 * t) {
    plan.split = Split::Cols;
    plan.colPanels = evenBlocks(plan.allColPanels(), plan.colPanels, t);
    plan.reason = "each thread packs its own columns against shared rows";
  } else if (plan.allRowPanels() >= 2 * t || (plan.allRowPanels() >= t && plan.depthBlocks() < 2 * t)) {
    plan.split = Split::Rows;
    if (!plan.colsOuter) {
      plan.colsOuter = true;
      plan.colPanels = std::min(plan.allColPanels(), std::max<int64_t>(1, 3072 / plan.nr()));
      plan.rowPanels = std::max<int64_t>(1, cpu.l2Bytes / 2 / plan.elementBytes / plan.kc / plan.mr);
    }
    plan.rowPanels = evenBlocks(plan.allRowPanels(), std::min(plan.rowPanels, plan.allRowPanels()), t);
    plan.reason = "each thread packs its own rows against shared columns";
  } else if (plan.depthBlocks() >= t) {
    plan.split = Split::Depth;
    plan.reason = "a small result: each thread sums a part of the depth";
  } else {
    plan.threads = 1;
    plan.reason = "too few panels to share";
  }
}

/// Whether the tiled kernel pays: both sides and the depth must be long enough to fill a tile.
static bool worthTiling(const ContractionPlan &plan) {
  const int64_t m = plan.rows.size(), n = plan.cols.size(), k = plan.depth.size();
  return m >= 2 && n >= std::min<int64_t>(4, plan.lanes) && k >= 4 && m * n * k >= 512;
}

std::optional<ContractionPlan> planContraction(const NestShape &shape, const CpuModel &cpu) {
  ContractionPlan plan;
  plan.elementBytes = shape.elementBytes;
  for (const LoopDim &d : shape.dims) {
    if (d.valued) return std::nullopt;
    if (d.reduced && (d.strides[0] == 0 || d.strides[1] == 0)) return std::nullopt;
    if (!d.reduced && d.strides[0] == 0 && d.strides[1] == 0) return std::nullopt;
    // The lanes belong to the operand that walks the output's unit stride.
    if (!d.reduced && d.strides[2] == 1 && d.strides[1] == 0) plan.swapped = true;
  }
  classify(shape, plan);
  if (plan.rows.dims.empty() || plan.cols.dims.empty() || plan.depth.dims.empty()) return std::nullopt;
  plan.lanes = cpu.lanes(plan.elementBytes);
  while (plan.lanes > 1 && plan.lanes / 2 >= plan.cols.size()) plan.lanes /= 2;
  if (!worthTiling(plan)) return std::nullopt;
  choosePackings(plan);
  chooseTile(plan, cpu);
  plan.contiguousStore = plan.cols.contiguous(2, plan.lanes);
  chooseBlocks(plan, cpu);
  chooseSplit(plan, cpu);
  return plan;
}

} // namespace ein
