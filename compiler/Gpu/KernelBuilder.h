// A builder with the vocabulary of GPU kernels: 32-bit arithmetic that folds constants, control, shared memory.
#pragma once

#include "ein/DType.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace ein {

/// What a kernel's signature and launch bounds are.
struct KernelSignature {
  enum class Parameter : uint8_t { TensorMap, Pointer };
  std::vector<Parameter> parameters;
  int64_t threads = 128;
  int64_t cluster = 1;
};

/// Emits scf, arith, nvvm and llvm operations into one kernel. Integers are i32 where nothing else is said.
class KernelBuilder : public mlir::ImplicitLocOpBuilder {
public:
  /// Makes `llvm.func @name` in `module`, and its dynamic shared memory where that is not there yet; what is built goes
  /// into its body, before the return.
  KernelBuilder(mlir::gpu::GPUModuleOp module, llvm::StringRef name, const KernelSignature &signature);

  mlir::LLVM::LLVMFuncOp function;
  mlir::Value argument(unsigned i) { return function.getArgument(i); }

  // Arithmetic.
  mlir::Value c(int64_t value) { return constant(getI32IntegerAttr(int32_t(value))); }
  mlir::Value c64(int64_t value) { return constant(getI64IntegerAttr(value)); }
  mlir::Value f(double value) { return constant(getF32FloatAttr(float(value))); }
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, int64_t b) { return add(a, like(a, b)); }
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, int64_t b) { return sub(a, like(a, b)); }
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, int64_t b) { return mul(a, like(a, b)); }
  /// Of numbers that are not negative.
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, int64_t b) { return div(a, like(a, b)); }
  mlir::Value rem(mlir::Value a, mlir::Value b);
  mlir::Value rem(mlir::Value a, int64_t b) { return rem(a, like(a, b)); }
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);
  mlir::Value bitXor(mlir::Value a, mlir::Value b);
  mlir::Value bitAnd(mlir::Value a, mlir::Value b);
  mlir::Value equal(mlir::Value a, int64_t b);
  /// a < b, signed.
  mlir::Value less(mlir::Value a, mlir::Value b);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  // Functions of f32, good to 2^-22. The logarithm takes numbers that are not negative.
  mlir::Value exp2(mlir::Value x);
  mlir::Value log2(mlir::Value x);
  mlir::Value reciprocal(mlir::Value x);
  mlir::Value wide(mlir::Value a); ///< to i64, with its sign

  // Control. A body without results yields nothing.
  using Carry = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)>;
  llvm::SmallVector<mlir::Value> loop(mlir::Value low, mlir::Value high, mlir::Value step, mlir::ValueRange init,
                                      Carry body);
  /// Where the condition is a constant, only what it takes.
  void ifThen(mlir::Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise = {});
  /// What `then` gives in the place of `values`, or those.
  llvm::SmallVector<mlir::Value> replaceIf(mlir::Value condition, mlir::ValueRange values,
                                           llvm::function_ref<llvm::SmallVector<mlir::Value>()> then);

  // Memory.
  mlir::LLVM::LLVMPointerType pointerType(unsigned space) {
    return mlir::LLVM::LLVMPointerType::get(getContext(), space);
  }
  /// Dynamic shared memory, moved by a number of bytes.
  mlir::Value shared(mlir::Value bytes);
  mlir::Value shared(int64_t bytes) { return shared(c(bytes)); }
  /// The address of dynamic shared memory, as instructions that take integers want it.
  mlir::Value sharedAddress();
  /// Element number `index` behind a pointer to global memory.
  mlir::Value element(mlir::Value pointer, mlir::Type type, mlir::Value index);
  mlir::Value load(mlir::Type type, mlir::Value pointer, unsigned alignment);
  void store(mlir::Value value, mlir::Value pointer, unsigned alignment);

  // Values of several registers.
  mlir::Type registers(mlir::Type type, int64_t count);
  mlir::Value extract(mlir::Value registers, int64_t i);
  llvm::SmallVector<mlir::Value> unpack(mlir::Value registers);
  mlir::Value pack(mlir::ValueRange values);
  mlir::Value vectorOf(mlir::ValueRange values);
  /// Two f32 rounded to a 16-bit type, the first in the low half of an i32.
  mlir::Value packHalves(mlir::Value low, mlir::Value high, mlir::Type half);
  mlir::Type halfType(DType type);

  // Threads.
  mlir::Value threadIndex();
  mlir::Value warp() { return uniform(div(threadIndex(), 32)); }
  mlir::Value lane() { return rem(threadIndex(), 32); }
  void syncBlock();
  /// A value that is the same in all lanes of a warp, as the compiler can see.
  mlir::Value uniform(mlir::Value value);
  mlir::Value shuffleXor(mlir::Value value, int64_t lanes);

private:
  mlir::Value constant(mlir::TypedAttr attr);
  mlir::Value like(mlir::Value a, int64_t value);

  llvm::DenseMap<mlir::Attribute, mlir::Value> constants;
};

} // namespace ein
