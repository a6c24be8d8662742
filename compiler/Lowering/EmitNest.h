// The emitter of plain nests; its parts are in EmitNest.cpp (loops, operands), EmitLanes.cpp (lanes along one
// loop) and EmitSquare.cpp (lanes across two).
#pragma once

#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/Emit.h"

namespace ein {

/// Emits one nest. Methods emit into the function the builder is in.
class NestEmitter {
public:
  NestEmitter(NestBuilder &b, const NestPlan &plan, mlir::linalg::LinalgOp op, llvm::ArrayRef<NestOperand> operands,
              bool overwrite, llvm::StringRef name)
      : b(b), p(plan), dims(plan.shape.dims), op(op), operands(operands), overwrite(overwrite), name(name),
        reduction(*analyseReduction(op)), gathers(gathersOf(op)), out(plan.shape.output()) {}

  void emit(mlir::Value scratch);

private:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;
  using Offsets = llvm::SmallVector<Value>; ///< by operand
  using Inner = llvm::function_ref<void(const Offsets &)>;

  /// How the lanes lie in one evaluation of the body.
  struct Run {
    int64_t lanes;
    int lane;       ///< loop they follow
    Value position; ///< value of that loop at lane 0
  };

  void bind(ValueRange pointers, Value thread);
  Value extent(int d);
  Value trips(int d);
  Value notBeyond(Value start, int d, int64_t width);
  Value step(unsigned operand, int d, Value by);
  Offsets moved(const Offsets &from, int d, Value by);
  Offsets moved(const Offsets &from, int d, int64_t by) { return moved(from, d, b.c(by)); }
  std::pair<Value, Value> bounds(int d);
  llvm::SmallVector<int> parallelOrder() const;
  void parallelLoops(llvm::ArrayRef<int> order, const Offsets &at, Inner inner);
  llvm::SmallVector<Value>
  reducedLoops(int d, const Offsets &at, ValueRange carried,
               llvm::function_ref<llvm::SmallVector<Value>(const Offsets &, ValueRange)> inner);
  llvm::SmallVector<Offsets> blockOf(const Offsets &at);
  Value loadRun(unsigned operand, Value offset, const Run &run);
  Value elementRun(Value memory, Value offset, Value stride, int64_t lanes);
  Value evaluate(const Offsets &at, const Run &run, Value acc);
  Value indexValues(int64_t source, const Run &run);
  int loopOf(int64_t source) const;
  bool variesAlong(Value value, int lane) const;
  Value gather(mlir::memref::LoadOp load, llvm::function_ref<Value(Value)> valueOf, const Run &run);
  void storeRun(Value value, const Offsets &at, int64_t lanes, bool streaming);
  Value restOf(const Offsets &row, int64_t begin, int64_t end);
  Value sizedRestOf(const Offsets &row);
  void sizedRest(const Offsets &row);
  Value initial(int64_t lanes) { return emitIdentity(b, reduction.combine, lanes); }
  Value fold(Value vector);

  using Trip = llvm::function_ref<void(Value start, const Offsets &)>;
  void laneTrips(const Offsets &at, Trip trip);
  void parallelTrip(Value start, const Offsets &from);
  void lanesParallel(const Offsets &at);
  void lanesTransposed(const Offsets &at);
  void sweep(const Offsets &row);
  void hoisted(const Offsets &at);
  void sweepLoops(int d, const Offsets &at, Inner inner);
  void lanesReduced(const Offsets &at);
  void square(const Offsets &at);
  void body(const Offsets &at);
  void combineParts(ValueRange pointers);
  void stage(ValueRange pointers);

  NestBuilder &b;
  const NestPlan &p;
  const std::vector<LoopDim> &dims;
  mlir::linalg::LinalgOp op;
  llvm::ArrayRef<NestOperand> operands;
  bool overwrite;
  std::string name;
  Reduction reduction;
  llvm::SmallVector<mlir::memref::LoadOp> gathers; ///< their memory follows the operands
  unsigned out;
  llvm::SmallVector<Value> memory;
  llvm::SmallVector<Value> position;      ///< value of each loop, where it is known
  llvm::SmallVector<int64_t> partStrides; ///< of the output when each thread writes its own part
  Value thread, aligned;
};

} // namespace ein
