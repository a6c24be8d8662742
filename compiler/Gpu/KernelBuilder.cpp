// The vocabulary of GPU kernels.
#include "compiler/Gpu/KernelBuilder.h"

#include "mlir/IR/Matchers.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace ein {

/// The name of a module's dynamic shared memory.
static constexpr const char *kSharedMemory = "smem";

KernelBuilder::KernelBuilder(gpu::GPUModuleOp module, StringRef name, const KernelSignature &signature)
    : ImplicitLocOpBuilder(module.getLoc(), module.getContext()) {
  setInsertionPointToEnd(module.getBody());
  if (!module.lookupSymbol(kSharedMemory))
    LLVM::GlobalOp::create(*this, LLVM::LLVMArrayType::get(getI8Type(), 0), /*isConstant=*/false,
                           LLVM::Linkage::External, kSharedMemory, Attribute(), /*alignment=*/1024, /*addrSpace=*/3);
  SmallVector<Type> types;
  for (KernelSignature::Parameter p : signature.parameters)
    types.push_back(pointerType(p == KernelSignature::Parameter::Pointer ? 1 : 0));
  function =
      LLVM::LLVMFuncOp::create(*this, name, LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(getContext()), types));
  for (auto [i, p] : llvm::enumerate(signature.parameters)) {
    if (p == KernelSignature::Parameter::Pointer) continue;
    function.setArgAttr(i, LLVM::LLVMDialect::getByValAttrName(),
                        TypeAttr::get(LLVM::LLVMArrayType::get(getI8Type(), 128)));
    function.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(), getI64IntegerAttr(64));
    function.setArgAttr(i, NVVM::NVVMDialect::getGridConstantAttrName(), getUnitAttr());
  }
  function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getReqntidAttrName(), getDenseI32ArrayAttr({int32_t(signature.threads), 1, 1}));
  function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), getI32IntegerAttr(1));
  if (signature.cluster > 1)
    function->setAttr(NVVM::NVVMDialect::getClusterDimAttrName(),
                      getDenseI32ArrayAttr({int32_t(signature.cluster), 1, 1}));
  setInsertionPointToStart(function.addEntryBlock(*this));
  LLVM::ReturnOp::create(*this, ValueRange());
  setInsertionPointToStart(&function.getBody().front());
}

Value KernelBuilder::constant(TypedAttr attr) {
  Value &value = constants[attr];
  if (!value) {
    InsertionGuard guard(*this);
    setInsertionPointToStart(&function.getBody().front());
    value = arith::ConstantOp::create(*this, attr);
  }
  return value;
}

Value KernelBuilder::like(Value a, int64_t value) { return a.getType().isInteger(64) ? c64(value) : c(value); }

static std::optional<int64_t> known(Value v) {
  APInt value;
  if (matchPattern(v, m_ConstantInt(&value))) return value.getSExtValue();
  return std::nullopt;
}

Value KernelBuilder::add(Value a, Value b) {
  const auto x = known(a), y = known(b);
  if (x && y) return like(a, *x + *y);
  if (x == 0) return b;
  if (y == 0) return a;
  return arith::AddIOp::create(*this, a, b);
}

Value KernelBuilder::sub(Value a, Value b) {
  const auto x = known(a), y = known(b);
  if (x && y) return like(a, *x - *y);
  if (y == 0) return a;
  return arith::SubIOp::create(*this, a, b);
}

Value KernelBuilder::mul(Value a, Value b) {
  const auto x = known(a), y = known(b);
  if (x && y) return like(a, *x * *y);
  if (x == 0 || y == 1) return a;
  if (y == 0 || x == 1) return b;
  return arith::MulIOp::create(*this, a, b);
}

Value KernelBuilder::div(Value a, Value b) {
  const auto x = known(a), y = known(b);
  if (x && y) return like(a, *x / *y);
  if (x == 0 || y == 1) return a;
  return arith::DivUIOp::create(*this, a, b);
}

