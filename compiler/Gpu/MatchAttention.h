// Recognises attention in a fused cascade: scores, a scaled sum of exponentials, values.
#pragma once

#include "compiler/Gpu/AttentionBodies.h"

#include <variant>

namespace ein {

/// A cascade that is one attention kernel.
struct AttentionMatch {
  AttentionPlan plan;                 ///< complete, with tiles
  std::array<mlir::Value, 5> tensors; ///< memory of Q, K, V, O and L; no L without log-sum-exp
  AttentionBodies bodies;             ///< behind `plan.bodies`; without memory
};

/// The match, or why an attention kernel cannot compute this cascade. It can where
/// - one inner product of queries and keys makes the scores,
/// - one tensor of values is summed with the weights; perhaps something of maximum and sum alone is stored as well,
/// - operands are bf16 or f16 with their features contiguous.
/// Scaling, tanh caps, masks that compare the key with an index and a constant, division by the sum and log-sum-exps
/// are the plan's; other pointwise operations, masks, bounds and results are bodies.
std::variant<AttentionMatch, std::string> matchAttention(const CascadeRegion &cascade, int64_t multiprocessors = 132,
                                                         bool byWarps = false);

} // namespace ein
