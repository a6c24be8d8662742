// Where values of accumulators are read: behind every way on which they may come from a wgmma.
#include "tests/gpu-model/ModelCalls.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace ein::gpumodel {
namespace {

/// What only passes an accumulator on: the value that it becomes; null if `use` reads it.
Value passedOn(OpOperand &use) {
  Operation *user = use.getOwner();
  if (auto branch = dyn_cast<BranchOpInterface>(user))
    if (auto argument = branch.getSuccessorBlockArgument(use.getOperandNumber())) return *argument;
  if (isa<LLVM::InsertValueOp, LLVM::ExtractValueOp>(user)) return user->getResult(0);
  if (auto assembly = dyn_cast<LLVM::InlineAsmOp>(user))
    if (assembly.getAsmString().empty() || isInlineWgmma(assembly)) return user->getResult(0);
  if (isa<arith::SelectOp, LLVM::SelectOp>(user) && use.getOperandNumber() > 0) return user->getResult(0);
  return {};
}

/// Replaces `uses`, all in one block, by what the runtime reads, in front of the first of them.
LogicalResult read(Value value, ArrayRef<OpOperand *> uses) {
  Operation *first = uses[0]->getOwner();
  for (OpOperand *use : uses)
    if (use->getOwner()->isBeforeInBlock(first)) first = use->getOwner();
  Type type = value.getType();
  if (!type.isInteger(32) && !type.isF32())
    return first->emitOpError("takes accumulators of wgmma where the CPU model cannot follow them");
  ModelCalls b(first);
  Value bits = type.isF32() ? LLVM::BitcastOp::create(b, b.getI32Type(), value).getResult() : value;
  Value result = b.call("accumulator", b.getI32Type(), bits);
  if (type.isF32()) result = LLVM::BitcastOp::create(b, type, result);
  for (OpOperand *use : uses) use->set(result);
  return success();
}

} // namespace

LogicalResult readAccumulators(LLVM::LLVMFuncOp function) {
  llvm::SetVector<Value> accumulators;
  function.walk([&](Operation *op) {
    auto assembly = dyn_cast<LLVM::InlineAsmOp>(op);
    if (isa<NVVM::WgmmaMmaAsyncOp>(op) || (assembly && isInlineWgmma(assembly))) accumulators.insert(op->getResult(0));
  });
  llvm::MapVector<std::pair<Value, Block *>, SmallVector<OpOperand *>> reads;
  for (size_t i = 0; i < accumulators.size(); ++i) {
    Value value = accumulators[i];
    for (OpOperand &use : value.getUses()) {
      if (isa<NVVM::WgmmaMmaAsyncOp>(use.getOwner())) continue;
      if (Value next = passedOn(use))
        accumulators.insert(next);
      else
        reads[{value, use.getOwner()->getBlock()}].push_back(&use);
    }
  }
  for (auto &[where, uses] : reads)
    if (failed(read(where.first, uses))) return failure();
  return success();
}

} // namespace ein::gpumodel
