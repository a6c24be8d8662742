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
/// So are larger ones that are used this often or less: rows that are adjacent along the depth, columns.
constexpr int64_t kFewUses = 2;

/// Cycles that a jump to another place of a large output costs.
constexpr double kJumpCycles = 25;
/// Cycles that a register tile costs beside its arithmetic and its stores.
constexpr double kTileCycles = 15;
/// Cycles that an element costs which is computed as it is packed.
constexpr double kComputedCycles = 1;

/// Cycles of one step of the contracted index on a tile of `mr` rows and `vectors` columns: its
/// multiply-adds, at least as many as hide their latency, and half of its loads.
double tileCost(int64_t mr, int64_t vectors, double cyclesPerVector) {
  return std::max(double(mr * vectors), 8.0) * cyclesPerVector + 0.5 * double(mr + vectors);
}

/// Cycles of one step over a run of rows and one of columns: whole tiles, and the smaller ones at the edges.
double stepCost(const ContractionPlan &p, double cyclesPerVector) {
  const int64_t m = p.rows.run(), n = p.cols.run();
  const int64_t rowRest = m % p.mr, colRest = (n % p.nr() + p.lanes - 1) / p.lanes;
  auto row = [&](int64_t rows) {
    double cost = double(n / p.nr()) * tileCost(rows, p.nv, cyclesPerVector);
    return colRest ? cost + tileCost(rows, colRest, cyclesPerVector) : cost;
  };
  return double(m / p.mr) * row(p.mr) + (rowRest ? row(rowRest) : 0);
}

/// Cycles to bring one element into a panel; transposing squares of `side` costs more the smaller they are.
double packingCost(Packing packing, int64_t side) {
  switch (packing) {
  case Packing::None: return 0;
  case Packing::Rows: return 0.25;
  case Packing::Transpose:
  case Packing::Cross: return std::max(0.5, 6.0 / double(side));
  case Packing::Gather: return 3;
  }
  return 0;
}

/// How panels are made of what is not read in place.
Packing packingOf(const ContractionPlan &p, const IndexGroup &side, unsigned o) {
  if (side.stride(o) == 1) return Packing::Rows;
  if (p.paired) return Packing::Gather;
  if (p.square(o)) return Packing::Transpose;
  return o == 1 && !p.computed(1) && p.squareAcross() ? Packing::Cross : Packing::Gather;
}

void choosePackings(ContractionPlan &p) {
  const int64_t m = p.rows.size(), n = p.cols.size(), k = p.depth.size();
  p.colPieces = 1;
  p.packRows = packingOf(p, p.rows, 0);
  p.packCols = packingOf(p, p.cols, 1);
  if (p.paired) return;
  const bool smallRows = m * k * p.elementBytes <= kInPlaceRowBytes,
             smallCols = n * k * p.elementBytes <= kInPlaceColBytes;
  const bool readsRows = !p.computed(0), readsCols = !p.computed(1);
  if (readsRows && (smallRows ? p.depthStride(0).has_value() : p.depthStride(0) == 1 && p.allColPanels() <= kFewUses))
    p.packRows = Packing::None;
  if (readsCols && p.cols.stride(1) == 1 && p.depthStride(1) && p.cols.run() % p.lanes == 0 &&
      (smallCols || p.allRowPanels() <= kFewUses))
    p.packCols = Packing::None;
}

/// Cuts the depth into boxes of about `deepest` elements, innermost loops first. Where the operands are adjacent along
/// different loops, whole squares must fit into the pieces of both.
void chooseDepth(ContractionPlan &p, int64_t deepest) {
  int64_t left = deepest;
  const int s = p.adjacentDepth(0), v = p.adjacentDepth(1);
  p.depthPieces.assign(p.depth.dims.size(), 1);
  for (int i = int(p.depth.dims.size()) - 1; i >= 0; --i) {
    const int64_t extent = p.depth.dims[i].extent, pieces = ceilDiv(extent, left);
    p.depthPieces[i] = extent / pieces;
    if (deepest < p.depth.size() && s >= 0 && v >= 0 && s != v && (i == s || i == v)) {
      const int64_t room = i == s ? 2 * p.lanes : std::max(left, p.lanes);
      p.depthPieces[i] = std::min(extent, room / p.lanes * p.lanes);
    }
    left = std::max<int64_t>(1, left / p.depthPieces[i]);
  }
}

