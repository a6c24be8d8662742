// Mma plans as text, and back.
#include "compiler/Gpu/MmaPlan.h"
#include "compiler/Gpu/PlanText.h"

namespace ein {

std::string MmaPlan::str() const {
  PlanWriter w{"mma"};
  auto word = [](GemmMajor major) { return std::string_view(major == GemmMajor::K ? "k" : "mn"); };
  w.field("input", input);
  w.field("result", result);
  w.field("products", products);
  w.field("swapped", int64_t(swapped));
  w.field("batch", batch);
  w.field("m", m);
  w.field("n", n);
  w.field("k", k);
  w.field("a", word(operands[0].major));
  w.field("chunkA", operands[0].chunk);
  w.field("b", word(operands[1].major));
  w.field("chunkB", operands[1].chunk);
  w.field("warpM", warpM);
  w.field("warpN", warpN);
  w.field("warpsM", warpsM);
  w.field("warpsN", warpsN);
  w.field("depth", depth);
  w.field("stages", stages);
  w.field("split", split);
  w.field("pair", pair);
  w.field("raster", raster);
  w.field("alpha", alpha);
  return w.line;
}

uint64_t MmaPlan::hash() const { return hashOfPlan(str()); }

Expected<MmaPlan> parseMmaPlan(std::string_view text) {
  MmaPlan p;
  PlanReader r{text, {}};
  if (!r.take("mma")) r.fail("no 'mma'");
  r.field("input", p.input);
  r.field("result", p.result);
  r.field("products", p.products);
  r.field("swapped", p.swapped);
  r.field("batch", p.batch);
  r.field("m", p.m);
  r.field("n", p.n);
  r.field("k", p.k);
  r.field("a", p.operands[0].major, "k", GemmMajor::K, "mn", GemmMajor::MN);
  r.field("chunkA", p.operands[0].chunk);
  r.field("b", p.operands[1].major, "k", GemmMajor::K, "mn", GemmMajor::MN);
  r.field("chunkB", p.operands[1].chunk);
  r.field("warpM", p.warpM);
  r.field("warpN", p.warpN);
  r.field("warpsM", p.warpsM);
  r.field("warpsN", p.warpsN);
  r.field("depth", p.depth);
  r.field("stages", p.stages);
  r.field("split", p.split);
  r.field("pair", p.pair);
  r.field("raster", p.raster);
  r.field("alpha", p.alpha);
  if (r.end()) r.wrong = p.obstacle();
  if (!r.wrong.empty()) return makeError(ErrorCode::Syntax, "not an mma plan: " + r.wrong, "what MmaPlan::str writes");
  return p;
}

} // namespace ein
