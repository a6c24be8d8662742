// The vocabulary of GPU kernels.
#include "compiler/Gpu/SimtBuilder.h"
#include "compiler/Gpu/EmitSimt.h"
#include "compiler/Lowering/PlanAttr.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace ein {

SimtBuilder::SimtBuilder(Location loc, MLIRContext *context, Type element, bool wide)
    : NestBuilder(loc, context, element), index(wide ? getI64Type() : getI32Type()) {
  convertsBFloats = true;
}

Value SimtBuilder::k(int64_t value) { return arith::ConstantOp::create(*this, getIntegerAttr(index, value)); }
Value SimtBuilder::plus(Value a, Value b) { return createOrFold<arith::AddIOp>(a, b); }
Value SimtBuilder::times(Value a, int64_t b) { return b == 1 ? a : createOrFold<arith::MulIOp>(a, k(b)); }
Value SimtBuilder::over(Value a, int64_t b) { return b == 1 ? a : createOrFold<arith::DivUIOp>(a, k(b)); }
Value SimtBuilder::modulo(Value a, int64_t b) { return b == 1 ? k(0) : createOrFold<arith::RemUIOp>(a, k(b)); }
Value SimtBuilder::least(Value a, Value b) { return createOrFold<arith::MinUIOp>(a, b); }
Value SimtBuilder::less(Value a, Value b) { return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ult, a, b); }
Value SimtBuilder::both(Value a, Value b) { return !a ? b : !b ? a : createOrFold<arith::AndIOp>(a, b); }
Value SimtBuilder::isZero(Value a) { return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, a, k(0)); }
Value SimtBuilder::toI32(Value a) { return index.isInteger(32) ? a : createOrFold<arith::TruncIOp>(getI32Type(), a); }
Value SimtBuilder::toIndex(Value a) { return a.getType() == index ? a : createOrFold<arith::ExtSIOp>(index, a); }

Value SimtBuilder::threadNumber() { return toIndex(NVVM::ThreadIdXOp::create(*this, getI32Type())); }
Value SimtBuilder::blockNumber(int axis) {
  if (axis == 0) return toIndex(NVVM::BlockIdXOp::create(*this, getI32Type()));
  return toIndex(NVVM::BlockIdYOp::create(*this, getI32Type()));
}
Value SimtBuilder::blockCount() { return toIndex(NVVM::GridDimXOp::create(*this, getI32Type())); }
void SimtBuilder::barrier() { NVVM::Barrier0Op::create(*this); }

