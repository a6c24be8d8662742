// The decisions about a cascade of few rows, and the scratch memory that follows from them.
#include "compiler/Lowering/ThinCascadePlan.h"

#include "compiler/Lowering/CascadePlan.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace ein {

namespace {

/// Bytes of a key side in a tile: far enough ahead for its successor to arrive.
constexpr int64_t kTileBytes = 8 << 10;
/// Keys that a part of a split has at least.
constexpr int64_t kLeastPart = 128;
/// What a share may be above the mean, in percent, before keys are split.
constexpr int64_t kUneven = 10;

int64_t align64(int64_t bytes) { return ceilDiv(bytes, 64) * 64; }

/// Batches whose keys lie inside each other, as heads do in a cache with the sequence outermost.
int64_t nestedBatches(const CascadeShape &shape, const CascadeFlow &flow) {
  int64_t nested = 1;
  for (auto i = flow.batch.rbegin(); i != flow.batch.rend(); ++i) {
    const bool isInside = std::any_of(flow.products.begin(), flow.products.end(), [&](const CascadeProduct &p) {
      const CascadeAccess &side = shape.ops[p.op].inputs[p.keySide];
      const int64_t perKey = side.gathered ? side.placeStride : side.strides[shape.key];
      return side.strides[*i] != 0 && std::abs(side.strides[*i]) < std::abs(perKey);
    });
    if (!isInside) break;
    nested *= shape.extent(*i);
  }
  return nested;
}

/// The fewest parts of the keys that give every thread about as much.
int64_t chooseSplits(int64_t groups, int64_t keys, int64_t threads) {
  const int64_t most = std::max<int64_t>(1, std::min(keys / kLeastPart, 4 * threads));
  int64_t best = 1;
  auto excess = [&](int64_t splits) { // percent
    const int64_t items = groups * splits;
    return ceilDiv(items, threads) * threads * 100 / items - 100;
  };
  for (int64_t splits = 1; splits <= most && excess(best) > kUneven; ++splits)
    if (excess(splits) < excess(best)) best = splits;
  return best;
}

} // namespace

ThinSide thinSideOf(const CascadeShape &shape, const CascadeProduct &product) {
  const CascadeAccess &side = shape.ops[product.op].inputs[product.keySide];
  ThinSide result;
  result.perKey = side.strides[shape.key];
  bool fused = true;
  int64_t next = 0;
  for (auto i = product.across.rbegin(); i != product.across.rend(); ++i) {
    if (next == 0) result.perAcross = next = side.strides[*i];
    // Strides that come at run time may agree by chance in the examples.
    fused &= side.strides[*i] == next && (side.strideSlot(*i) < 0 || product.across.size() == 1);
    next *= shape.extent(*i);
  }
  const bool isSingle = product.across.empty();
  if (isSingle) result.perAcross = 1;
  if (fused && result.perKey == 1 && (isSingle || result.perAcross != 1)) {
    result.acrossLanes = false;
  } else if (!fused || result.perAcross != 1) {
    result.packed = true;
    result.perKey = product.size(shape);
    result.perAcross = 1;
  }
  result.dense = !result.packed && result.acrossLanes && !side.gathered && result.perKey == product.size(shape);
  return result;
}

int64_t sharedRows(const CascadeShape &shape, const CascadeFlow &flow) {
  int64_t n = 1;
  for (int i : flow.shared) n *= shape.extent(i);
  return n;
}

int64_t batchCount(const CascadeShape &shape, const CascadeFlow &flow) {
  int64_t n = 1;
  for (int i : flow.batch) n *= shape.extent(i);
  return n;
}

double thinWork(const CascadeShape &shape, const CascadeFlow &flow, const ThinCascadePlan &plan) {
  const double rows = double(ceilDiv(sharedRows(shape, flow), plan.mr) * plan.mr);
  double perRow = 25.0 / double(plan.lanes); // maximum, exponential, sum
  for (const CascadeProduct &p : flow.products) {
    const ThinSide side = thinSideOf(shape, p);
    const bool isDot = p.isState != side.acrossLanes;
    perRow += double(ceilDiv(p.size(shape), plan.lanes));
    // Dot products end in a tree of shuffles, keys beside lanes are packed one by one.
    if (isDot) perRow += 3;
    if (side.packed) perRow += 2 * double(p.size(shape)) / rows;
  }
  return rows * perRow;
}

