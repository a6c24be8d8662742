// Recognises attention in a fused cascade: scores, a scaled sum of exponentials, values.
#pragma once

#include "compiler/Gpu/AttentionPlan.h"
#include "compiler/Lowering/CascadeRegion.h"

#include <variant>

namespace ein {

/// A cascade that is one attention kernel.
struct AttentionMatch {
  AttentionPlan plan;                 ///< complete, with tiles
  std::array<mlir::Value, 5> tensors; ///< memory of Q, K, V, O and L; no L without log-sum-exp
};

/// The match, or why an attention kernel cannot compute this cascade. It can where
/// - one inner product of queries and keys, scaled and perhaps capped by tanh, makes the scores,
/// - masks compare the key with an index of the queries plus a constant,
/// - one tensor of values is summed, and divided by the sum of the weights; perhaps the log-sum-exp is stored,
/// - operands are bf16 or f16 with their features contiguous.
std::variant<AttentionMatch, std::string> matchAttention(const CascadeRegion &cascade, int64_t multiprocessors = 132);

} // namespace ein
