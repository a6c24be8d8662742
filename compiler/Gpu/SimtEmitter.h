// The emitter of kernels without tensor cores; its parts are in EmitSimt.cpp (items, reductions), EmitTranspose.cpp and
// EmitTile.cpp.
#pragma once

#include "compiler/Gpu/EmitSimt.h"
#include "compiler/Gpu/SimtBuilder.h"

namespace ein {

/// Emits the kernels of one operation.
class SimtEmitter {
public:
  SimtEmitter(SimtBuilder &b, mlir::gpu::GPUModuleOp module, const SimtPlan &plan, mlir::linalg::LinalgOp op,
              llvm::ArrayRef<SimtMemory> operands, bool overwrite)
      : b(b), module(module), p(plan), dims(plan.shape.dims), op(op), operands(operands), overwrite(overwrite),
        reduction(*analyseReduction(op)), gathers(gathersOf(op)), out(plan.shape.output()) {}

  /// The kernel `name`, and where the reduction is split `name`_combine.
  void emit(llvm::StringRef name, int64_t scratch, std::vector<GpuLaunch> &launches);

private:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;
  /// The value of each loop; null where it is 0.
  using Position = llvm::SmallVector<Value>;

  // Items and operands.
  void bind(ValueRange arguments);
  void forItems(int64_t items, Value first, Value perGrid, llvm::function_ref<void(Value)> body);
  void decompose(Value number, llvm::ArrayRef<int> loops, Position &at, int64_t laneWidth = 1);
  Value offsetOf(unsigned operand, const Position &at);
  Value load(unsigned operand, const Position &at, int lane, int64_t lanes);
  Value loadElement(unsigned operand, Value offset);
  Value evaluate(const Position &at, int lane, int64_t lanes, Value acc, llvm::ArrayRef<Value> staged = {});
  Value gather(mlir::memref::LoadOp load, llvm::function_ref<Value(Value)> valueOf, int64_t lanes);
  Value indexValues(int64_t source, const Position &at, int lane, int64_t lanes);
  void store(Value value, const Position &at, int lane);
  Value identity(int64_t lanes) { return emitIdentity(b, reduction.combine, lanes); }
  bool adds() const { return !overwrite && reduction.combine != Combine::None; }

  // Map.
  void mapItem(Value item, Value thread);
  void mapRun(const Position &at);
  Value reduceItem(const Position &at, Value thread);
  Value fold(Value vector);
  Value foldGroup(Value value, Value thread);
  /// Where part `blockIdx.y` keeps the sum of a point.
  void storePart(Value value, Value point);
  void combineParts();
  llvm::SmallVector<int> partOrder() const;

  // EmitTranspose.cpp
  void transpose();
  void transposeSquare(Value square, Value thread);
  void eachRun(Value thread, int64_t lanes, int64_t bytes, llvm::function_ref<void(Value row, Value column)> body);

  // EmitTile.cpp
  void tile();
  void tileSquare(Value square, Value thread);
  void fillPanel(unsigned operand, llvm::ArrayRef<int> side, Value start, Value depth, Value depthEnd, Value thread,
                 const Position &at, Value panel);
  llvm::SmallVector<Value> multiplyPanels(ValueRange sums, Value depth, Value depthEnd, Value row, Value col,
                                          Value rowPanel, Value colPanel);
  void storeSquare(llvm::ArrayRef<Value> sums, const Position &at, Value rowStart, Value colStart, Value row,
                   Value col);

  SimtBuilder &b;
  mlir::gpu::GPUModuleOp module;
  const SimtPlan &p;
  const std::vector<LoopDim> &dims;
  mlir::linalg::LinalgOp op;
  llvm::ArrayRef<SimtMemory> operands;
  bool overwrite;
  Reduction reduction;
  llvm::SmallVector<mlir::memref::LoadOp> gathers; ///< their memory follows the operands
  unsigned out;
  llvm::SmallVector<Value> pointers; ///< of the operands and gathers; null for constants
  Value parts;                       ///< where partial results lie
};

} // namespace ein
