// Planning of kernels without tensor cores.
#include "compiler/Gpu/SimtPlan.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace ein {

std::vector<int> SimtPlan::loops(bool reduced) const {
  std::vector<int> all;
  for (int d = 0; d < int(shape.dims.size()); ++d)
    if (shape.dims[d].reduced == reduced) all.push_back(d);
  return all;
}

int64_t SimtPlan::points(const std::vector<int> &loops) const {
  int64_t n = 1;
  for (int d : loops) n *= shape.dims[d].extent;
  return n;
}

int64_t SimtPlan::items() const {
  const int64_t points = shape.points(false);
  if (lane < 0 || laneIsReduced()) return points;
  return points / shape.dims[lane].extent * ceilDiv(shape.dims[lane].extent, lanes);
}

/// What an address is a multiple of where loop `lane` moves by `lanes` and all others by one.
static int64_t alignmentOf(const NestShape &shape, const SimtOperand &operand, unsigned o, int lane, int64_t lanes) {
  int64_t alignment = operand.alignment;
  for (int d = 0; d < int(shape.dims.size()); ++d)
    alignment = std::gcd(alignment, shape.dims[d].strides[o] * (d == lane ? lanes : 1) * operand.bytes);
  return alignment;
}

int64_t SimtPlan::alignment(unsigned o) const { return alignmentOf(shape, operands[o], o, lane, lanes); }

namespace {

/// Neighbours of an operand along a loop, of 16 bytes together, or as many as begin at multiples of their size wherever
/// the other loops are and as make up the extent.
struct Neighbours {
  int64_t lanes = 1;
  std::string limit; ///< what they are fewer for; empty if they are of 16 bytes
};

} // namespace

static Neighbours neighboursAlong(const SimtPlan &p, unsigned o, int along) {
  Neighbours n;
  const int64_t bytes = p.operands[o].bytes;
  n.lanes = std::max<int64_t>(1, 16 / bytes);
  auto limit = [&](int64_t number, auto why) {
    const int64_t lanes = std::gcd(n.lanes, number);
    if (lanes < n.lanes) n.limit = why();
    n.lanes = lanes;
  };
  limit(std::max<int64_t>(1, p.operands[o].alignment / bytes), [] { return std::string("its address"); });
  for (int d = 0; d < int(p.shape.dims.size()); ++d) {
    const int64_t number = d == along ? p.shape.dims[d].extent : p.shape.dims[d].strides[o];
    limit(number, [&] {
      return (d == along ? "extent " : "stride ") + std::to_string(number) + " of loop " + std::to_string(d);
    });
  }
  limit(p.side * p.side / p.threads, [] { return std::string("the square"); });
  return n;
}

int64_t SimtPlan::stagedLanes(unsigned o) const { return neighboursAlong(*this, o, across).lanes; }

int64_t SimtPlan::rowStep() const {
  int64_t step = 1;
  for (unsigned o = 0; o < shape.output(); ++o)
    if (isStaged(o)) step = std::max(step, 4 / operands[o].bytes);
  return step;
}

static const char *kindName(SimtKind kind) {
  return kind == SimtKind::Map ? "map" : kind == SimtKind::Transpose ? "transpose" : "tile";
}

std::string SimtPlan::str() const {
  auto text = [](int64_t v) { return std::to_string(v); };
  std::string s = std::string("simt ") + kindName(kind);
  if (kind == SimtKind::Map) {
    s += ": " + text(items()) + " items by " + text(group) + (group == 1 ? " thread" : " threads");
    if (lanes > 1) s += ", " + text(lanes) + " along loop " + text(lane);
  } else if (kind == SimtKind::Transpose) {
    s += ": squares of " + text(side) + " along loops " + text(lane) + " and " + text(across);
    for (unsigned o = 0; o <= shape.output(); ++o) {
      const bool isResult = o == shape.output();
      if (!isResult && !isStaged(o)) continue;
      const Neighbours n = neighboursAlong(*this, o, isResult ? lane : across);
      s += (isResult ? ", stores of " : ", loads of ") + text((isResult ? lanes : n.lanes) * operands[o].bytes) +
           " bytes" + (n.limit.empty() ? "" : " (" + n.limit + ")");
    }
  } else {
    s += ": squares of " + text(tile()) + ", " + text(registers) + "x" + text(registers) + " a thread, depth " +
         text(kTileDepth) + ", " + text(points(batches)) + "x" + text(points(rows)) + "x" + text(points(cols)) + "x" +
         text(shape.points(true));
  }
  if (split > 1) s += ", " + text(split) + " parts";
  s += "; grid " + text(grid[0]) + "x" + text(grid[1]) + "x" + text(grid[2]) + (strides ? " striding" : "") +
       ", block " + text(threads) + ", shared " + text(sharedBytes) + "; loops " + shape.str();
  return s;
}

