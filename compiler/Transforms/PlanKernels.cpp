// ein-plan-kernels: attach a plan to every linalg operation.
#include "compiler/Lowering/PlanAttr.h"
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
    auto result = getOperation().walk([&](linalg::LinalgOp op) -> WalkResult {
      if (auto fill = dyn_cast<linalg::FillOp>(*op); fill && startsReduction(fill)) return WalkResult::advance();
      FailureOr<NestShape> shape = shapeOf(op);
      if (failed(shape)) {
        op->emitOpError("cannot be planned: shapes and strides must be static, and maps plain indices (below 2^31 "
                        "where the body uses their values)");
        return WalkResult::interrupt();
      }
      op->setAttr(kPlanAttr, planToAttr(&getContext(), planKernel(op, *shape, cpu)));
      return WalkResult::advance();
    });
    if (result.wasInterrupted()) signalPassFailure();
  }
};

} // namespace

} // namespace ein
