// The emitter of fused cascades; its parts are in EmitCascade.cpp (team, groups, tiles of keys), EmitCascadePanel.cpp
// (before and after the keys), EmitCascadeTile.cpp (one panel and one tile of keys), EmitCascadeProduct.cpp (inner
// products and sums) and EmitCascadePack.cpp (copies).
#pragma once

#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/CascadeRegion.h"
#include "compiler/Lowering/Emit.h"

#include <map>

namespace ein {

/// Emits one cascade. Methods emit into the function the builder is in.
///
/// Each thread works in scratch memory of its own. For a group of panels: `begin` puts the lane sides of the inner
/// products on the lanes and finds the keys that count; `tile` goes over a tile of keys; `finish` writes the results.
class CascadeEmitter {
public:
  CascadeEmitter(NestBuilder &b, const CascadePlan &plan, const CascadeRegion &cascade,
                 llvm::ArrayRef<llvm::SmallVector<NestOperand>> operands, llvm::StringRef name);
  void emit(mlir::Value scratch);

private:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;
  using Values = llvm::SmallVector<Value>;
  using Known = llvm::DenseMap<int, Value>; ///< vectors of virtual tensors

  /// A panel of one of the two widths, in vectors, rows of its register tile, and lanes.
  struct Width {
    int64_t nv, mr, nr;
  };
  /// The functions of a width.
  struct PanelFunctions {
    mlir::func::FuncOp begin, tile, finish;
  };
  /// One vector of lanes at one key.
  struct Point {
    Value row, key; ///< number of the key in the tile, and of all
    Value j;        ///< number of the vector in the panel
  };
  /// The key side of a product as the register tile walks it: element (key, across) is at base + key * perKey +
  /// across * perAcross.
  struct KeySide {
    Value memory, base;
    int64_t perKey, perAcross;
  };

  // EmitCascade.cpp
  PanelFunctions panelFunctions(const Width &width, llvm::StringRef suffix);
  void bind(ValueRange pointers);
  void bindBatch(Value batch);
  void bindPanel(Value panel, Value slot);
  void thread(Value t);
  void group(Value batch, Value first, Value last);
  void callPanel(mlir::func::FuncOp PanelFunctions::*which, ValueRange indices);
  Value offsetOf(size_t op, unsigned operand);
  Value viewAt(Value base, int64_t place, mlir::Type type, int64_t extent);
  Value scratchAt(int64_t place, mlir::Type type, int64_t extent) { return viewAt(scratch, place, type, extent); }
  Value stateAt(int64_t place, mlir::Type type, int64_t extent) { return viewAt(panelState, place, type, extent); }
  Value stateOf(int tensor) { return stateAt(layout.states[tensor], b.element, w.nr); }
  Value tileSumOf(int tensor) { return scratchAt(layout.tileSums[tensor], b.element, w.nr); }
  bool isLate(const CascadeOp &op) const;
  bool hasBounds() const { return shape.has(CascadeRole::Low) || shape.has(CascadeRole::High); }
  /// One of the four bounds of a panel: first and last of the keys that count in some row, and in all rows.
  enum Bound : int64_t { Some, SomeEnd, All, AllEnd };
  Value rangeAt(Bound bound);

  // EmitCascadePanel.cpp
  void begin();
  void fill(Value memory, int64_t elements, double value);
  void packLanes(size_t product);
  void stageRows(size_t op);
  void findRange();
  void finish();
  void turn(size_t product);
  void finishRows(size_t op);
  void finishVector(size_t op, Value row, Value place, int inner, Value start, int64_t lanes, const Values &at);
  void finishLanes(size_t op);
  std::vector<int> ownIndices(const CascadeOp &info) const;
  Value rowState(int tensor);

  // EmitCascadeTile.cpp
  void tile();
  void early(Value row, int64_t rows, llvm::ArrayRef<Value> direct);
  Known earlyValues(const Point &at, Value direct);
  Values masked(Value row, int64_t rows, const Values &values, llvm::ArrayRef<double> identities);
  void rescale();
  void late(Value row, int64_t rows);
  Value evaluate(size_t op, int64_t lanes, llvm::function_ref<Value(unsigned input)> load,
                 llvm::function_ref<Value(int index)> index);
  Value evaluateAt(size_t op, const Point &at, const Known &known);
  Value indexVector(Value scalar, int64_t lanes, bool counts);
  Value laneIndices(Value j);
  void accumulate(Value memory, llvm::ArrayRef<Value> values, bool isMax);
  Value larger(Value a, Value c);
  Value orElse(Value counts, Value value, double number);
  /// The offset of a vector in [rows][nr].
  Value lanesAt(Value row, Value j) { return b.add(b.mul(row, w.nr), b.mul(j, p.lanes)); }

  // EmitCascadeProduct.cpp
  void innerProduct(size_t product, llvm::function_ref<void(Value row, const Values &sums)> use);
  void stagedProduct(size_t product);
  void sumOver(size_t product);
  Values multiply(Value broadcast, llvm::ArrayRef<Value> at, int64_t step, Value onLanes, Value from, Value depth);

  // EmitCascadePack.cpp
  KeySide keySide(size_t product);
  bool isKeyAdjacent(const CascadeProduct &product) const;
  void packHeads();
  void packKeys(size_t product, Value firstKey, Value count);
  void copyRun(Value from, Value fromOffset, Value to, Value toOffset, Value count, bool isUnsigned);
  void copyTiles();
  void copyTile(size_t op, unsigned input);
  void overAcross(const CascadeProduct &product, const CascadeAccess &access, size_t loops,
                  llvm::function_ref<void(Value offset, Value place)> body);

  NestBuilder &b;
  const CascadePlan &p;
  const CascadeRegion &cascade;
  const CascadeShape &shape;
  llvm::ArrayRef<llvm::SmallVector<NestOperand>> operands; ///< by operation: inputs and output
  std::string name;
  CascadeFlow flow;
  CascadeScratch layout;
  PanelFunctions wide, narrow;
  Values pointers; ///< distinct ones of the operands

  // In the function that is being emitted.
  Width w;
  llvm::SmallVector<Values> memory; ///< by operation and operand
  Values arguments;                 ///< pointers, then the thread's scratch memory
  Value scratch, panelState;
  std::map<std::tuple<const void *, int64_t, const void *, int64_t>, Value> views; ///< by base, place, type, extent
  Values position;      ///< by index: where the batch and the panel begin
  Value valid;          ///< points of the panel that exist
  Value firstKey, keys; ///< of the tile
};

} // namespace ein
