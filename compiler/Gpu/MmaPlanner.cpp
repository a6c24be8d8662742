// Candidates of tiles, stages and splits for a contraction on warps, and what each would cost.
#include "compiler/Gpu/MmaPlanner.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

namespace ein {

/// Multiplications by cycle and multiprocessor.
static double productsOf(const MmaPlan &p, const MmaModel &gpu) {
  switch (p.input) {
  case DType::F64: return gpu.doubleProducts;
  case DType::F32: return gpu.halfProducts / 2 / double(p.products);
  case DType::I8:
  case DType::U8: return gpu.halfProducts * 2;
  default: return gpu.halfProducts;
  }
}

double predictCycles(const MmaPlan &p, const MmaModel &gpu) {
  const double bytes = double(p.elementBytes()), depth = double(p.depth), warps = double(p.warpsM * p.warpsN);
  // Fewer than four warps leave some of the tensor cores idle.
  const double products = double(p.tileM() * p.tileN()) * depth / (productsOf(p, gpu) * std::min(warps, 4.0) / 4);
  const double fragments = warps * double(p.warpM + p.warpN) * depth * bytes / 128;
  double copies = 0;
  for (unsigned o : {0u, 1u}) {
    const double count = double(p.operandBytes(o)) / (double(p.operands[o].chunk) * bytes);
    // A warp asks for 32 chunks at a time; those that go through registers are waited for.
    copies += std::max(double(p.operandBytes(o)) / gpu.cacheBytes,
                       count / 32 * (double(p.operands[o].chunk) * bytes < 4 ? 16 : 4));
  }
  // Copies are asked for all stages but one before they are needed; memory that is busy takes so long.
  const double latency = 1000, arrival = (latency + copies) / double(p.stages - 1);
  const double barrier = 30, fill = 1500;
  const bool neighbours = p.n.front().strides[2] == 1;
  const double drain = double(p.tileM() * p.tileN()) / 32 * (neighbours ? 0.5 : 2);
  const double tile =
      double(p.depthBlocksPerPart()) * (std::max({products, fragments, copies, arrival}) + barrier) + fill + drain;
  const double waves = std::ceil(double(p.tiles() * p.split) / double(gpu.multiprocessors));
  double cycles = waves * tile;
  if (p.split > 1) // partial sums come back from L2 in a second launch
    cycles += 6000 + double(p.workspaceBytes()) * 2 / (gpu.cacheBytes * double(gpu.multiprocessors));
  auto extent = [&](const GemmDims &dims) { return double(p.extent(dims)); };
  const double memory = extent(p.batch) * ((extent(p.m) + extent(p.n)) * extent(p.k) * bytes +
                                           extent(p.m) * extent(p.n) * (neighbours ? double(byteSize(p.result)) : 32));
  // The lesser of both is not quite hidden behind the other.
  return std::max(cycles, memory / (gpu.memoryBytes * double(gpu.multiprocessors))) + cycles / 16;
}

namespace {

/// Warps' tiles, and how many of them a block has.
struct BlockShape {
  int64_t warpM, warpN, warpsM, warpsN;
};
constexpr BlockShape kBlocks[] = {{64, 64, 4, 2}, {64, 64, 2, 4}, {64, 64, 2, 2}, {64, 32, 2, 4}, {32, 64, 4, 2},
                                  {64, 32, 2, 2}, {32, 64, 2, 2}, {32, 32, 2, 2}, {32, 16, 2, 2}, {16, 32, 2, 2},
                                  {16, 16, 2, 2}, {16, 64, 1, 4}, {16, 32, 1, 4}, {64, 16, 4, 1}, {32, 16, 4, 1}};

/// The most neighbours that one copy moves: its addresses are multiples of its size, and it stays within an index.
int64_t chunkOf(const MmaPlan &p, unsigned operand, int64_t alignment) {
  const GemmDims &own = operand ? p.n : p.m, &along = p.operands[operand].major == GemmMajor::K ? p.k : own;
  const int64_t bytes = p.elementBytes();
  if (along.front().strides[operand] != 1) return 1;
  int64_t chunk = std::gcd(int64_t(16), alignment) / bytes;
  if (along.size() > 1) chunk = std::gcd(chunk, along.front().extent);
  for (const GemmDims *group : {&p.batch, &own, &p.k})
    for (const GemmDim &d : *group)
      if (&d != &along.front()) chunk = std::gcd(chunk, d.strides[operand]);
  return chunk * bytes < 4 ? 1 : chunk;
}

/// Registers of sums beside which what makes fragments still fits: three products have twice as many of them, and those
/// of bytes across the rows are put together one by one.
int64_t mostRegisters(const MmaPlan &p) {
  const bool gathers =
      p.elementBytes() == 1 && (p.operands[0].major == GemmMajor::MN || p.operands[1].major == GemmMajor::MN);
  return p.products == 3 || gathers ? 64 : 128;
}

class MmaPlanner {
public:
  MmaPlanner(const GemmRequest &request, const MmaModel &gpu, int64_t products)
      : request(request), gpu(gpu), products(products) {}

