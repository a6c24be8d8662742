// Attention kernels of Hopper in the CPU model: right, and without a fault.
#include "compiler/Gpu/AttentionPlan.h"
#include "compiler/Gpu/HopperAttention.h"
#include "compiler/Gpu/MmaAttention.h"
#include "tests/gpu-model/GemmCase.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace ein;
using namespace ein::gpumodel;

namespace {

using Strides = std::array<int64_t, 5>;

struct Shape {
  int64_t batch = 1, heads = 1, group = 1, queries = 64, keys = 64, depth = 64, width = 64;
};

/// Queries [batch, queries, heads, group, depth], keys and values [batch, keys, heads, ...], log-sum-exps [batch,
/// heads, group, queries], each row-major; queries of a group of heads are rows of one tile if `together`.
AttentionPlan attention(const Shape &s, bool together) {
  AttentionPlan p;
  int64_t q = s.heads * s.group * s.depth, k = s.heads * s.depth, v = s.heads * s.width,
          o = s.heads * s.group * s.width;
  AttentionDim group = {s.group, 1, {s.depth, 0, 0, s.width, s.queries}};
  p.batch = {{s.heads, 1, {s.group * s.depth, s.depth, s.width, s.group * s.width, s.group * s.queries}},
             {s.batch, 1, {s.queries * q, s.keys * k, s.keys * v, s.queries * o, s.heads * s.group * s.queries}}};
  p.rows = {{s.queries, 1, {q, 0, 0, o, 1}}};
  if (s.group > 1) (together ? p.rows : p.batch).push_back(group);
  p.key = {s.keys, 1, {0, k, v, 0, 0}};
  p.depth = s.depth;
  p.width = s.width;
  p.scale = 0.125;
  return p;
}

int64_t elements(const AttentionPlan &p, unsigned tensor) {
  int64_t last = tensor == AttentionPlan::L                                 ? 0
                 : tensor == AttentionPlan::V || tensor == AttentionPlan::O ? p.width - 1
                                                                            : p.depth - 1;
  for (const auto *group : {&p.batch, &p.rows})
    for (const AttentionDim &dim : *group) last += (dim.extent - 1) * dim.strides[tensor];
  return last + (p.key.extent - 1) * p.key.strides[tensor] + 1;
}

/// Scores of a row, with the row's offsets; -inf where the mask cuts.
std::vector<double> scoresOf(const AttentionPlan &p, const ModelBuffers &buffers, const Strides &at, int64_t position) {
  std::vector<double> scores(p.key.extent, -INFINITY);
  for (int64_t k = 0; k < p.key.extent; ++k) {
    if ((p.lowest && k < position + *p.lowest) || (p.highest && k > position + *p.highest)) continue;
    double sum = 0;
    for (int64_t d = 0; d < p.depth; ++d)
      sum += elementOf(buffers.operands[0], p.input, at[0] + d) *
             elementOf(buffers.operands[1], p.input, at[1] + k * p.key.strides[1] + d);
    scores[k] = p.scale * sum;
    if (p.softcap) scores[k] = p.softcap * std::tanh(scores[k] / p.softcap);
  }
  return scores;
}

/// What is wrong with a row, or nothing.
std::string compareRow(const AttentionPlan &p, const ModelBuffers &buffers, const Strides &at, int64_t position) {
  std::vector<double> scores = scoresOf(p, buffers, at, position);
  double highest = *std::max_element(scores.begin(), scores.end()), total = 0;
  for (double &score : scores) total += score = score == -INFINITY ? 0 : std::exp(score - highest);
  double unit = p.input == DType::BF16 ? 0x1p-7 : 0x1p-10;
  for (int64_t d = 0; d < p.width; ++d) {
    double want = 0, magnitude = 0;
    for (int64_t k = 0; k < p.key.extent && total > 0; ++k) {
      double term = scores[k] / total * elementOf(buffers.operands[2], p.input, at[2] + k * p.key.strides[2] + d);
      want += term;
      magnitude += std::abs(term);
    }
    double got = elementOf(buffers.results[0], p.result, at[3] + d);
    if (!(std::abs(got - want) <= unit * magnitude))
      return "element " + std::to_string(at[3] + d) + " is " + std::to_string(got) + ", not " + std::to_string(want);
  }
  if (!p.logSum || total == 0) return {};
  double want = std::log(total) + highest, got = elementOf(buffers.results[1], *p.logSum, at[4]);
  if (std::abs(got - want) <= (*p.logSum == DType::F32 ? 1e-4 : unit) * (1 + std::abs(want))) return {};
  return "log-sum-exp " + std::to_string(at[4]) + " is " + std::to_string(got) + ", not " + std::to_string(want);
}

std::string compare(const AttentionPlan &p, const ModelBuffers &buffers) {
  std::vector<const AttentionDim *> dims;
  int64_t points = 1;
  for (const auto *group : {&p.rows, &p.batch})
    for (const AttentionDim &dim : *group) {
      dims.push_back(&dim);
      points *= dim.extent;
    }
  for (int64_t point = 0; point < points; ++point) {
    Strides at = {};
    int64_t rest = point, position = 0;
    for (size_t i = 0; i < dims.size(); ++i) {
      int64_t index = rest % dims[i]->extent;
      rest /= dims[i]->extent;
      if (i == p.position) position = index;
      for (size_t t = 0; t < at.size(); ++t) at[t] += index * dims[i]->strides[t];
    }
    if (std::string wrong = compareRow(p, buffers, at, position); !wrong.empty()) return wrong;
  }
  return {};
}

std::string check(const AttentionPlan &p, uint32_t seed) {
  mlir::OpBuilder b(&modelContext());
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(b.getUnknownLoc());
  b.setInsertionPointToEnd(module->getBody());
  auto kernels = mlir::gpu::GPUModuleOp::create(b, b.getUnknownLoc(), "kernels");
  (p.byWarps ? emitMmaAttention : emitHopperAttention)(kernels, p, "attention", nullptr);
  auto program = ModelProgram::compile(kernels);
  if (!program) return program.error().render();
  std::mt19937 random(seed);
  ModelBuffers buffers;
  for (unsigned t : {0u, 1u, 2u}) buffers.operands.push_back(randomTensor(p.input, elements(p, t), random));
  buffers.results = {{std::vector<uint8_t>(elements(p, AttentionPlan::O) * byteSize(p.result), 0xff)}};
  if (p.logSum)
    buffers.results.push_back({std::vector<uint8_t>(elements(p, AttentionPlan::L) * byteSize(*p.logSum), 0xff)});
  LaunchPlan launches = attentionLaunches(p, "attention");
  auto report = (*program)->run(launches.launches, launches.workspaceBytes, buffers, seed);
  if (!report) return report.error().render();
  return report->str() + compare(p, buffers);
}

/// A case of masks, windows, softcap, groups of heads, ragged extents, both types, all tiles.
AttentionPlan randomPlan(uint32_t seed, bool byWarps) {
  std::mt19937 random(seed);
  auto upTo = [&](int64_t most) { return 1 + int64_t(random() % most); };
  Shape s;
  s.batch = upTo(2);
  s.heads = upTo(2);
  s.group = random() % 3 ? 1 : 2;
  s.queries = upTo(random() % 2 ? 60 : 150);
  s.keys = upTo(random() % 2 ? 100 : 280);
  s.depth = 8 * upTo(random() % 2 ? 8 : 16);
  s.width = random() % 3 ? s.depth : 8 * upTo(16);
  AttentionPlan p = attention(s, random() % 2);
  if (random() % 2) p.highest = random() % 2 ? s.keys - s.queries : 0;
  if (random() % 4 == 0) p.lowest = -int64_t(random() % 40);
  if (random() % 4 == 0) p.softcap = 3;
  if (random() % 3 == 0) p.logSum = DType::F32;
  p.input = p.result = random() % 2 ? DType::BF16 : DType::F16;
  if (random() % 4 == 0) p.result = DType::F32;
  p.byWarps = byWarps;
  chooseAttentionTiles(p, random() % 2 ? 2 : 132);
  return p;
}

void checkRandomCases(bool byWarps, int cases) {
  int run = 0;
  for (uint32_t seed = 0; run < cases && seed < 200; ++seed) {
    const AttentionPlan p = randomPlan(seed, byWarps);
    if (!p.obstacle().empty()) continue;
    ++run;
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + p.str());
    EXPECT_EQ(check(p, seed), "");
  }
  EXPECT_EQ(run, cases) << "too few plans can be emitted";
}

TEST(GpuModelAttention, RandomCases) { checkRandomCases(false, 40); }
TEST(GpuModelAttention, RandomCasesByWarps) { checkRandomCases(true, 24); }

} // namespace