/// Columns that are transposed across runs are blocked by whole squares: by all runs of the loop around them, or by
/// even pieces of it.
void blockByPieces(ContractionPlan &p, int64_t panels) {
  const int64_t around = p.cols.dims[p.cols.dims.size() - 2].extent, together = around * p.colPanelsPerRun();
  p.colPieces = std::clamp<int64_t>(ceilDiv(together, panels), 1, around / p.squareAcross());
  p.colPanels = p.colPieces > 1 ? p.colUnit() : std::max<int64_t>(1, panels / together) * together;
  p.colPanels = std::min(p.colPanels, p.allColPanels());
}

void chooseBlocks(ContractionPlan &p, const CpuModel &cpu) {
  const int64_t kc = p.kc();
  p.kUnroll = kc >= 2 ? 2 : 1;
  // Half of L2 for the block that is packed per thread; a part of L3 for the shared one.
  const int64_t own = cpu.l2Bytes / 2 / p.elementBytes / kc;
  const int64_t shared = std::max<int64_t>(3072, cpu.l3Bytes / 16 / p.elementBytes / kc);
  const int64_t rowsAll = p.allRowPanels(), colsAll = p.allColPanels();
  p.colPanels = std::clamp<int64_t>(own / p.nr(), 1, colsAll);
  if (p.packCols == Packing::Cross) blockByPieces(p, p.colPanels);
  p.colsOuter = p.colPanels == colsAll; // one block of columns: pack it once, stream rows past it
  p.rowPanels = std::clamp<int64_t>((p.colsOuter ? own : shared) / p.mr, 1, rowsAll);
}

/// Stretches of adjacent elements in which tiles reach an output that does not fit L2.
double stretches(const ContractionPlan &p, const CpuModel &cpu) {
  const double points = double(p.rows.size()) * double(p.cols.size());
  if (points * double(p.elementBytes) <= double(cpu.l2Bytes)) return 0;
  if (p.cols.stride(2) != 1) return points;
  const int64_t run = p.cols.run(), width = std::min(run, p.nr());
  const bool rowsFollow = width == run && p.rows.stride(2) == run;
  return points / double(rowsFollow ? width * std::min(p.mr, p.rows.run()) : width);
}

/// Cycles of one core for the whole contraction.
double predict(const ContractionPlan &p, const CpuModel &cpu) {
  const double m = double(p.rows.size()), n = double(p.cols.size()), k = double(p.depth.size());
  const double runs = double(p.rows.runs() * p.cols.runs()), blocks = double(p.depthBlocks());
  const double wide = double(p.lanes * p.elementBytes);
  double compute = runs * stepCost(p, cpu.splitsWideVectors && wide < 64 ? 0.5 : 1) * k;
  if (p.paired) compute /= 2;
  // A sliver of rows is read once per panel of columns: it should stay in L1.
  if (p.mr * p.kc() * p.elementBytes > cpu.l1Bytes / 2) compute *= 1.1;
  const double again = p.colsOuter ? 1 : double(p.rowBlocks());
  auto packing = [&](unsigned o, Packing packing, int64_t side) {
    return packingCost(packing, side) + (p.computed(o) ? kComputedCycles : 0);
  };
  const double pack = m * k * packing(0, p.packRows, p.square(0)) +
                      n * k * packing(1, p.packCols, std::max(p.square(1), p.squareAcross())) * again;
  const int64_t vectors = ceilDiv(p.cols.run(), p.lanes);
  double store = p.cols.stride(2) == 1 ? 2 * m * double(vectors * p.cols.runs()) : 3 * m * n;
  store += kJumpCycles * stretches(p, cpu);
  // The first multiply-adds of a tile wait for its addresses and operands.
  const double tiles = kTileCycles * double(p.allRowPanels()) * double(p.allColPanels());
  return double(p.batch.size()) * (compute + pack + (store + tiles) * blocks);
}

/// Splits `panels` into blocks so that each of `threads` gets the same number of them.
int64_t evenBlocks(int64_t panels, int64_t perBlock, int64_t threads) {
  const int64_t rounds = ceilDiv(ceilDiv(panels, perBlock), threads);
  return std::max<int64_t>(1, ceilDiv(panels, rounds * threads));
}

