// A builder of GPU kernels: thread numbers, index arithmetic, memory, shuffles.
#pragma once

#include "compiler/Lowering/NestBuilder.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace ein {

/// What a NestBuilder lacks for kernels on a GPU. Indices are i32, or i64 where offsets need it; memory is pointers.
class SimtBuilder : public NestBuilder {
public:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;

  SimtBuilder(mlir::Location loc, mlir::MLIRContext *context, mlir::Type element, bool wide);

  // Index arithmetic, in place of NestBuilder's, which is on `index`.
  Value k(int64_t value);
  Value plus(Value a, Value b);
  Value times(Value a, int64_t b);
  Value over(Value a, int64_t b);
  Value modulo(Value a, int64_t b);
  Value least(Value a, Value b);
  Value less(Value a, Value b);
  Value both(Value a, Value b); ///< conditions; null: always
  Value least(Value a, int64_t b) { return least(a, k(b)); }
  Value less(Value a, int64_t b) { return less(a, k(b)); }
  Value plus(Value a, int64_t b) { return b ? plus(a, k(b)) : a; }
  Value isZero(Value a);
  /// An index as the i32 that bodies compute with.
  Value toI32(Value a);
  /// An i32 as an index.
  Value toIndex(Value a);

  // Threads.
  Value threadNumber();
  Value blockNumber(int axis);
  Value blockCount();
  void barrier();

  // Control.
  using Trip = llvm::function_ref<void(Value)>;
  using CarriedTrip = llvm::function_ref<llvm::SmallVector<Value>(Value, ValueRange)>;
  void forEach(Value low, Value high, Value step, Trip body);
  llvm::SmallVector<Value> forEach(Value low, Value high, Value step, ValueRange init, CarriedTrip body);
  void when(Value condition, llvm::function_ref<void()> then);

  // Memory: elements of `type` (an i1 is a byte) from a pointer on.
  Value at(Value pointer, mlir::Type type, Value offset);
  /// A vector of neighbours; their address is a multiple of `alignment` bytes.
  Value loadLanes(Value pointer, mlir::Type type, Value offset, int64_t lanes, int64_t alignment);
  /// A vector of elements `stride` apart, one by one.
  Value gatherLanes(Value pointer, mlir::Type type, Value offset, int64_t stride, int64_t lanes);
  void storeLanes(Value vector, Value pointer, Value offset, int64_t alignment);
  void scatterLanes(Value vector, Value pointer, Value offset, int64_t stride);
  Value shared(mlir::gpu::GPUModuleOp module, int64_t byteOffset);

  // Vectors.
  Value lane(Value vector, int64_t i);
  Value vectorOf(llvm::ArrayRef<Value> elements);
  Value spread(Value scalar, int64_t lanes) { return vectorOf(llvm::SmallVector<Value>(lanes, scalar)); }
  /// A scalar from the thread of the warp whose number differs in the bits of `mask`.
  Value exchange(Value scalar, int32_t mask);
  /// A scalar from the thread `lane` of the warp.
  Value fromLane(Value scalar, Value lane);

  /// An llvm.func that is a kernel of blocks of `threads`, with pointers to global memory. `body` gets them.
  void kernel(mlir::gpu::GPUModuleOp module, llvm::StringRef name, int64_t threads, unsigned pointers,
              llvm::function_ref<void(ValueRange)> body);

  mlir::Type index; ///< i32 or i64

private:
  Value shuffle(Value scalar, Value lane, mlir::NVVM::ShflKind kind);
};

/// The type of an element in memory: i8 for i1.
inline mlir::Type inMemory(mlir::Type type) {
  return type.isInteger(1) ? mlir::IntegerType::get(type.getContext(), 8) : type;
}

} // namespace ein
