// The operands of a fused cascade in a GPU kernel, and the bodies of its operations at a place.
#pragma once

#include "compiler/Gpu/EmitSimt.h"
#include "compiler/Gpu/SimtBuilder.h"
#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/CascadeRegion.h"

namespace ein {

/// Evaluates operations of a cascade on vectors along one index, from memory and from values at hand.
class CascadeOperands {
public:
  using Value = mlir::Value;
  /// The value of each index of the cascade; null where it is 0.
  using Position = llvm::SmallVector<Value>;

  /// `memory`: of each operation its operands, then the memory of each gather. What has no element type is virtual, or
  /// never read.
  CascadeOperands(SimtBuilder &b, const CascadeRegion &region, llvm::ArrayRef<SimtMemory> memory);

  /// What the kernel takes: pointers to all memory.
  const std::vector<GpuArgument> &parameters() const { return arguments; }
  /// Before anything is evaluated: their values.
  void bind(mlir::ValueRange values);

  /// The body of an operation at a place, `lanes` neighbours of index `along`; inputs that are not null in `given` are
  /// not read. Combined with `acc` where there is one; with `keepsWide` not rounded as it would be for memory.
  Value evaluate(size_t op, const Position &at, int along, int64_t lanes, llvm::ArrayRef<Value> given, Value acc = {},
                 bool keepsWide = false);

  /// What an operation that bounds the keys of a row says, from 0 to the number of keys.
  Value boundOf(size_t op, const Position &at);

  /// Whether some offset needs more than 31 bits.
  static bool needsWideIndices(const CascadeRegion &region);

protected:
  SimtBuilder &b;
  const CascadeRegion &region;
  llvm::ArrayRef<SimtMemory> memory;
  llvm::SmallVector<size_t> firstMemory; ///< by operation
  llvm::SmallVector<Value> pointers;     ///< by memory; null where there is none

private:
  Value load(size_t op, unsigned input, const Position &at, int along, int64_t lanes);
  Value gather(size_t op, mlir::memref::LoadOp load, const Position &at, int along, int64_t lanes,
               llvm::function_ref<Value(Value)> valueOf);
  Value indexValues(int index, const Position &at, int along, int64_t lanes);

  llvm::SmallVector<unsigned> numbers; ///< by memory: of the parameter
  std::vector<GpuArgument> arguments;
};

} // namespace ein
