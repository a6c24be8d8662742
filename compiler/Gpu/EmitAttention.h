// What the parts of an attention kernel share: the tile of rows being computed, and its softmax.
#pragma once

#include "compiler/Gpu/AttentionBodies.h"
#include "compiler/Gpu/AttentionPlan.h"
#include "compiler/Gpu/Fragment.h"

namespace ein {

/// A tile of rows, and the tiles of keys that count for it: `tiles` of them, the last being number `last`.
struct AttentionItem {
  llvm::SmallVector<mlir::Value> batch, rows;
  mlir::Value lastTile, tiles;
  mlir::Value lowAtFirst, lowAtLast, highAtFirst, highAtLast; ///< of the keys of its first and last row; null: all
};

/// Item number `index` in the order of the plan: sections of batches, the rows with most keys first.
AttentionItem attentionItem(KernelBuilder &b, const AttentionPlan &plan, AttentionBodyEmitter &bodies,
                            mlir::Value index);
/// Coordinates of row `row` of a tile.
llvm::SmallVector<mlir::Value> rowOf(KernelBuilder &b, const AttentionPlan &plan, const AttentionItem &item,
                                     mlir::Value row);

/// Where a row of the tile is in a tensor, the result or the log-sum-exp.
TensorPlace placeOf(KernelBuilder &b, const AttentionPlan &plan, const AttentionItem &item,
                    AttentionPlan::Tensor tensor, mlir::Value row);

/// The running softmax of a thread's two rows.
struct SoftmaxState {
  mlir::Value maximum[2], sum[2]; ///< of this thread's columns the sum
};

/// Scores to probabilities, tile by tile.
class SoftmaxEmitter {
public:
  SoftmaxEmitter(KernelBuilder &b, const AttentionPlan &plan, AttentionBodyEmitter &bodies);

  /// Before the tiles of an item: the rows of this thread.
  void begin(const AttentionItem &item, mlir::Value consumer);
  SoftmaxState initial();
  /// Scores as they are compared and exponentiated: capped, and minus infinity where the key does not count.
  llvm::SmallVector<mlir::Value> scores(mlir::ValueRange products, const AttentionItem &item, mlir::Value tile);
  /// The exponentials relative to the new maximum; what was summed before is worth `scale` of it.
  llvm::SmallVector<mlir::Value> step(mlir::ValueRange scores, SoftmaxState &state, mlir::Value scale[2]);
  /// The results of a row's columns from sums of values; and log(sum of exponentials), or what is stored in its place.
  void divide(const SoftmaxState &state, llvm::MutableArrayRef<mlir::Value> output);
  mlir::Value logSum(const SoftmaxState &state, unsigned row);
  /// The sums of a row's four threads become that of the row, in each of them.
  void finish(SoftmaxState &state);

private:
  mlir::Value cutsTile(const AttentionItem &item, mlir::Value start);
  llvm::SmallVector<mlir::Value> masked(mlir::ValueRange scores, mlir::Value start);
  mlir::Value inverse(const SoftmaxState &state, unsigned row);
  /// The maximum of a row's scores, as the cascade computes it.
  mlir::Value maximum(const SoftmaxState &state, unsigned row);
  /// The maximum, or 0 where no key has counted.
  mlir::Value reference(mlir::Value maximum);
  mlir::Value capped(mlir::Value product);

  KernelBuilder &b;
  const AttentionPlan &p;
  AttentionBodyEmitter &bodies;
  llvm::SmallVector<mlir::Value> rows[2], batch; ///< coordinates of this thread's rows
  mlir::Value low[2], high[2];                   ///< their keys; null: all
  bool transformed;                              ///< scores are computed before they are compared; else products are
  double factor;                                 ///< of what is compared, to the exponent of 2
};

/// Stores what goes to L for 64 rows of a tile from `first` on: one of the four threads of a row does.
void storeLogSum(KernelBuilder &b, const AttentionPlan &plan, const AttentionItem &item, SoftmaxEmitter &softmax,
                 const SoftmaxState &state, mlir::Value first, mlir::Value pointer);

} // namespace ein
