// Attention plans as text, and back.
#include "compiler/Gpu/AttentionPlan.h"
#include "compiler/Gpu/PlanText.h"

namespace ein {

std::string AttentionPlan::str() const {
  PlanWriter w{"attention"};
  if (byWarps) w.field("by", "warps");
  w.field("input", input);
  w.field("result", result);
  w.field("batch", batch);
  w.field("rows", rows);
  w.field("key", std::vector<AttentionDim>{key});
  w.field("depth", depth);
  w.field("width", width);
  w.field("scale", scale);
  w.field("softcap", softcap);
  w.field("position", int64_t(position));
  w.field("lowest", lowest);
  w.field("highest", highest);
  w.field("logsum", logSum ? name(*logSum) : "none");
  w.field("zero-empty", int64_t(zeroEmpty));
  w.field("consumers", consumers);
  w.field("stages", stages);
  w.field("section", section);
  w.field("tensor-store", int64_t(tensorStore));
  if (bodies) w.field("bodies", bodies), w.field("rising", int64_t(boundsRise));
  return w.line;
}

uint64_t AttentionPlan::hash() const { return hashOfPlan(str()); }

Expected<AttentionPlan> parseAttentionPlan(std::string_view text) {
  AttentionPlan p;
  std::vector<AttentionDim> keys;
  PlanReader r{text, {}};
  if (!r.take("attention")) r.fail("no 'attention'");
  p.byWarps = r.take(" by=warps");
  r.field("input", p.input);
  r.field("result", p.result);
  r.field("batch", p.batch);
  r.field("rows", p.rows);
  r.field("key", keys);
  r.field("depth", p.depth);
  r.field("width", p.width);
  r.field("scale", p.scale);
  r.field("softcap", p.softcap);
  r.field("position", p.position);
  r.field("lowest", p.lowest);
  r.field("highest", p.highest);
  r.field("logsum", p.logSum);
  r.field("zero-empty", p.zeroEmpty);
  r.field("consumers", p.consumers);
  r.field("stages", p.stages);
  r.field("section", p.section);
  r.field("tensor-store", p.tensorStore);
  if (!r.rest.empty()) r.field("bodies", p.bodies), r.field("rising", p.boundsRise);
  if (r.end()) {
    if (keys.size() == 1) p.key = keys.front();
    r.wrong = keys.size() == 1 ? p.obstacle() : "not one index of keys";
  }
  if (!r.wrong.empty())
    return makeError(ErrorCode::Syntax, "not an attention plan: " + r.wrong, "what AttentionPlan::str writes");
  return p;
}

} // namespace ein
