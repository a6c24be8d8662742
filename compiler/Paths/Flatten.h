// From a bound Program to one loop nest per assignment: contraction order, softmax, nested reductions.
#pragma once

#include "compiler/Cascades/Cascade.h"
#include "compiler/IndexNotation/Program.h"
#include "compiler/Paths/ContractionPath.h"
#include "compiler/Paths/Fusion.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ein {

/// A contraction and the pointwise step directly after it, which ends its tiles: one step. What the contraction gives
/// is never stored.
struct Fold {
  size_t product; ///< assignment; the pointwise one is the next
};

/// A Program in flat form, and how it came to be.
///
/// In flat form the value of each assignment is a pointwise expression or one unnested Reduce of one:
/// `Reduce` occurs only at the root and `Softmax` nowhere. A Sum over the product of two accesses that
/// share no one-sided summed index is a contraction and becomes linalg.contract. A Sum over more factors is a nest
/// that was found to be faster than pairs. The same holds for Max and Min of sums of accesses; LogSumExp occurs
/// nowhere. Complex tensors have become real ones (RealParts.h).
struct FlatProgram {
  Program program;
  struct OrderedContraction {
    ContractionProblem problem;
    ContractionPath path;
    std::string expression; ///< the text of the einsum that was ordered
    FusionChoice fusion;    ///< of three operands and more: whether they became one nest instead
  };
  std::vector<OrderedContraction> contractions; ///< one per n-ary contraction of the source
  std::vector<Cascade> cascades;                ///< their assignments may hold reductions and are one step
  std::vector<Boundary> boundaries;             ///< chains that are no cascades
  std::vector<Fold> folds;
  struct Inlined {
    TensorId tensor, reader; ///< what has become part of the value of what
  };
  std::vector<Inlined> inlined;                ///< in the order in which it was done
  std::vector<Inlined> folded;                 ///< into contractions, which compute it where they pack it
  std::shared_ptr<const FlatProgram> unfolded; ///< the same before anything was folded, without workspace
  std::vector<int64_t> workspaceOffsets;       ///< bytes, by tensor id; -1 for what has no place there
  int64_t workspaceBytes = 0;                  ///< peak of the intermediates, as executed

  /// Path tables, the flat Program and its memory: what `einc path` prints.
  std::string str() const;
};

/// Whether a function takes many instructions, where others take one.
bool isFunction(Fn fn);

/// Whether only parts of a tensor exist, inside of a cascade or a fold.
bool isVirtual(const FlatProgram &flat, size_t assignment);
/// One past the last assignment of the step that begins with `assignment`.
size_t endOfStep(const FlatProgram &flat, size_t assignment);

/// Flattens. Intermediates get row-major layouts over the axes chosen here and 64-byte aligned,
/// liveness-packed places in one workspace. Refuses sizes that do not fit 63 bits and workspaces above
/// `options.memoryLimit`.
Expected<FlatProgram> flatten(const Program &p, const CompileOptions &options);
/// The same for a workspace of any size: `options.memoryLimit` only says from where on memory is worth time.
Expected<FlatProgram> flattenAtAnySize(const Program &p, const CompileOptions &options);
/// Folds that a planner has refused, by the tensor that the contraction gives.
struct RefusedFolds {
  std::set<TensorId> finishes, factors; ///< what follows it; what it would compute as it packs

  /// Adds those of another list; whether any is new.
  bool add(const RefusedFolds &others);
};
/// The same flat Program of `source` without some of its folds.
Expected<FlatProgram> withoutFolds(const FlatProgram &flat, const Program &source, const RefusedFolds &refused);

} // namespace ein
