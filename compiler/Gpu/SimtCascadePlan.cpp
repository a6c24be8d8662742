// Planning of fused cascades without tensor cores.
#include "compiler/Gpu/SimtCascadePlan.h"

#include <bit>
#include <numeric>

namespace ein {

int64_t SimtCascadePlan::points(const std::vector<int> &indices) const {
  int64_t n = 1;
  for (int i : indices) n *= shape.extent(i);
  return n;
}

int SimtCascadePlan::productOf(size_t op) const {
  for (size_t i = 0; i < flow.products.size(); ++i)
    if (flow.products[i].op == int(op)) return int(i);
  return -1;
}

bool SimtCascadePlan::lasts(size_t op) const {
  return shape.ops[op].role == CascadeRole::Max || shape.ops[op].role == CascadeRole::Sum;
}

int64_t SimtCascadePlan::stateElements(size_t op) const {
  const int product = productOf(op);
  return product < 0 ? 1 : flow.products[product].size(shape);
}

int64_t SimtCascadePlan::stateSize() const {
  int64_t n = 0;
  for (size_t op = 0; op < shape.ops.size(); ++op)
    if (lasts(op)) n += stateElements(op);
  return n;
}

std::string SimtCascadePlan::str() const {
  auto text = [](int64_t v) { return std::to_string(v); };
  std::string s =
      "simt cascade: " + text(allRows()) + " rows by warps of " + text(rows) + ", " + text(keys()) + " keys";
  for (size_t i = 0; i < flow.products.size(); ++i)
    s += std::string(flow.products[i].isState ? ", sums of " : ", inner products of ") +
         text(flow.products[i].size(shape)) + " by " + text(lanes[i]);
  if (split > 1) s += ", " + text(split) + " parts";
  return s + "; grid " + text(blocks()) + "x" + text(split) + ", block " + text(kThreads);
}

namespace {

/// The most neighbours along the last index of a product that its inputs in memory are read by: 16 bytes at most.
int64_t lanesOf(const SimtCascadePlan &p, const CascadeProduct &product, const std::vector<int64_t> &alignment) {
  if (product.across.empty()) return 1;
  const int along = product.across.back();
  const CascadeOp &op = p.shape.ops[product.op];
  int64_t most = 32 / p.shape.elementBytes;
  if (product.isState) most = std::min<int64_t>(most, std::bit_floor(uint64_t(product.size(p.shape) + 31) / 32));
  for (int64_t lanes = most; lanes > 1; lanes /= 2) {
    bool fits = p.shape.extent(along) % lanes == 0, someMove = false;
    for (unsigned side : op.sides) {
      const CascadeAccess &a = op.inputs[side];
      if (a.memory < 0 || a.strides[along] == 0) continue;
      int64_t bytes = std::gcd(alignment[side], a.placeStride * a.bytes);
      for (size_t i = 0; i < a.strides.size(); ++i)
        bytes = std::gcd(bytes, a.strides[i] * a.bytes * (int(i) == along ? lanes : 1));
      fits &= a.strides[along] == 1 && lanes * a.bytes <= 16 && bytes % (lanes * a.bytes) == 0;
      someMove = true;
    }
    if (fits && someMove) return lanes;
  }
  return 1;
}

/// Guards mask the maxima and sums behind them.
bool guardsComeFirst(const CascadeShape &shape) {
  bool masks = false;
  for (const CascadeOp &op : shape.ops) {
    if (op.role == CascadeRole::Guard && masks) return false;
    masks |= op.role == CascadeRole::Max || op.role == CascadeRole::Sum;
  }
  return true;
}

} // namespace

std::variant<SimtCascadePlan, std::string>
planSimtCascade(const CascadeShape &shape, const std::vector<std::vector<int64_t>> &alignment, const GpuModel &gpu) {
  constexpr int64_t mostRows = 8, mostSums = 256, warpsWanted = 16, fewestKeys = 64;
  SimtCascadePlan p;
  p.shape = shape;
  p.flow = analyseThinFlow(shape);
  if (!p.flow.obstacle.empty()) return p.flow.obstacle;
  if (!guardsComeFirst(shape)) return "a guard behind what it masks";
  int64_t sums = 1; // bytes of the sums that a thread keeps for a row
  for (const CascadeProduct &product : p.flow.products) {
    p.lanes.push_back(lanesOf(p, product, alignment[product.op]));
    if (product.isState) sums += ceilDiv(product.size(shape), SimtCascadePlan::kWarp) * shape.elementBytes;
  }
  if (sums > 2 * mostSums) return "sums over more indices than registers hold";
  while (p.rows < mostRows && p.rows < p.sharedRows() && p.rows * 2 * sums <= mostSums) p.rows *= 2;
  p.chunk = p.keys();
  const int64_t wanted = gpu.multiprocessors * warpsWanted / std::max<int64_t>(1, p.items());
  if (const int64_t parts = std::min(wanted, p.keys() / fewestKeys); parts > 1) {
    p.chunk = ceilDiv(ceilDiv(p.keys(), parts), SimtCascadePlan::kWarp) * SimtCascadePlan::kWarp;
    p.split = ceilDiv(p.keys(), p.chunk);
  }
  if (p.blocks() > INT32_MAX / 4 || p.split > UINT16_MAX) return "more rows than a grid has blocks";
  return p;
}

} // namespace ein
