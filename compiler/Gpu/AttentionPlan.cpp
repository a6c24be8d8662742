// Attention plans: what follows from the decisions, what the hardware demands of them, and how they are made.
#include "compiler/Gpu/AttentionPlan.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ein {

static int64_t product(const std::vector<AttentionDim> &dims, auto of) {
  int64_t n = 1;
  for (const AttentionDim &d : dims) n *= of(d);
  return n;
}

int64_t AttentionPlan::tileRows() const {
  return product(rows, [](const AttentionDim &d) { return d.tile; });
}
int64_t AttentionPlan::rowTiles() const {
  return product(rows, [](const AttentionDim &d) { return d.tiles(); });
}
int64_t AttentionPlan::batches() const {
  return product(batch, [](const AttentionDim &d) { return d.extent; });
}

int64_t AttentionPlan::offsetK() const { return std::max(bytesQ(), tensorStore ? tileRows() * tileWidth() * 2 : 0); }

TmaTransfer AttentionPlan::transfer(Tensor tensor) const {
  TmaTransfer t;
  t.map.type = tensor == O ? result : input;
  const bool ofKeys = tensor == K || tensor == V;
  // Swizzled panels of 64 features.
  t.add(tensor == V || tensor == O ? TileGroup::N : TileGroup::K, 0, tensor == V || tensor == O ? width : depth, 1, 64);
  t.rows = tensor == O ? 64 : ofKeys ? tileKeys() : tileRows();
  if (ofKeys)
    t.add(TileGroup::N, 1, key.extent, key.strides[tensor], tileKeys());
  else
    t.addGroup(TileGroup::M, rows, tensor, t.rows);
  t.addGroup(TileGroup::Batch, batch, tensor, 1);
  t.finish();
  return t;
}

/// What copies of 16 bytes and the registers of a warp demand.
static std::string warpObstacle(const AttentionPlan &p) {
  if (p.tensorStore || p.stages != 1 || p.tileKeys() != 64) return "what only kernels with TMA can do";
  if (p.consumers * p.tileWidth() > 256) return "accumulators that do not fit the registers";
  if (p.depth % 8 != 0 || p.width % 8 != 0) return "features that are no multiple of 8";
  for (AttentionPlan::Tensor t : {AttentionPlan::Q, AttentionPlan::K, AttentionPlan::V}) {
    bool fits = p.key.strides[t] % 8 == 0;
    for (const auto *group : {&p.batch, &p.rows})
      for (const AttentionDim &d : *group) fits &= d.strides[t] % 8 == 0;
    if (!fits) return "a stride that is no multiple of 16 bytes";
  }
  return {};
}

std::string AttentionPlan::obstacle() const {
  if (input != DType::BF16 && input != DType::F16) return "operands are neither bf16 nor f16";
  if (result != input && result != DType::F32) return "the result is neither f32 nor of the operands' type";
  if (logSum && *logSum != DType::F32 && *logSum != input)
    return "a log-sum-exp that is neither f32 nor the operands' type";
  if (rows.empty() || rows.size() + batch.size() > 64) return "no index of queries, or too many of them";
  double places = double(key.extent);
  for (const auto *group : {&batch, &rows})
    for (const AttentionDim &d : *group) {
      if (d.extent < 1 || d.extent > INT32_MAX / 4 || d.tile < 1 || d.tile > 128 ||
          !std::has_single_bit(uint64_t(d.tile)))
        return "an extent or a side of a tile";
      if (d.strides[O] == 0 || (logSum && d.strides[L] == 0)) return "a result that does not move along its own index";
      places *= double(d.extent);
    }
  for (const AttentionDim &d : rows)
    if (d.strides[Q] == 0 || d.strides[K] != 0 || d.strides[V] != 0) return "an index of rows that keys have";
  if (places > 1e18) return "too many elements";
  if (product(batch, [](const AttentionDim &d) { return d.tile; }) != 1) return "a tile of more than one batch";
  if (consumers < 1 || consumers > 2 || tileRows() != 64 * consumers) return "a tile is not 64 rows for each warpgroup";
  if (depth < 1 || depth > 256 || width < 1 || width > 256) return "more than 256 features";
  if (key.extent < 1 || key.extent > INT32_MAX / 4 || (tileKeys() != 64 && tileKeys() != 128))
    return "a tile is neither 64 nor 128 keys";
  if (tileWidth() > 128 && tileKeys() > 64) return "accumulators that do not fit the registers";
  if (position >= rows.size()) return "no such index of rows";
  if (bodies < 0 || bodies >= 2 * LogSum || (has(Low) && lowest) || (has(High) && highest) ||
      (has(LogSum) && !logSum) || (has(Score) && softcap != 0))
    return "operations of the cascade that contradict the plan";
  for (const auto &bound : {lowest, highest})
    if (bound && (*bound > INT32_MAX / 4 || *bound < INT32_MIN / 4)) return "a bound of the mask";
  if (!std::isfinite(scale) || !std::isfinite(softcap) || softcap < 0) return "a factor that is not finite";
  if (section < 1 || (!byWarps && (stages < 2 || stages > 8))) return "a pipeline of less than 2 or more than 8 stages";
  if (byWarps)
    if (std::string why = warpObstacle(*this); !why.empty()) return why;
  for (Tensor t : {Q, K, V})
    if (byWarps)
      break;
    else if (std::string why = transfer(t).map.obstacle(); !why.empty())
      return std::string(t == Q ? "queries: " : t == K ? "keys: " : "values: ") + why;
  if (tensorStore) {
    if (byteSize(result) != 2 || !cutsEvenly(rows, 64)) return "results that stmatrix cannot stage";
    if (std::string why = transfer(O).map.obstacle(); !why.empty()) return "result: " + why;
  } else if (width % 2 != 0 || std::any_of(rows.begin(), rows.end(), [](auto &d) { return d.strides[O] % 2 != 0; }) ||
             std::any_of(batch.begin(), batch.end(), [](auto &d) { return d.strides[O] % 2 != 0; })) {
    return "results that cannot be stored in pairs";
  }
  if (double(rowTiles()) * double(batches()) > INT32_MAX / 2) return "too many tiles";
  return {};
}

