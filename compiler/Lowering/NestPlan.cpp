// Choice of the lanes, the unrolling and the split of a plain nest.
#include "compiler/Lowering/NestPlan.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <sstream>

namespace ein {

int64_t NestPlan::trips(int d) const {
  const int64_t extent = shape.dims[d].extent;
  if (d == lane) return (extent + width() - 1) / width();
  if (d == across) return (extent + lanes - 1) / lanes;
  return (extent + factor(d) - 1) / factor(d);
}

int64_t NestPlan::stagedElements(unsigned o) const {
  int64_t n = 1;
  for (const LoopDim &d : shape.dims)
    if (d.strides[o]) n *= d.extent;
  return n;
}

int64_t NestPlan::stride(unsigned o, int d) const {
  const auto &dims = shape.dims;
  if (!isStaged(o) || dims[d].strides[o] == 0) return dims[d].strides[o];
  if (d == lane) return 1;
  int64_t stride = lane >= 0 && dims[lane].strides[o] ? dims[lane].extent : 1;
  for (int i = d + 1; i < int(dims.size()); ++i)
    if (i != lane && dims[i].strides[o]) stride *= dims[i].extent;
  return stride;
}

bool NestPlan::transposedFits() const {
  if (!transposed) return true;
  return kind == Lanes::Parallel && lane >= 0 && block0 >= 0 && block1 < 0 && factor0 == lanes && unroll == 1 &&
         sweep == 0 && shape.dims[block0].strides[shape.output()] == 1 && shape.dims[block0].extent >= lanes;
}

std::string NestPlan::str() const {
  static const char *const kinds[] = {"parallel", "reduced", "square"};
  std::ostringstream s;
  s << "nest " << shape.str() << "; lanes " << kinds[int(kind)];
  if (lane >= 0) s << " along loop " << lane;
  if (across >= 0) s << " across loop " << across << " in runs of " << run;
  if (near >= 0) s << ", loop " << near << " second to innermost";
  s << ", " << unroll << " vectors of " << lanes;
  if (block0 >= 0) s << ", " << factor0 << " values of loop " << block0 << (transposed ? ", transposed" : "");
  if (block1 >= 0) s << ", " << factor1 << " values of loop " << block1;
  if (hoist >= 0) s << ", loop " << hoist << " outermost";
  if (sweep) s << ", sweeps of " << sweep;
  for (unsigned o = 0; o < shape.operands; ++o)
    if (isStaged(o)) s << ", operand " << o << " staged";
  s << (streaming ? ", streaming stores" : "") << "; ";
  if (split < 0)
    s << "serial";
  else
    s << "split loop " << split << (splitsReduction() ? " (partial results)" : "") << " over " << threads;
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

/// Whether operand `o` is so small beside the work that a copy of it in another order is free.
bool mayStage(const NestPlan &plan, unsigned o, const CpuModel &cpu) {
  const NestShape &shape = plan.shape;
  if (shape.sized) return false; // scratch memory is for known sizes
  const int64_t elements = plan.stagedElements(o);
  return elements * shape.elementBytes <= cpu.l2Bytes / 2 &&
         64.0 * double(elements) <= double(shape.points(false)) * double(shape.points(true));
}

/// Cost per element of letting the lanes follow loop `d`.
double laneCost(const NestPlan &plan, const LoopDim &d, int64_t lanes, const CpuModel &cpu) {
  const NestShape &shape = plan.shape;
  double cost = 0;
  for (unsigned o = 0; o < shape.output(); ++o)
    cost += d.strides[o] != 0 && d.strides[o] != 1 && mayStage(plan, o, cpu) ? 1.1 : accessCost(d.strides[o], lanes);
  // Lanes across the lines of an operand that does not fit L2 use a part of each line at a time.
  for (unsigned o = 0; o < shape.output(); ++o)
    if (shape.points(true) > 1 && d.strides[o] != 1 && plan.stagedElements(o) * shape.elementBytes > cpu.l2Bytes)
      for (const LoopDim &other : shape.dims) cost += !other.reduced && other.strides[o] == 1 ? 2 : 0;
  if (!d.reduced)
    cost += accessCost(d.strides[shape.output()], lanes) / double(shape.points(true));
  else
    cost += 8.0 * double(lanes) / double(d.extent); // the combination across the vector
  return (cost + 0.5) / double(lanes);
}

void chooseLane(NestPlan &plan, const CpuModel &cpu, bool mayRepeat) {
  double best = 1e300;
  for (int i = 0; i < int(plan.shape.dims.size()); ++i) {
    const LoopDim &d = plan.shape.dims[i];
    const int64_t lanes = lanesFor(d, plan.shape, cpu, mayRepeat);
    const double cost = laneCost(plan, d, lanes, cpu);
    if (cost >= best) continue;
    best = cost;
    plan.lane = i;
    plan.lanes = lanes;
    plan.kind = d.reduced ? Lanes::Reduced : Lanes::Parallel;
  }
  const LoopDim &d = plan.shape.dims[plan.lane];
  for (unsigned o = 0; o < plan.shape.output(); ++o)
    if (d.strides[o] != 0 && d.strides[o] != 1 && mayStage(plan, o, cpu)) plan.staged |= int64_t(1) << o;
}

/// The loop that the transposed input of a square walks in the smallest steps, apart from the innermost
/// loop, which is the output's: just around that one, so that both stay near their lines and pages.
int nearestLoop(const NestPlan &plan) {
  const auto &dims = plan.shape.dims;
  std::vector<int> others;
  for (int i = 0; i < int(dims.size()); ++i)
    if (i != plan.lane && i != plan.across) others.push_back(i);
  if (others.size() < 3) return -1;
  unsigned moved = 0;
  for (unsigned o = 0; o < plan.shape.output(); ++o)
    if (dims[plan.across].strides[o] == 1) moved = o;
  return *std::min_element(others.begin(), others.end() - 1, [&](int a, int b) {
    return std::abs(dims[a].strides[moved]) < std::abs(dims[b].strides[moved]);
  });
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
  // Wider squares would not fit the registers.
  const int64_t lanes = std::min<int64_t>(cpu.lanes(shape.elementBytes), 16);
  for (int i = 0; i < int(shape.dims.size()); ++i) {
    if (i == lane || shape.dims[i].extent < lanes || shape.dims[lane].extent < lanes) continue;
    bool useful = false, possible = true;
    for (unsigned o = 0; o < out; ++o) {
      const int64_t along = shape.dims[lane].strides[o];
      if (along == 0 || along == 1) continue;
      if (shape.dims[i].strides[o] == 1)
        useful = true;
      else
        possible = false;
    }
    if (!useful || !possible) continue;
    plan.kind = Lanes::Square;
    plan.lane = lane, plan.across = i, plan.lanes = lanes, plan.unroll = 1;
    plan.near = nearestLoop(plan);
    plan.run = std::min<int64_t>((shape.dims[i].extent + lanes - 1) / lanes, 4096 / (lanes * shape.elementBytes));
    return true;
  }
  return false;
}

/// Streaming stores pay when the output does not fit the caches and each store is a whole cache line that
/// is written once.
bool mayStream(const NestPlan &plan, const CpuModel &cpu) {
  const NestShape &shape = plan.shape;
  if (plan.kind == Lanes::Reduced || plan.lane < 0 || plan.lanes * shape.outputBytes != 64) return false;
  if (shape.dims[plan.lane].strides[shape.output()] != 1) return false;
  double bytes = double(shape.elementBytes) * double(shape.points(false));
  if (bytes < 2.0 * double(cpu.l2Bytes)) return false;
  for (int i = 0; i < int(shape.dims.size()); ++i) {
    const int64_t stride = shape.dims[i].strides[shape.output()];
    if (i == plan.lane ? shape.dims[i].extent % plan.lanes != 0 : stride % plan.lanes != 0) return false;
  }
  return true;
}

/// Inputs that do not move along a loop, as bits.
int64_t reusedAlong(const NestShape &shape, const LoopDim &d) {
  int64_t reused = 0;
  for (unsigned o = 0; o < shape.output(); ++o)
    if (d.strides[o] == 0) reused |= int64_t(1) << o;
  return reused;
}

/// Blocks of parallel loops in a reduction, for the operands that do not move along them: the second for
/// operands that the first does not serve. The innermost is the one along which the largest input rests.
void chooseBlocks(NestPlan &plan, const CpuModel &cpu) {
  const NestShape &shape = plan.shape;
  if (shape.points(true) == 1 || plan.lane < 0) return;
  const int64_t sums = cpu.vectorRegisters / 2;
  int64_t used = 1, served = 0;
  for (int i = int(shape.dims.size()) - 1; i >= 0 && plan.block1 < 0; --i) {
    const LoopDim &d = shape.dims[i];
    if (d.reduced || d.valued || i == plan.lane || d.extent < 2 || (reusedAlong(shape, d) & ~served) == 0) continue;
    const int64_t factor = std::min<int64_t>({4, d.extent, sums / used});
    if (factor < 2) break;
    (plan.block0 < 0 ? plan.block0 : plan.block1) = i;
    (plan.block1 < 0 ? plan.factor0 : plan.factor1) = factor;
    used *= factor;
    served |= reusedAlong(shape, d);
  }
  plan.unroll = std::clamp<int64_t>(sums / used, 1, plan.unroll);
  if (plan.block1 < 0) return;
  unsigned largest = 0;
  for (unsigned o = 1; o < shape.output(); ++o)
    if (plan.stagedElements(o) > plan.stagedElements(largest)) largest = o;
  if (shape.dims[plan.block0].strides[largest] != 0) {
    std::swap(plan.block0, plan.block1);
    std::swap(plan.factor0, plan.factor1);
  }
}

/// Sums whose lanes are not adjacent in the output, where another loop is: a block of that loop is as long as a vector,
/// so that vectors can be stored.
bool chooseTransposed(NestPlan &plan) {
  const NestShape &shape = plan.shape;
  const unsigned out = shape.output();
  if (plan.kind != Lanes::Parallel || shape.points(true) == 1 || plan.lanes < 4) return false;
  if (shape.dims[plan.lane].strides[out] == 1) return false;
  for (int i = 0; i < int(shape.dims.size()); ++i) {
    const LoopDim &d = shape.dims[i];
    if (d.reduced || d.valued || i == plan.lane || d.strides[out] != 1 || d.extent < plan.lanes) continue;
    plan.block0 = i, plan.factor0 = plan.lanes, plan.unroll = 1, plan.transposed = true;
    return true;
  }
  return false;
}

/// Bytes of one operand that moved along every loop.
double bytesOf(const NestShape &shape) {
  return double(shape.points(false)) * double(shape.points(true)) * double(shape.elementBytes);
}

/// Sums of long rows: one pass over a stretch of the output takes several rows, instead of one narrow column
/// of vectors walking every row's page. Pays when the operands do not fit L2.
void chooseSweep(NestPlan &plan, const CpuModel &cpu) {
  const NestShape &shape = plan.shape;
  if (plan.kind != Lanes::Parallel || plan.block0 >= 0 || shape.dims.empty() || !shape.dims.back().reduced) return;
  const LoopDim &lane = shape.dims[plan.lane];
  if (lane.strides[shape.output()] != 1 || lane.extent < 2 * plan.width() || shape.dims.back().extent < 2) return;
  // Rows shorter than a page are read one after the other: several at once would confuse the prefetcher. Where the
  // rows' length comes at run time they may as well stay in cache, where passes over single ones cost too much.
  const int64_t rows = lane.isDynamic() ? 16 : lane.extent * shape.elementBytes < 4096 ? 1 : 8;
  if (bytesOf(shape) > double(cpu.l2Bytes)) plan.sweep = std::min<int64_t>(rows, shape.dims.back().extent);
}

/// A reduced loop that walks the largest input in longer steps than a parallel loop does goes outermost
/// where the output is small enough to stay in cache.
void chooseHoist(NestPlan &plan, const CpuModel &cpu) {
  const NestShape &shape = plan.shape;
  if (plan.kind != Lanes::Reduced || bytesOf(shape) <= double(cpu.l2Bytes)) return;
  if (shape.points(false) * shape.elementBytes > cpu.l2Bytes / 4) return;
  int64_t widest = 0, parallel = 0;
  for (int i = 0; i < int(shape.dims.size()); ++i)
    for (unsigned o = 0; o < shape.output(); ++o) {
      const int64_t stride = std::abs(shape.dims[i].strides[o]);
      if (!shape.dims[i].reduced)
        parallel = std::max(parallel, stride);
      else if (i != plan.lane && stride > widest)
        widest = stride, plan.hoist = i;
    }
  if (widest <= parallel || parallel == 0) plan.hoist = -1;
  // Blocks may overlap at the end of their loop, which adding does not bear.
  else
    plan.block0 = plan.block1 = -1, plan.factor0 = plan.factor1 = 1;
}

void chooseUnroll(NestPlan &plan, bool mayRepeat) {
  const LoopDim &d = plan.shape.dims[plan.lane];
  const int64_t vectors = (d.isDynamic() ? d.least : d.extent) / plan.lanes;
  // Enough independent sums to hide the latency of an add; columns of a reduction share each row's page.
  const int64_t most = plan.kind == Lanes::Reduced ? 4 : plan.shape.points(true) > 1 ? 8 : 4;
  double best = 1e300;
  for (int64_t u = 1; u <= std::min(most, std::max<int64_t>(vectors, 1)); ++u) {
    const int64_t width = u * plan.lanes;
    if (!mayRepeat && plan.kind == Lanes::Parallel && d.extent % width != 0) continue;
    const double repeated =
        plan.kind == Lanes::Reduced ? 1 : double((d.extent + width - 1) / width * width) / double(d.extent);
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
  plan.reason =
      plan.splitsReduction() ? "few results: each thread reduces a part" : "each thread takes a part of the output";
}

} // namespace

/// Plans the loops that are long enough for vectors and blocks. `reduces`: other loops around them do.
static NestPlan planLongLoops(const NestShape &shape, const CpuModel &cpu, bool overwrite, bool reduces) {
  NestPlan plan;
  plan.shape = shape;
  if (shape.dims.empty()) {
    plan.reason = "a single element";
    return plan;
  }
  if (!overwrite || reduces || !findSquare(plan, cpu)) {
    chooseLane(plan, cpu, overwrite);
    chooseUnroll(plan, overwrite);
    if (overwrite && !chooseTransposed(plan)) chooseBlocks(plan, cpu);
    if (overwrite) chooseSweep(plan, cpu), chooseHoist(plan, cpu);
  }
  plan.streaming = overwrite && !reduces && shape.points(true) == 1 && mayStream(plan, cpu);
  chooseSplit(plan, cpu);
  return plan;
}

NestPlan planNest(const NestShape &shape, const CpuModel &cpu, bool overwrite) {
  auto isShort = [](const LoopDim &d) { return d.maybeShort(); };
  auto isReduced = [](const LoopDim &d) { return d.reduced; };
  NestShape inner = shape;
  const auto kept = std::stable_partition(inner.dims.begin(), inner.dims.end(), [&](auto &d) { return !isShort(d); });
  std::vector<LoopDim> around(kept, inner.dims.end()); // parallel ones first, as in every shape
  inner.dims.erase(kept, inner.dims.end());
  const auto reducedAround = std::find_if(around.begin(), around.end(), isReduced);
  NestPlan plan = planLongLoops(inner, cpu, overwrite, reducedAround != around.end());

  // Put back what may be short, where `simplify` has it: parallel loops around all, reduced ones around the reduced.
  const auto parallelBefore = int(reducedAround - around.begin()), reducedBefore = int(around.end() - reducedAround);
  for (int *loop : {&plan.lane, &plan.across, &plan.block0, &plan.block1, &plan.near, &plan.hoist, &plan.split})
    if (*loop >= 0) *loop += parallelBefore + (inner.dims[*loop].reduced ? reducedBefore : 0);
  auto &dims = plan.shape.dims;
  dims.insert(std::find_if(dims.begin(), dims.end(), isReduced), reducedAround, around.end());
  dims.insert(dims.begin(), around.begin(), reducedAround);

  const bool someResults =
      std::any_of(dims.begin(), dims.end(), [](const LoopDim &d) { return d.isDynamic() && !d.reduced; });
  if (plan.splitsReduction() && someResults) {
    plan.split = -1, plan.threads = 1;
    plan.reason = "the number of results comes at run time";
  }
  return plan;
}

} // namespace ein
