// The emitter of fused cascades without tensor cores; its parts are in EmitSimtCascade.cpp (rows, the range of their
// keys), EmitSimtCascadeOperands.cpp, EmitSimtCascadeTile.cpp (what is computed of 32 keys),
// EmitSimtCascadeResults.cpp.
#pragma once

#include "compiler/Gpu/CascadeOperands.h"
#include "compiler/Gpu/SimtCascadePlan.h"

namespace ein {

/// Emits the kernels of one cascade.
class SimtCascadeEmitter : CascadeOperands {
public:
  SimtCascadeEmitter(SimtBuilder &b, mlir::gpu::GPUModuleOp module, const SimtCascadePlan &plan,
                     const CascadeRegion &region, llvm::ArrayRef<SimtMemory> memory)
      : CascadeOperands(b, region, memory), module(module), p(plan), shape(plan.shape) {}

  /// The kernel `name`, and where the keys are split `name`_combine.
  void emit(llvm::StringRef name, int64_t scratch, std::vector<GpuLaunch> &launches);

private:
  using ValueRange = mlir::ValueRange;
  using Values = llvm::SmallVector<Value>;

  /// A row of a warp. Scalars of rows and keys are vectors of one.
  struct Row {
    Position at;
    Value number;                      ///< among all rows
    Value inside;                      ///< whether there is such a row; null: there is
    Value low, high;                   ///< keys that count; null: all
    llvm::SmallVector<Values> tensors; ///< by virtual tensor: the value at the lane's key, or this thread's sums
  };

  // Rows and keys.
  void passKernel(ValueRange arguments);
  void start(ValueRange arguments);
  llvm::SmallVector<Row> rowsOf(Value item, int64_t count);
  void decompose(Value number, llvm::ArrayRef<int> indices, Position &at, int64_t lastWidth = 1);
  void findBounds(Row &row);
  Values initialState(size_t rows);
  void setState(llvm::MutableArrayRef<Row> rows, ValueRange values);
  Values stateOf(llvm::ArrayRef<Row> rows);
  int64_t runs(size_t op);
  void foldSums(Row &row);
  /// Places of this thread among the indices of a sum: run `j` of `lanes` neighbours.
  Position sumPlace(llvm::ArrayRef<int> across, const Position &at, int64_t j, int64_t lanes, Value &inside);

  /// The virtual inputs at the lane's key.
  Values given(size_t op, const Row &row);

  // EmitSimtCascadeTile.cpp
  Values tile(Value base, Value end, llvm::ArrayRef<Row> rows, ValueRange carried);
  void innerProducts(size_t op, llvm::MutableArrayRef<Row> rows, llvm::ArrayRef<Position> places);
  void takeMaximum(size_t op, Row &row, Value mask, Values &scales);
  void addToSum(size_t op, Row &row, const Position &at, Value mask, llvm::ArrayRef<Value> scales);
  void addProducts(size_t op, llvm::MutableArrayRef<Row> rows, Value base, Value end, llvm::ArrayRef<Value> masks,
                   llvm::ArrayRef<Values> scales);
  Value foldWarp(Combine combine, Value vector);
  /// The maximum, or 0 where no key has counted.
  Value reference(Value maximum);
  /// What sums against maximum `before` are worth against the reference.
  Value rescaling(Value before, Value reference);

  // EmitSimtCascadeResults.cpp
  void storeState(const Row &row);
  void combineKernel(ValueRange arguments);
  Values addPart(Value part, llvm::MutableArrayRef<Row> rows, ValueRange carried);
  void storeResults(Row &row);
  void storeAt(size_t op, const Position &at, int along, Value value, Value condition);

  mlir::gpu::GPUModuleOp module;
  const SimtCascadePlan &p;
  const CascadeShape &shape;
  Value parts, warpLane, item; ///< where parts are; of this thread its lane and the item of its warp
};

} // namespace ein
