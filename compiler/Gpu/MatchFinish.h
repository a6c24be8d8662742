// Finds the pointwise operation that a contraction's sums are made for, so that one kernel does both.
#pragma once

#include "compiler/Gpu/GemmFinish.h"

#include <optional>

namespace ein {

/// A contraction of which nothing but `consumer` reads the sums.
struct FinishMatch {
  mlir::linalg::LinalgOp consumer;
  GemmFinish finish;              ///< no operation where it only rounds
  std::vector<SimtMemory> memory; ///< of the contraction's two operands, of what the consumer stores to and reads
  NestShape shape;                ///< the contraction's, into what the consumer stores to; indices that inputs of the
                                  ///< consumer walk in different ways are not joined
};

/// The operation that alone reads the sums of `op`, where it is pointwise: one sum for each of its elements, in any
/// order, with a body that uses no index. Nothing else is asked of it. Null if there is none.
mlir::linalg::GenericOp soleConsumer(mlir::linalg::LinalgOp op);

/// Whether `op` may as well run right before its consumer, however far that is: its operands are the kernel's.
bool mayWait(mlir::linalg::LinalgOp op);

/// The match of a contraction of f32 sums that starts from zero, with what `memoryOf` tells; nothing where the
/// consumer's result lies where the contraction's operands do, which other blocks may still read.
std::optional<FinishMatch> matchFinish(mlir::linalg::LinalgOp op,
                                       llvm::function_ref<mlir::FailureOr<SimtMemory>(mlir::Value)> memoryOf);

} // namespace ein
