// A flat Program's memory and its text.
#include "compiler/Paths/Flattener.h"
#include "compiler/Paths/FoldFinishes.h"
#include "compiler/Paths/FoldProducers.h"
#include "compiler/Paths/Inline.h"
#include "compiler/Paths/RealParts.h"
#include "compiler/Paths/Workspace.h"

#include <algorithm>

namespace ein {

namespace {

/// Bytes of a tensor, or nothing if they do not fit 63 bits.
std::optional<int64_t> bytesOf(const Program &p, TensorId t) {
  int64_t bytes = byteSize(p.tensors[t].dtype);
  for (IndexId axis : p.tensors[t].axes)
    if (*p.indices[axis].extent == 0) return 0;
  for (IndexId axis : p.tensors[t].axes)
    if (__builtin_mul_overflow(bytes, *p.indices[axis].extent, &bytes)) return std::nullopt;
  return bytes;
}

std::string describe(const Program &p, TensorId t) { return p.tensors[t].name + ": " + p.typeOf(t).str(); }

/// Lifetimes of `blocks`, in assignments, those of one step together; `blockOf` is -1 for other tensors.
std::vector<Lifetime> lifetimesOf(const FlatProgram &flat, const std::vector<TensorId> &blocks,
                                  const std::vector<int64_t> &blockOf) {
  const Program &p = flat.program;
  std::vector<Lifetime> lifetimes(blocks.size());
  std::vector<size_t> seenAt(p.exprs.size(), p.assignments.size());
  std::vector<size_t> begin(p.assignments.size()), end(p.assignments.size());
  for (size_t first = 0, last; first < p.assignments.size(); first = last) {
    last = endOfStep(flat, first);
    for (size_t step = first; step < last; ++step) begin[step] = first, end[step] = last - 1;
  }
  for (size_t step = 0; step < p.assignments.size(); ++step) {
    if (int64_t block = blockOf[p.assignments[step].result]; block >= 0)
      lifetimes[block] = {*bytesOf(p, p.assignments[step].result), begin[step], end[step]};
    std::vector<ExprId> stack{p.assignments[step].value};
    while (!stack.empty()) {
      ExprId e = stack.back();
      stack.pop_back();
      if (seenAt[e] == step) continue;
      seenAt[e] = step;
      if (p.exprs[e].kind == Expr::Kind::Access && blockOf[p.exprs[e].tensor] >= 0)
        lifetimes[blockOf[p.exprs[e].tensor]].last = end[step];
      stack.insert(stack.end(), p.exprs[e].args.begin(), p.exprs[e].args.end());
    }
  }
  return lifetimes;
}

/// Refuses a nest of more points than 63 bits count.
Expected<void> checkPoints(const Program &p, const Assignment &a) {
  std::vector<IndexId> loops = p.tensors[a.result].axes;
  if (const Expr &e = p.exprs[a.value]; e.kind == Expr::Kind::Reduce)
    loops.insert(loops.end(), e.indices.begin(), e.indices.end());
  if (std::any_of(loops.begin(), loops.end(), [&](IndexId i) { return *p.indices[i].extent == 0; })) return {};
  int64_t points = 1;
  for (IndexId i : loops)
    if (__builtin_mul_overflow(points, *p.indices[i].extent, &points))
      return makeError(ErrorCode::Limit,
                       "the loops that compute " + describe(p, a.result) + " have more points than 63 bits count");
  return {};
}

/// Sum of the bytes of some tensors.
std::string totalBytes(const Program &p, const std::vector<TensorId> &tensors) {
  int64_t total = 0;
  for (TensorId t : tensors)
    if (__builtin_add_overflow(total, bytesOf(p, t).value_or(0), &total)) return "more than 2^63";
  return std::to_string(total);
}

} // namespace

/// The same with places for the intermediates.
static Expected<FlatProgram> placed(FlatProgram flat) {
  const Program &p = flat.program;
  std::vector<TensorId> blocks;
  std::vector<int64_t> blockOf(p.tensors.size(), -1);
  for (size_t i = 0; i < p.assignments.size(); ++i) {
    const Assignment &a = p.assignments[i];
    if (!bytesOf(p, a.result))
      return makeError(ErrorCode::Limit, "tensor " + describe(p, a.result) + " does not fit 63 bits of bytes");
    if (auto ok = checkPoints(p, a); !ok) return ok.error();
    if (isVirtual(flat, i)) continue;
    if (std::find(p.outputs.begin(), p.outputs.end(), a.result) != p.outputs.end()) continue;
    blockOf[a.result] = static_cast<int64_t>(blocks.size());
    blocks.push_back(a.result);
  }
  std::optional<WorkspacePlan> plan = packWorkspace(lifetimesOf(flat, blocks, blockOf));
  if (!plan) return makeError(ErrorCode::Limit, "the workspace of the intermediates does not fit 63 bits of bytes");
  flat.workspaceBytes = plan->bytes;
  flat.workspaceOffsets.assign(p.tensors.size(), -1);
  for (size_t block = 0; block < blocks.size(); ++block) flat.workspaceOffsets[blocks[block]] = plan->offsets[block];
  return flat;
}

bool isFunction(Fn fn) { return fn == Fn::Pow || (fn >= Fn::Exp && fn <= Fn::Cos) || fn == Fn::Rand; }

bool isVirtual(const FlatProgram &flat, size_t assignment) {
  auto isProduct = [&](const Fold &f) { return f.product == assignment; };
  return std::any_of(flat.folds.begin(), flat.folds.end(), isProduct) ||
         std::any_of(flat.cascades.begin(), flat.cascades.end(), [&](const Cascade &c) {
           return c.first <= assignment && assignment < c.last && c.roles[assignment - c.first] != Role::Finish;
         });
}

size_t endOfStep(const FlatProgram &flat, size_t assignment) {
  for (const Cascade &c : flat.cascades)
    if (c.first == assignment) return c.last;
  for (const Fold &f : flat.folds)
    if (f.product == assignment) return assignment + 2;
  return assignment + 1;
}

/// What the text wants to see by itself.
static std::set<TensorId> keptBy(const Program &p) {
  std::set<TensorId> kept(p.stores.begin(), p.stores.end());
  for (const Requirement &r : p.requirements)
    if (r.kind != Requirement::Kind::NoStore) kept.insert(r.tensors.begin(), r.tensors.end());
  return kept;
}

Expected<FlatProgram> flattenAtAnySize(const Program &p, const CompileOptions &options) {
  // Memory is slow beside what a GPU computes.
  const double burden = options.target.isGpu()    ? 0
                        : options.memoryLimit > 0 ? std::min(kBurdenBytes, double(options.memoryLimit))
                                                  : kBurdenBytes;
  const FusedProgram fused = options.fuse ? fuse(p, burden) : FusedProgram{p, {}, {}};
  FlatProgram flat = Flattener(fused, options).run();
  flat.program = inRealParts(std::move(flat.program));
  if (options.fuse) inlinePointwise(flat, keptBy(p));
  flat.unfolded = std::make_shared<const FlatProgram>(flat);
  return options.fuse ? withoutFolds(flat, p, {}) : placed(std::move(flat));
}

bool RefusedFolds::add(const RefusedFolds &others) {
  const size_t before = finishes.size() + factors.size();
  finishes.insert(others.finishes.begin(), others.finishes.end());
  factors.insert(others.factors.begin(), others.factors.end());
  return finishes.size() + factors.size() > before;
}

Expected<FlatProgram> withoutFolds(const FlatProgram &flat, const Program &source, const RefusedFolds &refused) {
  FlatProgram again = *flat.unfolded;
  again.unfolded = flat.unfolded;
  const std::set<TensorId> kept = keptBy(source);
  foldProducers(again, source, refused.factors);
  foldFinishes(again, kept, refused.finishes);
  inlinePointwise(again, kept);
  return placed(std::move(again));
}

Expected<FlatProgram> flatten(const Program &p, const CompileOptions &options) {
  Expected<FlatProgram> flat = flattenAtAnySize(p, options);
  if (!flat || options.memoryLimit <= 0 || flat->workspaceBytes <= options.memoryLimit) return flat;
  Error e = makeError(ErrorCode::Limit, "the kernel needs " + std::to_string(flat->workspaceBytes) +
                                            " bytes of workspace, the limit is " + std::to_string(options.memoryLimit));
  for (const Assignment &a : flat->program.assignments)
    if (flat->workspaceOffsets[a.result] >= 0)
      e.notes.push_back("intermediate " + describe(flat->program, a.result) + " has " +
                        std::to_string(*bytesOf(flat->program, a.result)) + " bytes");
  return e;
}

std::string FlatProgram::str() const {
  std::string text;
  for (const OrderedContraction &c : contractions) {
    text += c.path.str(c.problem);
    if (c.fusion.pairwiseCycles > 0) text += "  " + c.fusion.str() + "\n";
    text += "\n";
  }
  text += print(program);
  for (const Cascade &c : cascades) {
    text += "\ncascade over " + program.indices[c.key].name + ", one pass:\n";
    for (size_t i = c.first; i < c.last; ++i) {
      const TensorId t = program.assignments[i].result;
      const std::string role = name(c.roles[i - c.first]);
      text += "  " + role + std::string(8 - std::min<size_t>(7, role.size()), ' ') + describe(program, t);
      text += isVirtual(*this, i) ? ", never stored\n" : "\n";
    }
  }
  for (const Fold &f : folds)
    text += "\n" + describe(program, program.assignments[f.product].result) + ": never stored, each tile ends as " +
            program.tensors[program.assignments[f.product + 1].result].name + "\n";
  for (const auto *list : {&folded, &inlined})
    for (const Inlined &i : *list)
      text += "\n" + describe(program, i.tensor) + ": never stored, part of " + program.tensors[i.reader].name + "\n";
  for (const Boundary &b : boundaries)
    text += "\nboundary " + b.result + "  " + name(b.obstacle) + ": " + b.reason +
            (b.hint.empty() ? "" : "\n  hint: " + b.hint) + "\n";
  text += "\nmemory: operands " + totalBytes(program, program.inputs) + ", results " +
          totalBytes(program, program.outputs) + ", workspace " + std::to_string(workspaceBytes) +
          " bytes at its peak\n";
  for (TensorId t = 0; t < workspaceOffsets.size(); ++t)
    if (workspaceOffsets[t] >= 0)
      text += "  " + describe(program, t) + " at " + std::to_string(workspaceOffsets[t]) + ", " +
              totalBytes(program, {t}) + " bytes\n";
  return text;
}

} // namespace ein
