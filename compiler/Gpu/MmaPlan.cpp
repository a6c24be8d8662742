// Mma plans: what follows from the decisions, and what the instructions demand of them.
#include "compiler/Gpu/MmaPlan.h"

#include "compiler/Lowering/NestShape.h"

#include <algorithm>
#include <bit>

namespace ein {

int64_t MmaPlan::extent(const GemmDims &dims) const {
  int64_t n = 1;
  for (const GemmDim &d : dims) n *= d.extent;
  return n;
}

int64_t MmaPlan::tiles() const { return extent(batch) * ceilDiv(extent(m), tileM()) * ceilDiv(extent(n), tileN()); }

int64_t MmaPlan::rows(unsigned operand) const {
  return operands[operand].major == GemmMajor::MN ? depth : operand ? tileN() : tileM();
}

int64_t MmaPlan::width(unsigned operand) const {
  return operands[operand].major == GemmMajor::K ? depth : operand ? tileN() : tileM();
}

int64_t MmaPlan::workspaceBytes() const {
  return split == 1 ? 0 : split * extent(batch) * extent(m) * extent(n) * byteSize(accumulator());
}

/// Why copies of `chunk` neighbours cannot move an operand.
static std::string copyObstacle(const MmaPlan &p, unsigned operand) {
  const MmaOperand &o = p.operands[operand];
  const int64_t bytes = o.chunk * p.elementBytes();
  if (o.chunk < 1 || !std::has_single_bit(uint64_t(o.chunk)) || bytes > 16) return "copies of other than 1 to 16 bytes";
  if (bytes < 4 && o.chunk > 1) return "copies of several elements that have less than 4 bytes";
  if (o.chunk > p.width(operand)) return "copies that are longer than a row";
  if (o.chunk == 1) return {};
  const GemmDims &along = o.major == GemmMajor::K ? p.k : operand ? p.n : p.m;
  if (along.front().strides[operand] != 1) return "copies of elements that are no neighbours";
  if (along.size() > 1 && along.front().extent % o.chunk != 0) return "copies that go beyond an index";
  for (const GemmDims *group : {&p.batch, operand ? &p.n : &p.m, &p.k})
    for (const GemmDim &d : *group)
      if (&d != &along.front() && d.strides[operand] % o.chunk != 0)
        return "copies from addresses that are no multiples";
  return {};
}

/// What the tile of a block must be.
static std::string tileObstacle(const MmaPlan &p) {
  for (int64_t side : {p.warpM, p.warpN, p.warpsM, p.warpsN, p.depth})
    if (side < 1 || side > 256 || !std::has_single_bit(uint64_t(side))) return "sides of tiles are powers of 2";
  if (p.warpM < 16 || p.warpN < 16) return "a warp has less than 16 rows or columns";
  if (p.registers() > 128) return "more than 128 registers of sums";
  if (p.threads() > 512) return "more than 16 warps";
  if (p.depth < p.instructionDepth() || p.depth * p.elementBytes() > 128) return "a stage is not 32 to 128 bytes deep";
  for (unsigned o : {0u, 1u})
    if (p.width(o) * p.elementBytes() < 16) return "rows of less than 16 bytes";
  if (p.stages < 2 || p.stages > 8) return "a ring of less than 2 or more than 8 stages";
  return {};
}

std::string MmaPlan::obstacle() const {
  const bool isHalf = input == DType::BF16 || input == DType::F16, isByte = input == DType::I8 || input == DType::U8;
  if (!isHalf && !isByte && input != DType::F32 && input != DType::F64)
    return "operands are none of bf16, f16, f32, f64, i8 and u8";
  if (result != accumulator() && (isByte || result != input))
    return "the result is neither of the operands' type nor of the accumulators'";
  if (isByte && alpha != 1) return "a factor of integers";
  if (products != 1 && !(products == 3 && input == DType::F32)) return "neither 1 product nor, of f32, 3";
  if (m.empty() || n.empty() || k.empty()) return "no index on one of the sides";
  double places = 1;
  for (const GemmDims *group : {&batch, &m, &n, &k})
    for (const GemmDim &d : *group) {
      if (d.extent < 1 || d.extent > INT32_MAX / 2) return "an extent";
      if (d.tile != 1) return "indices are not cut into tiles one by one";
      places *= double(d.extent);
    }
  if (places > 1e18 || batch.size() + m.size() + n.size() + k.size() > 64) return "too many elements";
  for (const GemmDims *group : {&batch, &m, &n, &k})
    if (extent(*group) > INT32_MAX / 2) return "a group of more than 2^30 positions";
  if (std::string why = tileObstacle(*this); !why.empty()) return why;
  for (unsigned o : {0u, 1u})
    if (std::string why = copyObstacle(*this, o); !why.empty()) return std::string(o ? "B: " : "A: ") + why;
  if (split < 1 || (split - 1) * depthBlocksPerPart() >= depthBlocks()) return "a part of the depth that is empty";
  if (raster < 1) return "groups of less than 1 row of tiles";
  if (pair != 1 && pair != 2) return "stores of neither 1 nor 2 elements";
  if (pair == 2) {
    bool even = n.front().strides[2] == 1 && n.front().extent % 2 == 0;
    for (const GemmDims *group : {&batch, &m, &n})
      for (const GemmDim &d : *group) even &= &d == &n.front() || d.strides[2] % 2 == 0;
    if (!even) return "pairs of results that are no neighbours";
  }
  if (double(tiles()) * double(split) > INT32_MAX / 2) return "too many tiles";
  if (split > 1 && double(workspaceBytes()) > INT32_MAX / 2) return "partial sums of more than 1 GiB";
  return {};
}

LaunchPlan mmaLaunches(const MmaPlan &plan, std::string_view name, int64_t workspace) {
  const GpuSlot a{GpuSlot::Kind::Operand, plan.swapped ? 1u : 0u}, b{GpuSlot::Kind::Operand, plan.swapped ? 0u : 1u};
  const GpuSlot d{GpuSlot::Kind::Result}, partial{GpuSlot::Kind::Workspace, 0, workspace};
  LaunchPlan launches;
  launches.workspaceBytes = plan.workspaceBytes();
  GpuLaunch &gemm = launches.launches.emplace_back();
  gemm.name = name;
  gemm.grid[0] = plan.tiles() * plan.split;
  gemm.block[0] = plan.threads();
  gemm.sharedBytes = plan.sharedBytes();
  gemm.arguments = {GpuArgument::pointer(a), GpuArgument::pointer(b),
                    GpuArgument::pointer(plan.split > 1 ? partial : d)};
  if (plan.split == 1) return launches;
  GpuLaunch &sum = launches.launches.emplace_back();
  sum.name = std::string(name) + "_sum";
  sum.grid[0] = ceilDiv(plan.extent(plan.batch) * plan.extent(plan.m) * plan.extent(plan.n), 256);
  sum.block[0] = 256;
  sum.arguments = {GpuArgument::pointer(partial), GpuArgument::pointer(d)};
  return launches;
}

} // namespace ein
