// Gemm plans as text, and back.
#include "compiler/Gpu/GemmPlan.h"
#include "compiler/Gpu/PlanText.h"

namespace ein {

std::string GemmPlan::str() const {
  PlanWriter w{"gemm"};
  auto word = [](GemmMajor major) { return major == GemmMajor::K ? "k" : "mn"; };
  w.field("input", input);
  w.field("result", result);
  w.field("swapped", int64_t(swapped));
  w.field("batch", batch);
  w.field("m", m);
  w.field("n", n);
  w.field("k", k);
  w.field("a", std::string_view(word(majorA)));
  w.field("b", std::string_view(word(majorB)));
  w.field("epilogue", std::string_view(epilogue == GemmEpilogue::Tensor ? "tensor" : "direct"));
  w.field("consumers", consumers);
  w.field("stages", stages);
  w.field("cluster", cluster);
  w.field("split", split);
  w.field("pair", pair);
  w.field("raster", raster);
  w.field("alpha", alpha);
  return w.line;
}

uint64_t GemmPlan::hash() const { return hashOfPlan(str()); }

Expected<GemmPlan> parseGemmPlan(std::string_view text) {
  GemmPlan p;
  PlanReader r{text, {}};
  if (!r.take("gemm")) r.fail("no 'gemm'");
  r.field("input", p.input);
  r.field("result", p.result);
  r.field("swapped", p.swapped);
  r.field("batch", p.batch);
  r.field("m", p.m);
  r.field("n", p.n);
  r.field("k", p.k);
  r.field("a", p.majorA, "k", GemmMajor::K, "mn", GemmMajor::MN);
  r.field("b", p.majorB, "k", GemmMajor::K, "mn", GemmMajor::MN);
  r.field("epilogue", p.epilogue, "tensor", GemmEpilogue::Tensor, "direct", GemmEpilogue::Direct);
  r.field("consumers", p.consumers);
  r.field("stages", p.stages);
  r.field("cluster", p.cluster);
  r.field("split", p.split);
  r.field("pair", p.pair);
  r.field("raster", p.raster);
  r.field("alpha", p.alpha);
  if (r.end()) r.wrong = p.obstacle();
  if (!r.wrong.empty()) return makeError(ErrorCode::Syntax, "not a gemm plan: " + r.wrong, "what GemmPlan::str writes");
  return p;
}

} // namespace ein