void SimtBuilder::forEach(Value low, Value high, Value step, Trip body) {
  auto loop = scf::ForOp::create(*this, low, high, step);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

SmallVector<Value> SimtBuilder::forEach(Value low, Value high, Value step, ValueRange init, CarriedTrip body) {
  auto loop = scf::ForOp::create(*this, low, high, step, init);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  scf::YieldOp::create(*this, next);
  return SmallVector<Value>(loop.getResults());
}

void SimtBuilder::when(Value condition, llvm::function_ref<void()> then) { ifThen(condition, then); }

Value SimtBuilder::at(Value pointer, Type type, Value offset) {
  return LLVM::GEPOp::create(*this, pointer.getType(), inMemory(type), pointer, ValueRange{offset});
}

Value SimtBuilder::loadLanes(Value pointer, Type type, Value offset, int64_t lanes, int64_t alignment) {
  return LLVM::LoadOp::create(*this, VectorType::get({lanes}, inMemory(type)), at(pointer, type, offset), alignment);
}

Value SimtBuilder::gatherLanes(Value pointer, Type type, Value offset, int64_t stride, int64_t lanes) {
  SmallVector<Value> elements;
  for (int64_t i = 0; i < lanes; ++i)
    elements.push_back(LLVM::LoadOp::create(*this, inMemory(type), at(pointer, type, plus(offset, i * stride))));
  return vectorOf(elements);
}

/// A value as memory holds it: an i1 as a byte.
static Value bytesFor(SimtBuilder &b, Value vector) {
  return cast<VectorType>(vector.getType()).getElementType().isInteger(1) ? b.convert(vector, b.getI8Type(), true)
                                                                          : vector;
}

void SimtBuilder::storeLanes(Value vector, Value pointer, Value offset, int64_t alignment) {
  vector = bytesFor(*this, vector);
  Type type = cast<VectorType>(vector.getType()).getElementType();
  LLVM::StoreOp::create(*this, vector, at(pointer, type, offset), alignment);
}

void SimtBuilder::scatterLanes(Value vector, Value pointer, Value offset, int64_t stride) {
  vector = bytesFor(*this, vector);
  auto type = cast<VectorType>(vector.getType());
  for (int64_t i = 0; i < type.getNumElements(); ++i)
    LLVM::StoreOp::create(*this, lane(vector, i), at(pointer, type.getElementType(), plus(offset, i * stride)));
}

Value SimtBuilder::shared(gpu::GPUModuleOp module, int64_t byteOffset) {
  auto space = LLVM::LLVMPointerType::get(getContext(), 3);
  Value base = LLVM::AddressOfOp::create(*this, space, sharedMemoryOf(module).getSymName());
  return byteOffset ? at(base, getI8Type(), k(byteOffset)) : base;
}

Value SimtBuilder::lane(Value vector, int64_t i) {
  return LLVM::ExtractElementOp::create(*this, vector, LLVM::ConstantOp::create(*this, getI32IntegerAttr(int32_t(i))));
}

Value SimtBuilder::vectorOf(ArrayRef<Value> elements) {
  auto type = VectorType::get({int64_t(elements.size())}, elements[0].getType());
  Value vector = LLVM::PoisonOp::create(*this, type);
  for (auto [i, element] : llvm::enumerate(elements))
    vector = LLVM::InsertElementOp::create(*this, vector, element,
                                           LLVM::ConstantOp::create(*this, getI32IntegerAttr(int32_t(i))));
  return vector;
}

Value SimtBuilder::exchange(Value scalar, int32_t mask) {
  return shuffle(scalar, LLVM::ConstantOp::create(*this, getI32IntegerAttr(mask)), NVVM::ShflKind::bfly);
}

Value SimtBuilder::fromLane(Value scalar, Value lane) { return shuffle(scalar, toI32(lane), NVVM::ShflKind::idx); }

/// Words of 32 bits, as the hardware shuffles them.
Value SimtBuilder::shuffle(Value scalar, Value lane, NVVM::ShflKind kind) {
  auto constant = [&](int32_t v) { return LLVM::ConstantOp::create(*this, getI32IntegerAttr(v)); };
  Type type = scalar.getType();
  const unsigned bits = type.getIntOrFloatBitWidth();
  Type same = getIntegerType(bits), word = getI32Type();
  auto shuffleWord = [&](Value v) -> Value {
    return NVVM::ShflOp::create(*this, word, constant(-1), v, lane, constant(31), kind, UnitAttr());
  };
  Value whole = isa<FloatType>(type) ? arith::BitcastOp::create(*this, same, scalar).getResult() : scalar;
  if (bits == 64) {
    Value shift = arith::ConstantOp::create(*this, getI64IntegerAttr(32));
    Value low = shuffleWord(arith::TruncIOp::create(*this, word, whole));
    Value high = shuffleWord(arith::TruncIOp::create(*this, word, arith::ShRUIOp::create(*this, whole, shift)));
    high = arith::ShLIOp::create(*this, arith::ExtUIOp::create(*this, same, high), shift);
    whole = arith::OrIOp::create(*this, high, arith::ExtUIOp::create(*this, same, low));
  } else if (bits < 32) {
    whole = arith::TruncIOp::create(*this, same, shuffleWord(arith::ExtUIOp::create(*this, word, whole)));
  } else {
    whole = shuffleWord(whole);
  }
  return isa<FloatType>(type) ? arith::BitcastOp::create(*this, type, whole).getResult() : whole;
}

void SimtBuilder::kernel(gpu::GPUModuleOp module, StringRef name, int64_t threads, unsigned pointers,
                         llvm::function_ref<void(ValueRange)> body) {
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToEnd(module.getBody());
  SmallVector<Type> arguments(pointers, LLVM::LLVMPointerType::get(getContext(), 1));
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(getContext()), arguments);
  auto function = LLVM::LLVMFuncOp::create(*this, name, type);
  function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getReqntidAttrName(), getDenseI32ArrayAttr({int32_t(threads), 1, 1}));
  setInsertionPointToStart(function.addEntryBlock(*this));
  body(function.getArguments());
  LLVM::ReturnOp::create(*this, ValueRange{});
}

LLVM::GlobalOp sharedMemoryOf(gpu::GPUModuleOp module) {
  if (auto known = module.lookupSymbol<LLVM::GlobalOp>("smem")) return known;
  OpBuilder b(module.getContext());
  b.setInsertionPointToStart(module.getBody());
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), 0);
  return LLVM::GlobalOp::create(b, module.getLoc(), type, /*isConstant=*/false, LLVM::Linkage::External, "smem",
                                Attribute(), /*alignment=*/1024, /*addrSpace=*/3);
}

} // namespace ein
