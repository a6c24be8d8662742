// ein-plan-attention: attach an attention plan to every fused cascade that is one.
#include "compiler/Gpu/MatchAttention.h"
#include "compiler/Transforms/Passes.h"

using namespace mlir;

namespace ein {

#define GEN_PASS_DEF_PLANATTENTION
#include "compiler/Transforms/Passes.h.inc"

namespace {

struct PlanAttention : impl::PlanAttentionBase<PlanAttention> {
  void runOnOperation() override {
    for (scf::ExecuteRegionOp region : cascadesOf(getOperation())) {
      FailureOr<CascadeRegion> cascade = readCascade(region);
      if (failed(cascade)) return signalPassFailure();
      const auto match = matchAttention(*cascade);
      if (auto *why = std::get_if<std::string>(&match))
        region.emitRemark("is not computed by an attention kernel: ") << *why;
      else
        region->setAttr("ein.attention", StringAttr::get(&getContext(), std::get<AttentionMatch>(match).plan.str()));
    }
  }
};

} // namespace

} // namespace ein