Value KernelBuilder::rem(Value a, Value b) {
  const auto x = known(a), y = known(b);
  if (x && y) return like(a, *x % *y);
  if (y == 1) return like(a, 0);
  if (x == 0) return a;
  return arith::RemUIOp::create(*this, a, b);
}

Value KernelBuilder::min(Value a, Value b) { return arith::MinSIOp::create(*this, a, b); }
Value KernelBuilder::max(Value a, Value b) { return arith::MaxSIOp::create(*this, a, b); }
Value KernelBuilder::bitXor(Value a, Value b) { return arith::XOrIOp::create(*this, a, b); }
Value KernelBuilder::bitAnd(Value a, Value b) { return arith::AndIOp::create(*this, a, b); }

Value KernelBuilder::equal(Value a, int64_t b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, a, like(a, b));
}

Value KernelBuilder::less(Value a, Value b) { return arith::CmpIOp::create(*this, arith::CmpIPredicate::slt, a, b); }

Value KernelBuilder::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(*this, condition, a, b);
}

Value KernelBuilder::exp2(Value x) {
  return LLVM::Exp2Op::create(*this, x, LLVM::FastmathFlags::afn); // ex2.approx
}

Value KernelBuilder::log2(Value x) {
  // x = 2^e * m with m from sqrt(1/2) to sqrt(2); log(m) = 2 atanh(t), t = (m - 1) / (m + 1). LLVM selects no
  // lg2.approx.
  Value bits = arith::BitcastOp::create(*this, getI32Type(), x);
  Value e = arith::ShRSIOp::create(*this, sub(bits, 0x3f3504f3), c(23));
  Value m = arith::BitcastOp::create(*this, getF32Type(), sub(bits, arith::ShLIOp::create(*this, e, c(23))));
  Value t = arith::MulFOp::create(*this, arith::SubFOp::create(*this, m, f(1)),
                                  reciprocal(arith::AddFOp::create(*this, m, f(1))));
  Value square = arith::MulFOp::create(*this, t, t), series = f(2 / (9 * M_LN2));
  for (int n : {7, 5, 3, 1}) series = LLVM::FMAOp::create(*this, series, square, f(2 / (n * M_LN2)));
  Value sum = LLVM::FMAOp::create(*this, t, series, arith::SIToFPOp::create(*this, getF32Type(), e));
  Value isZero = arith::CmpFOp::create(*this, arith::CmpFPredicate::OEQ, x, f(0));
  return select(isZero, f(-std::numeric_limits<double>::infinity()), sum);
}

Value KernelBuilder::reciprocal(Value x) {
  return arith::DivFOp::create(*this, f(1), x, arith::FastMathFlags::arcp | arith::FastMathFlags::afn);
}

Value KernelBuilder::wide(Value a) {
  if (const auto x = known(a)) return c64(*x);
  return arith::ExtSIOp::create(*this, getI64Type(), a);
}

SmallVector<Value> KernelBuilder::loop(Value low, Value high, Value step, ValueRange init, Carry body) {
  auto op = scf::ForOp::create(*this, low, high, step, init);
  InsertionGuard guard(*this);
  setInsertionPointToStart(op.getBody());
  SmallVector<Value> results = body(op.getInductionVar(), op.getRegionIterArgs());
  if (!init.empty()) scf::YieldOp::create(*this, results); // otherwise the loop came with one
  return op.getResults();
}

void KernelBuilder::ifThen(Value condition, function_ref<void()> then, function_ref<void()> otherwise) {
  if (const auto value = known(condition)) {
    if (*value) return then();
    if (otherwise) otherwise();
    return;
  }
  auto op = scf::IfOp::create(*this, condition, /*withElseRegion=*/bool(otherwise));
  InsertionGuard guard(*this);
  setInsertionPointToStart(op.thenBlock());
  then();
  if (!otherwise) return;
  setInsertionPointToStart(op.elseBlock());
  otherwise();
}

