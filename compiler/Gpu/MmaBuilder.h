// The instructions of tensor cores that every GPU from sm_80 on has: asynchronous copies, ldmatrix, mma.sync.
#pragma once

#include "compiler/Gpu/KernelBuilder.h"

namespace ein {

/// Emits what mma kernels are made of.
///
/// A fragment of A is 16 rows by 32 bytes of the depth; one of B is 8 columns by as much. As 8 rows by 16 bytes are
/// loaded at once, fragments come for 16 rows (columns) together: four registers of 32 bits, rows 0-7 and 8-15 of the
/// first 16 bytes, then of the others; of f64 two, rows 0-7 and 8-15. A thread has row lane / 4 of eight, and bytes
/// lane % 4 * 4 on (of f64 * 8). Sums are four of 16 rows by 8 columns: row lane / 4 (+ 8), column lane % 4 * 2 (+ 1)
/// is number 0 (+ 2) (+ 1).
class MmaBuilder : public KernelBuilder {
public:
  using KernelBuilder::KernelBuilder;
  using Registers = llvm::SmallVector<mlir::Value, 4>;

  /// Copies `bytes` (4, 8 or 16) from global to shared memory; where `valid` is given so many of them, and zeros.
  void copyAsync(mlir::Value destination, mlir::Value source, int64_t bytes, mlir::Value valid);
  void commitCopies();
  /// Until at most `pending` groups of this thread's copies are under way.
  void waitCopies(int64_t pending);

  /// Four matrices of 8 rows by 16 bytes, whose rows begin where lanes 0-7, 8-15, ... say; `transposed`: of 8 by 8
  /// halves, transposed.
  Registers loadMatrices(mlir::Value place, bool transposed);
  /// Rounds the f32 of a fragment to tf32.
  mlir::Value toTf32(mlir::Value f32);

  /// Adds the product of 16 rows of A and 8 columns of B, a fragment each, to four sums.
  Registers multiply(DType type, mlir::ValueRange a, mlir::ValueRange b, mlir::ValueRange sums);
  /// Of f32 by three products of tf32: each factor is the sum of two numbers, of which the least by the least is left
  /// out.
  Registers multiplyThrice(mlir::ValueRange a, mlir::ValueRange b, mlir::ValueRange sums);

private:
  Registers multiplyTf32(mlir::ValueRange a, mlir::ValueRange b, mlir::ValueRange sums);
};

} // namespace ein
