// Candidates of tiles, clusters and splits for a contraction, and what each would cost.
#include "compiler/Gpu/GemmPlanner.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <optional>

namespace ein {

static double elements(const GemmDims &dims) {
  double n = 1;
  for (const GemmDim &d : dims) n *= double(d.extent);
  return n;
}

double predictCycles(const GemmPlan &p, const HopperModel &gpu) {
  const double steps = double(p.tileK()) / 16, columns = double(p.tileN());
  // m64nNk16 takes N / 2 cycles of the tensor cores, and reads 64 rows of A and N of B at 128 bytes a cycle.
  const double products = double(p.consumers) * steps * std::max(columns / 2, 16 + columns / 4);
  const double loads = double(p.bytesA() + p.bytesB() / p.cluster) / gpu.cacheBytes;
  const bool neighbours = p.n.front().strides[2] == 1;
  const double fill = 1500;
  const double drain = 1000 + (p.epilogue == GemmEpilogue::Tensor ? 0 : columns * (neighbours ? 8 : 32));
  const double tile = double(p.depthBlocksPerPart()) * std::max(products, loads) + fill + drain;
  const double waves = std::ceil(double(p.tiles() * p.split) / double(gpu.multiprocessors));
  double cycles = waves * tile;
  if (p.split > 1) // partial sums come back from L2 in a second launch
    cycles += 6000 + double(p.workspaceBytes()) * 2 / (gpu.cacheBytes * double(gpu.multiprocessors));
  // Results that are no neighbours go out in sectors of 32 bytes.
  const double resultBytes = neighbours ? double(byteSize(p.result)) : 32;
  const double memory = elements(p.batch) * (elements(p.m) * elements(p.k) * double(byteSize(p.input)) +
                                             elements(p.n) * elements(p.k) * double(byteSize(p.input)) +
                                             elements(p.m) * elements(p.n) * resultBytes);
  // The lesser of both is not quite hidden behind the other.
  return std::max(cycles, memory / (gpu.memoryBytes * double(gpu.multiprocessors))) + cycles / 16;
}

bool bringForward(GemmDims &dims, unsigned tensor) {
  auto at = std::find_if(dims.begin(), dims.end(), [&](const GemmDim &d) { return d.strides[tensor] == 1; });
  if (at == dims.end()) return false;
  std::rotate(dims.begin(), at, at + 1);
  return true;
}

ContractionGroups groupContraction(const NestShape &shape, bool swapped) {
  ContractionGroups g;
  for (const LoopDim &d : simplify(shape).dims) {
    GemmDim dim{d.extent, 1, {d.strides[swapped], d.strides[!swapped], d.strides[2]}};
    const bool a = dim.strides[0] != 0, b = dim.strides[1] != 0;
    if (d.valued) g.obstacle = "the body uses the value of an index";
    if (d.reduced ? !(a && b) : !(a || b)) g.obstacle = "an index that only one tensor has";
    (d.reduced ? g.k : a && b ? g.batch : a ? g.m : g.n).push_back(dim);
  }
  if (g.obstacle.empty() && g.k.empty()) g.obstacle = "nothing is contracted";
  if (g.obstacle.empty() && (g.m.empty() || g.n.empty())) g.obstacle = "an operand without rows of its own";
  for (GemmDims *dims : {&g.batch, &g.m, &g.n})
    std::stable_sort(dims->begin(), dims->end(), [](const GemmDim &x, const GemmDim &y) {
      return std::abs(x.strides[2]) < std::abs(y.strides[2]);
    });
  return g;
}

namespace {

/// The groups, and which index is contiguous in each operand.
struct GemmGroups : ContractionGroups {
  GemmMajor majorA, majorB;
  std::optional<GemmRefusal> refusal;
};

GemmGroups groupsOf(const GemmRequest &request, bool swapped) {
  GemmGroups g{groupContraction(request.shape, swapped), {}, {}, {}};
  auto refuse = [&](std::string why, int operand = -1) {
    g.refusal = {std::move(why), operand};
    return g;
  };
  if (!g.obstacle.empty()) return refuse(g.obstacle);
  const bool kOfA = bringForward(g.k, 0);
  const bool kOfB = kOfA ? g.k.front().strides[1] == 1 : bringForward(g.k, 1);
  g.majorA = kOfA ? GemmMajor::K : GemmMajor::MN;
  g.majorB = kOfB ? GemmMajor::K : GemmMajor::MN;
  if (!kOfA && !bringForward(g.m, 0)) return refuse("no index of its own is contiguous in operand", swapped);
  if (!kOfB && !bringForward(g.n, 1)) {
    const bool otherK = std::any_of(g.k.begin(), g.k.end(), [](const GemmDim &d) { return d.strides[1] == 1; });
    return refuse(otherK ? "another contracted index is contiguous than in the other operand, in operand"
                         : "no index of its own is contiguous in operand",
                  !swapped);
  }
  return g;
}

/// Sets the sides of tiles whose product is `total`, a power of two, so that the least is computed in vain; the first
/// side is `least` to `most`. False if there are none.
bool chooseTiles(GemmDims &dims, int64_t total, int64_t least, int64_t most) {
  std::vector<int64_t> tiles(dims.size(), 1), best;
  double fewest = INFINITY;
  std::function<void(size_t, int64_t, double)> choose = [&](size_t i, int64_t left, double padded) {
    if (i == dims.size()) {
      if (left == 1 && padded < fewest) {
        fewest = padded;
        best = tiles;
      }
      return;
    }
    const bool last = i + 1 == dims.size();
    const int64_t low = i == 0 ? least : 1, high = i == 0 ? std::min(most, left) : left;
    for (int64_t tile = last ? left : high; tile >= low && tile <= high; tile /= 2) {
      tiles[i] = tile;
      choose(i + 1, left / tile, padded * double(ceilDiv(dims[i].extent, tile) * tile));
      if (last || tile == 1) break;
    }
  };
  if (dims.size() > 8) return false;
  choose(0, total, 1);
  for (size_t i = 0; i < best.size(); ++i) dims[i].tile = best[i];
  return !best.empty();
}

class GemmPlanner {
public:
  GemmPlanner(const GemmRequest &request, const HopperModel &gpu) : request(request), gpu(gpu) {}

