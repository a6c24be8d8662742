// The emitter of packed contractions; its parts are in EmitContraction.cpp (nest), EmitPacking.cpp
// (panels), EmitMicroKernel.cpp (register tile) and EmitFinish.cpp (what follows on each tile).
#pragma once

#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/Emit.h"

#include <map>

namespace ein {

/// Places in the scratch memory of a contraction, in bytes: tables of where runs begin (-1 where a stride does), the
/// shared pack (one per thread when batches or the depth are split) and one private area per thread, which is the
/// tile's spill area followed by the private pack.
struct ContractionScratch {
  explicit ContractionScratch(const ContractionPlan &plan);

  int64_t rowsS, rowsC, colsV, colsC;
  int64_t shared = 0, sharedBytes = 0;
  int64_t own = 0, privateBytes = 0, tileBytes = 0;
  int64_t parts = 0, partElements = 0; ///< results of the threads when the depth is split
  int64_t total = 0;
};

/// Emits one contraction, of two tensors or with a factor that is computed from several. Methods emit into the function
/// the builder is in. Conditions are computed as bytes.
class ContractionEmitter {
public:
  ContractionEmitter(NestBuilder &b, const ContractionPlan &plan, mlir::linalg::LinalgOp op,
                     llvm::ArrayRef<NestOperand> operands, bool overwrite, llvm::StringRef name,
                     const NestFinish *finish);
  void emit(mlir::Value scratchPointer);

private:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;

  /// Where the runs of a side begin in a tensor, by a stride or a table, and the stride along them.
  struct Runs {
    std::optional<int64_t> perRun;
    Value table;
    int64_t perElement;
  };
  /// Panels [low, high); `base` is the first of the block, where its pack begins. `block` is its number where the range
  /// is all of it.
  struct Range {
    Value low, high, base, block;
  };
  /// What a computed factor is made of beside S or V, by its number among the strides of a loop.
  struct Part {
    NestOperand operand;
    unsigned o;
    Value memory;
  };
  using Offsets = llvm::SmallVector<Value, 1>; ///< in each tensor of a side
  /// A batch and a block of the contracted index.
  struct Point {
    Value batch;                         ///< its number
    Value s, v, c;                       ///< offsets in the operands
    llvm::SmallVector<Value> parts;      ///< and in the parts of a computed one
    llvm::SmallVector<Value, 2> reads;   ///< and in what the finish reads
    Value kb, depth;                     ///< number of the block, elements in it
    llvm::SmallVector<Value, 4> extents; ///< of the block, by loop of the depth
  };
  /// How the micro-kernel walks an operand: element (k, i) is at base + k * perDepth + i * perElement.
  struct Sliver {
    Value memory, base;
    int64_t perDepth, perElement;
    int64_t ahead = 0; ///< elements ahead to ask for
  };

  void bind(ValueRange pointers);
  unsigned pointerCount() const { return 4 + parts.size() + reads.size(); }
  void makeFunctions();
  void call(mlir::func::FuncOp function, llvm::ArrayRef<Value> pointers, llvm::ArrayRef<Value> indices);
  Value runAt(const Runs &r, Value run);
  Value runOf(const IndexGroup &side, Value panel, int64_t width);
  Value placeInRun(const IndexGroup &side, Value panel, int64_t width);
  Value panelAt(const Runs &r, const IndexGroup &side, Value panel, int64_t width);
  Value batchOffset(Value index, unsigned o, int64_t base);
  void emitTables(ValueRange pointers);
  void fillTable(const IndexGroup &g, unsigned o, size_t dim, Value linear, Value offset, Value table);

  Point point(Value batch, Value kb);
  Range rowBlock(Value index);
  Range colBlock(Value index);
  Range sharedRange(Value index) { return p.colsOuter ? colBlock(index) : rowBlock(index); }
  int64_t sharedBlockCount() const { return p.colsOuter ? p.colBlocks() : p.rowBlocks(); }
  int64_t privateBlockCount() const { return p.colsOuter ? p.rowBlocks() : p.colBlocks(); }
  void emitByBatch(ValueRange pointers);
  bool splitsBlocks() const { return p.split == Split::Cols || p.split == Split::Rows; }
  void emitByBlock(ValueRange pointers);
  void combineParts(ValueRange pointers);
  void overOutput(size_t group, size_t dim, Value place, Value offset, llvm::function_ref<void(Value, Value)> body);
  void sharedBlocks(llvm::function_ref<void(Value block, Value kb)> inBlock);
  void packShared(const Point &at, Range range, Value pack) { packSide(p.colsOuter, at, range, pack); }
  void privateBlock(const Point &at, Range shared, Value sharedPack, Value index, Value own);

