// A builder with the vocabulary of loop nests: index arithmetic, loops, flat memory, vectors, chunks.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace ein {

/// Emits scf, arith, memref, vector and omp operations. Index arithmetic folds constants as it goes, so
/// that what is static stays out of the nest. Memory is seen as flat memrefs over raw pointers: a nest
/// computes element offsets itself, from the strides its plan was made for.
class NestBuilder : public mlir::ImplicitLocOpBuilder {
public:
  NestBuilder(mlir::Location loc, mlir::MLIRContext *context, mlir::Type element);

  mlir::Type element; ///< of the results being computed, and of what they are summed in
  mlir::LLVM::LLVMPointerType ptr;

  // Index arithmetic.
  /// A constant, made once per function, at its start.
  mlir::Value c(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, int64_t b) { return b ? add(a, c(b)) : a; }
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, int64_t b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, int64_t b);
  mlir::Value rem(mlir::Value a, int64_t b);
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);
  mlir::Value lessEqual(mlir::Value a, mlir::Value b);
  mlir::Value equal(mlir::Value a, mlir::Value b);

  // Control. A body without results yields nothing.
  using Body = llvm::function_ref<void(mlir::Value)>;
  using Carry = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)>;
  /// Where the bounds are constants, no trip leaves nothing and a single one straight-line code.
  void loop(mlir::Value low, mlir::Value high, int64_t step, Body body);
  void loop(int64_t low, int64_t high, int64_t step, Body body) { loop(c(low), c(high), step, body); }
  llvm::SmallVector<mlir::Value> loop(mlir::Value low, mlir::Value high, int64_t step, mlir::ValueRange init,
                                      Carry body);
  /// Where the condition is a constant, only what it takes.
  void ifThen(mlir::Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise = {});

  // Memory.
  /// The memory at `pointer` as memref<extent x type>; an i1 is a byte there.
  mlir::Value flat(mlir::Value pointer, mlir::Type type, int64_t extent);
  /// `pointer` moved by a number of bytes.
  mlir::Value advance(mlir::Value pointer, mlir::Value bytes);
  /// Whether a cache line begins there.
  mlir::Value aligned(mlir::Value pointer);
  /// Asks for the line of an element to be brought to L2; the element need not exist.
  void prefetch(mlir::Value memory, mlir::Value offset);
  /// Loads give the memory's elements, stores turn i1 into bytes.
  mlir::Value load(mlir::Value memory, mlir::Value offset);
  void store(mlir::Value value, mlir::Value memory, mlir::Value offset);
  mlir::Value loadVector(int64_t lanes, mlir::Value memory, mlir::Value offset);
  void storeVector(mlir::Value value, mlir::Value memory, mlir::Value offset, bool nontemporal = false);

  // Values.
  mlir::VectorType vectorType(int64_t lanes) { return mlir::VectorType::get({lanes}, element); }
  mlir::Value splat(mlir::Value scalar, int64_t lanes);
  /// `lanes` neighbours of a vector.
  mlir::Value slice(mlir::Value vector, int64_t from, int64_t lanes);
  mlir::Value constant(double value, int64_t lanes = 0);
  /// A value of another element type: floats rounded to nearest even, integers extended as unsigned ones or not. Only
  /// vector instructions, also where the target knows no 16-bit floats.
  mlir::Value convert(mlir::Value value, mlir::Type to, bool isUnsigned);
  /// An operand's value in the type that is computed in.
  mlir::Value widened(mlir::Value value, bool isUnsigned = false) { return convert(value, element, isUnsigned); }
  /// a * b + c, fused where `fusedMultiplyAdd` says that the target does it in one instruction.
  mlir::Value multiplyAdd(mlir::Value a, mlir::Value b, mlir::Value c);
  bool fusedMultiplyAdd = true;
  bool convertsHalves = true;   ///< f16 to f32 and back in one instruction
  bool convertsBFloats = false; ///< f32 to bf16 in one instruction
  /// The sums of two products each: i32 elements are taken as pairs of signed 16 bits.
  mlir::Value multiplyPairs(mlir::Value a, mlir::Value b);
  /// Transposes a square of vectors in registers: result[i][j] = rows[j][i]. The side is a power of two.
  llvm::SmallVector<mlir::Value> transpose(llvm::ArrayRef<mlir::Value> rows);

  // Functions and teams.
  /// A private noinline function over pointers, then indices; `body` gets both.
  mlir::func::FuncOp function(llvm::StringRef name, unsigned pointers, unsigned indices,
                              llvm::function_ref<void(mlir::ValueRange pointers, mlir::ValueRange indices)> body);
  /// Calls function(arguments..., t) for t in [0, chunks), each on its own thread where chunks > 1.
  /// The region captures only raw pointers and indices; the join is a barrier.
  void parallelChunks(int64_t chunks, mlir::func::FuncOp function, mlir::ValueRange arguments);
  /// First and last+1 of chunk `t` when `count` items are split evenly over `chunks`.
  std::pair<mlir::Value, mlir::Value> chunkBounds(mlir::Value t, int64_t chunks, int64_t count);

private:
  mlir::Value widenBFloat(mlir::Value value);
  mlir::Value roundToBFloat(mlir::Value value);
  mlir::Value widenHalf(mlir::Value value);
  mlir::Value roundToHalf(mlir::Value value);

  llvm::DenseMap<std::pair<mlir::Operation *, int64_t>, mlir::Value> constants;
};

} // namespace ein
