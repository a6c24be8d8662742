// Predicted times of steps.
#include "compiler/Lowering/StepTime.h"

#include <algorithm>

namespace ein {
namespace {

constexpr double kHertz = 3.5e9;                 ///< a core's clock
constexpr double kEfficiency = 0.8;              ///< of the vector units
constexpr double kFunctionFlops = 24;            ///< a polynomial of a dozen multiply-adds
constexpr double kBytesPerCycle[] = {32, 12, 6}; ///< of a core, from L2, L3 and memory; docs/benchmarks.md
constexpr double kSharedGain = 0.6;              ///< what another core adds to the rate of memory
constexpr double kMostGain = 8;

bool isWide(const TensorReport &t) {
  return t.type.starts_with("f64") || t.type.starts_with("c128") || t.type.starts_with("i64") ||
         t.type.starts_with("u64");
}

} // namespace

void predictTime(StepReport &step, const CpuModel &cpu) {
  const double threads = std::max(1, step.threads);
  const int64_t element = std::any_of(step.stored.begin(), step.stored.end(), isWide) ? 8 : 4;
  const bool takesTwoSlots = cpu.splitsWideVectors && cpu.vectorBytes == 64;
  const double flopsPerCycle = double(cpu.lanes(element)) * (cpu.fma ? 4 : 2) / (takesTwoSlots ? 2 : 1);
  const double compute =
      (step.flops + kFunctionFlops * step.functions) / (flopsPerCycle * kEfficiency * kHertz * threads);
  const double bytes = double(step.bytes);
  const int level = bytes <= double(cpu.l2Bytes) ? 0 : bytes <= double(cpu.l3Bytes) ? 1 : 2;
  const double gain = level < 2 ? threads : std::min(kMostGain, 1 + kSharedGain * (threads - 1));
  const double memory = bytes / (kBytesPerCycle[level] * kHertz * gain);
  step.seconds = std::max(compute, memory);
  step.bound = compute >= memory ? "compute" : "memory";
}

} // namespace ein
