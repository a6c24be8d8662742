// The emitter of cascades of few rows; its parts are in EmitThinCascade.cpp (team, groups, parts of the keys),
// EmitThinState.cpp (before and after the keys), EmitThinTile.cpp (one tile of keys) and EmitThinProduct.cpp.
#pragma once

#include "compiler/Lowering/EmitCascadeFrame.h"

namespace ein {

/// Emits one cascade. Methods emit into the function the builder is in.
///
/// A batch has a state in scratch memory: `begin` makes it, `tile` takes a tile of keys to it, `finish` writes the
/// results. Where the keys are split, a batch has a state for each part, and `merge` adds them up.
class ThinCascadeEmitter : private CascadeFrame {
public:
  ThinCascadeEmitter(NestBuilder &b, const ThinCascadePlan &plan, const CascadeRegion &cascade,
                     llvm::ArrayRef<llvm::SmallVector<NestOperand>> operands, llvm::StringRef name);
  void emit(mlir::Value scratch);

private:
  /// A product: C[row][outer] += sum over lanes of A[row][lane] B(outer, lane), or C[row][lane] += sum over outer of
  /// A[row][outer] B(outer, lane). Neighbours of a lane are adjacent in B.
  struct Multiplication {
    Value a, b, c;
    int64_t pitchA, pitchC;
    bool adds;                                   ///< to what is in C
    bool isUnsigned;                             ///< how integers of B are widened
    Value outer;                                 ///< their number
    std::optional<int64_t> size;                 ///< lanes, where they follow the indices across; else keys
    llvm::function_ref<Value(Value outer)> at;   ///< where in B its lanes begin
    llvm::function_ref<Value(Value outer)> next; ///< and where those are that the next tile reads; or none
  };

  // EmitThinCascade.cpp
  mlir::func::FuncOp functionOf(llvm::StringRef part, unsigned more, llvm::function_ref<void(ValueRange more)> body);
  void call(mlir::func::FuncOp function, Value state, ValueRange indices);
  Value statePointer(Value shared, Value slot);
  void thread(Value shared, Value t);
  void overBatches(Value first, Value last, llvm::function_ref<void(Value batch)> body);
  std::pair<Value, Value> keyRange(Value first, Value last, llvm::function_ref<Value(Value batch)> stateOf);
  void mergeChunk(Value shared, Value t, int64_t chunks);
  Value stateAt(int64_t place, mlir::Type type, int64_t extent) { return viewAt(state, place, type, extent); }
  Value maximaIn(Value state, int tensor);
  Value sumIn(Value state, size_t op);
  int64_t sumPitch(size_t op) const;
  /// Calls `body` for each row, whose indices are bound meanwhile.
  void overRows(llvm::function_ref<void(Value row)> body);

  // EmitThinState.cpp
  void begin();
  void stageLaneSide(size_t product);
  void findRange();
  void merge(Value other);
  void finish();
  void bindRow(Values &at, Value row) override;
  Value rowValue(int tensor, Value row) override;
  std::pair<Value, int64_t> rowsOfSum(size_t product) override;

  // EmitThinTile.cpp
  void tile();
  void tileRow(Value row);
  Value countsAt(const Point &at);
  void rescale(Value row, int score, Value largest);
  Value rowOffset(size_t op, unsigned operand);
  Value loadAt(size_t op, unsigned input, const Point &at) override;
  Value indexAt(int index, const Point &at) override;
  Value bufferOf(int tensor);
  Value loadTile(int tensor, const Point &at) override;
  void storeTile(int tensor, Value value, const Point &at) override;

  // EmitThinProduct.cpp
  void product(size_t product);
  void packTile(size_t product);
  void dot(const Multiplication &m);
  void addUp(const Multiplication &m);
  void bindNext(llvm::function_ref<void()> body);
  Value lanesOf(const Multiplication &m, Value start, Value next, Value lane, std::optional<int64_t> count);

  const ThinCascadePlan &p;
  ThinCascadeScratch layout;
  int64_t rows; ///< that exist
  mlir::func::FuncOp beginFn, tileFn, finishFn, mergeFn;

  // In the function that is being emitted.
  Value state, row;
  Value nextBatch, nextKey; ///< of the tile that comes after this one
};

} // namespace ein
