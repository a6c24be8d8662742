// What the emitters of cascades share: operands and indices, values at a point, results row by row.
#pragma once

#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/CascadeRegion.h"
#include "compiler/Lowering/Emit.h"

#include <limits>
#include <map>

namespace ein {

/// The base of an emitter. A derived class says where a point's values lie; methods emit into the function the builder
/// is in.
class CascadeFrame {
public:
  virtual ~CascadeFrame() = default;

protected:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;
  using Values = llvm::SmallVector<Value>;
  using Known = llvm::DenseMap<int, Value>; ///< vectors of virtual tensors

  /// One vector of lanes: of rows at one key, or of keys in one row.
  struct Point {
    Value row, key; ///< number of the (first) key in the tile, and of all
    Value j;        ///< number of the vector in the panel, where lanes are rows
  };

  CascadeFrame(NestBuilder &b, const CascadeRegion &cascade, llvm::ArrayRef<llvm::SmallVector<NestOperand>> operands,
               llvm::StringRef name, CascadeFlow flow, int64_t lanes);

  // Where values lie.
  virtual Value loadAt(size_t op, unsigned input, const Point &at) = 0;
  virtual Value indexAt(int index, const Point &at) = 0;
  /// A tile in its buffer.
  virtual Value loadTile(int tensor, const Point &at) = 0;
  virtual void storeTile(int tensor, Value value, const Point &at) = 0;
  /// Sets the rows' indices for a row of the panel.
  virtual void bindRow(Values &at, Value row) = 0;
  /// A sum or maximum of one element per row.
  virtual Value rowValue(int tensor, Value row) = 0;
  /// A sum with indices of its own as [row][pitch], and that pitch.
  virtual std::pair<Value, int64_t> rowsOfSum(size_t product) = 0;

  // EmitCascadeFrame.cpp
  /// Constants, or what comes at run time.
  Value extent(int index) {
    return shape.isDynamic(index) ? b.sizes[shape.extentSlots[index]] : b.c(shape.extent(index));
  }
  Value stride(const CascadeAccess &access, int index);
  /// The product of extents.
  Value countOf(const std::vector<int> &indices);
  void bind(ValueRange pointers);
  void bindBatch(Value batch);
  Value offsetOf(size_t op, unsigned operand);
  Value viewAt(Value base, int64_t place, mlir::Type type, int64_t extent);
  Value scratchAt(int64_t place, mlir::Type type, int64_t extent) { return viewAt(scratch, place, type, extent); }
  void fill(Value memory, int64_t elements, double value);
  bool isLate(const CascadeOp &op) const { return flow.scoreNeeded(op) >= 0; }
  bool hasBounds() const { return shape.has(CascadeRole::Low) || shape.has(CascadeRole::High); }
  /// Below every score, in powers of two; finite, so that differences are numbers.
  double startOfMax() const { return b.element.isF32() ? -1e30 : -1e300; }
  /// A vector of key numbers from an expression, as i32 between 0 and the number of keys.
  Value withinKeys(Value numbers);
  void overAcross(const CascadeProduct &product, const CascadeAccess &access, size_t loops,
                  llvm::function_ref<void(Value offset, Value place)> body);

  // EmitCascadeValues.cpp
  mlir::Type tileType(int tensor);
  Value evaluate(size_t op, int64_t lanes, llvm::function_ref<Value(unsigned input)> load,
                 llvm::function_ref<Value(int index)> index);
  Value evaluateAt(size_t op, const Point &at, const Known &known);
  Known earlyValues(const Point &at, Value direct);
  void lateValues(const Point &at, llvm::ArrayRef<Value> references,
                  llvm::function_ref<void(size_t op, Value term)> sum);
  Value indexVector(Value scalar, int64_t lanes, bool counts);
  Value larger(Value a, Value c);
  Value orElse(Value counts, Value value, double number);

  // EmitCascadeGather.cpp
  Value loadKeys(size_t op, unsigned input, Value base, Value row);
  Value placesOf(size_t op, mlir::memref::LoadOp load, Value key, llvm::function_ref<Value(Value)> valueOf);
  void findPlaces(const CascadeProduct &product, int64_t place, int64_t tileKeys);
  /// Where a gathered key of the tile is, `findPlaces` done.
  Value placeOf(int64_t place, int64_t tileKeys, Value row);

  // EmitCascadeResults.cpp
  std::vector<int> ownIndices(const CascadeOp &info) const;
  void finishRow(size_t op, Value row);
  void finishVector(size_t op, Value row, Value place, int inner, Value start, int64_t lanes, const Values &at);

  /// How far, in powers of two, a score may exceed the reference before sums are scaled to a new one.
  static constexpr double kLazyPowers = 20;
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  static const double kLog2E;

  NestBuilder &b;
  const CascadeRegion &cascade;
  const CascadeShape &shape;
  llvm::ArrayRef<llvm::SmallVector<NestOperand>> operands; ///< by operation: inputs and output
  std::string name;
  CascadeFlow flow;
  int64_t lanes;
  Values pointers; ///< distinct ones of the operands

  // In the function that is being emitted.
  llvm::SmallVector<Values> memory; ///< by operation and operand
  Values arguments;                 ///< pointers, then scratch memory
  Value scratch;
  std::map<std::tuple<const void *, int64_t, const void *, int64_t>, Value> views; ///< by base, place, type, extent
  Values position;      ///< by index: where the batch and its rows begin
  Value firstKey, keys; ///< of the tile
};

} // namespace ein