  std::variant<MmaPlan, GemmRefusal> plan() {
    for (bool swapped : {false, true}) tryOrder(swapped);
    if (best) return *best;
    return *refusal;
  }

private:
  void refuse(std::string why) {
    if (!refusal) refusal = {std::move(why)};
  }
  void tryOrder(bool swapped);
  void tryBlocks(MmaPlan p);
  void trySplits(MmaPlan p);
  void consider(MmaPlan p);

  const GemmRequest &request;
  const MmaModel &gpu;
  const int64_t products;
  std::optional<MmaPlan> best;
  double bestCycles = std::numeric_limits<double>::infinity();
  std::optional<GemmRefusal> refusal;
};

/// Which operand plays A decides along which index of the result threads are neighbours.
void MmaPlanner::tryOrder(bool swapped) {
  const ContractionGroups groups = groupContraction(request.shape, swapped);
  if (!groups.obstacle.empty()) return refuse(groups.obstacle);
  MmaPlan p;
  p.input = request.types[0];
  p.result = request.types[2];
  p.products = products;
  p.swapped = swapped;
  p.alpha = request.alpha;
  p.batch = groups.batch;
  p.m = groups.m;
  p.n = groups.n;
  p.k = groups.k;
  constexpr int64_t fewest = 8;
  if (p.extent(p.m) < fewest || p.extent(p.n) < fewest || p.extent(p.k) < fewest)
    return refuse("fewer than 8 rows, columns or steps of the depth");
  const bool kOfA = bringForward(p.k, 0);
  if (!kOfA) bringForward(p.k, 1);
  for (unsigned o : {0u, 1u}) {
    const bool alongK = p.k.front().strides[o] == 1;
    // An operand that is contiguous along neither is read element by element, along the depth.
    const bool alongOwn = !alongK && bringForward(o ? p.n : p.m, o);
    p.operands[o].major = alongOwn ? GemmMajor::MN : GemmMajor::K;
  }
  for (unsigned o : {0u, 1u}) p.operands[o].chunk = chunkOf(p, o, request.alignment[o ? !swapped : swapped]);
  tryBlocks(p);
}

void MmaPlanner::tryBlocks(MmaPlan p) {
  const std::array<int64_t, 2> chunks = {p.operands[0].chunk, p.operands[1].chunk};
  for (const BlockShape &block : kBlocks)
    for (int64_t bytes : {64, 128}) {
      p.warpM = block.warpM;
      p.warpN = block.warpN;
      p.warpsM = block.warpsM;
      p.warpsN = block.warpsN;
      p.depth = bytes / p.elementBytes();
      if (p.registers() > mostRegisters(p)) continue;
      for (unsigned o : {0u, 1u}) p.operands[o].chunk = std::min(chunks[o], p.width(o));
      p.stages = std::clamp<int64_t>(gpu.sharedBytes / p.stageBytes(), 0, 4);
      const double units = double(gpu.multiprocessors);
      p.raster = std::max<int64_t>(1, std::lround(std::sqrt(units * double(p.tileN()) / double(p.tileM()))));
      for (int64_t pair : {2, 1}) {
        p.pair = pair;
        if (request.alignment[2] % (pair * byteSize(p.result)) == 0) trySplits(p);
      }
    }
}

void MmaPlanner::trySplits(MmaPlan p) {
  for (int64_t parts : depthSplits(p.depthBlocks(), p.tiles(), gpu.multiprocessors)) {
    p.split = parts;
    consider(p);
  }
}

void MmaPlanner::consider(MmaPlan p) {
  if (std::string why = p.obstacle(); !why.empty()) return refuse(why);
  const double cycles = predictCycles(p, gpu);
  if (cycles >= bestCycles) return;
  bestCycles = cycles;
  best = std::move(p);
}

} // namespace

std::variant<MmaPlan, GemmRefusal> planMma(const GemmRequest &request, const MmaModel &gpu, int64_t products) {
  if (request.types[0] != request.types[1]) return GemmRefusal{"operands of different types"};
  return MmaPlanner(request, gpu, products).plan();
}

} // namespace ein
