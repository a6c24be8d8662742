// The nest of a fused cascade: the team, groups of panels, tiles of keys.
#include "compiler/Lowering/EmitCascade.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

CascadeEmitter::CascadeEmitter(NestBuilder &b, const CascadePlan &plan, const CascadeRegion &cascade,
                               ArrayRef<SmallVector<NestOperand>> operands, StringRef name)
    : CascadeFrame(b, cascade, operands, name, analyseFlow(cascade.shape, plan.lane, plan.direct), plan.lanes), p(plan),
      layout(shape, flow, plan), w() {}

void CascadeEmitter::bindPanel(Value panel, Value slot) {
  const int64_t before = w.nv == p.nv ? 0 : p.widePanels;
  position[flow.lane] = b.add(b.mul(b.sub(panel, b.c(before)), w.nr), before * p.nr());
  valid = b.min(b.c(w.nr), b.sub(extent(flow.lane), position[flow.lane]));
  panelState = b.advance(scratch, b.add(b.mul(slot, layout.panelBytes), layout.panelsAt));
}

/// Panels of a batch; of one width where their number comes at run time.
Value CascadeEmitter::panelCount() {
  if (!shape.isDynamic(flow.lane)) return b.c(p.panels());
  return b.div(b.add(extent(flow.lane), p.nr() - 1), p.nr());
}

Value CascadeEmitter::rangeAt(Bound bound) {
  if (!hasBounds()) return bound == Some || bound == All ? b.c(0) : extent(shape.key);
  return b.load(stateAt(layout.range, b.getIndexType(), 4), b.c(bound));
}

CascadeEmitter::PanelFunctions CascadeEmitter::panelFunctions(const Width &width, StringRef suffix) {
  w = width;
  auto make = [&](StringRef part, unsigned more, llvm::function_ref<void(ValueRange)> body) {
    return b.function((name + suffix + part).str(), pointers.size() + 1, 3 + more,
                      [&](ValueRange args, ValueRange index) {
                        bind(args);
                        bindBatch(index[0]);
                        bindPanel(index[1], index[2]);
                        body(index.drop_front(3));
                      });
  };
  auto ofTile = [&](bool isThere, StringRef part, void (CascadeEmitter::*emit)()) {
    if (!isThere) return func::FuncOp();
    return make(part, 2, [&](ValueRange more) {
      firstKey = more[0], keys = more[1];
      (this->*emit)();
    });
  };
  return {make("_begin", 0, [&](ValueRange) { begin(); }), ofTile(true, "_tile", &CascadeEmitter::tile),
          ofTile(!flow.scores.empty() || hasPlainSums(), "_weights", &CascadeEmitter::weights),
          ofTile(hasStates(), "_sums", &CascadeEmitter::sums), make("_finish", 0, [&](ValueRange) { finish(); })};
}

/// Calls a function of the panel `indices[1]`, by its width.
void CascadeEmitter::callPanel(func::FuncOp PanelFunctions::*which, ValueRange indices) {
  if (!(wide.*which)) return;
  Values all(arguments);
  llvm::append_range(all, indices);
  llvm::append_range(all, b.sizes);
  auto call = [&](PanelFunctions &functions) { func::CallOp::create(b, functions.*which, all); };
  if (!p.narrowPanels) return call(wide);
  b.ifThen(b.lessEqual(b.c(p.widePanels), indices[1]), [&] { call(narrow); }, [&] { call(wide); });
}

