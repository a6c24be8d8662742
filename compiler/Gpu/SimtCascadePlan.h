// The plan of a fused cascade as a GPU kernel without tensor cores. No MLIR.
#pragma once

#include "compiler/Gpu/SimtPlan.h"
#include "compiler/Lowering/CascadeShape.h"

#include <variant>

namespace ein {

/// One pass over the keys, nothing of which is stored. A warp takes `rows` rows that share what moves with the key.
/// Its lanes are keys while scores are computed and exponentiated, 32 at a time; then they are the indices of the sums,
/// and keys come one after the other. With `split` > 1 the keys are cut into as many parts, each with maxima and sums
/// of its own in the workspace, and a second kernel adds the parts up.
struct SimtCascadePlan {
  CascadeShape shape;
  CascadeFlow flow;           ///< as of few rows
  std::vector<int64_t> lanes; ///< by product of `flow`: neighbours along the last of its indices that a thread takes
  int64_t rows = 1;
  int64_t split = 1;
  int64_t chunk = 0; ///< keys of one part

  static constexpr int64_t kThreads = 128, kWarp = 32;

  int64_t keys() const { return shape.extent(shape.key); }
  int64_t points(const std::vector<int> &indices) const;
  int64_t sharedRows() const { return points(flow.shared); }
  int64_t allRows() const { return points(flow.batch) * sharedRows(); }
  /// Warps that the rows take.
  int64_t items() const { return points(flow.batch) * ceilDiv(sharedRows(), rows); }
  int64_t blocks() const { return ceilDiv(items(), kThreads / kWarp); }
  /// Number in `flow.products` of an operation's product; -1 if it is none.
  int productOf(size_t op) const;
  /// Whether an operation makes something that lasts from key to key: a maximum or a sum.
  bool lasts(size_t op) const;
  /// Elements of it for each row.
  int64_t stateElements(size_t op) const;
  /// Elements of all of it.
  int64_t stateSize() const;
  int64_t partBytes() const { return split > 1 ? split * allRows() * stateSize() * shape.elementBytes : 0; }
  /// "simt cascade: 4096 rows by warps of 4, 512 keys, 2 parts; grid 256x2, block 128".
  std::string str() const;
};

/// The plan, or why there is no such kernel. `alignment`: by operation and input, of the element at index zero in
/// bytes; 16 at most.
std::variant<SimtCascadePlan, std::string>
planSimtCascade(const CascadeShape &shape, const std::vector<std::vector<int64_t>> &alignment, const GpuModel &gpu);

} // namespace ein
