// The emitter of packed contractions; its parts are in EmitContraction.cpp (nest), EmitPacking.cpp
// (panels) and EmitMicroKernel.cpp (register tile).
#pragma once

#include "compiler/Lowering/Emit.h"

namespace ein {

/// Places in the scratch memory of a contraction, in bytes: offset tables (-1 where a stride does), the
/// shared pack (one per thread when batches or the depth are split) and one private area per thread, which is the
/// tile's spill area followed by the private pack.
struct ContractionScratch {
  explicit ContractionScratch(const ContractionPlan &plan);

  int64_t rowsS, rowsC, colsV, colsC, depthS, depthV;
  int64_t shared = 0, sharedBytes = 0;
  int64_t own = 0, privateBytes = 0, tileBytes = 0;
  int64_t parts = 0, partElements = 0; ///< results of the threads when the depth is split
  int64_t total = 0;
};

/// Emits one contraction. Methods emit into the function the builder is in.
class ContractionEmitter {
public:
  ContractionEmitter(NestBuilder &b, const ContractionPlan &plan, llvm::ArrayRef<NestOperand> operands, bool overwrite,
                     llvm::StringRef name);
  void emit(mlir::Value scratchPointer);

private:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;

  /// Offset of an element of a group: a stride or a table.
  struct Offsets {
    std::optional<int64_t> stride;
    Value table;
  };
  /// Panels [low, high); `base` is the first of the block, where its pack begins.
  struct Range {
    Value low, high, base;
  };
  /// A batch and a block of the contracted index.
  struct Point {
    Value s, v, c;   ///< offsets of the batch in the operands
    Value kb, depth; ///< number of the block, elements in it
  };
  /// How the micro-kernel walks an operand: element (k, i) is at base + k * perDepth + i * perElement.
  struct Sliver {
    Value memory, base;
    int64_t perDepth, perElement;
  };

  void bind(ValueRange pointers);
  Value at(const Offsets &f, Value index);
  Value batchOffset(Value index, unsigned o, int64_t base);
  void emitTables(ValueRange pointers);
  void fillTable(const IndexGroup &g, unsigned o, size_t dim, Value linear, Value offset, Value table);

  Point point(Value batch, Value kb);
  Value blockDepth(Value kb);
  Range block(Value first, int64_t panels, int64_t all);
  Range sharedRange(Value first);
  int64_t privatePanels() const { return p.colsOuter ? p.rowPanels : p.colPanels; }
  int64_t privateBlocks() const;
  void emitByBatch(ValueRange pointers);
  void emitByBlock(ValueRange pointers);
  void combineParts(ValueRange pointers);
  void overOutput(size_t group, size_t dim, Value place, Value offset, llvm::function_ref<void(Value, Value)> body);
  void sharedBlocks(llvm::function_ref<void(Value first, Value kb)> inBlock);
  void packShared(const Point &at, Range range, Value pack);
  void privateBlock(const Point &at, Range shared, Value sharedPack, Value first, Value own);

  // EmitPacking.cpp
  void packRows(const Point &at, Range panels, Value pack);
  void packCols(const Point &at, Range panels, Value pack);
  struct Side;
  void packPanels(const Side &side, const Point &at, Range panels, Value pack);
  void packVectors(const Side &side, const Point &at, Range panels, Value memory);
  void packTransposed(const Side &side, const Point &at, Range panels, Value memory);
  void packSquares(const Side &side, const Point &at, Range panels, Value memory);
  void packElements(const Side &side, const Point &at, Value panel, Value to, Value memory);

  // EmitMicroKernel.cpp
  /// A register tile: whole, or what is left of it at an edge. The last vector may hold fewer columns.
  struct Tile {
    int64_t rows, cols;
  };
  using TileBody = llvm::function_ref<void(Value index, int64_t extent)>;
  void compute(const Point &at, Range rows, Range cols, Value rowPack, Value colPack, Value tile);
  void panels(Range range, int64_t extent, int64_t width, TileBody body);
  llvm::SmallVector<Value> multiply(Tile tile, const Sliver &rows, const Sliver &cols, Value depth);
  void writeTile(const Point &at, Tile tile, Value row, Value col, llvm::ArrayRef<Value> sums, Value spill);
  void writeVectors(const Point &at, Tile tile, Value row, Value col, llvm::ArrayRef<Value> sums, bool add);
  void writeElements(const Point &at, Tile tile, Value row, Value col, llvm::ArrayRef<Value> sums, Value spill,
                     bool add);
  int64_t vectorsOf(int64_t cols) const { return (cols + p.lanes - 1) / p.lanes; }

  NestBuilder &b;
  const ContractionPlan &p;
  NestOperand s, v, out;
  bool overwrite;
  std::string name;
  ContractionScratch layout;
  Value memS, memV, memC, scratch;
  Value firstBlock, lastBlock; ///< of the depth, for this thread
  Offsets rowsS, rowsC, colsV, colsC, depthS, depthV;
};

} // namespace ein
