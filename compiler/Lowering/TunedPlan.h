// Plans from outside the planner: their text, what a step takes of them, and the candidates to choose from.
#pragma once

#include "compiler/Lowering/FoldRegion.h"
#include "ein/Compile.h"

#include <string>
#include <vector>

namespace ein {

/// Name of the attribute of @kernel with the texts of `CompileOptions::plans`.
inline constexpr const char *kTunedAttr = "ein.tuned";

/// Raised whenever a decision changes its meaning: a text of another version is left out.
inline constexpr int kPlanTextVersion = 1;

/// The decisions of a plan for a step, on one line: "v1 step=0 kind=contraction kc=64 lanes=16 ...". Of a nest only
/// its kind: the planner fills it in.
std::string planToText(mlir::MLIRContext *context, size_t step, const KernelPlan &plan);

/// Attaches the texts to the function, for the planner to find.
void setTunedPlans(mlir::func::FuncOp kernel, const std::vector<std::string> &plans);

/// The plan for the operation that is step number `step`: the decisions of the first text for this step that the
/// operation and the CPU can obey, else the planner's own. The plan's reason says which, and why.
KernelPlan planStep(mlir::linalg::LinalgOp op, size_t step, const NestShape &shape, const CpuModel &cpu);

/// The same for a fold, whose numbers come after those of `stepsOf`; nothing where there is no plan.
std::optional<ContractionPlan> planFoldStep(const FoldRegion &fold, size_t step, const CpuModel &cpu);

/// At most `most` plans for each step that is a tiled contraction, first the one that `planStep` gives it, and the
/// plain nest as the last, which is no candidate where a factor is computed or the step is a fold.
std::vector<PlanCandidate> planCandidates(mlir::func::FuncOp kernel, const CpuModel &cpu, int most);

} // namespace ein
