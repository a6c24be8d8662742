// The decisions about a cascade, and the scratch memory that follows from them.
#include "compiler/Lowering/CascadePlan.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <sstream>

namespace ein {

namespace {

/// Keys in a tile: scores of 64 lanes then take 24 KB. Steps of an inner product that fit L1 with 64 lanes.
constexpr int64_t kTileKeys = 96, kDepthBlock = 128;
/// A packed copy of all keys of a batch may be this large.
constexpr int64_t kHeadBytes = 8 << 20;
/// Panels are made even where padding is more than one part of this many.
constexpr int64_t kLeastPadding = 20;
/// A thin cascade loads more for a multiplication: it must be ahead by this much.
constexpr double kThinLoads = 1.25;
/// What may follow an inner product while its sums hold the registers, in operations per element.
constexpr int64_t kDirectOperations = 8;

/// Rows of a register tile: few broadcasts per multiply-add, one register for them, and no spills.
int64_t tileRows(int64_t nv, const CpuModel &cpu) {
  const int64_t most = (cpu.vectorRegisters - nv - 1) / nv;
  return std::min<int64_t>(most, nv == 1 ? 12 : nv == 2 ? 12 : nv == 3 ? 8 : 6);
}

void choosePanels(CascadePlan &plan, const CascadeShape &shape, int64_t batches, const CpuModel &cpu) {
  const int64_t vectors = ceilDiv(shape.extent(plan.lane), plan.lanes), widest = cpu.vectorRegisters >= 32 ? 4 : 2;
  int64_t panels = ceilDiv(vectors, widest);
  if (!shape.isDynamic(plan.lane) && plan.threads > 1 && batches * panels < plan.threads) {
    panels = std::min(vectors, ceilDiv(plan.threads, batches));
    plan.reason = "narrower panels give every thread one";
  }
  plan.nv = ceilDiv(vectors, panels);
  // A second width is code of its own: only where lanes that do not exist would cost more than a little.
  const int64_t padding = shape.isDynamic(plan.lane) ? 0 : plan.nv * panels - vectors;
  plan.narrowPanels = padding * kLeastPadding > vectors || padding >= plan.nv ? padding : 0;
  plan.widePanels = panels - plan.narrowPanels;
  plan.mrWide = tileRows(plan.nv, cpu);
  plan.mrNarrow = plan.narrowPanels ? tileRows(plan.nv - 1, cpu) : plan.mrWide;
}

/// Copies pay where rows are far apart, converted or read along the key; whole heads where they are used again.
KeyPacking choosePacking(const CascadeShape &shape, const CascadeProduct &product, const CascadePlan &plan) {
  const CascadeAccess &side = shape.ops[product.op].inputs[product.keySide];
  const int64_t size = product.size(shape), keys = shape.extent(shape.key);
  if (side.gathered) return KeyPacking::Tile;
  int64_t packed = 1; // stride that each index would have if the side were contiguous
  bool fused = true, adjacent = true;
  for (auto i = product.across.rbegin(); i != product.across.rend(); ++i) {
    if (shape.extent(*i) == 1) continue;
    if (packed == 1) adjacent = side.hasStride(*i, 1);
    fused &= side.hasStride(*i, packed);
    packed *= shape.extent(*i);
  }
  const bool reused = plan.panels() > 1;
  const bool far = reused && std::abs(side.strides[shape.key]) >= 2 * size;
  if (side.computed && fused && !far) return KeyPacking::None;
  const bool fitsHead = !shape.isDynamic(shape.key) && size * keys * shape.elementBytes <= kHeadBytes;
  return reused && fitsHead && adjacent ? KeyPacking::Head : KeyPacking::Tile;
}

int64_t align64(int64_t bytes) { return ceilDiv(bytes, 64) * 64; }

} // namespace

double cascadeFlops(const CascadeShape &shape, const CascadeFlow &flow) {
  double points = double(shape.extent(shape.key)), sum = 0;
  if (flow.lane >= 0) points *= double(shape.extent(flow.lane));
  points *= double(batchCount(shape, flow)) * double(sharedRows(shape, flow));
  for (const CascadeProduct &p : flow.products) sum += 2 * double(p.size(shape));
  // An exponential, a maximum and a sum are some twenty operations.
  return points * (sum + 20);
}

double flopsOfSizes(const CascadeShape &shape, const CascadeFlow &flow) {
  double flops = cascadeFlops(shape, flow);
  for (int i = 0; i < int(shape.extents.size()); ++i)
    if (shape.isDynamic(i)) flops /= double(shape.extent(i));
  return flops;
}

bool isSmallCascade(const CascadeShape &shape, const CascadeFlow &flow) {
  double most = flopsOfSizes(shape, flow);
  for (int i = 0; i < int(shape.extents.size()); ++i)
    if (shape.isDynamic(i)) most *= double(shape.most(i));
  return most < kSerialFlops;
}

/// Vector instructions for one key and all rows that share it, about.
static double wideWork(const CascadeShape &shape, const CascadeFlow &flow, const CascadePlan &plan, int64_t rows) {
  double perVector = 25, copies = 0; // maximum, exponential, sum
  for (const CascadeProduct &p : flow.products) {
    perVector += double(p.size(shape));
    if (thinSideOf(shape, p).packed) copies += 2 * double(p.size(shape));
  }
  const int64_t vectors = plan.widePanels * plan.nv + plan.narrowPanels * (plan.nv - 1);
  return double(ceilDiv(rows, shape.extent(plan.lane))) * (double(vectors) * perVector + copies);
}

std::variant<CascadePlan, ThinCascadePlan, std::string> planCascade(const CascadeShape &shape, const CpuModel &cpu) {
  auto thin = planThinCascade(shape, cpu);
  auto wide = planWideCascade(shape, cpu);
  const auto *many = std::get_if<CascadePlan>(&wide);
  if (auto *why = std::get_if<std::string>(&thin)) {
    if (!many) return *why;
    return *many;
  }
  const auto &few = std::get<ThinCascadePlan>(thin);
  if (!many) return few;
  const CascadeFlow flow = analyseThinFlow(shape);
  const CascadeFlow wideFlow = analyseFlow(shape, many->lane, many->direct);
  const double manyTime = wideWork(shape, wideFlow, *many, sharedRows(shape, flow)) / double(many->threads);
  const double fewTime = kThinLoads * thinWork(shape, flow, few) / double(few.threads);
  if (fewTime < manyTime) return few;
  return *many;
}

std::variant<CascadePlan, std::string> planWideCascade(const CascadeShape &shape, const CpuModel &cpu) {
  CascadePlan plan;
  CascadeFlow flow = analyseFlow(shape, -1, true);
  if (!flow.obstacle.empty()) return flow.obstacle;
  plan.lane = flow.lane;
  plan.lanes = cpu.lanes(shape.elementBytes);
  int64_t batches = 1, depth = 1, between = 0;
  for (int i : flow.batch) batches *= shape.extent(i);
  for (const CascadeProduct &p : flow.products)
    if (!p.isState) depth = std::max(depth, p.size(shape));
  for (const CascadeOp &op : shape.ops)
    if ((op.role == CascadeRole::Tile || op.role == CascadeRole::Guard) && !op.contracts) between += op.operations;
  const int64_t blocks = ceilDiv(depth, kDepthBlock);
  plan.depthBlock = ceilDiv(depth, blocks);
  plan.direct = blocks == 1 && between <= kDirectOperations;
  plan.thinTrips = between > kDirectOperations;
  const bool small = isSmallCascade(shape, flow);
  plan.sized = shape.dynamicExtents();
  plan.threads = small ? 1 : cpu.threads;
  choosePanels(plan, shape, batches, cpu);
  const int64_t keys =
                    shape.isDynamic(shape.key) ? std::min(shape.most(shape.key), kTileKeys) : shape.extent(shape.key),
                unit = std::lcm(std::lcm(plan.mrWide, plan.mrNarrow), int64_t(4));
  plan.bk = ceilDiv(ceilDiv(keys, ceilDiv(keys, kTileKeys)), unit) * unit;
  bool packsTiles = false;
  for (const CascadeProduct &p : flow.products) {
    const KeyPacking packing = choosePacking(shape, p, plan);
    packsTiles |= packing == KeyPacking::Tile;
    plan.packing.push_back(int64_t(packing));
  }
  // A packed tile serves as many panels as keep their state in L2.
  if (packsTiles) {
    const int64_t state = CascadeScratch(shape, flow, plan).panelBytes;
    plan.groupPanels = std::clamp<int64_t>(cpu.l2Bytes * 3 / 4 / state, 1, std::min<int64_t>(8, plan.panels()));
    plan.groupPanels = std::max<int64_t>(1, std::min(plan.groupPanels, batches * plan.panels() / plan.threads));
  }
  const int64_t items = batches * plan.groups();
  plan.threads = std::min(plan.threads, items);
  const bool isAnyCount = std::any_of(flow.batch.begin(), flow.batch.end(), [&](int i) { return shape.isDynamic(i); });
  plan.cyclic = plan.threads > 1 && (isAnyCount || batches % plan.threads != 0);
  if (small) plan.reason = "too little work for a team";
  if (plan.reason.empty() && plan.threads > 1)
    plan.reason = plan.cyclic ? "panels in turn: no even share of batches" : "even share of batches";
  return plan;
}

bool CascadePlan::fits(const CascadeShape &shape, const CascadeFlow &flow) const {
  const int64_t vectors = widePanels * nv + narrowPanels * (nv - 1);
  auto positive = {lanes, nv, widePanels, mrWide, mrNarrow, bk, depthBlock, groupPanels, threads};
  if (std::any_of(positive.begin(), positive.end(), [](int64_t n) { return n < 1; }) || narrowPanels < 0) return false;
  if (std::max({lanes, nv, mrWide, mrNarrow}) > 64 || bk > (1 << 16) || groupPanels > panels()) return false;
  if ((lanes & (lanes - 1)) != 0 || (narrowPanels && nv < 2)) return false;
  // Every lane has a place, and the last panel some lanes.
  const int64_t last = narrowPanels ? nv - 1 : nv;
  if (vectors * lanes < shape.extent(lane) || (vectors - last) * lanes >= shape.extent(lane)) return false;
  if (bk % mrWide || bk % mrNarrow || packing.size() != flow.products.size()) return false;
  for (size_t i = 0; i < packing.size(); ++i) {
    if (packing[i] < 0 || packing[i] > int64_t(KeyPacking::Tile)) return false;
    if (!flow.products[i].isState && depthBlock < flow.products[i].size(shape) && direct) return false;
  }
  return true;
}

std::string CascadePlan::str() const {
  std::ostringstream s;
  s << "cascade lanes=" << lanes << " along i" << lane << ", panels " << widePanels << "x" << nv << "v";
  if (narrowPanels) s << " + " << narrowPanels << "x" << nv - 1 << "v";
  s << ", tile " << mrWide << "x" << nv << "v, keys " << bk << ", depth " << depthBlock
    << (direct ? ", direct" : ", staged");
  static const char *const names[] = {"in place", "head", "tile"};
  for (size_t i = 0; i < packing.size(); ++i) s << (i ? " + " : ", key side ") << names[packing[i]];
  if (groupPanels > 1) s << ", " << groupPanels << " panels at a time";
  if (!sized.empty()) s << ", sizes at run time: " << sized;
  s << ", threads " << threads;
  if (!reason.empty()) s << " (" << reason << ")";
  return s.str();
}

Staging stagingOf(const CascadeShape &shape, const CascadeFlow &flow, const CascadeOp &op, const CascadeAccess &input) {
  if (op.contracts || input.tensor >= 0 || !input.moves(flow.lane)) return Staging::None;
  if (op.role == CascadeRole::Finish)
    for (int i : op.loops)
      if (i != flow.lane && shape.extent(i) > 1 &&
          std::find(flow.batch.begin(), flow.batch.end(), i) == flow.batch.end())
        return Staging::None;
  return input.moves(shape.key) ? Staging::Tile : Staging::Row;
}

CascadeScratch::CascadeScratch(const CascadeShape &shape, const CascadeFlow &flow, const CascadePlan &plan) {
  const int64_t nr = plan.nr(), bytes = shape.elementBytes;
  int64_t *place = &panelBytes;
  auto take = [&](int64_t size) {
    const int64_t at = *place;
    *place += align64(size);
    return at;
  };
  for (const CascadeProduct &p : flow.products) {
    auto same = std::find_if(flow.products.begin(), flow.products.begin() + int64_t(laneSide.size()),
                             [&](const CascadeProduct &other) { return p.sharesLanes(shape, other); });
    const size_t first = size_t(same - flow.products.begin());
    laneSide.push_back(first < laneSide.size() ? laneSide[first] : take(turnedPitch(plan, p.size(shape)) * nr * bytes));
  }
  states.assign(shape.tensors, -1);
  for (const CascadeOp &op : shape.ops)
    if (op.role == CascadeRole::Max || op.isPlainSum()) states[op.output.tensor] = take(nr * bytes);
  low = take(nr * 4), high = take(nr * 4), range = take(32);
  staged.resize(shape.ops.size());
  auto stage = [&](Staging kind, int64_t rows) {
    for (size_t i = 0; i < shape.ops.size(); ++i) {
      const CascadeOp &op = shape.ops[i];
      staged[i].resize(op.inputs.size(), -1);
      for (size_t j = 0; j < op.inputs.size(); ++j)
        if (stagingOf(shape, flow, op, op.inputs[j]) == kind) staged[i][j] = take(rows * nr * op.inputs[j].bytes);
    }
  };
  stage(Staging::Row, 1);

  place = &total;
  stage(Staging::Tile, plan.bk);
  for (int64_t element : flow.bufferBytes) buffers.push_back(take(plan.bk * nr * element));
  for (size_t i = 0; i < flow.scores.size(); ++i) tileMax.push_back(take(nr * bytes));
  result = take(nr * 8);
  tileSums.assign(shape.tensors, -1);
  for (const CascadeOp &op : shape.ops)
    if (op.isPlainSum()) tileSums[op.output.tensor] = take(nr * bytes);
  for (size_t i = 0; i < flow.products.size(); ++i) {
    const CascadeProduct &p = flow.products[i];
    const int64_t size = p.size(shape), keys = KeyPacking(plan.packing[i]) == KeyPacking::Head ? shape.extent(shape.key)
                                               : KeyPacking(plan.packing[i]) == KeyPacking::Tile ? plan.bk
                                                                                                 : 0;
    turned.push_back(p.isState ? take(nr * turnedPitch(plan, size) * bytes) : -1);
    packs.push_back(take(keys * size * bytes));
    packedAt.push_back(take(8));
    places.push_back(take(shape.ops[p.op].inputs[p.keySide].gathered ? plan.bk * 8 : 0));
  }
  panelsAt = total;
  total += panelBytes * plan.groupPanels;
}

} // namespace ein
