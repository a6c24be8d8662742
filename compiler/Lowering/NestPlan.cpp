// Choice of the lanes, the unrolling and the split of a plain nest.
#include "compiler/Lowering/NestPlan.h"

#include <algorithm>
#include <bit>
#include <sstream>

namespace ein {

int64_t NestPlan::trips(int d) const {
  const int64_t extent = shape.dims[d].extent;
  if (d == lane) return (extent + width() - 1) / width();
  if (d == across) return (extent + lanes - 1) / lanes;
  return (extent + factor(d) - 1) / factor(d);
}

std::string NestPlan::str() const {
  static const char *const kinds[] = {"parallel", "reduced", "square"};
  std::ostringstream s;
  s << "nest " << shape.str() << "; lanes " << kinds[int(kind)];
  if (lane >= 0) s << " along loop " << lane;
  if (across >= 0) s << " across loop " << across << " in runs of " << run;
  s << ", " << unroll << " vectors of " << lanes;
  if (block0 >= 0) s << ", " << factor0 << " values of loop " << block0;
  if (block1 >= 0) s << ", " << factor1 << " values of loop " << block1;
  s << (streaming ? ", streaming stores" : "") << "; ";
  if (split < 0) s << "serial";
  else s << "split loop " << split << (splitsReduction() ? " (partial results)" : "") << " over " << threads;
  s << "; " << reason;
  return s.str();
}

namespace {

/// Cost of one vector's worth of an operand along a loop: adjacent, repeated, or one element at a time.
double accessCost(int64_t stride, int64_t lanes) { return stride == 1 ? 1 : stride == 0 ? 0.5 : 1.5 * double(lanes); }

int64_t powerOfTwoBelow(int64_t n) { return int64_t(std::bit_floor(uint64_t(std::max<int64_t>(n, 1)))); }

/// Widest vector that fits the loop; where nothing may be computed twice it must divide the loop.
int64_t lanesFor(const LoopDim &d, const NestShape &shape, const CpuModel &cpu, bool mayRepeat) {
  int64_t lanes = std::min(cpu.lanes(shape.elementBytes), powerOfTwoBelow(d.extent));
  if (!mayRepeat && !d.reduced)
    while (d.extent % lanes != 0) lanes /= 2;
  return lanes;
}

/// Cost per element of letting the lanes follow loop `d`.
double laneCost(const NestShape &shape, const LoopDim &d, int64_t lanes) {
  double cost = 0;
  for (unsigned o = 0; o < shape.output(); ++o) cost += accessCost(d.strides[o], lanes);
  if (!d.reduced) cost += accessCost(d.strides[shape.output()], lanes) / double(shape.points(true));
  else cost += 8.0 * double(lanes) / double(d.extent);  // the combination across the vector
  return (cost + 0.5) / double(lanes);
}

void chooseLane(NestPlan &plan, const CpuModel &cpu, bool mayRepeat) {
  double best = 1e300;
  for (int i = 0; i < int(plan.shape.dims.size()); ++i) {
    const LoopDim &d = plan.shape.dims[i];
    const int64_t lanes = lanesFor(d, plan.shape, cpu, mayRepeat);
    const double cost = laneCost(plan.shape, d, lanes);
    if (cost >= best) continue;
    best = cost;
    plan.lane = i;
    plan.lanes = lanes;
    plan.kind = d.reduced ? Lanes::Reduced : Lanes::Parallel;
  }
}

/// Whether in-register transposes serve a pointwise nest: some input is adjacent along another loop than
/// the output, and every input is adjacent, constant or transposable.
bool findSquare(NestPlan &plan, const CpuModel &cpu) {
  const NestShape &shape = plan.shape;
  const unsigned out = shape.output();
  int lane = -1;
  for (int i = 0; i < int(shape.dims.size()); ++i) {
    if (shape.dims[i].reduced) return false;
    if (shape.dims[i].strides[out] == 1) lane = i;
  }
  if (lane < 0) return false;
  const int64_t lanes = cpu.lanes(shape.elementBytes);
  for (int i = 0; i < int(shape.dims.size()); ++i) {
    if (i == lane || shape.dims[i].extent < lanes || shape.dims[lane].extent < lanes) continue;
    bool useful = false, possible = true;
    for (unsigned o = 0; o < out; ++o) {
      const int64_t along = shape.dims[lane].strides[o];
      if (along == 0 || along == 1) continue;
      if (shape.dims[i].strides[o] == 1) useful = true;
      else possible = false;
    }
    if (!useful || !possible) continue;
    plan.kind = Lanes::Square;
    plan.lane = lane, plan.across = i, plan.lanes = lanes, plan.unroll = 1;
    plan.run = std::min<int64_t>((shape.dims[i].extent + lanes - 1) / lanes, 4096 / (lanes * shape.elementBytes));
    return true;
  }
  return false;
}

/// Streaming stores pay when the output does not fit the caches and each store is a whole cache line that
/// is written once.
bool mayStream(const NestPlan &plan, const CpuModel &cpu) {
  const NestShape &shape = plan.shape;
  if (plan.kind == Lanes::Reduced || plan.lane < 0 || plan.lanes * shape.elementBytes != 64) return false;
  if (shape.dims[plan.lane].strides[shape.output()] != 1) return false;
  double bytes = double(shape.elementBytes) * double(shape.points(false));
  if (bytes < 2.0 * double(cpu.l2Bytes)) return false;
  for (int i = 0; i < int(shape.dims.size()); ++i) {
    const int64_t stride = shape.dims[i].strides[shape.output()];
    if (i == plan.lane ? shape.dims[i].extent % plan.lanes != 0 : stride % plan.lanes != 0) return false;
  }
  return true;
}

/// Blocks of parallel loops in a reduction, for the operands that do not move along them.
void chooseBlocks(NestPlan &plan, const CpuModel &cpu) {
  const NestShape &shape = plan.shape;
  if (shape.points(true) == 1 || plan.lane < 0) return;
  const int64_t sums = cpu.vectorRegisters / 2;
  int64_t used = 1;
  for (int i = int(shape.dims.size()) - 1; i >= 0 && plan.block1 < 0; --i) {
    const LoopDim &d = shape.dims[i];
    if (d.reduced || d.valued || i == plan.lane || d.extent < 2) continue;
    bool reuses = false;
    for (unsigned o = 0; o < shape.output(); ++o) reuses |= d.strides[o] == 0;
    if (!reuses) continue;
    const int64_t factor = std::min<int64_t>({4, d.extent, sums / used});
    if (factor < 2) break;
    (plan.block0 < 0 ? plan.block0 : plan.block1) = i;
    (plan.block1 < 0 ? plan.factor0 : plan.factor1) = factor;
    used *= factor;
  }
  plan.unroll = std::clamp<int64_t>(sums / used, 1, plan.unroll);
}

void chooseUnroll(NestPlan &plan, bool mayRepeat) {
  const LoopDim &d = plan.shape.dims[plan.lane];
  const int64_t vectors = d.extent / plan.lanes;
  // Enough independent sums to hide the latency of an add; columns of a reduction share each row's page.
  const int64_t most = plan.kind == Lanes::Reduced ? 4 : plan.shape.points(true) > 1 ? 8 : 4;
  double best = 1e300;
  for (int64_t u = 1; u <= std::min(most, std::max<int64_t>(vectors, 1)); ++u) {
    const int64_t width = u * plan.lanes;
    if (!mayRepeat && plan.kind == Lanes::Parallel && d.extent % width != 0) continue;
    const double repeated = plan.kind == Lanes::Reduced ? 1 : double((d.extent + width - 1) / width * width) / double(d.extent);
    const double cost = repeated * (1 + 0.5 / double(u));
    if (cost < best) best = cost, plan.unroll = u;
  }
}

void chooseSplit(NestPlan &plan, const CpuModel &cpu) {
  const NestShape &shape = plan.shape;
  const double points = double(shape.points(false)) * double(shape.points(true));
  if (cpu.threads == 1 || points * double(shape.elementBytes) < kSerialBytes) {
    plan.reason = cpu.threads == 1 ? "one thread" : "too little work to fork";
    return;
  }
  for (int i = 0; i < int(shape.dims.size()) && plan.split < 0; ++i)
    if (!shape.dims[i].reduced && plan.trips(i) >= 2 * cpu.threads) plan.split = i;
  for (int i = 0; i < int(shape.dims.size()) && plan.split < 0; ++i)
    if (!shape.dims[i].reduced && plan.trips(i) >= cpu.threads) plan.split = i;
  if (plan.split < 0 && shape.points(false) <= 4096) {
    int64_t longest = cpu.threads - 1;
    for (int i = 0; i < int(shape.dims.size()); ++i)
      if (shape.dims[i].reduced && plan.trips(i) > longest) longest = plan.trips(i), plan.split = i;
  }
  if (plan.split < 0) {
    plan.reason = "no loop long enough to share";
    return;
  }
  plan.threads = cpu.threads;
  plan.reason = plan.splitsReduction() ? "few results: each thread reduces a part" : "each thread takes a part of the output";
}

} // namespace

NestPlan planNest(const NestShape &shape, const CpuModel &cpu, bool overwrite) {
  NestPlan plan;
  plan.shape = shape;
  if (shape.dims.empty()) {
    plan.reason = "a single element";
    return plan;
  }
  if (!overwrite || !findSquare(plan, cpu)) {
    chooseLane(plan, cpu, overwrite);
    chooseUnroll(plan, overwrite);
    if (overwrite) chooseBlocks(plan, cpu);
  }
  plan.streaming = overwrite && shape.points(true) == 1 && mayStream(plan, cpu);
  chooseSplit(plan, cpu);
  return plan;
}

} // namespace ein
