// Texts of plans, read with every decision checked.
#include "compiler/Lowering/TunedPlan.h"

#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/PlanCandidates.h"

using namespace mlir;

namespace ein {

static std::string versionWord() { return "v" + std::to_string(kPlanTextVersion); }

std::string planToText(MLIRContext *context, size_t step, const KernelPlan &plan) {
  std::string text = versionWord() + " step=" + std::to_string(step);
  if (std::holds_alternative<NestPlan>(plan)) return text + " kind=nest";
  text += " kind=contraction";
  for (NamedAttribute entry : planToAttr(context, plan)) {
    if (auto number = dyn_cast<IntegerAttr>(entry.getValue()))
      text += " " + entry.getName().str() + "=" + std::to_string(number.getInt());
    if (auto numbers = dyn_cast<DenseI64ArrayAttr>(entry.getValue()))
      for (auto [i, number] : llvm::enumerate(numbers.asArrayRef()))
        text += (i ? "x" : " " + entry.getName().str() + "=") + std::to_string(number);
  }
  return text;
}

void setTunedPlans(func::FuncOp kernel, const std::vector<std::string> &plans) {
  SmallVector<StringRef> texts(plans.begin(), plans.end());
  kernel->setAttr(kTunedAttr, Builder(kernel.getContext()).getStrArrayAttr(texts));
}

/// The entries of a text; nothing where it is not one of this version.
static std::optional<NamedAttrList> entriesOf(MLIRContext *context, StringRef text) {
  Builder b(context);
  NamedAttrList entries;
  SmallVector<StringRef> words;
  text.split(words, ' ');
  if (words.front() != versionWord()) return std::nullopt;
  for (StringRef word : ArrayRef(words).drop_front()) {
    auto [name, value] = word.split('=');
    int64_t number;
    SmallVector<StringRef> parts;
    value.split(parts, 'x');
    SmallVector<int64_t> numbers;
    if (name.empty() || entries.get(name)) return std::nullopt;
    if (name == "kind")
      entries.append(name, b.getStringAttr(value));
    else if (name == "depth_pieces" && llvm::all_of(parts, [&](StringRef part) {
               return !part.getAsInteger(10, number) && (numbers.push_back(number), true);
             }))
      entries.append(name, b.getDenseI64ArrayAttr(numbers));
    else if (!value.getAsInteger(10, number))
      entries.append(name, b.getI64IntegerAttr(number));
    else
      return std::nullopt;
  }
  return entries;
}

/// The plan that the entries describe, or why they cannot be obeyed.
static std::variant<KernelPlan, std::string> obey(linalg::LinalgOp op, const NestShape &shape, const CpuModel &cpu,
                                                  const NamedAttrList &entries) {
  auto kind = dyn_cast_or_null<StringAttr>(entries.get("kind"));
  if (!kind) return "it names no kind of plan";
  if (kind.getValue() == "nest") return planAsNest(op, shape, cpu);
  std::optional<NestShape> tiled = contractionShape(op, shape);
  if (!tiled || !planContraction(*tiled, cpu)) return "the step is not tiled";
  FailureOr<KernelPlan> plan = planFromAttr(op, shape, entries.getDictionary(op.getContext()));
  if (failed(plan)) return "it is incomplete or does not fit the shape";
  auto &contraction = std::get<ContractionPlan>(*plan);
  if (std::string why = misfit(contraction, *tiled, cpu); !why.empty()) return why;
  contraction.predictedCycles = predictCycles(contraction, cpu);
  return *plan;
}

/// The plan of the first text for a step that `obeyed` gives one for; nothing, and why, where there is none.
static std::optional<KernelPlan>
tunedPlan(func::FuncOp kernel, size_t step,
          llvm::function_ref<std::variant<KernelPlan, std::string>(const NamedAttrList &)> obeyed, std::string &why) {
  auto texts = kernel->getAttrOfType<ArrayAttr>(kTunedAttr);
  for (Attribute attribute : texts ? texts.getValue() : ArrayRef<Attribute>()) {
    auto text = dyn_cast<StringAttr>(attribute);
    std::optional<NamedAttrList> entries = text ? entriesOf(kernel.getContext(), text.getValue()) : std::nullopt;
    if (!entries) {
      why = "it is no text of this version";
      continue;
    }
    auto number = dyn_cast_or_null<IntegerAttr>(entries->get("step"));
    if (!number || number.getInt() != int64_t(step)) continue;
    std::variant<KernelPlan, std::string> found = obeyed(*entries);
    if (auto *plan = std::get_if<KernelPlan>(&found)) {
      std::visit([](auto &p) { p.reason = "tuned"; }, *plan);
      return *plan;
    }
    why = std::get<std::string>(found);
  }
  return std::nullopt;
}

static std::string leftOut(const std::string &reason, const std::string &why) {
  return why.empty() ? reason : reason + (reason.empty() ? "" : ", ") + "tuned plan left out: " + why;
}

KernelPlan planStep(linalg::LinalgOp op, size_t step, const NestShape &shape, const CpuModel &cpu) {
  std::string why;
  auto obeyed = [&](const NamedAttrList &entries) { return obey(op, shape, cpu, entries); };
  if (auto tuned = tunedPlan(op->getParentOfType<func::FuncOp>(), step, obeyed, why)) return *tuned;
  KernelPlan plan = planKernel(op, shape, cpu);
  std::visit([&](auto &p) { p.reason = leftOut(p.reason, why); }, plan);
  return plan;
}

std::optional<ContractionPlan> planFoldStep(const FoldRegion &fold, size_t step, const CpuModel &cpu) {
  std::optional<ContractionPlan> plan = planFold(fold, cpu);
  if (!plan) return plan;
  std::string why;
  auto obeyed = [&](const NamedAttrList &entries) -> std::variant<KernelPlan, std::string> {
    std::variant<KernelPlan, std::string> found = obey(fold.product, fold.shape, cpu, entries);
    auto *kernel = std::get_if<KernelPlan>(&found);
    if (!kernel) return found;
    auto *contraction = std::get_if<ContractionPlan>(kernel);
    if (!contraction || !canFinish(fold, *contraction)) return "its tiles cannot end with what follows";
    contraction->finishes = true;
    return found;
  };
  if (auto tuned = tunedPlan(fold.region->getParentOfType<func::FuncOp>(), step, obeyed, why))
    return std::get<ContractionPlan>(*tuned);
  plan->reason = leftOut(plan->reason, why);
  return plan;
}

std::vector<PlanCandidate> planCandidates(func::FuncOp kernel, const CpuModel &cpu, int most) {
  std::vector<PlanCandidate> all;
  for (auto [step, op] : llvm::enumerate(stepsOf(kernel))) {
    FailureOr<NestShape> shape = shapeOf(op);
    std::optional<NestShape> tiled = failed(shape) ? std::nullopt : contractionShape(op, *shape);
    if (!tiled) continue;
    const KernelPlan current = planStep(op, step, *shape, cpu);
    auto *base = std::get_if<ContractionPlan>(&current);
    if (!base) continue;
    auto add = [&](const KernelPlan &plan, double cycles) {
      all.push_back({int32_t(step), planToText(op.getContext(), step, plan), cycles});
    };
    for (const ContractionPlan &plan : candidatePlans(*tiled, cpu, *base, most)) add(plan, plan.predictedCycles);
    if (!tiled->computes) add(NestPlan(), 0);
  }
  for (auto [number, region] : llvm::enumerate(foldsOf(kernel))) {
    const size_t step = stepsOf(kernel).size() + number;
    FailureOr<FoldRegion> fold = readFold(region);
    std::optional<ContractionPlan> base = failed(fold) ? std::nullopt : planFoldStep(*fold, step, cpu);
    if (!base) continue;
    for (const ContractionPlan &plan : candidatePlans(*contractionShape(fold->product, fold->shape), cpu, *base, most))
      if (canFinish(*fold, plan))
        all.push_back({int32_t(step), planToText(kernel.getContext(), step, plan), plan.predictedCycles});
  }
  return all;
}

} // namespace ein
