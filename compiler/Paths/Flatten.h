// From a bound Program to one loop nest per assignment: contraction order, softmax, nested reductions.
#pragma once

#include "compiler/Cascades/Cascade.h"
#include "compiler/IndexNotation/Program.h"
#include "compiler/Paths/ContractionPath.h"
#include "compiler/Paths/Fusion.h"

#include <string>
#include <vector>

namespace ein {

/// A pointwise tensor that is no assignment any more but a factor inside of one (Fold.h).
struct FoldedTensor {
  TensorId tensor;
  size_t reader; ///< the assignment
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
  std::vector<FoldedTensor> folded;             ///< by reader: one tensor may have several
  std::vector<int64_t> workspaceOffsets;        ///< bytes, by tensor id; -1 for what has no place there
  int64_t workspaceBytes = 0;                   ///< peak of the intermediates, as executed

  /// Path tables, the flat Program and its memory: what `einc path` prints.
  std::string str() const;
};

/// Whether a function takes many instructions, where others take one.
bool isFunction(Fn fn);

/// Whether only parts of a tensor exist, inside of a cascade.
bool isVirtual(const FlatProgram &flat, size_t assignment);

/// Gives every intermediate its place in the workspace. Refuses sizes that do not fit 63 bits.
Expected<void> placeIntermediates(FlatProgram &flat);

/// Flattens. Intermediates get row-major layouts over the axes chosen here and 64-byte aligned,
/// liveness-packed places in one workspace. Refuses sizes that do not fit 63 bits and workspaces above
/// `options.memoryLimit`.
Expected<FlatProgram> flatten(const Program &p, const CompileOptions &options);
/// The same for a workspace of any size: `options.memoryLimit` only says from where on memory is worth time.
Expected<FlatProgram> flattenAtAnySize(const Program &p, const CompileOptions &options);

} // namespace ein
