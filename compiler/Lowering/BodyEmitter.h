// The scalar body of a linalg operation, emitted on vectors.
#pragma once

#include "compiler/Lowering/NestBuilder.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace ein {

/// How a body combines with the output.
enum class Combine : uint8_t {
  None, ///< pointwise: the yielded value replaces the output
  Add,
  Max, ///< of signed integers or floats
  Min,
  UnsignedMax,
  UnsignedMin,
  Or,
  And,
  Mul,
};

/// A body split at its reduction: the output becomes combine(output, term).
struct Reduction {
  Combine combine = Combine::None;
  mlir::Value term; ///< in the body
};

/// Analyses the body of `op`; None where it ignores the output. Fails (empty) where the output is used in
/// any way but as one operand of a final add, maximum or minimum.
std::optional<Reduction> analyseReduction(mlir::linalg::LinalgOp op);

/// Whether the tiled kernel can evaluate the body: two tensors, a reduction, and a few operations of one instruction
/// each on the elements between, once they are converted to the output's type.
bool hasTileableBody(mlir::linalg::LinalgOp op);

/// A body that sums, in floats, products of an element of one tensor and of a value computed from others.
struct ComputedFactor {
  mlir::Value value;                  ///< in the body
  llvm::SmallVector<unsigned> inputs; ///< that it is made of, by number; the first has the most loops
  unsigned element;                   ///< the input that is the other factor
};

/// The computed factor of a contraction; nothing where there is none, or where the tiled kernel cannot make panels of
/// it: bodies that use the values of indices, gather, or have inputs that neither factor uses.
std::optional<ComputedFactor> computedFactor(mlir::linalg::LinalgOp op);

/// Whether the body sums, in 32 bits, products of integers that 16 bits hold with their sign.
bool multipliesShorts(mlir::linalg::LinalgOp op);

/// Whether a body takes the integers of one of its inputs as unsigned where it widens them.
bool widensUnsigned(mlir::BlockArgument input);

/// The loads of a body from memory that no operand walks, in its order: gathers.
llvm::SmallVector<mlir::memref::LoadOp> gathersOf(mlir::linalg::LinalgOp op);

/// Evaluates a body's term on vectors of `lanes` elements.
class BodyEmitter {
public:
  using Index = llvm::function_ref<mlir::Value(int64_t loop)>;
  /// What a load gives; `valueOf` tells the vector of each of its indices.
  using Gather =
      llvm::function_ref<mlir::Value(mlir::memref::LoadOp, llvm::function_ref<mlir::Value(mlir::Value)> valueOf)>;
  /// `inputs`: a vector for each input of the body, as in memory or converted as the body does; none for those that
  /// what is emitted does not need. `index(d)`: the values
  /// of loop d as vector of i32. Where the builder's element is i8 and the body's bool, conditions stay bytes of 0
  /// and 1.
  BodyEmitter(NestBuilder &b, mlir::linalg::LinalgOp op, int64_t lanes, llvm::ArrayRef<mlir::Value> inputs, Index index,
              Gather gather = {});
  /// The vector of a value of the body; what it needs is emitted once.
  mlir::Value emit(mlir::Value value);
  /// combine(acc, term), with a multiply-add where the term is a product that is summed.
  mlir::Value accumulate(const Reduction &reduction, mlir::Value acc);

private:
  mlir::Value emitOp(mlir::Operation *op);

  NestBuilder &b;
  mlir::linalg::LinalgOp op;
  int64_t lanes;
  bool keepsBytes;
  Index index;
  Gather gather;
  llvm::DenseMap<mlir::Value, mlir::Value> done;
};

/// combine(a, c) on vectors or scalars. NaN in either gives NaN; of 0 and -0 either may be the larger.
mlir::Value emitCombine(NestBuilder &b, Combine combine, mlir::Value a, mlir::Value c);
/// The identity of a combination on vectors of `lanes` elements of the builder's type.
mlir::Value emitIdentity(NestBuilder &b, Combine combine, int64_t lanes);

} // namespace ein