/// Panels [first, last) of a batch: every tile of keys that counts for one of them.
void CascadeEmitter::group(Value batch, Value first, Value last) {
  bindBatch(batch);
  packHeads();
  auto panels = [&](llvm::function_ref<void(Value panel, Value slot)> body) {
    if (p.groupPanels == 1) return body(first, b.c(0));
    b.loop(first, last, 1, [&](Value panel) { body(panel, b.sub(panel, first)); });
  };
  panels([&](Value panel, Value slot) { callPanel(&PanelFunctions::begin, {batch, panel, slot}); });
  Value low = b.c(0), high = extent(shape.key);
  if (hasBounds()) {
    auto boundOf = [&](Value slot, Bound bound) {
      panelState = b.advance(scratch, b.add(b.mul(slot, layout.panelBytes), layout.panelsAt));
      return rangeAt(bound);
    };
    Value init[] = {boundOf(b.c(0), Some), boundOf(b.c(0), SomeEnd)};
    low = init[0], high = init[1];
    if (p.groupPanels > 1) {
      Values all = b.loop(b.c(1), b.sub(last, first), 1, init, [&](Value slot, ValueRange now) {
        return Values{b.min(now[0], boundOf(slot, Some)), b.max(now[1], boundOf(slot, SomeEnd))};
      });
      low = all[0], high = all[1];
    }
  }
  b.loop(low, high, p.bk, [&](Value from) {
    Value count = b.min(b.c(p.bk), b.sub(high, from));
    firstKey = from, keys = count;
    for (size_t i = 0; i < flow.products.size(); ++i)
      if (KeyPacking(p.packing[i]) == KeyPacking::Tile) packKeys(i, from, count);
    panels([&](Value panel, Value slot) {
      for (auto which : {&PanelFunctions::tile, &PanelFunctions::weights, &PanelFunctions::sums})
        callPanel(which, {batch, panel, slot, from, count});
    });
  });
  panels([&](Value panel, Value slot) { callPanel(&PanelFunctions::finish, {batch, panel, slot}); });
}

/// The groups of one thread, in scratch memory of its own.
void CascadeEmitter::thread(Value t) {
  scratch = b.advance(scratch, b.mul(t, layout.total));
  arguments.back() = scratch;
  for (auto [i, packing] : llvm::enumerate(p.packing))
    if (KeyPacking(packing) == KeyPacking::Head)
      b.store(b.c(-1), scratchAt(layout.packedAt[i], b.getIndexType(), 1), b.c(0));
  Value panels = panelCount(), perGroup = b.c(p.groupPanels);
  // Smaller groups where there would be too few for the team.
  if (shape.isDynamic(flow.lane) && p.threads > 1)
    perGroup = b.min(perGroup, b.max(b.c(1), b.div(b.mul(countOf(flow.batch), panels), p.threads)));
  Value groups = b.div(b.sub(b.add(panels, perGroup), b.c(1)), perGroup), items = b.mul(countOf(flow.batch), groups);
  auto [low, high] = p.cyclic ? std::pair{t, items} : b.chunkBounds(t, p.threads, items);
  b.loop(low, high, p.cyclic ? p.threads : 1, [&](Value item) {
    Value first = b.mul(b.rem(item, groups), perGroup);
    group(b.div(item, groups), first, b.min(b.add(first, perGroup), panels));
  });
}

void CascadeEmitter::emit(Value shared) {
  b.element = cascade.element;
  wide = panelFunctions({p.nv, p.mrWide, p.nr()}, "_wide");
  if (p.narrowPanels) narrow = panelFunctions({p.nv - 1, p.mrNarrow, p.nr() - p.lanes}, "_narrow");
  auto fn = b.function(name, pointers.size() + 1, 1, [&](ValueRange args, ValueRange index) {
    bind(args);
    thread(index[0]);
  });
  Values all(pointers);
  all.push_back(shared);
  b.parallelChunks(p.threads, fn, all);
}

int64_t scratchBytes(const CascadePlan &plan, const CascadeRegion &cascade) {
  const CascadeFlow flow = analyseFlow(cascade.shape, plan.lane, plan.direct);
  return CascadeScratch(cascade.shape, flow, plan).total * plan.threads;
}

void emitCascade(NestBuilder &b, const CascadePlan &plan, const CascadeRegion &cascade,
                 ArrayRef<SmallVector<NestOperand>> operands, Value scratch, StringRef name) {
  CascadeEmitter(b, plan, cascade, operands, name).emit(scratch);
}

} // namespace ein
