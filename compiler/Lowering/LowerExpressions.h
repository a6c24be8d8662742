// The expressions of an assignment as operations on elements, for the body of a linalg operation.
#pragma once

#include "compiler/IndexNotation/Program.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <optional>
#include <vector>

namespace ein {

/// Emits pointwise expressions where the builder is, computed in a type that the caller chooses. Integers that index
/// values make are computed as integers.
class ExpressionLowering {
public:
  /// Keeps references to both.
  ExpressionLowering(mlir::ImplicitLocOpBuilder &b, const Program &p);

  /// What an expression is made from.
  struct Body {
    llvm::ArrayRef<ExprId> accesses;
    mlir::ValueRange elements; ///< one per access
    llvm::ArrayRef<IndexId> loops;
    llvm::ArrayRef<ExprId> gathers;       ///< accesses with computed subscripts
    llvm::ArrayRef<mlir::Value> gathered; ///< the memref of each gather's tensor, with the tensor's axes
  };
  /// The value of an expression, computed in `as`. What it has several times is emitted once.
  mlir::Value emit(ExprId e, DType as, const Body &body);
  mlir::Value combine(Monoid monoid, DType as, mlir::Value a, mlir::Value c);
  /// Rounds to nearest between floats, keeps the low bits between integers; conditions are 0 or 1.
  mlir::Value convert(mlir::Value value, DType from, DType to);
  /// A constant; an infinity is the integer at that end, true or false.
  mlir::Value number(double v, DType as);
  mlir::Type elementType(DType t);
  /// Nothing for what is made of literals and index values only.
  std::optional<DType> typeOf(ExprId e) const { return types[e]; }

private:
  using Value = mlir::Value;
  /// Bounds of an expression that is an integer at every point.
  struct Range {
    double low, high;
    bool wide = false; ///< needs 64 bits
  };
  Value value(ExprId e, DType as, const Body &body);
  Value newValue(ExprId e, DType as, const Body &body);
  void findIntegers();
  std::optional<Range> rangeOf(const Expr &x) const;
  Value emitInteger(ExprId e, bool wide, llvm::ArrayRef<IndexId> loops);
  Value emitMap(const Expr &e, DType as, const Body &body);
  Value emitFunction(Fn fn, DType as, llvm::ArrayRef<Value> a);
  Value emitCompare(const Expr &e, DType as, const Body &body);
  Value emitArithmetic(Fn fn, DType as, llvm::ArrayRef<Value> a);
  Value emitSign(DType as, Value x);
  // LowerFunctions.cpp.
  Value emitFloorDivision(Fn fn, DType as, Value x, Value y);
  Value emitPower(const Expr &e, DType as, Value x, const Body &body);
  Value emitCast(const Expr &e, const Body &body);
  Value truncate(Value x, DType from, DType to);
  Value emitRandom(const Expr &e, const Body &body);
  Value emitGather(ExprId e, const Body &body);
  Value emitPosition(ExprId e, int64_t extent, const Body &body);
  Value compare(Fn fn, DType as, Value x, Value y);

  mlir::ImplicitLocOpBuilder &b;
  const Program &p;
  std::vector<std::optional<Range>> integers;         ///< by expression
  std::vector<std::optional<DType>> types;            ///< by expression
  llvm::DenseMap<std::pair<ExprId, int>, Value> done; ///< of the body at hand: by expression and type
};

} // namespace ein
