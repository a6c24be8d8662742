// The emitter of fused cascades with lanes along a row; its parts are in EmitCascade.cpp (team, groups, tiles of keys),
// EmitCascadePanel.cpp (before and after the keys), EmitCascadeTile.cpp (one panel and one tile of keys),
// EmitCascadeProduct.cpp (inner products and sums) and EmitCascadePack.cpp (copies).
#pragma once

#include "compiler/Lowering/EmitCascadeFrame.h"

namespace ein {

/// Emits one cascade. Methods emit into the function the builder is in.
///
/// Each thread works in scratch memory of its own. For a group of panels: `begin` puts the lane sides of the inner
/// products on the lanes and finds the keys that count; `tile`, `weights` and `sums` go over a tile of keys, in three
/// functions because that many are generated at a time (Codegen/Parts.h); `finish` writes the results.
class CascadeEmitter : private CascadeFrame {
public:
  CascadeEmitter(NestBuilder &b, const CascadePlan &plan, const CascadeRegion &cascade,
                 llvm::ArrayRef<llvm::SmallVector<NestOperand>> operands, llvm::StringRef name);
  void emit(mlir::Value scratch);

private:
  /// A panel of one of the two widths, in vectors, rows of its register tile, and lanes.
  struct Width {
    int64_t nv, mr, nr;
  };
  /// The functions of a width.
  struct PanelFunctions {
    mlir::func::FuncOp begin, tile, weights, sums, finish; ///< null where there is nothing to do
  };
  /// The key side of a product as the register tile walks it: element (key, across) is at base + key * perKey +
  /// across * perAcross.
  struct KeySide {
    Value memory, base, perKey, perAcross;
  };

  // EmitCascade.cpp
  PanelFunctions panelFunctions(const Width &width, llvm::StringRef suffix);
  void bindPanel(Value panel, Value slot);
  Value panelCount();
  void thread(Value t);
  void group(Value batch, Value first, Value last);
  void callPanel(mlir::func::FuncOp PanelFunctions::*which, ValueRange indices);
  Value stateAt(int64_t place, mlir::Type type, int64_t extent) { return viewAt(panelState, place, type, extent); }
  Value stateOf(int tensor) { return stateAt(layout.states[tensor], b.element, w.nr); }
  Value tileMaxOf(int score) { return scratchAt(layout.tileMax[score], b.element, w.nr); }
  Value tileSumOf(int tensor) { return scratchAt(layout.tileSums[tensor], b.element, w.nr); }
  /// One of the four bounds of a panel: first and last of the keys that count in some row, and in all rows.
  enum Bound : int64_t { Some, SomeEnd, All, AllEnd };
  Value rangeAt(Bound bound);

  // EmitCascadePanel.cpp
  void begin();
  void packLanes(size_t product);
  void stageRows(size_t op);
  void findRange();
  void finish();
  void turn(size_t product);
  void finishLanes(size_t op);
  Value rowState(int tensor);
  void bindRow(Values &at, Value row) override;
  Value rowValue(int tensor, Value row) override;
  std::pair<Value, int64_t> rowsOfSum(size_t product) override;

  // EmitCascadeTile.cpp
  void tile();
  void weights();
  void sums();
  void early(Value row, int64_t rows, llvm::ArrayRef<Value> direct);
  Values masked(Value row, int64_t rows, const Values &values, llvm::ArrayRef<double> identities);
  void rescale(int score);
  void late(Value row, int64_t rows);
  bool hasPlainSums() const;
  bool hasStates() const;
  /// Rows of the tile, up to whole register tiles.
  Value paddedRows() { return b.mul(b.div(b.add(keys, w.mr - 1), w.mr), w.mr); }
  /// Rows that are taken together, which divide a register tile.
  int64_t rowsPerTrip() const { return w.mr % 4 == 0 ? 4 : w.mr % 3 == 0 ? 3 : w.mr % 2 == 0 ? 2 : 1; }
  Value laneIndices(Value j);
  Value loadAt(size_t op, unsigned input, const Point &at) override;
  Value indexAt(int index, const Point &at) override;
  Value bufferOf(int tensor);
  Value loadTile(int tensor, const Point &at) override;
  void storeTile(int tensor, Value value, const Point &at) override;
  void accumulate(Value memory, llvm::ArrayRef<Value> values, bool isMax);
  /// The offset of a vector in [rows][nr].
  Value lanesAt(Value row, Value j) { return b.add(b.mul(row, w.nr), b.mul(j, p.lanes)); }

  // EmitCascadeProduct.cpp
  void innerProduct(size_t product, llvm::function_ref<void(Value row, const Values &sums)> use);
  void stagedProduct(size_t product);
  void sumOver(size_t product);
  Values multiply(Value broadcast, llvm::ArrayRef<Value> at, Value step, Value onLanes, Value from, Value depth);

  // EmitCascadePack.cpp
  KeySide keySide(size_t product);
  bool isKeyAdjacent(const CascadeProduct &product) const;
  void packHeads();
  void packKeys(size_t product, Value firstKey, Value count);
  void copyRun(Value from, Value fromOffset, Value to, Value toOffset, Value count, bool isUnsigned);
  void copyTiles();
  void copyTile(size_t op, unsigned input);

  const CascadePlan &p;
  CascadeScratch layout;
  PanelFunctions wide, narrow;

  // In the function that is being emitted.
  Width w;
  Value panelState;
  Value valid; ///< points of the panel that exist
};

} // namespace ein
