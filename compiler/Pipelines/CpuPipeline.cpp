// The CPU pipeline.
#include "compiler/Pipelines/CpuPipeline.h"

#include "compiler/Transforms/Passes.h"

namespace ein {

std::vector<PipelineStep> cpuPipeline(const CpuModel &cpu) {
  std::vector<PipelineStep> steps;
  // First decide: a plan is an attribute, so that it can be read and edited before anything obeys it.
  steps.push_back({"plan",
                   createPlanKernels({cpu.vectorBytes, cpu.vectorRegisters, cpu.fma, cpu.splitsWideVectors, cpu.l1Bytes,
                                      cpu.l2Bytes, cpu.l3Bytes, cpu.threads}),
                   true});
  // Then emit: straight from plans to vectorised nests. No tiling or vectorising passes in between: the
  // generic route reached 0.38 of OpenBLAS and took seconds (docs/rationale.md).
  steps.push_back({"nest", createEmitNests({cpu.fma}), false});
  // One conversion for all dialects; nothing needs canonicalising, the builder folds as it goes.
  steps.push_back({"llvm-dialect", createLowerToLLVM(), false});
  return steps;
}

} // namespace ein
