// ein-emit-gpu-kernels: the kernels of plans in text.
#include "compiler/Gpu/HopperAttention.h"
#include "compiler/Gpu/HopperGemm.h"
#include "compiler/Gpu/MmaAttention.h"
#include "compiler/Gpu/MmaKernel.h"
#include "compiler/Transforms/Passes.h"

using namespace mlir;

namespace ein {

#define GEN_PASS_DEF_EMITGPUKERNELS
#include "compiler/Transforms/Passes.h.inc"

namespace {

/// Emits the kernel of a plan; says what is wrong with it if none can be.
std::string emit(gpu::GPUModuleOp kernels, StringRef text, StringRef name) {
  if (text.starts_with("attention")) {
    const auto plan = parseAttentionPlan(text);
    if (!plan) return plan.error().message;
    if (plan->bodies) return "operations of the cascade are part of it, and are not in its text";
    (plan->byWarps ? emitMmaAttention : emitHopperAttention)(kernels, *plan, name, nullptr);
    return {};
  }
  if (text.starts_with("mma")) {
    const auto plan = parseMmaPlan(text);
    if (!plan) return plan.error().message;
    emitMma(kernels, *plan, name);
    return {};
  }
  const auto plan = parseGemmPlan(text);
  if (!plan) return plan.error().message;
  emitHopperGemm(kernels, *plan, name);
  return {};
}

struct EmitGpuKernels : impl::EmitGpuKernelsBase<EmitGpuKernels> {
  void runOnOperation() override {
    auto plans = getOperation()->getAttrOfType<DictionaryAttr>("ein.kernels");
    if (!plans) return;
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    auto kernels = gpu::GPUModuleOp::create(builder, getOperation().getLoc(), "kernels");
    getOperation()->setAttr(gpu::GPUDialect::getContainerModuleAttrName(), builder.getUnitAttr());
    for (NamedAttribute entry : plans) {
      auto text = dyn_cast<StringAttr>(entry.getValue());
      if (std::string wrong = emit(kernels, text ? text.getValue() : "", entry.getName()); !wrong.empty()) {
        getOperation().emitOpError("kernel ") << entry.getName() << ": " << wrong;
        return signalPassFailure();
      }
    }
  }
};

} // namespace

} // namespace ein