std::variant<ThinCascadePlan, std::string> planThinCascade(const CascadeShape &shape, const CpuModel &cpu) {
  const CascadeFlow flow = analyseThinFlow(shape);
  if (!flow.obstacle.empty()) return flow.obstacle;
  ThinCascadePlan plan;
  plan.lanes = cpu.lanes(shape.elementBytes);
  for (int i : flow.shared)
    if (shape.isDynamic(i)) return "its rows come at run time";
  const int64_t rows = sharedRows(shape, flow), keys = shape.most(shape.key);
  // As many rows as fit without padding; more of them share each load.
  for (int64_t mr : {2, 4})
    if (mr <= plan.lanes && (rows % mr == 0 || rows + 1 == mr)) plan.mr = mr;
  int64_t widest = 1, keyBytes = 1;
  bool isDense = true;
  for (const CascadeProduct &p : flow.products) {
    const CascadeAccess &side = shape.ops[p.op].inputs[p.keySide];
    keyBytes = std::max(keyBytes, p.size(shape) * side.bytes);
    widest = std::max(widest, ceilDiv(p.size(shape), plan.lanes));
    isDense &= thinSideOf(shape, p).dense;
  }
  // Accumulators, a broadcast for each row, one vector that they share.
  const int64_t most = std::max<int64_t>(1, (cpu.vectorRegisters - 1) / plan.mr - 1);
  plan.nv = ceilDiv(widest, ceilDiv(widest, most));
  // Memory that is read from end to end the CPU fetches ahead by itself, faster than for hints; but not during the
  // products of many rows.
  plan.prefetch = !isDense || rows > 1 || widest > plan.nv;
  const int64_t wanted = std::clamp<int64_t>(kTileBytes / keyBytes, plan.lanes, 512);
  plan.bk = ceilDiv(std::min(wanted, keys), plan.lanes) * plan.lanes;
  const int64_t state = ThinCascadeScratch(shape, flow, plan).stateBytes, all = batchCount(shape, flow);
  plan.batches = std::clamp<int64_t>(cpu.l2Bytes / 2 / state, 1, nestedBatches(shape, flow));
  const int64_t groups = ceilDiv(all, plan.batches);
  plan.sized = shape.dynamicExtents();
  if (isSmallCascade(shape, flow)) {
    plan.reason = "too little work for a team";
    return plan;
  }
  // States of parts have places of their own: there is a known number of them.
  const bool isAnyCount = std::any_of(flow.batch.begin(), flow.batch.end(), [&](int i) { return shape.isDynamic(i); });
  if (!isAnyCount) plan.splits = chooseSplits(groups, keys, cpu.threads);
  plan.threads = std::min(cpu.threads, groups * plan.splits);
  if (plan.splits > 1)
    plan.reason = "too few rows for the team";
  else if (plan.threads > 1)
    plan.reason = "even share of batches";
  return plan;
}

bool ThinCascadePlan::fits(const CascadeShape &shape, const CascadeFlow &flow) const {
  auto positive = {lanes, mr, nv, bk, batches, splits, threads};
  if (std::any_of(positive.begin(), positive.end(), [](int64_t n) { return n < 1; })) return false;
  if (std::max({lanes, mr, nv}) > 64 || bk > (1 << 16) || splits > 4096 || threads > 4096) return false;
  if ((lanes & (lanes - 1)) != 0 || (mr & (mr - 1)) != 0 || mr > lanes) return false;
  return bk % lanes == 0 && batches <= batchCount(shape, flow) && (prefetch == 0 || prefetch == 1);
}

std::string ThinCascadePlan::str() const {
  std::ostringstream s;
  s << "cascade lanes=" << lanes << " along the products, tile " << mr << "x" << nv << "v, keys " << bk;
  if (batches > 1) s << ", " << batches << " batches at a time";
  if (splits > 1) s << ", split-k " << splits;
  if (prefetch) s << ", prefetch";
  if (!sized.empty()) s << ", sizes at run time: " << sized;
  s << ", threads " << threads;
  if (!reason.empty()) s << " (" << reason << ")";
  return s.str();
}

ThinCascadeScratch::ThinCascadeScratch(const CascadeShape &shape, const CascadeFlow &flow, const ThinCascadePlan &plan)
    : rows(ceilDiv(sharedRows(shape, flow), plan.mr) * plan.mr) {
  const int64_t bytes = shape.elementBytes;
  int64_t *place = &stateBytes;
  auto take = [&](int64_t size) {
    const int64_t at = *place;
    *place += align64(size);
    return at;
  };
  for (const CascadeProduct &p : flow.products) {
    pitch.push_back(ceilDiv(p.size(shape), plan.lanes) * plan.lanes);
    auto same = std::find_if(flow.products.begin(), flow.products.begin() + int64_t(laneSide.size()),
                             [&](const CascadeProduct &other) { return p.sharesLanes(shape, other); });
    const size_t first = size_t(same - flow.products.begin());
    laneSide.push_back(first < laneSide.size() ? laneSide[first] : take(rows * pitch.back() * bytes));
  }
  states.assign(shape.tensors, -1);
  for (const CascadeOp &op : shape.ops)
    if (op.role == CascadeRole::Max || op.isPlainSum())
      states[op.output.tensor] = take(rows * bytes * (op.isPlainSum() ? plan.lanes : 1));
  low = take(rows * 4), high = take(rows * 4), range = take(16);
  place = &total;
  for (int64_t element : flow.bufferBytes) buffers.push_back(take(rows * plan.bk * element));
  for (const CascadeProduct &p : flow.products) {
    packs.push_back(take(thinSideOf(shape, p).packed ? plan.bk * p.size(shape) * bytes : 0));
    places.push_back(take(shape.ops[p.op].inputs[p.keySide].gathered ? 2 * plan.bk * 8 : 0));
  }
}

int64_t ThinCascadeScratch::bytes(const CascadeShape &shape, const CascadeFlow &flow,
                                  const ThinCascadePlan &plan) const {
  const int64_t groups = ceilDiv(batchCount(shape, flow), plan.batches);
  const int64_t states = plan.batches * (plan.splits > 1 ? groups * plan.splits : plan.threads);
  return total * plan.threads + stateBytes * states;
}

} // namespace ein
