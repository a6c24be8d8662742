// The choice of a contraction's plan: candidates for the register tile and the packing, costed in cycles.
#include "compiler/Lowering/ContractionPlan.h"

#include <cmath>
#include <cstdlib>

namespace ein {

namespace {

/// Bytes of one element's run along the contracted index in a block: 512 f32, 256 f64 (docs/rationale.md).
constexpr int64_t kDepthBytes = 2048;
/// Operands up to these sizes are read in place: rows stay in L2, columns in L1.
constexpr int64_t kInPlaceRowBytes = 256 << 10, kInPlaceColBytes = 32 << 10;

int64_t roundUp(int64_t a, int64_t b) { return (a + b - 1) / b * b; }

/// Cycles of one step of the contracted index on a tile of `mr` rows and `vectors` columns: its
/// multiply-adds, at least as many as hide their latency, and half of its loads.
double tileCost(int64_t mr, int64_t vectors, double cyclesPerVector) {
  return std::max(double(mr * vectors), 8.0) * cyclesPerVector + 0.5 * double(mr + vectors);
}

/// Cycles of one step over a whole pair of sides: whole tiles, and the smaller ones at the edges.
double stepCost(int64_t m, int64_t n, const ContractionPlan &p, double cyclesPerVector) {
  const int64_t rowRest = m % p.mr, colRest = (n % p.nr() + p.lanes - 1) / p.lanes;
  auto row = [&](int64_t rows) {
    double cost = double(n / p.nr()) * tileCost(rows, p.nv, cyclesPerVector);
    return colRest ? cost + tileCost(rows, colRest, cyclesPerVector) : cost;
  };
  return double(m / p.mr) * row(p.mr) + (rowRest ? row(rowRest) : 0);
}

/// Cycles to bring one element into a panel.
double packingCost(Packing packing) {
  switch (packing) {
  case Packing::None: return 0;
  case Packing::Rows: return 0.25;
  case Packing::Transpose:
  case Packing::Cross: return 0.5;
  case Packing::Gather: return 3;
  }
  return 0;
}

/// How panels `width` wide are made of one side: in place, by runs of `run` elements, or by transposes.
Packing packingOf(const IndexGroup &side, const IndexGroup &depth, unsigned o, int64_t run, int64_t lanes) {
  if (side.contiguous(o, run)) return Packing::Rows;
  const bool runs = depth.contiguous(o, lanes) && depth.size() >= lanes;
  return runs && (depth.affine(o) || depth.size() % lanes == 0) ? Packing::Transpose : Packing::Gather;
}

void choosePackings(ContractionPlan &p) {
  const int64_t m = p.rows.size(), n = p.cols.size(), k = p.depth.size();
  p.packRows = packingOf(p.rows, p.depth, 0, p.rows.affine(0) ? std::min(p.lanes, p.mr) : p.mr, p.lanes);
  p.packCols = p.square ? Packing::Cross : packingOf(p.cols, p.depth, 1, p.lanes, p.lanes);
  if (p.rows.affine(0) && p.depth.affine(0) && m * k * p.elementBytes <= kInPlaceRowBytes) p.packRows = Packing::None;
  if (p.cols.affine(1) == 1 && p.depth.affine(1) && n % p.lanes == 0 && n * k * p.elementBytes <= kInPlaceColBytes)
    p.packCols = Packing::None;
  p.contiguousStore = p.cols.contiguous(2, p.lanes);
}

void chooseBlocks(ContractionPlan &p, const CpuModel &cpu) {
  const int64_t k = p.depth.size(), deepest = kDepthBytes / p.elementBytes, blocks = (k + deepest - 1) / deepest;
  p.kc = std::min(k, roundUp((k + blocks - 1) / blocks, std::max<int64_t>(p.lanes, 4)));
  // Squares that are transposed are as deep as a vector is long, in the last block too.
  while (k % p.kc != 0 && k % p.kc < p.lanes && p.kc > 2 * p.lanes) p.kc -= p.lanes;
  p.kUnroll = p.kc >= 2 ? 2 : 1;
  // Half of L2 for the block that is packed per thread; a part of L3 for the shared one.
  const int64_t own = cpu.l2Bytes / 2 / p.elementBytes / p.kc;
  const int64_t shared = std::max<int64_t>(3072, cpu.l3Bytes / 16 / p.elementBytes / p.kc);
  const int64_t rowsAll = p.allRowPanels(), colsAll = p.allColPanels();
  p.colPanels = std::clamp<int64_t>(own / p.nr(), 1, colsAll);
  p.colsOuter = p.colPanels == colsAll; // one block of columns: pack it once, stream rows past it
  p.rowPanels = std::clamp<int64_t>((p.colsOuter ? own : shared) / p.mr, 1, rowsAll);
  p.colPanels = std::min(roundUp(p.colPanels, p.colUnit()), colsAll);
}

/// Cycles of one core for the whole contraction.
double predict(const ContractionPlan &p, const CpuModel &cpu) {
  const double m = double(p.rows.size()), n = double(p.cols.size()), k = double(p.depth.size());
  const double wide = double(p.lanes * p.elementBytes);
  double compute = stepCost(p.rows.size(), p.cols.size(), p, cpu.splitsWideVectors && wide < 64 ? 0.5 : 1) * k;
  // A sliver of rows is read once per panel of columns: it should stay in L1.
  if (p.mr * p.kc * p.elementBytes > cpu.l1Bytes / 2) compute *= 1.1;
  const int64_t rowBlocks = (p.allRowPanels() + p.rowPanels - 1) / p.rowPanels;
  const double pack =
      m * k * packingCost(p.packRows) + n * k * packingCost(p.packCols) * double(p.colsOuter ? 1 : rowBlocks);
  const double store = m * n * double(p.depthBlocks()) * (p.contiguousStore ? 2.0 / double(p.lanes) : 3);
  return double(p.batch.size()) * (compute + pack + store);
}

/// Splits `panels` into blocks so that each of `threads` gets the same number of them.
int64_t evenBlocks(int64_t panels, int64_t perBlock, int64_t threads) {
  const int64_t blocks = roundUp((panels + perBlock - 1) / perBlock, threads);
  return std::max<int64_t>(1, (panels + blocks - 1) / blocks);
}

void chooseSplit(ContractionPlan &p, const CpuModel &cpu) {
  if (cpu.threads == 1 || p.flops() < kSerialFlops) {
    p.reason = cpu.threads == 1 ? "one thread" : "too little work to fork";
    return;
  }
  const int64_t t = cpu.threads, b = p.batch.size(), rowsAll = p.allRowPanels(), colsAll = p.allColPanels();
  p.threads = t;
  if (b >= 2 * t || (b >= t && b % t == 0)) {
    p.split = Split::Batch;
    p.reason = "each thread takes whole batches";
  } else if (!p.colsOuter && colsAll / p.colUnit() >= 2 * t) {
    p.split = Split::Cols;
    p.colPanels = roundUp(evenBlocks(colsAll, p.colPanels, t), p.colUnit());
    p.reason = "each thread packs its own columns against shared rows";
  } else if (rowsAll >= 2 * t || (rowsAll >= t && p.depthBlocks() < 2 * t)) {
    p.split = Split::Rows;
    if (!p.colsOuter) {
      p.colsOuter = true;
      p.colPanels = std::min(colsAll, roundUp(std::max<int64_t>(1, 3072 / p.nr()), p.colUnit()));
      p.rowPanels = std::max<int64_t>(1, cpu.l2Bytes / 2 / p.elementBytes / p.kc / p.mr);
    }
    p.rowPanels = evenBlocks(rowsAll, std::min(p.rowPanels, rowsAll), t);
    p.reason = "each thread packs its own rows against shared columns";
  } else if (p.depthBlocks() >= t) {
    p.split = Split::Depth;
    p.reason = "a small result: each thread sums a part of the depth";
  } else {
    p.threads = 1;
    p.reason = "too few panels to share";
  }
}

/// Whether the tiled kernel pays: both sides and the depth must be long enough to fill a tile.
bool worthTiling(const ContractionPlan &p, int64_t lanes) {
  const int64_t m = p.rows.size(), n = p.cols.size(), k = p.depth.size();
  return m >= 2 && n >= std::min<int64_t>(4, lanes) && k >= 4 && m * n * k >= 512;
}

/// Adds `plan` to the best so far: at most `most` of them, cheapest first, of equals the one that came first.
void keep(ContractionPlan plan, size_t most, std::vector<ContractionPlan> &best) {
  const auto place =
      std::upper_bound(best.begin(), best.end(), plan.predictedCycles,
                       [](double cycles, const ContractionPlan &p) { return cycles < p.predictedCycles; });
  if (place == best.end() && best.size() == most) return;
  best.insert(place, std::move(plan));
  if (best.size() > most) best.pop_back();
}

/// Adds the best plans for these groups over vector widths and register tiles to `best`. Accumulators, one vector per
/// column and one broadcast must fit the register file.
void weighTiles(const ContractionPlan &groups, int64_t widest, const CpuModel &cpu, size_t most,
                std::vector<ContractionPlan> &best) {
  const int64_t narrowest = std::min<int64_t>(widest, groups.elementBytes == 4 ? 4 : 2);
  for (int64_t lanes = groups.square ? groups.square : widest; lanes >= narrowest; lanes /= 2) {
    for (int64_t nv = 1; nv <= 4; ++nv)
      for (int64_t mr = 1; mr <= std::min<int64_t>(14, groups.rows.size()); ++mr) {
        if (mr * nv + nv + 1 > cpu.vectorRegisters || (groups.square && groups.square % nv != 0)) continue;
        ContractionPlan p = groups;
        p.lanes = lanes, p.mr = mr, p.nv = nv;
        choosePackings(p);
        chooseBlocks(p, cpu);
        p.predictedCycles = predict(p, cpu);
        keep(std::move(p), most, best);
      }
    if (groups.square) return;
  }
}

/// Side of the squares that bring columns adjacent in V to lanes adjacent in the output; 0 where neither
/// the loops nor their extents allow any.
int64_t squareSide(const ContractionPlan &p, int64_t widest) {
  const LoopDim &lane = p.cols.dims.back();
  if (lane.strides[2] != 1 || lane.strides[1] == 1) return 0;
  for (const LoopDim &d : p.cols.dims)
    if (&d != &lane && d.strides[1] == 1)
      for (int64_t side = widest; side >= 4; side /= 2)
        if (d.extent % side == 0 && lane.extent % side == 0) return side;
  return 0;
}

} // namespace

std::vector<ContractionPlan> weighedPlans(const NestShape &shape, const CpuModel &cpu, size_t most) {
  ContractionPlan groups;
  groups.elementBytes = shape.elementBytes;
  bool lanesInBatch = false;
  for (const LoopDim &d : shape.dims) {
    if (d.valued) return {};
    if (d.reduced && (d.strides[0] == 0 || d.strides[1] == 0)) return {};
    if (!d.reduced && d.strides[0] == 0 && d.strides[1] == 0) return {};
    // The lanes belong to the operand that walks the output's unit stride.
    if (!d.reduced && d.strides[2] == 1 && d.strides[1] == 0) groups.swapped = true;
    if (!d.reduced && d.strides[0] == 1 && d.strides[1] == 1) lanesInBatch |= d.extent >= (d.strides[2] == 1 ? 4 : 8);
  }
  // Both operands have a batch index adjacent: a plain nest with lanes along it needs no packing, where packing one
  // batch at a time would use a part of each line.
  if (lanesInBatch) return {};
  classify(shape, groups);
  if (groups.rows.dims.empty() || groups.cols.dims.empty() || groups.depth.dims.empty()) return {};
  const int64_t widest = cpu.lanes(groups.elementBytes);
  int64_t lanes = widest;
  while (lanes > 1 && lanes / 2 >= groups.cols.size()) lanes /= 2;
  if (!worthTiling(groups, widest)) return {};

  std::vector<ContractionPlan> best;
  weighTiles(groups, lanes, cpu, most, best);
  if (const int64_t side = squareSide(groups, widest)) {
    ContractionPlan squares;
    squares.elementBytes = groups.elementBytes, squares.swapped = groups.swapped, squares.square = side;
    classify(shape, squares);
    weighTiles(squares, side, cpu, most, best);
  }
  for (ContractionPlan &plan : best) chooseSplit(plan, cpu);
  return best;
}

double predictCycles(const ContractionPlan &plan, const CpuModel &cpu) { return predict(plan, cpu); }

std::optional<ContractionPlan> planContraction(const NestShape &shape, const CpuModel &cpu) {
  std::vector<ContractionPlan> plans = weighedPlans(shape, cpu, 1);
  if (plans.empty()) return std::nullopt;
  return std::move(plans.front());
}

} // namespace ein
