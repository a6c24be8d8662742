// Accesses of threads to memory, each behind a check.
#include "tests/gpu-model/ModelCalls.h"
#include "tests/gpu-model/Shadow.h"

#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;

namespace ein::gpumodel {
namespace {

bool isSharedPointer(Type type) {
  auto pointer = dyn_cast<LLVM::LLVMPointerType>(type);
  return pointer && (pointer.getAddressSpace() == 3 || pointer.getAddressSpace() == 7);
}

/// Whether an address is of a thread's own variable or of a constant: nothing to check.
bool isPrivate(Value address) {
  while (auto gep = address.getDefiningOp<LLVM::GEPOp>()) address = gep.getBase();
  if (address.getDefiningOp<LLVM::AllocaOp>()) return true;
  auto global = address.getDefiningOp<LLVM::AddressOfOp>();
  return global && !isSharedPointer(global.getType());
}

/// Replaces the address of an access by the one that the runtime allows.
void check(Operation *op, OpOperand &address, Type type, std::optional<uint64_t> alignment, Access kind) {
  if (isPrivate(address.get())) return;
  ModelCalls b(op);
  DataLayout layout = DataLayout::closest(op);
  uint64_t bytes = layout.getTypeSize(type);
  uint64_t needed = alignment ? *alignment : layout.getTypeABIAlignment(type);
  address.set(b.call("access", b.pointer(), {address.get(), b.i32(bytes), b.i32(needed * 4 + uint64_t(kind))}));
}

/// Registers that hold nothing are full of NaNs, so that a sum that starts from them is wrong.
void poison(LLVM::UndefOp undef) {
  auto type = dyn_cast<LLVM::LLVMStructType>(undef.getType());
  if (!type || !llvm::all_of(type.getBody(), [](Type t) { return t.isF32(); })) return;
  ModelCalls b(undef);
  b.setInsertionPointAfter(undef);
  Value all = undef, nan = LLVM::ConstantOp::create(b, b.getF32Type(), b.getF32FloatAttr(NAN));
  for (size_t i = 0; i < type.getBody().size(); ++i)
    all = LLVM::InsertValueOp::create(b, all, nan, ArrayRef<int64_t>{int64_t(i)});
  undef.getResult().replaceUsesWithIf(all, [&](OpOperand &use) { return !isa<LLVM::InsertValueOp>(use.getOwner()); });
}

} // namespace

Lowered lowerMemory(Operation *op, const llvm::StringMap<uint32_t> &sharedOffsets) {
  return llvm::TypeSwitch<Operation *, Lowered>(op)
      .Case([&](LLVM::LoadOp load) {
        bool atomic = load.getVolatile_() || load.getOrdering() != LLVM::AtomicOrdering::not_atomic;
        check(op, load.getAddrMutable(), load.getType(), load.getAlignment(), atomic ? Access::Atomic : Access::Read);
        return Lowered::Kept;
      })
      .Case([&](LLVM::StoreOp store) {
        bool atomic = store.getVolatile_() || store.getOrdering() != LLVM::AtomicOrdering::not_atomic;
        check(op, store.getAddrMutable(), store.getValue().getType(), store.getAlignment(),
              atomic ? Access::Atomic : Access::Write);
        return Lowered::Kept;
      })
      .Case([&](LLVM::AtomicRMWOp rmw) {
        check(op, rmw.getPtrMutable(), rmw.getType(), rmw.getAlignment(), Access::Atomic);
        return Lowered::Kept;
      })
      .Case([&](LLVM::AtomicCmpXchgOp exchange) {
        check(op, exchange.getPtrMutable(), exchange.getVal().getType(), exchange.getAlignment(), Access::Atomic);
        return Lowered::Kept;
      })
      .Case([&](LLVM::AddressOfOp address) {
        if (!isSharedPointer(address.getType())) return Lowered::Kept;
        ModelCalls b(op);
        b.replaceWith(b.call("shared", address.getType(), b.i32(sharedOffsets.lookup(address.getGlobalName()))));
        return Lowered::Done;
      })
      .Case([&](LLVM::AddrSpaceCastOp cast) {
        cast.replaceAllUsesWith(cast.getArg());
        cast.erase();
        return Lowered::Done;
      })
      .Case([&](LLVM::PtrToIntOp cast) {
        if (!isSharedPointer(cast.getArg().getType())) return Lowered::Kept;
        ModelCalls b(op);
        Value address = b.call("shared_to_int", b.getI64Type(), cast.getArg());
        if (cast.getType() != b.getI64Type()) address = LLVM::TruncOp::create(b, cast.getType(), address);
        b.replaceWith(address);
        return Lowered::Done;
      })
      .Case([&](LLVM::IntToPtrOp cast) {
        if (!isSharedPointer(cast.getType())) return Lowered::Kept;
        ModelCalls b(op);
        Value address = cast.getArg();
        if (address.getType() != b.getI64Type()) address = LLVM::ZExtOp::create(b, b.getI64Type(), address);
        b.replaceWith(b.call("int_to_shared", cast.getType(), address));
        return Lowered::Done;
      })
      .Case([&](LLVM::FenceOp) {
        ModelCalls(op).replace("fence", {});
        return Lowered::Done;
      })
      .Case<LLVM::AllocaOp>([](auto) { return Lowered::Kept; })
      .Case([&](LLVM::UndefOp undef) {
        poison(undef);
        return Lowered::Kept;
      })
      .Default(Lowered::Unknown);
}

} // namespace ein::gpumodel