/// Fewest panels of columns that can be packed apart from the others.
int64_t narrowestUnit(const ContractionPlan &p) {
  return p.packCols == Packing::Cross ? p.squareAcross() * p.colPanelsPerRun() : 1;
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
  } else if (!p.colsOuter && colsAll / narrowestUnit(p) >= 2 * t) {
    p.split = Split::Cols;
    p.colPanels = evenBlocks(colsAll, p.colPanels, t);
    if (p.packCols == Packing::Cross) blockByPieces(p, p.colPanels);
    p.reason = "each thread packs its own columns against shared rows";
  } else if (rowsAll >= 2 * t || (rowsAll >= t && p.depthBlocks() < 2 * t)) {
    p.split = Split::Rows;
    if (!p.colsOuter) {
      p.colsOuter = true;
      p.colPanels = std::clamp<int64_t>(3072 / p.nr(), 1, colsAll);
      if (p.packCols == Packing::Cross) blockByPieces(p, p.colPanels);
      p.rowPanels = std::max<int64_t>(1, cpu.l2Bytes / 2 / p.elementBytes / p.kc() / p.mr);
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
void keep(const ContractionPlan &plan, size_t most, std::vector<ContractionPlan> &best) {
  const auto place =
      std::upper_bound(best.begin(), best.end(), plan.predictedCycles,
                       [](double cycles, const ContractionPlan &p) { return cycles < p.predictedCycles; });
  if (place == best.end() && best.size() == most) return;
  best.insert(place, plan);
  if (best.size() > most) best.pop_back();
}

/// Adds the best plans for these groups over vector widths and register tiles to `best`. Accumulators, one vector per
/// column and one broadcast must fit the register file, less what LLVM's scheduler takes for loads of the next step.
void weighTiles(ContractionPlan p, int64_t widest, int64_t deepest, const CpuModel &cpu, size_t most,
                std::vector<ContractionPlan> &best) {
  const int64_t narrowest = std::min<int64_t>(widest, p.elementBytes == 4 ? 4 : 2);
  p.lanes = widest;
  chooseDepth(p, deepest);
  const int64_t registers = cpu.vectorRegisters - cpu.vectorRegisters / 16;
  for (p.lanes = widest; p.lanes >= narrowest; p.lanes /= 2)
    for (p.nv = 1; p.nv <= 4; ++p.nv)
      for (p.mr = 1; p.mr <= std::min<int64_t>(14, p.rows.run()); ++p.mr) {
        if (p.mr * p.nv + p.nv + 1 > registers) break;
        choosePackings(p);
        chooseBlocks(p, cpu);
        p.predictedCycles = predict(p, cpu);
        keep(p, most, best);
      }
}

/// Columns that are transposed across runs come in blocks of at least a square of runs. Where those would not stay in
/// L2, shortens the runs; returns how deep a block may then be.
int64_t fitSquares(const NestShape &shape, ContractionPlan &p, const CpuModel &cpu) {
  const int64_t deepest = kDepthBytes / p.elementBytes, widest = cpu.lanes(p.elementBytes);
  if (p.computed(1) || !p.crosses() || p.cols.stride(1) == 1 || p.adjacentDepth(1) >= 0) return deepest;
  const int64_t room = cpu.l2Bytes / 2 / p.elementBytes / widest;
  if (p.cols.run() * std::min(deepest, p.depth.size()) <= 2 * room) return deepest;
  for (int64_t run = 4 * widest; run >= widest && p.colRun == 0; run -= widest)
    if (p.cols.run() % run == 0) p.colRun = run;
  classify(shape, p);
  return std::clamp(room / p.cols.run(), deepest / 8, deepest);
}

/// The loop with the best key among those of one side; -1 where there is none.
template <class Key> int bestLoop(const NestShape &shape, bool ofS, bool swapped, Key key) {
  const unsigned s = swapped ? 1 : 0;
  int best = -1;
  for (int i = 0; i < int(shape.dims.size()); ++i) {
    const LoopDim &d = shape.dims[i];
    const bool inS = d.strides[s] != 0, inV = d.strides[1 - s] != 0;
    if (d.reduced || inS != ofS || inV == ofS) continue;
    if (best < 0 || key(d) > key(shape.dims[best])) best = i;
  }
  return best;
}

} // namespace

std::vector<ContractionPlan> weighedPlans(const NestShape &shape, const CpuModel &cpu, size_t most) {
  ContractionPlan p;
  p.elementBytes = shape.elementBytes;
  p.paired = shape.pairs;
  p.computes = shape.computes;
  bool lanesInBatch = false;
  for (const LoopDim &d : shape.dims) {
    if (d.valued) return {};
    if (d.reduced && (d.strides[0] == 0 || d.strides[1] == 0)) return {};
    if (!d.reduced && d.strides[0] == 0 && d.strides[1] == 0) return {};
    if (!d.reduced && d.strides[0] == 1 && d.strides[1] == 1) lanesInBatch |= d.extent >= (d.strides[2] == 1 ? 4 : 8);
  }
  // Both operands have a batch index adjacent: a plain nest with lanes along it needs no packing, where packing one
  // batch at a time would use a part of each line.
  if (lanesInBatch) return {};
  // The lanes belong to the operand that walks the output in the smallest steps.
  auto leastStep = [&](unsigned mine, unsigned other) {
    int64_t least = INT64_MAX;
    for (const LoopDim &d : shape.dims)
      if (!d.reduced && d.strides[mine] != 0 && d.strides[other] == 0) least = std::min(least, std::abs(d.strides[2]));
    return least;
  };
  p.swapped = leastStep(0, 1) < leastStep(1, 0);

  // Runs of columns follow what is adjacent in the output, runs of rows that or what is adjacent in S; where those are
  // shorter than a vector, the longest loop.
  const unsigned s = p.swapped ? 1 : 0;
  const int64_t widest = cpu.lanes(p.elementBytes);
  auto candidates = [&](bool rows, auto... keys) {
    std::vector<int> loops = {bestLoop(shape, rows, p.swapped, keys)...};
    if (loops[0] >= 0 && shape.dims[loops[0]].extent < widest)
      loops.push_back(bestLoop(shape, rows, p.swapped, [](const LoopDim &d) { return d.extent; }));
    return loops;
  };
  auto inOutput = [](const LoopDim &d) { return -std::abs(d.strides[2]); };
  auto inS = [s](const LoopDim &d) { return -std::abs(d.strides[s]); };
  const std::vector<int> rowLoops = candidates(true, inS, inOutput), colLoops = candidates(false, inOutput);
  if (rowLoops[0] < 0 || colLoops[0] < 0) return {};
  std::vector<ContractionPlan> best;
  for (int row : rowLoops)
    for (int col : colLoops) {
      if (row == p.rowLoop && col == p.colLoop) continue;
      p.rowLoop = row, p.colLoop = col, p.colRun = 0;
      classify(shape, p);
      if (p.depth.dims.empty() || !worthTiling(p, widest)) return {};
      int64_t lanes = widest;
      while (lanes > 1 && lanes / 2 >= p.cols.run()) lanes /= 2;
      const int64_t deepest = shape.wholeDepth ? p.depth.size() : fitSquares(shape, p, cpu);
      weighTiles(p, lanes, deepest, cpu, most, best);
    }
  const double bytes = double(shape.points(false)) * double(p.elementBytes);
  for (ContractionPlan &plan : best) {
    chooseSplit(plan, cpu);
    plan.streaming = 2 * bytes > double(cpu.l3Bytes) && plan.storesLines();
  }
  return best;
}

double predictCycles(const ContractionPlan &plan, const CpuModel &cpu) { return predict(plan, cpu); }

std::optional<ContractionPlan> planContraction(const NestShape &shape, const CpuModel &cpu) {
  std::vector<ContractionPlan> plans = weighedPlans(shape, cpu, 1);
  if (plans.empty()) return std::nullopt;
  return std::move(plans.front());
}

std::optional<ContractionPlan> planSizedContraction(const NestShape &shape, const CpuModel &cpu) {
  if (std::any_of(shape.dims.begin(), shape.dims.end(), [](const LoopDim &d) { return d.maybeShort(); })) return {};
  NestShape single = shape;
  single.pairs = false;
  std::optional<ContractionPlan> plan = planContraction(single, cpu);
  if (!plan) return plan;
  plan->colRun = 0, plan->colPieces = 1;
  classify(single, *plan);
  plan->depthPieces.assign(plan->depth.dims.size(), 1);
  plan->depthPieces.back() = std::min(kDepthBytes / plan->elementBytes, plan->depth.run());
  chooseBlocks(*plan, cpu);
  plan->packRows = plan->packCols = Packing::Gather;
  plan->streaming = false;
  if (plan->split == Split::Depth) plan->split = Split::Cols;
  plan->colsOuter = plan->split == Split::Rows;
  plan->reason += ", sizes at run time";
  return plan;
}

} // namespace ein
