// Gemm plans: what follows from the decisions, and what the hardware demands of them.
#include "compiler/Gpu/GemmPlan.h"

#include <algorithm>
#include <bit>

namespace ein {

int64_t tileOf(const GemmDims &dims) {
  int64_t n = 1;
  for (const GemmDim &d : dims) n *= d.tile;
  return n;
}

int64_t tilesOf(const GemmDims &dims) {
  int64_t n = 1;
  for (const GemmDim &d : dims) n *= d.tiles();
  return n;
}

/// Elements of a row of at most 128 bytes.
static int64_t widthOf(const GemmDims &dims, int64_t bytes) {
  return dims.empty() ? 1 : std::min(dims.front().tile, 128 / bytes);
}

int64_t GemmPlan::widthA() const { return widthOf(majorA == GemmMajor::K ? k : m, byteSize(input)); }
int64_t GemmPlan::widthB() const { return widthOf(majorB == GemmMajor::K ? k : n, byteSize(input)); }
int64_t GemmPlan::widthD() const { return widthOf(n, byteSize(result)); }

int64_t GemmPlan::offsetBarriers() const {
  return offsetD() + (epilogue == GemmEpilogue::Tensor ? tileM() * tileN() * byteSize(result) : 0);
}

int64_t GemmPlan::workspaceBytes() const { return split == 1 ? 0 : split * tiles() * tileM() * tileN() * 4; }

TmaTransfer GemmPlan::transfer(unsigned tensor) const {
  TmaTransfer t;
  auto addFirst = [&](TileGroup group, const GemmDims &dims, int64_t box) {
    t.add(group, 0, dims.front().extent, dims.front().strides[tensor], box);
  };
  if (tensor == 2) {
    // A box is what one warpgroup stages: 64 rows of a row's width.
    t.map.type = result;
    t.rows = widthD();
    addFirst(TileGroup::N, n, widthD());
    t.addGroup(TileGroup::M, m, tensor, 64);
    t.addGroup(TileGroup::N, n, tensor, widthD(), 1);
  } else {
    const TileGroup group = tensor == 0 ? TileGroup::M : TileGroup::N;
    const GemmDims &rows = tensor == 0 ? m : n;
    const int64_t mine = tensor == 0 ? tileM() : tileN() / cluster;
    t.map.type = input;
    if ((tensor == 0 ? majorA : majorB) == GemmMajor::K) {
      t.rows = mine;
      addFirst(TileGroup::K, k, k.front().tile);
      t.addGroup(group, rows, tensor, mine);
      t.addGroup(TileGroup::K, k, tensor, tileK(), 1);
    } else {
      const int64_t width = tensor == 0 ? widthA() : widthB();
      t.rows = rows.front().tile > width ? width : mine;
      addFirst(group, rows, width);
      t.addGroup(TileGroup::K, k, tensor, tileK());
      t.addGroup(group, rows, tensor, t.rows, 1);
    }
  }
  t.addGroup(TileGroup::Batch, batch, tensor, 1);
  t.finish();
  return t;
}

std::string GemmPlan::obstacle() const {
  if (input != DType::BF16 && input != DType::F16) return "operands are neither bf16 nor f16";
  if (result != input && result != DType::F32) return "the result is neither f32 nor of the operands' type";
  if (m.empty() || n.empty() || k.empty()) return "no index on one of the sides";
  double places = 1;
  for (const GemmDims *group : {&batch, &m, &n, &k})
    for (const GemmDim &d : *group) {
      if (d.extent < 1 || d.extent > INT32_MAX / 2 || d.tile < 1 || d.tile > 256 ||
          (!std::has_single_bit(uint64_t(d.tile)) && d.tile != 192))
        return "an extent or a side of a tile";
      places *= double(d.extent);
    }
  auto moves = [](const GemmDims &dims, std::initializer_list<int> tensors) {
    return std::all_of(dims.begin(), dims.end(), [&](const GemmDim &d) {
      return std::all_of(tensors.begin(), tensors.end(), [&](int t) { return d.strides[t] != 0; });
    });
  };
  if (!moves(batch, {0, 1, 2}) || !moves(m, {0, 2}) || !moves(n, {1, 2}) || !moves(k, {0, 1}))
    return "a tensor that does not move along an index of its own";
  if (places > 1e18 || batch.size() + m.size() + n.size() + k.size() > 64) return "too many elements";
  if (consumers < 1 || consumers > 2 || tileM() != 64 * consumers) return "a tile is not 64 rows for each warpgroup";
  const int64_t columns = tileN(), depth = tileK();
  if (columns < 8 || columns > 256 || columns % 8 != 0) return "a tile is not 8 to 256 columns wide";
  if (depth != 16 && depth != 32 && depth != 64) return "a stage is not 16, 32 or 64 deep";
  if (tileOf(batch) != 1) return "a tile of more than one batch";
  if ((majorA == GemmMajor::K || majorB == GemmMajor::K) && k.front().tile < 16)
    return "rows of less than 16 contracted elements";
  if (majorA == GemmMajor::MN && m.front().tile < 16) return "rows of less than 16 elements of A";
  if (majorB == GemmMajor::MN && (n.front().tile < 16 || columns % widthB() != 0))
    return "rows of less than 16 elements of B";
  if (n.front().tile % 8 != 0) return "less than 8 adjacent columns";
  if (cluster < 1 || cluster > 2 || tilesOf(m) % cluster != 0)
    return "a cluster that does not divide the rows of tiles";
  if (cluster > 1) {
    if (columns % 16 != 0 || !cutsEvenly(n, columns / cluster)) return "a tile of B that a cluster cannot share";
    if (majorB == GemmMajor::K ? k.front().tile != depth
                               : columns / cluster % widthB() != 0 || columns / cluster % transfer(1).rows != 0)
      return "a tile of B that a cluster cannot share";
  }
  if (split < 1 || (split - 1) * depthBlocksPerPart() >= depthBlocks()) return "a part of the depth that is empty";
  if (pair != 1 && pair != 2) return "stores of neither 1 nor 2 elements";
  if (epilogue == GemmEpilogue::Direct && pair == 2) {
    bool even = n.front().strides[2] == 1 && n.front().extent % 2 == 0;
    for (const GemmDims *group : {&batch, &m, &n})
      for (const GemmDim &d : *group) even &= &d == &n.front() || d.strides[2] % 2 == 0;
    if (!even) return "pairs of results that are no neighbours";
  }
  if (split > 1 && epilogue != GemmEpilogue::Direct) return "sums of parts are stored directly";
  if (epilogue == GemmEpilogue::Tensor) {
    if (byteSize(result) != 2 || n.front().tile < 16 || !cutsEvenly(m, 64)) return "results that stmatrix cannot stage";
    if (std::string why = transfer(2).map.obstacle(); !why.empty()) return "result: " + why;
  }
  for (unsigned t : {0u, 1u})
    if (std::string why = transfer(t).map.obstacle(); !why.empty()) return std::string(t ? "B: " : "A: ") + why;
  if (stages < 2 || stages > 16 || raster < 1) return "a pipeline of less than 2 or more than 16 stages";
  if (tiles() * split > INT32_MAX / 2) return "too many tiles";
  return {};
}

LaunchPlan gemmLaunches(const GemmPlan &plan, std::string_view name, int64_t workspace) {
  const GpuSlot a{GpuSlot::Kind::Operand, plan.swapped ? 1u : 0u}, b{GpuSlot::Kind::Operand, plan.swapped ? 0u : 1u};
  const GpuSlot d{GpuSlot::Kind::Result}, partial{GpuSlot::Kind::Workspace, 0, workspace};
  LaunchPlan launches;
  launches.workspaceBytes = plan.workspaceBytes();
  GpuLaunch &gemm = launches.launches.emplace_back();
  gemm.name = name;
  gemm.grid[0] = plan.tiles() * plan.split;
  gemm.block[0] = plan.threads();
  gemm.cluster[0] = plan.cluster;
  gemm.sharedBytes = plan.sharedBytes();
  gemm.persistent = true;
  gemm.arguments = {GpuArgument::tensorMap(plan.transfer(0).map, a), GpuArgument::tensorMap(plan.transfer(1).map, b)};
  if (plan.split > 1)
    gemm.arguments.push_back(GpuArgument::pointer(partial));
  else if (plan.epilogue == GemmEpilogue::Tensor)
    gemm.arguments.push_back(GpuArgument::tensorMap(plan.transfer(2).map, d));
  else
    gemm.arguments.push_back(GpuArgument::pointer(d));
  if (plan.split == 1) return launches;
  GpuLaunch &sum = launches.launches.emplace_back();
  sum.name = std::string(name) + "_sum";
  sum.grid = {plan.tiles(), plan.consumers, (plan.tileN() + 31) / 32};
  sum.arguments = {GpuArgument::pointer(partial), GpuArgument::pointer(d)};
  return launches;
}

} // namespace ein