  // EmitPacking.cpp
  void packSide(bool cols, const Point &at, Range panels, Value pack);
  mlir::func::FuncOp packFunction(bool cols);
  void packRows(const Point &at, Range panels, Value pack);
  void packCols(const Point &at, Range panels, Value pack);
  struct Side;
  Offsets sum(const Offsets &a, const Offsets &c);
  Offsets stepsAlong(const Side &side, Value steps, const LoopDim &loop);
  Offsets runOffsets(const Side &side, Value panel);
  Value valuesAt(const Side &side, int64_t lanes, const Offsets &from, const LoopDim &along);
  Value computedAt(const Side &side, int64_t lanes, const Offsets &from, const LoopDim &along);
  Value rowOf(const Side &side, Value place);
  Value halfOf(Value value, Value before, Value place);
  void packPanels(Side side, Range panels, Value pack);
  void packVectors(const Side &side, Range panels, Value memory);
  void packTransposed(const Side &side, Range panels, Value memory);
  void packSquares(const Side &side, Range panels, Value memory);
  void packElements(const Side &side, Range panels, Value memory);
  /// Loops over a block of the depth but for loop `without`: how far the side's tensors move, and the place in
  /// the panel.
  void overDepth(const Side &side, int without, llvm::function_ref<void(const Offsets &moved, Value place)> body);
  void storePieces(Value vector, int64_t count, Value memory, Value offset);
  Value placesPerStep(const Point &at, int loop);

  // EmitMicroKernel.cpp
  /// A register tile: whole, or what is left of it at an edge. The last vector may hold fewer columns.
  struct Tile {
    int64_t rows, cols;
  };
  /// Offsets of a tile in the output, and in what the finish reads.
  struct Place {
    Value to;
    llvm::SmallVector<Value, 2> reads;
  };
  using TileBody = llvm::function_ref<void(Value panel, int64_t width)>;
  /// Packed panels of both sides and room for a tile, as pointers.
  struct Packs {
    Value rows, cols, spill;
  };
  void compute(const Point &at, Range rows, Range cols, const Packs &packs);
  void rowTiles(const Point &at, Value panel, int64_t rowsHere, Range rows, Range cols, const Packs &packs);
  mlir::func::FuncOp rowTilesFunction(int64_t rowsHere);
  void panels(Range range, const IndexGroup &side, int64_t width, TileBody body);
  Value accumulate(Value fromRows, Value fromCols, Value sum);
  Value combine(Value a, Value c) { return emitCombine(b, reduction.combine, a, c); }
  llvm::SmallVector<Value> multiply(Tile tile, const Sliver &rows, const Sliver &cols, Value depth);
  void writeTile(const Point &at, Tile tile, const Place &place, llvm::ArrayRef<Value> sums, Value spill);
  void writeVectors(Tile tile, Value to, llvm::ArrayRef<Value> sums, bool combines, bool past = false);
  void writeElements(Tile tile, Value to, llvm::ArrayRef<Value> sums, Value spill, bool combines);
  void spillTile(llvm::ArrayRef<Value> sums, Value memory);

  // EmitFinish.cpp
  /// What the finish reads: memory, and how its rows and columns lie.
  struct Read {
    NestOperand operand;
    unsigned stride; ///< place in the plan's strides
    Value memory;
    Runs rows, cols;
  };
  void bindReads(ValueRange pointers);
  Place placeOf(const Point &at, Value rowPanel, Value colPanel);
  void makeFinishes();
  mlir::func::FuncOp finishFunction(int64_t cols, bool past);
  void finishTile(Tile tile, const Place &place, llvm::ArrayRef<Value> sums, Value spill, bool past);
  void finishRun(int64_t lanes, Value sum, Value to, llvm::ArrayRef<Value> from, bool combines, bool past);
  int64_t vectorsOf(int64_t cols) const { return (cols + p.lanes - 1) / p.lanes; }

  NestBuilder &b;
  const ContractionPlan &p;
  mlir::linalg::LinalgOp op;
  Reduction reduction; ///< of the body of `op`
  std::optional<ComputedFactor> factor;
  NestOperand s, v, out;
  llvm::SmallVector<Part> parts; ///< of the factor
  bool overwrite;
  const NestFinish *finish; ///< or none
  llvm::SmallVector<Read, 2> reads;
  std::map<std::pair<int64_t, bool>, mlir::func::FuncOp> finishes; ///< by columns of a tile and whether past the caches
  std::string name;
  ContractionScratch layout;
  mlir::func::FuncOp packsRows, packsCols, wholeTiles, restTiles; ///< null where the nest has it in place
  llvm::SmallVector<Value, 4> given; ///< what the current function was given: operands, output, scratch memory
  Value memS, memV, memC, scratch;
  Value firstBlock, lastBlock; ///< of the depth, for this thread
  Value aligned;               ///< streaming: whether the output begins with a line
  Runs rowsS, rowsC, colsV, colsC;
};

} // namespace ein
