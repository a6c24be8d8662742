// Requirements against what a flat Program stores.
#include "compiler/Paths/Requirements.h"

#include <algorithm>
#include <cstdio>
#include <set>

namespace ein {
namespace {

class RequirementCheck {
public:
  RequirementCheck(const Program &source, const FlatProgram &flat) : source(source), flat(flat) {}

  Expected<void> run() const {
    for (const Requirement &r : source.requirements)
      for (TensorId t : r.tensors)
        if (auto ok = check(r, t); !ok) return ok;
    return {};
  }

private:
  Expected<void> check(const Requirement &r, TensorId t) const {
    const bool isOutput = contains(source.outputs, t), isStored = isIntermediate(t);
    const std::string name = "'" + source.tensors[t].name + "'";
    switch (r.kind) {
    case Requirement::Kind::OnePass:
      if (auto between = storedBefore(t))
        return fails(r, t, "E17", describe(*between) + " is stored on the way to " + name + ": another pass reads it",
                     *between);
      if (!isStored && !isOutput) return fails(r, t, "E17", name + " is in no kernel", t);
      return {};
    case Requirement::Kind::NoStore:
      if (isStored) return fails(r, t, "E18", name + " is stored", t);
      if (isOutput)
        if (auto between = storedBefore(t))
          return fails(r, t, "E18", describe(*between) + " is stored on the way to " + name, *between);
      return {};
    case Requirement::Kind::Stored:
      if (!isStored && !isOutput) return fails(r, t, "E18", name + " is not stored", t);
      return {};
    case Requirement::Kind::Exact:
      // Intermediates are never rounded; what leaves the kernel is, and is read back so.
      if (isOutput && byteSize(source.tensors[t].dtype) == 2 && isRead(t))
        return fails(r, t, "E18", name + " is an output of 16 bits that is read again", t);
      return {};
    }
    return {};
  }

  bool isIntermediate(TensorId t) const { return flat.workspaceOffsets[t] >= 0; }
  static bool contains(const std::vector<TensorId> &list, TensorId t) {
    return std::find(list.begin(), list.end(), t) != list.end();
  }

  /// Tensors that the assignment of `t` in the flat Program reads.
  std::set<TensorId> readBy(TensorId t) const {
    const Program &p = flat.program;
    std::set<TensorId> reads;
    for (const Assignment &a : p.assignments) {
      if (a.result != t) continue;
      std::vector<ExprId> stack{a.value};
      std::set<ExprId> seen;
      while (!stack.empty()) {
        const Expr &e = p.exprs[stack.back()];
        stack.pop_back();
        if (e.kind == Expr::Kind::Access) reads.insert(e.tensor);
        for (ExprId arg : e.args)
          if (seen.insert(arg).second) stack.push_back(arg);
      }
    }
    return reads;
  }

  bool isRead(TensorId t) const {
    return std::any_of(flat.program.assignments.begin(), flat.program.assignments.end(),
                       [&](const Assignment &a) { return readBy(a.result).count(t) > 0; });
  }

  /// The first tensor in the workspace that `t` is computed from.
  std::optional<TensorId> storedBefore(TensorId t) const {
    std::vector<TensorId> stack{t};
    std::set<TensorId> seen, stored;
    while (!stack.empty()) {
      const TensorId now = stack.back();
      stack.pop_back();
      for (TensorId read : readBy(now)) {
        if (!seen.insert(read).second) continue;
        if (isIntermediate(read)) stored.insert(read);
        stack.push_back(read);
      }
    }
    for (const Assignment &a : flat.program.assignments)
      if (stored.count(a.result)) return a.result;
    return std::nullopt;
  }

  std::string describe(TensorId t) const {
    if (t < source.tensors.size()) return "'" + source.tensors[t].name + "'";
    return "an intermediate " + flat.program.typeOf(t).str();
  }

  Error fails(const Requirement &r, TensorId t, const char *rule, const std::string &reason, TensorId culprit) const {
    Error e = makeError(ErrorCode::Unsupported,
                        "'require " + std::string(name(r.kind)) + "(" + source.tensors[t].name + ")' fails: " + reason,
                        "drop the requirement, or write what it names as one reduction");
    e.rule = rule;
    for (const Boundary &b : flat.boundaries)
      e.notes.push_back("boundary " + b.result + ", " + std::string(ein::name(b.obstacle)) + ": " + b.reason);
    e.text = source.text;
    e.labels.push_back({r.span, "required here"});
    for (const Assignment &a : source.assignments)
      if (a.result == culprit) e.labels.push_back({source.exprs[a.value].span, "computed here"});
    return e;
  }

  const Program &source;
  const FlatProgram &flat;
};

} // namespace

Expected<void> checkRequirements(const Program &source, const FlatProgram &flat) {
  return RequirementCheck(source, flat).run();
}

std::vector<Error> storageWarnings(const Program &source, const FlatProgram &flat) {
  constexpr double large = double(1 << 30);
  std::vector<Error> warnings;
  for (const Assignment &a : source.assignments) {
    double bytes = double(byteSize(flat.program.tensors[a.result].dtype));
    for (IndexId axis : source.tensors[a.result].axes) bytes *= double(*source.indices[axis].extent);
    if (flat.workspaceOffsets[a.result] < 0 || bytes < large) continue;
    char size[32];
    std::snprintf(size, sizeof size, "%.1f GiB", bytes / large);
    Error w = makeError(ErrorCode::Limit,
                        "the intermediate '" + source.tensors[a.result].name + "' of " + size + " will be stored",
                        "'einc path' shows what else is");
    w.rule = "W04";
    w.text = source.text;
    w.labels.push_back({source.exprs[a.value].span, "computed here"});
    warnings.push_back(std::move(w));
  }
  return warnings;
}

} // namespace ein
