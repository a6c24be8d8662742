// What the parts of a gemm kernel share: the tile being computed, its place in the tensors, its epilogue.
#pragma once

#include "compiler/Gpu/HopperBuilder.h"
#include "compiler/Gpu/HopperGemm.h"

namespace ein {

/// A tile of the result: the first coordinate of each index.
struct GemmTile {
  llvm::SmallVector<mlir::Value> batch, m, n;
  mlir::Value number; ///< of the tile, by which partial sums are stored
};

/// Row and column of tile `number`, in groups of `raster` rows that are walked column by column: what runs at the same
/// time reads few rows and columns.
std::pair<mlir::Value, mlir::Value> walkTiles(KernelBuilder &b, mlir::Value number, int64_t rows, int64_t cols,
                                              int64_t raster);
/// Tile `unit` (of each cluster's tiles) in the order of the plan's raster, its part for the block of this rank.
GemmTile gemmTile(KernelBuilder &b, const GemmPlan &plan, mlir::Value unit, mlir::Value rank);
/// Where position `rows` of a tile is, relative to its first coordinates.
llvm::SmallVector<mlir::Value> offsetsIn(KernelBuilder &b, const GemmDims &dims, mlir::Value rows);
llvm::SmallVector<mlir::Value> addEach(KernelBuilder &b, mlir::ValueRange x, mlir::ValueRange y);

/// Results in registers, on their way to memory. Columns of the accumulators begin at `column` of the tile.
class GemmEpilogueEmitter {
public:
  GemmEpilogueEmitter(HopperBuilder &b, const GemmPlan &plan, GemmFinishEmitter &finish)
      : b(b), p(plan), finish(finish) {}

  /// Through shared memory. Every thread of warpgroup `consumer` takes part; stores are still under way at the end.
  void tensor(const GemmTile &tile, mlir::Value accumulator, mlir::Value consumer, mlir::Value map);
  /// To the strides of D.
  void direct(const GemmTile &tile, mlir::ValueRange accumulators, mlir::Value consumer, mlir::Value column,
              mlir::Value pointer);
  /// Partial sums, as they lie in registers: those of part `part` of the depth.
  void partial(const GemmTile &tile, mlir::Value accumulator, mlir::Value consumer, mlir::Value part,
               mlir::Value pointer);
  /// Where the partial sums of a thread begin, in elements: groups of four follow each other by 512.
  mlir::Value partialOffset(mlir::Value tile, mlir::Value consumer, mlir::Value part);

private:
  /// What is stored of accumulators from column `column` on.
  llvm::SmallVector<mlir::Value> finished(const GemmTile &tile, mlir::ValueRange accumulators, mlir::Value consumer,
                                          mlir::Value column);

  HopperBuilder &b;
  const GemmPlan &p;
  GemmFinishEmitter &finish;
};

} // namespace ein