SmallVector<Value> KernelBuilder::replaceIf(Value condition, ValueRange values,
                                            function_ref<SmallVector<Value>()> then) {
  auto op = scf::IfOp::create(*this, values.getTypes(), condition, /*withElseRegion=*/true);
  InsertionGuard guard(*this);
  setInsertionPointToStart(op.thenBlock());
  scf::YieldOp::create(*this, then());
  setInsertionPointToStart(op.elseBlock());
  scf::YieldOp::create(*this, values);
  return op.getResults();
}

Value KernelBuilder::shared(Value bytes) {
  Value base = LLVM::AddressOfOp::create(*this, pointerType(3), kSharedMemory);
  return LLVM::GEPOp::create(*this, pointerType(3), getI8Type(), base, ValueRange{bytes});
}

Value KernelBuilder::sharedAddress() {
  Value base = LLVM::AddressOfOp::create(*this, pointerType(3), kSharedMemory);
  return LLVM::PtrToIntOp::create(*this, getI32Type(), base);
}

Value KernelBuilder::element(Value pointer, Type type, Value index) {
  return LLVM::GEPOp::create(*this, pointer.getType(), type, pointer, ValueRange{index});
}

Value KernelBuilder::load(Type type, Value pointer, unsigned alignment) {
  return LLVM::LoadOp::create(*this, type, pointer, alignment);
}

void KernelBuilder::store(Value value, Value pointer, unsigned alignment) {
  LLVM::StoreOp::create(*this, value, pointer, alignment);
}

Type KernelBuilder::registers(Type type, int64_t count) {
  return LLVM::LLVMStructType::getLiteral(getContext(), SmallVector<Type>(count, type));
}

Value KernelBuilder::extract(Value registers, int64_t i) {
  return LLVM::ExtractValueOp::create(*this, registers, ArrayRef<int64_t>{i});
}

SmallVector<Value> KernelBuilder::unpack(Value registers) {
  SmallVector<Value> values;
  const size_t count = cast<LLVM::LLVMStructType>(registers.getType()).getBody().size();
  for (size_t i = 0; i < count; ++i) values.push_back(extract(registers, int64_t(i)));
  return values;
}

Value KernelBuilder::pack(ValueRange values) {
  Value all = LLVM::UndefOp::create(*this, registers(values.front().getType(), int64_t(values.size())));
  for (auto [i, v] : llvm::enumerate(values))
    all = LLVM::InsertValueOp::create(*this, all, v, ArrayRef<int64_t>{int64_t(i)});
  return all;
}

Value KernelBuilder::vectorOf(ValueRange values) {
  auto type = VectorType::get({int64_t(values.size())}, values.front().getType());
  Value all = LLVM::UndefOp::create(*this, type);
  for (auto [i, v] : llvm::enumerate(values)) all = LLVM::InsertElementOp::create(*this, all, v, c(int64_t(i)));
  return all;
}

Value KernelBuilder::packHalves(Value low, Value high, Type half) {
  Value rounded = LLVM::FPTruncOp::create(*this, VectorType::get({2}, half), vectorOf({low, high}));
  return LLVM::BitcastOp::create(*this, getI32Type(), rounded);
}

Type KernelBuilder::halfType(DType type) { return type == DType::BF16 ? Type(getBF16Type()) : Type(getF16Type()); }

Value KernelBuilder::threadIndex() { return NVVM::ThreadIdXOp::create(*this, getI32Type()); }

void KernelBuilder::syncBlock() {
  NVVM::BarrierOp::create(*this, TypeRange(), Value(), Value(), NVVM::BarrierReductionAttr(), Value());
}

Value KernelBuilder::uniform(Value value) {
  return NVVM::ShflOp::create(*this, getI32Type(), c(-1), value, c(0), c(31), NVVM::ShflKind::idx, UnitAttr());
}

Value KernelBuilder::shuffleXor(Value value, int64_t lanes) {
  return NVVM::ShflOp::create(*this, value.getType(), c(-1), value, c(lanes), c(31), NVVM::ShflKind::bfly, UnitAttr());
}

} // namespace ein
