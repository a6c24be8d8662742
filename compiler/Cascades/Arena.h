// The expressions of a Program, each kept once, with intermediates put in place of their names.
#pragma once

#include "compiler/IndexNotation/Program.h"

#include <functional>
#include <map>
#include <set>
#include <vector>

namespace ein {

/// Hash-consed expressions: equal ones have equal ids. Bound indices are named by extent, nesting and position, so two
/// reductions that differ in the names of what they bind are one.
class Arena {
public:
  /// Takes the source's indices and tensors, and none of its expressions.
  explicit Arena(const Program &source);

  Program p;

  ExprId add(Expr e);
  ExprId literal(double value);
  ExprId map(Fn fn, std::vector<ExprId> args);
  ExprId access(TensorId tensor);
  ExprId reduce(Monoid monoid, IndexId index, ExprId arg, std::optional<ExprId> guard = {});

  /// Free indices, ascending.
  const std::vector<IndexId> &free(ExprId e) const { return freeOf[e]; }
  bool depends(ExprId e, IndexId i) const;
  /// What an expression is computed in; nothing for literals and index values only.
  std::optional<DType> typeOf(ExprId e) const { return types[e]; }
  /// Reductions inside each other.
  size_t height(ExprId e) const { return heights[e]; }

  /// `e` with free indices renamed.
  ExprId rename(ExprId e, const std::map<IndexId, IndexId> &names);
  /// `e` with what `replacement` gives in place of its parts, outermost first.
  ExprId replace(ExprId e, const std::function<std::optional<ExprId>(ExprId)> &replacement);
  /// The parts of `e`, children before parents; what is in a part that `stops` holds for is left out.
  std::vector<ExprId> parts(ExprId e, const std::function<bool(ExprId)> &stops = {}) const;
  /// `e` with its free indices named by order of appearance, and these.
  std::pair<ExprId, std::vector<IndexId>> canonical(ExprId e);

  /// A new index or tensor, with a name like `like` that is not taken.
  IndexId newIndex(const std::string &like, int64_t extent);
  /// A new index of the name and extent of another.
  IndexId newIndex(IndexId like);
  /// Whether two indices count alike, whatever the extents of dynamic ones are.
  bool sameExtent(IndexId x, IndexId y) const;
  /// The name of an index as the source has it.
  const std::string &nameOf(IndexId i) const { return spelled[i]; }
  TensorId newTensor(const std::string &like, DType dtype, std::vector<IndexId> axes);
  /// The index that stands for number `place` of those that a reduction of this height binds.
  IndexId boundIndex(IndexId original, size_t height, size_t place);

private:
  std::string unusedName(const std::string &like) const;

  std::map<std::vector<int64_t>, ExprId> known;
  std::map<std::vector<int64_t>, IndexId> bound;
  std::vector<std::string> spelled;  ///< names of indices in the source
  std::vector<IndexId> placeholders; ///< for `canonical`
  std::vector<std::vector<IndexId>> freeOf;
  std::vector<size_t> heights;
  std::vector<std::optional<DType>> types;
};

/// The value of every assignment of `source` in terms of its inputs and of the tensors in `kept`, in the arena: softmax
/// and lse are quotients and logarithms of sums of exponentials. Nothing where that needs more than `most` expressions.
std::optional<std::vector<ExprId>> expand(Arena &arena, const Program &source, size_t most,
                                          const std::set<TensorId> &kept = {});

} // namespace ein
