// ein-emit-gpu-kernels: the kernels of plans in text.
#include "compiler/Gpu/HopperGemm.h"
#include "compiler/Transforms/Passes.h"

using namespace mlir;

namespace ein {

#define GEN_PASS_DEF_EMITGPUKERNELS
#include "compiler/Transforms/Passes.h.inc"

namespace {

struct EmitGpuKernels : impl::EmitGpuKernelsBase<EmitGpuKernels> {
  void runOnOperation() override {
    auto plans = getOperation()->getAttrOfType<DictionaryAttr>("ein.kernels");
    if (!plans) return;
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    auto kernels = gpu::GPUModuleOp::create(builder, getOperation().getLoc(), "kernels");
    getOperation()->setAttr(gpu::GPUDialect::getContainerModuleAttrName(), builder.getUnitAttr());
    for (NamedAttribute entry : plans) {
      auto text = dyn_cast<StringAttr>(entry.getValue());
      auto plan = parseGemmPlan(text ? text.getValue() : StringRef());
      if (!plan) {
        getOperation().emitOpError("kernel ") << entry.getName() << ": " << plan.error().message;
        return signalPassFailure();
      }
      emitHopperGemm(kernels, *plan, entry.getName());
    }
  }
};

} // namespace

} // namespace ein
