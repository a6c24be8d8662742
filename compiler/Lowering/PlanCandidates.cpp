// Candidates for tuning: the tiles the planner weighed, and variations of its choice.
#include "compiler/Lowering/PlanCandidates.h"

#include <bit>
#include <tuple>

namespace ein {

/// What a plan decides, for comparison.
static auto decisions(const ContractionPlan &p) {
  return std::tie(p.swapped, p.rowLoop, p.colLoop, p.colRun, p.lanes, p.mr, p.nv, p.depthPieces, p.kUnroll, p.rowPanels,
                  p.colPanels, p.colPieces, p.packRows, p.packCols, p.colsOuter, p.streaming, p.split, p.threads);
}

static std::string splitMisfit(const ContractionPlan &p, const CpuModel &cpu) {
  if (p.split > Split::Depth) return "there is no such split";
  if (p.threads != (p.split == Split::Serial ? 1 : cpu.threads)) return "the team is another";
  if (p.split == Split::Batch && p.batch.size() < p.threads) return "fewer batches than threads";
  if (p.split == Split::Depth && p.depthBlocks() < p.threads) return "fewer blocks of the depth than threads";
  if (p.split == Split::Cols && p.colsOuter) return "columns are both split and shared";
  if (p.split == Split::Rows && !p.colsOuter) return "rows are both split and shared";
  return {};
}

std::string misfit(const ContractionPlan &p, const NestShape &shape, const CpuModel &cpu) {
  constexpr int64_t mostUnrolled = 8;
  if (p.batch.size() * p.rows.size() * p.cols.size() != shape.points(false) || p.depth.size() != shape.points(true))
    return "the loops cannot be cut like this";
  if (p.rows.dims.empty() || p.cols.dims.empty() || p.depth.dims.empty()) return "one side has no index";
  if (p.lanes < 1 || !std::has_single_bit(uint64_t(p.lanes)) || p.lanes * p.elementBytes > cpu.vectorBytes)
    return "the CPU has no such vectors";
  const int64_t registers = cpu.vectorRegisters;
  if (p.mr < 1 || p.nv < 1 || p.mr > registers || p.nv > registers || p.mr * p.nv + p.nv + 1 > registers)
    return "the tile does not fit the registers";
  if (p.kUnroll < 1 || p.kUnroll > mostUnrolled) return "the depth cannot be cut like this";
  if (!p.fits()) return "a packing does not fit its operand";
  if (p.rowPanels > p.allRowPanels() || p.colPanels > std::max(p.allColPanels(), p.colUnit()))
    return "there are not so many panels";
  return splitMisfit(p, cpu);
}

/// Changes of one decision, or of two that go together. Not all of them fit.
static std::vector<ContractionPlan> variations(const ContractionPlan &plan) {
  std::vector<ContractionPlan> all;
  auto vary = [&](auto change) { change(all.emplace_back(plan)); };
  for (size_t i = 0; i < plan.depthPieces.size(); ++i) {
    vary([&](auto &p) { p.depthPieces[i] = std::max<int64_t>(1, p.depthPieces[i] / 2); });
    vary([&](auto &p) { p.depthPieces[i] = std::min(p.depth.dims[i].extent, 2 * p.depthPieces[i]); });
  }
  vary([&](auto &p) { p.rowPanels = std::max<int64_t>(1, p.rowPanels / 2); });
  vary([&](auto &p) { p.rowPanels = std::min(p.allRowPanels(), 2 * p.rowPanels); });
  vary([&](auto &p) { p.colPanels = std::max(p.colUnit(), p.colPanels / 2 / p.colUnit() * p.colUnit()); });
  vary([&](auto &p) { p.colPanels = std::min(p.allColPanels(), 2 * p.colPanels); });
  vary([&](auto &p) { p.kUnroll = 1; });
  vary([&](auto &p) { p.kUnroll = 4; });
  vary([&](auto &p) { p.colsOuter = !p.colsOuter; });
  vary([&](auto &p) { p.streaming = !p.streaming; });
  vary([&](auto &p) { p.mr += 1, p.rowPanels = std::min(p.rowPanels, p.allRowPanels()); });
  vary([&](auto &p) { p.mr = std::max<int64_t>(1, p.mr - 1); });
  for (Packing packing : {Packing::None, Packing::Rows, Packing::Transpose}) {
    vary([&](auto &p) { p.packRows = packing; });
    if (plan.packCols != Packing::Cross) vary([&](auto &p) { p.packCols = packing; });
  }
  return all;
}

std::vector<ContractionPlan> candidatePlans(const NestShape &shape, const CpuModel &cpu, const ContractionPlan &base,
                                            size_t most) {
  std::vector<ContractionPlan> tiles = weighedPlans(shape, cpu, most), found;
  if (tiles.empty()) return found;
  auto add = [&](const ContractionPlan &plan) {
    for (const ContractionPlan &known : found)
      if (decisions(known) == decisions(plan)) return;
    if (found.size() < most && misfit(plan, shape, cpu).empty()) found.push_back(plan);
  };
  add(base);
  for (size_t i = 0; i < (tiles.size() + 1) / 2; ++i) add(tiles[i]);
  for (ContractionPlan &plan : variations(base)) {
    plan.predictedCycles = predictCycles(plan, cpu);
    add(plan);
  }
  for (const ContractionPlan &tile : tiles) add(tile);
  return found;
}

} // namespace ein