  std::variant<GemmPlan, GemmRefusal> plan() {
    for (bool swapped : {false, true}) {
      const GemmGroups groups = groupsOf(request, swapped);
      if (groups.refusal)
        refuse(*groups.refusal);
      else
        tryTiles(groups, swapped);
    }
    if (best) return *best;
    return *refusal;
  }

private:
  void refuse(GemmRefusal why) {
    if (why.operand >= 0) why.reason += ' ' + std::to_string(why.operand);
    if (!refusal) refusal = std::move(why);
  }
  void tryTiles(const GemmGroups &groups, bool swapped);
  void tryEpilogues(GemmPlan p);
  void trySplits(GemmPlan p);
  void consider(GemmPlan p);

  const GemmRequest &request;
  const HopperModel &gpu;
  std::optional<GemmPlan> best;
  double bestCycles = INFINITY;
  std::optional<GemmRefusal> refusal;
};

void GemmPlanner::tryTiles(const GemmGroups &groups, bool swapped) {
  GemmPlan p;
  p.input = request.types[0];
  p.result = request.types[2];
  p.swapped = swapped;
  p.alpha = request.alpha;
  p.batch = groups.batch;
  p.m = groups.m;
  p.n = groups.n;
  p.k = groups.k;
  p.majorA = groups.majorA;
  p.majorB = groups.majorB;
  const bool kMajor = p.majorA == GemmMajor::K || p.majorB == GemmMajor::K;
  int64_t depth = 16;
  while (depth < 64 && double(depth) < elements(p.k)) depth *= 2;
  if (!chooseTiles(p.k, depth, kMajor ? 16 : 1, 64)) return refuse({"too many contracted indices"});
  for (int64_t consumers : {2, 1})
    for (int64_t columns : {256, 192, 128, 64, 32, 16, 8}) {
      p.consumers = consumers;
      if (!chooseTiles(p.m, 64 * consumers, p.majorA == GemmMajor::K ? 1 : 16, 128)) continue;
      const int64_t least = p.majorB == GemmMajor::K ? 8 : 16;
      if (columns == 192) {
        for (GemmDim &d : p.n) d.tile = 1;
        p.n.front().tile = columns;
      } else if (columns < least || !chooseTiles(p.n, columns, least, 256)) {
        continue;
      }
      for (int64_t cluster : {1, 2}) {
        p.cluster = cluster;
        tryEpilogues(p);
      }
    }
}

void GemmPlanner::tryEpilogues(GemmPlan p) {
  if (request.alignment[2] % 16 == 0) {
    p.epilogue = GemmEpilogue::Tensor;
    trySplits(p);
  }
  p.epilogue = GemmEpilogue::Direct;
  for (int64_t pair : {2, 1}) {
    p.pair = pair;
    if (request.alignment[2] % (pair * byteSize(p.result)) == 0) trySplits(p);
  }
}

void GemmPlanner::trySplits(GemmPlan p) {
  for (int64_t parts : depthSplits(p.depthBlocks(), p.tiles(), gpu.multiprocessors)) {
    p.split = parts;
    consider(p);
  }
}

/// Gives the plan as many stages as there is room for, and keeps it if it is the best so far.
void GemmPlanner::consider(GemmPlan p) {
  p.stages = 1;
  while (p.stages < 8) {
    ++p.stages;
    if (p.sharedBytes() <= gpu.sharedBytes) continue;
    --p.stages;
    break;
  }
  // Blocks that run at the same time form a square.
  const double units = double(gpu.multiprocessors / p.cluster);
  p.raster = std::max<int64_t>(1, std::lround(std::sqrt(units * double(p.tileN()) / double(p.tileM() * p.cluster))));
  for (unsigned t : {0u, 1u}) {
    const int operand = int(t ? !p.swapped : p.swapped);
    if (std::string why = p.transfer(t).map.obstacle(request.alignment[operand]); !why.empty())
      return refuse({why + " in operand", operand});
  }
  if (std::string why = p.obstacle(); !why.empty()) return refuse({why});
  const double cycles = predictCycles(p, gpu);
  if (cycles >= bestCycles) return;
  bestCycles = cycles;
  best = std::move(p);
}

} // namespace

std::vector<int64_t> depthSplits(int64_t depthBlocks, int64_t tiles, int64_t multiprocessors) {
  std::vector<int64_t> splits{1};
  for (int64_t parts : {2, 3, 4, 6, 8, 12, 16, 24, 32}) {
    if (depthBlocks / parts < 4 || tiles * parts > 2 * multiprocessors) break;
    splits.push_back(parts);
  }
  return splits;
}

std::variant<GemmPlan, GemmRefusal> planGemm(const GemmRequest &request, const HopperModel &gpu) {
  if (request.types[0] != request.types[1]) return GemmRefusal{"operands of different types"};
  return GemmPlanner(request, gpu).plan();
}

} // namespace ein
