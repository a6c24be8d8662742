// Building calls of the model's runtime in place of operations.
#pragma once

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace ein::gpumodel {

/// Discardable attribute with the number of an operation.
constexpr const char *kSiteAttr = "ein.site";

/// Builds in front of one operation.
class ModelCalls : public mlir::ImplicitLocOpBuilder {
public:
  explicit ModelCalls(mlir::Operation *op) : ImplicitLocOpBuilder(op->getLoc(), op), op(op) {}

  mlir::Value i32(int64_t value) {
    return mlir::LLVM::ConstantOp::create(*this, getI32Type(), getI32IntegerAttr(int32_t(value)));
  }
  /// `value` as an i32, whatever integer it is; `otherwise` where it is null.
  mlir::Value toI32(mlir::Value value, int64_t otherwise = 0);
  mlir::Type pointer() { return mlir::LLVM::LLVMPointerType::get(getContext()); }
  /// Room for `count` values of `type` on the thread's stack.
  mlir::Value room(mlir::Type type, int64_t count = 1);

  /// Calls `ein_model_NAME(site, arguments...)`.
  mlir::Value call(llvm::StringRef name, mlir::Type result, mlir::ValueRange arguments);
  void call(llvm::StringRef name, mlir::ValueRange arguments) { call(name, mlir::Type(), arguments); }
  /// The same in place of the operation, which goes.
  void replace(llvm::StringRef name, mlir::ValueRange arguments);
  /// The same where the operation has a result, an integer of any width.
  void replaceInteger(llvm::StringRef name, mlir::ValueRange arguments);
  void replaceWith(mlir::ValueRange values) {
    op->replaceAllUsesWith(values);
    op->erase();
  }

private:
  mlir::Operation *op;
};

/// What became of an operation.
enum class Lowered : uint8_t { Done, Kept, Unknown };

/// Loads, stores, atomics and addresses (LowerMemory.cpp).
Lowered lowerMemory(mlir::Operation *op, const llvm::StringMap<uint32_t> &sharedOffsets);
/// Barriers, fences, warps, copies, special registers (LowerNvvm.cpp).
Lowered lowerNvvm(mlir::Operation *op);
/// Tensor cores (LowerMatrix.cpp).
Lowered lowerMatrix(mlir::Operation *op);
/// PTX that is known, among it the empty one that ties registers (LowerInlinePtx.cpp).
Lowered lowerInlinePtx(mlir::LLVM::InlineAsmOp op);

/// Emits the call for one wgmma, whose accumulators are a struct of 32-bit values, and returns the new struct.
struct WgmmaCall {
  mlir::Value accumulators, descriptorA, descriptorB;
  llvm::SmallVector<mlir::Value> registersA; ///< four; or empty
  int64_t n = 0;
  llvm::StringRef typeA, typeB;
  uint32_t flags = 0;     ///< without kAccumulate
  mlir::Value accumulate; ///< i32, not zero if it accumulates
};
/// Null where a type is not known.
mlir::Value emitWgmma(ModelCalls &b, const WgmmaCall &call);
/// The same for mma.sync; `fragments` are the registers of A, B and C, the result those of D, of C's types.
llvm::SmallVector<mlir::Value> emitMma(ModelCalls &b, int64_t m, int64_t n, int64_t k, llvm::StringRef typeA,
                                       llvm::StringRef typeB, mlir::ValueRange inputs, mlir::ValueRange c);

/// Reads of accumulators of wgmma, wherever they go, become calls (ReadAccumulators.cpp). To be called on a function of
/// branches, before its wgmma are lowered.
mlir::LogicalResult readAccumulators(mlir::LLVM::LLVMFuncOp function);

/// A wgmma in inline assembly.
bool isInlineWgmma(mlir::LLVM::InlineAsmOp op);

} // namespace ein::gpumodel
