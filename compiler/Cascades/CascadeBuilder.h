// The work behind `fuse`: one cascade from its statistics.
#pragma once

#include "compiler/Cascades/Bounds.h"
#include "compiler/Cascades/Statistics.h"

namespace ein {

/// A tensor that is computed outside of cascades, and its axes in the order of its canonical value's indices.
struct StoredTensor {
  TensorId tensor;
  std::vector<IndexId> order;
};

/// Makes assignments of a cascade. What it needs before goes to `before`.
class CascadeBuilder {
public:
  CascadeBuilder(Arena &arena, TermForm &terms, IndexId key, const StatisticsFinder &found,
                 std::map<ExprId, StoredTensor> &tensors, bool isRequired)
      : a(arena), terms(terms), key(key), found(found), tensors(tensors), isRequired(isRequired) {}

  struct Step {
    Role role;
    Assignment assignment;
  };
  /// False (see `refusal`) where the code generator has no kernel for it or it would not be faster.
  bool build(const std::vector<std::pair<TensorId, ExprId>> &results);

  IndexId keyIndex() const { return key; }

  std::vector<Assignment> before;
  std::vector<Step> steps;
  std::optional<Refusal> refusal;

  static constexpr double kLeastLanes = 8;             ///< rows that share a tile's keys
  static constexpr int64_t kMostState = 4096;          ///< elements of a row's state
  static constexpr double kLeastPlainBytes = 16 << 20; ///< of tiles, where nothing is exponentiated

private:
  double points(const std::vector<IndexId> &indices) const;
  bool isKnown(const std::vector<IndexId> &indices);
  bool refuse(Obstacle obstacle, std::string reason, std::string hint = {});
  TensorId assign(Role role, const char *like, DType dtype, ExprId value);
  ExprId stored(ExprId e);
  bool isWhole(ExprId e) const;
  std::optional<ExprId> onTile(ExprId e);
  bool isGather(ExprId e, const std::vector<IndexId> &across) const;
  std::optional<ExprId> operandOf(const std::map<ExprId, int> &factors, double tilePoints,
                                  const std::vector<IndexId> &across = {});
  std::optional<ExprId> innerProduct(ExprId reduction);
  ExprId tileOf(ExprId e, const char *like);
  bool buildScores();
  bool buildSum(const Statistic &s);
  bool isOfTile(ExprId e) const;
  static std::set<IndexId> intersect(const std::set<IndexId> &x, const std::set<IndexId> &y);

  Arena &a;
  TermForm &terms;
  IndexId key;
  const StatisticsFinder &found;
  std::map<ExprId, StoredTensor> &tensors; ///< by canonical value
  std::map<ExprId, ExprId> tiles;          ///< by inner product
  std::set<IndexId> rows;                  ///< of the tiles
  std::optional<std::set<IndexId>> lanes;  ///< rows that the other factor of every inner product and sum has not
  std::map<ExprId, ExprId> weights;        ///< by score
  bool isRequired;                         ///< fused even where it is not faster
  DType stateType = DType::F32;
};

} // namespace ein