void chooseAttentionTiles(AttentionPlan &p, int64_t multiprocessors, int64_t sharedBytes) {
  // Masks that cut nothing: a single query sees all keys before it.
  if (p.highest && *p.highest >= p.key.extent - 1) p.highest.reset();
  if (p.lowest && *p.lowest + p.rows[p.position].extent - 1 <= 0) p.lowest.reset();
  int64_t rowCount = 1;
  for (const AttentionDim &d : p.rows) rowCount *= d.extent;
  // Two warpgroups take turns; one where that leaves multiprocessors without work, or a tile half empty. A warp has
  // registers for 32 rows of 64 elements.
  const int64_t pairs = (rowCount + 127) / 128 * p.batches();
  p.consumers = rowCount <= 64 || pairs * 2 <= multiprocessors || (p.byWarps && p.tileWidth() > 64) ? 1 : 2;
  // The last rows first, which are what is contiguous in a group of heads: as much of each as there is.
  int64_t left = 64 * p.consumers;
  for (AttentionDim &d : p.rows) {
    d.tile = std::min(left, int64_t(std::bit_ceil(uint64_t(d.extent))));
    left /= d.tile;
  }
  p.rows.front().tile *= left;
  p.key.tile = p.byWarps || p.tileWidth() > 128 || p.tileDepth() > 128 || p.key.extent <= 64 ? 64 : 128;
  p.tensorStore = !p.byWarps && byteSize(p.result) == 2 && p.transfer(AttentionPlan::O).map.obstacle().empty();
  p.stages = p.byWarps ? 1 : 2;
  while (!p.byWarps && p.stages < 4) {
    ++p.stages;
    if (p.sharedBytes() <= sharedBytes) continue;
    --p.stages;
    break;
  }
  // Keys and values of a section stay in half of L2.
  const double bytes = double(p.key.extent) * double(p.depth + p.width) * 2;
  p.section = std::clamp<int64_t>(int64_t(25e6 / bytes), 1, p.batches());
  if (!p.masked()) p.section = 1;
}

LaunchPlan attentionLaunches(const AttentionPlan &plan, std::string_view name) {
  LaunchPlan launches;
  GpuLaunch &launch = launches.launches.emplace_back();
  launch.name = name;
  launch.grid[0] = plan.rowTiles() * plan.batches();
  launch.block[0] = plan.threads();
  launch.sharedBytes = plan.sharedBytes();
  // Tiles of a masked attention are not alike: blocks that end early are followed by the next ones.
  launch.persistent = !plan.masked() && !plan.byWarps;
  for (unsigned t : {AttentionPlan::Q, AttentionPlan::K, AttentionPlan::V}) {
    const GpuSlot slot{GpuSlot::Kind::Operand, t};
    launch.arguments.push_back(plan.byWarps
                                   ? GpuArgument::pointer(slot)
                                   : GpuArgument::tensorMap(plan.transfer(AttentionPlan::Tensor(t)).map, slot));
  }
  const GpuSlot result{GpuSlot::Kind::Result};
  launch.arguments.push_back(plan.tensorStore ? GpuArgument::tensorMap(plan.transfer(AttentionPlan::O).map, result)
                                              : GpuArgument::pointer(result));
  if (plan.logSum) launch.arguments.push_back(GpuArgument::pointer({GpuSlot::Kind::Result, 1}));
  return launches;
}

} // namespace ein
