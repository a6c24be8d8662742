// What the parts of an mma kernel share: tiles in shared memory, the block's place in the contraction, its results.
#pragma once

#include "compiler/Gpu/GemmFinish.h"
#include "compiler/Gpu/MmaBuilder.h"
#include "compiler/Gpu/MmaPlan.h"

namespace ein {

/// Element of a tensor at position `number` of a group of indices, relative to the first: i64.
mlir::Value offsetIn(KernelBuilder &b, const GemmDims &dims, unsigned tensor, mlir::Value number);
/// Its coordinate along each of them.
llvm::SmallVector<mlir::Value> coordinatesIn(KernelBuilder &b, const GemmDims &dims, mlir::Value number);

/// What a block computes. All but offsets are i32.
struct MmaBlock {
  mlir::Value batch, row, col;          ///< the first row and column of its tile
  mlir::Value part, firstBlock, blocks; ///< of the depth
};

/// A tile of A (0) or B (1) in shared memory. Pieces of 16 bytes change places within a row by the number of the row,
/// so that what a warp reads at once lies in different banks.
class MmaTile {
public:
  MmaTile(MmaBuilder &b, const MmaPlan &plan, unsigned operand);

  /// Asks for the copies of one stage, whose first depth is `depth`, to byte `stage` of shared memory.
  void copy(mlir::Value stage, const MmaBlock &block, mlir::Value depth);
  /// Fragments of 16 rows from `first` on, for step `step` of the stage.
  MmaBuilder::Registers fragment(mlir::Value stage, mlir::Value first, int64_t step);

private:
  using Value = mlir::Value;

  /// Bytes from the start of the stage to byte `byte` of row `row`.
  Value place(Value row, Value byte);
  void copyChunk(Value stage, const MmaBlock &block, Value depth, Value number);
  void copyThroughRegisters(Value destination, Value source, Value valid);
  Value validElements(Value across, Value along);
  Value element(Value stage, Value mn, Value k, mlir::Type type);
  Value bytesOfColumn(Value stage, Value mn, Value k);

  MmaBuilder &b;
  const MmaPlan &p;
  unsigned operand;
  const GemmDims &dims; ///< rows or columns
  bool kMajor;
  int64_t rowBytes, chunk;
  int64_t turns; ///< pieces by which the next row is turned
};

/// Sums of a warp on their way to memory: those of 16 rows by 8 columns follow each other, columns first.
class MmaEpilogue {
public:
  MmaEpilogue(MmaBuilder &b, const MmaPlan &plan, GemmFinishEmitter &finish) : b(b), p(plan), finish(finish) {}

  /// Rounded, to the strides of D.
  void direct(const MmaBlock &block, mlir::ValueRange sums, mlir::Value row, mlir::Value col, mlir::Value pointer);
  /// To part `block.part`, which is all of a result in the order of its indices.
  void partial(const MmaBlock &block, mlir::ValueRange sums, mlir::Value row, mlir::Value col, mlir::Value pointer);
  /// One result of the whole: the sum of what the parts left.
  void sumParts(mlir::Value number, mlir::Value partials, mlir::Value pointer);

private:
  using Value = mlir::Value;
  using Store = llvm::function_ref<void(llvm::ArrayRef<Value> values, Value row, Value col)>;

  void eachPair(mlir::ValueRange sums, Value row, Value col, int64_t pair, Store store);
  /// What is stored of sums that are neighbours: the first at a row, a column and a batch.
  llvm::SmallVector<Value> finished(llvm::ArrayRef<Value> sums, Value batch, Value row, Value col);
  mlir::Type sumType();
  mlir::Type resultType();

  MmaBuilder &b;
  const MmaPlan &p;
  GemmFinishEmitter &finish;
};

} // namespace ein