int64_t simtBlocks(int64_t needed) { return std::clamp<int64_t>(needed, 1, 1 << 20); }

namespace {

class SimtPlanner {
public:
  SimtPlanner(SimtPlan &p, const SimtBody &body, const GpuModel &gpu)
      : p(p), dims(p.shape.dims), body(body), gpu(gpu), out(p.shape.output()) {}

  void plan() {
    if (body.reduces && body.isTileable && planTile()) return;
    if (!body.reduces && planTranspose()) return;
    planMap();
  }

private:
  bool planTile();
  bool planTranspose();
  void chooseSquare();
  int64_t squares() const;
  void planMap();
  void planGroup();
  void planParts(int64_t threads, int64_t points, int64_t fewest);
  int64_t lanesAlong(int d, int64_t most) const;
  int64_t footprint(unsigned o) const;
  bool moves(int d, unsigned o) const { return dims[d].strides[o] != 0; }

  SimtPlan &p;
  const std::vector<LoopDim> &dims;
  const SimtBody &body;
  const GpuModel &gpu;
  const unsigned out;
};

/// Elements of an operand that the nest reads.
int64_t SimtPlanner::footprint(unsigned o) const {
  if (p.operands[o].isConstant) return 0;
  int64_t n = 1;
  for (const LoopDim &d : dims)
    if (d.strides[o]) n *= d.extent;
  return n;
}

/// The most neighbours along a loop that are loaded and stored as vectors: at most 16 bytes of each operand. What is
/// left at the end of a long loop goes element by element where nothing is reduced.
int64_t SimtPlanner::lanesAlong(int d, int64_t most) const {
  if (d < 0) return 1;
  for (int64_t lanes = most; lanes > 1; lanes /= 2) {
    const bool divides = dims[d].extent % lanes == 0 || (!body.reduces && dims[d].extent >= 32 * lanes);
    if (!divides || lanes * p.shape.elementBytes > 32) continue;
    bool fits = true;
    for (unsigned o = 0; o <= out; ++o) {
      if (p.operands[o].isConstant || dims[d].strides[o] == 0) continue;
      const int64_t bytes = lanes * p.operands[o].bytes;
      fits &= dims[d].strides[o] == 1 && bytes <= 16 && alignmentOf(p.shape, p.operands[o], o, d, lanes) % bytes == 0;
    }
    if (fits) return lanes;
  }
  return 1;
}

/// Cuts `points` shared by too few threads into parts of at least `fewest`.
void SimtPlanner::planParts(int64_t threads, int64_t points, int64_t fewest) {
  p.chunk = points;
  const int64_t wanted = std::min({gpu.threads() / std::max<int64_t>(1, threads), points / fewest, int64_t(1024)});
  if (wanted < 2) return;
  p.chunk = ceilDiv(ceilDiv(points, wanted), fewest) * fewest;
  p.split = ceilDiv(points, p.chunk);
}

/// The threads of a group share the reduction where they then read neighbours, or where there are too few outputs.
void SimtPlanner::planGroup() {
  const int x = p.lane, r = p.loops(true).back();
  int64_t along = 0, across = 0;
  for (unsigned o = 0; o < out; ++o) {
    if (x >= 0 && dims[x].strides[o] == 1) along += footprint(o);
    if (dims[r].strides[o] == 1) across += footprint(o);
  }
  const int64_t points = p.shape.points(true), outputs = p.shape.points(false);
  const bool reads = points >= 16 && across > along, starves = points >= 256 && outputs < 4096 && along <= across;
  if (!reads && !starves) return;
  p.lane = r;
  p.lanes = lanesAlong(r, 16);
  p.group = points / p.lanes >= 256 && outputs * 32 < gpu.threads() ? p.threads : 32;
  if (p.lanes == 1) p.lane = -1;
}

void SimtPlanner::planMap() {
  const std::vector<int> parallel = p.loops(false);
  p.lane = parallel.empty() ? -1 : parallel.back();
  if (body.reduces && p.shape.points(true) > 1) planGroup();
  if (p.group == 1) {
    p.lanes = lanesAlong(p.lane, 16);
    // Small work is spread over more threads.
    while (p.lanes > 1 && p.shape.points(false) / p.lanes < gpu.threads() / 8) p.lanes /= 2;
    if (p.lanes == 1) p.lane = -1;
  }
  p.chunk = p.runs();
  if (body.reduces) planParts(p.items() * p.group, p.runs(), std::max<int64_t>(p.group * 4, 64));
  const int64_t perBlock = p.threads / p.group, needed = ceilDiv(p.items(), perBlock);
  p.grid = {simtBlocks(needed), p.split, 1};
  p.strides = p.grid[0] < needed;
  if (p.group > 32) p.sharedBytes = p.threads / 32 * std::max<int64_t>(4, p.shape.elementBytes);
}

/// Where an input that is large is adjacent along another loop than the output.
bool SimtPlanner::planTranspose() {
  constexpr int64_t shortest = 8;
  const std::vector<int> parallel = p.loops(false);
  if (parallel.empty()) return false;
  const int x = parallel.back();
  if (dims[x].strides[out] != 1 || dims[x].extent < shortest) return false;
  int64_t largest = 0;
  for (unsigned o = 0; o < out; ++o) {
    if (p.operands[o].isConstant || std::abs(dims[x].strides[o]) <= 1 || footprint(o) <= largest) continue;
    for (int y : parallel)
      if (y != x && dims[y].strides[o] == 1 && dims[y].extent >= shortest) largest = footprint(o), p.across = y;
  }
  if (p.across < 0) return false;
  p.kind = SimtKind::Transpose;
  p.lane = x;
  for (unsigned o = 0; o < out; ++o)
    if (!p.operands[o].isConstant && std::abs(dims[x].strides[o]) > 1 && dims[p.across].strides[o] == 1)
      p.staged |= int64_t(1) << o;
  chooseSquare();
  p.grid = {simtBlocks(squares()), 1, 1};
  p.strides = p.grid[0] < squares();
  p.lanes = std::min(neighboursAlong(p, out, x).lanes, std::max<int64_t>(1, 64 / p.shape.elementBytes));
  return true;
}

int64_t SimtPlanner::squares() const {
  int64_t n = 1;
  for (int d : p.loops(false)) n *= d == p.lane || d == p.across ? ceilDiv(dims[d].extent, p.side) : dims[d].extent;
  return n;
}

/// The largest square that both loops fill, that leaves room for eight blocks on a multiprocessor, and of which there
/// are enough; at the least one whose rows are 128 bytes of some operand.
void SimtPlanner::chooseSquare() {
  constexpr int64_t most = 20 << 10, least = 32;
  int64_t smallest = p.operands[out].bytes;
  for (unsigned o = 0; o < out; ++o)
    if (p.isStaged(o)) smallest = std::min(smallest, p.operands[o].bytes);
  for (p.side = 128; p.side >= least; p.side /= 2) {
    p.sharedBytes = 0;
    for (unsigned o = 0; o < out; ++o)
      if (p.isStaged(o)) p.sharedBytes += p.squareBytes(o);
    if (p.side == least) return;
    const bool fills = std::min(dims[p.lane].extent, dims[p.across].extent) >= p.side;
    const bool isMany = p.side * smallest <= 128 || squares() >= 4 * gpu.multiprocessors;
    if (fills && isMany && p.sharedBytes <= most) return;
  }
}

/// Contractions with enough rows, columns and depth.
bool SimtPlanner::planTile() {
  constexpr int64_t fewest = 16;
  for (int d : p.loops(false)) {
    const bool first = moves(d, 0), second = moves(d, 1);
    (first == second ? p.batches : first ? p.rows : p.cols).push_back(d);
  }
  const int64_t rows = p.points(p.rows), cols = p.points(p.cols), depth = p.shape.points(true);
  if (rows < fewest || cols < fewest || depth < 8) return false;
  p.kind = SimtKind::Tile;
  p.zeroPads = body.zeroPads;
  const int64_t batches = p.points(p.batches);
  auto blocks = [&] { return ceilDiv(rows, p.tile()) * ceilDiv(cols, p.tile()) * batches; };
  p.registers = 8;
  if (p.shape.outputBytes > 4 || blocks() < gpu.multiprocessors) p.registers = 4;
  p.threads = SimtPlan::kTileThreads * SimtPlan::kTileThreads;
  planParts(blocks() * p.threads * 2, depth, SimtPlan::kTileDepth * 8);
  if (batches * p.split > UINT16_MAX) p.split = 1, p.chunk = depth;
  p.sharedBytes = 2 * SimtPlan::kTileDepth * p.panelStride() * p.shape.outputBytes;
  const int64_t squares = ceilDiv(rows, p.tile()) * ceilDiv(cols, p.tile()) * batches;
  p.grid = {simtBlocks(squares), p.split, 1};
  p.strides = p.grid[0] < squares;
  return true;
}

} // namespace

SimtPlan planSimt(const NestShape &shape, const std::vector<SimtOperand> &operands, const SimtBody &body,
                  const GpuModel &gpu) {
  SimtPlan plan;
  plan.shape = shape;
  plan.operands = operands;
  SimtPlanner(plan, body, gpu).plan();
  return plan;
}

} // namespace ein
