// ein-plan-kernels: attach a plan to every linalg operation.
#include "compiler/Lowering/CascadeRegion.h"
#include "compiler/Lowering/TunedPlan.h"
#include "compiler/Transforms/Passes.h"

using namespace mlir;

namespace ein {

#define GEN_PASS_DEF_PLANKERNELS
#include "compiler/Transforms/Passes.h.inc"

namespace {

struct PlanKernels : impl::PlanKernelsBase<PlanKernels> {
  using PlanKernelsBase::PlanKernelsBase;

  void runOnOperation() override {
    CpuModel cpu{vectorBytes, vectorRegisters, fma, splitsWideVectors, l1Bytes, l2Bytes, l3Bytes, threads};
    for (auto [step, op] : llvm::enumerate(stepsOf(getOperation()))) {
      FailureOr<NestShape> shape = shapeOf(op);
      if (failed(shape)) {
        op->emitOpError("cannot be planned: shapes and strides must be static, and maps plain indices (below 2^31 "
                        "where the body uses their values)");
        return signalPassFailure();
      }
      op->setAttr(kPlanAttr, planToAttr(&getContext(), planStep(op, step, *shape, cpu)));
    }
    const size_t steps = stepsOf(getOperation()).size();
    for (auto [number, region] : llvm::enumerate(foldsOf(getOperation()))) {
      FailureOr<FoldRegion> fold = readFold(region);
      std::optional<ContractionPlan> plan = failed(fold) ? std::nullopt : planFoldStep(*fold, steps + number, cpu);
      if (!plan) {
        region.emitOpError("is no contraction with a pointwise operation after it that one kernel computes");
        return signalPassFailure();
      }
      region->setAttr(kPlanAttr, planToAttr(&getContext(), KernelPlan(*plan)));
    }
    for (scf::ExecuteRegionOp region : cascadesOf(getOperation())) {
      FailureOr<CascadeRegion> cascade = readCascade(region);
      if (failed(cascade)) return signalPassFailure();
      auto planned = planCascade(cascade->shape, cpu);
      if (auto *why = std::get_if<std::string>(&planned)) {
        region.emitOpError("cannot be planned as one pass: ") << *why;
        return signalPassFailure();
      }
      AnyCascadePlan plan = std::holds_alternative<CascadePlan>(planned)
                                ? AnyCascadePlan(std::get<CascadePlan>(planned))
                                : AnyCascadePlan(std::get<ThinCascadePlan>(planned));
      region->setAttr(kPlanAttr, planToAttr(&getContext(), plan));
    }
  }
};

} // namespace

} // namespace ein
