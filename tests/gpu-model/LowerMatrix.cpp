// Tensor-core operations of the NVVM dialect.
#include "tests/gpu-model/ModelCalls.h"
#include "tests/gpu-model/WgmmaOperands.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace ein::gpumodel {
namespace {

std::optional<MatrixType> matrixType(StringRef name) {
  return llvm::StringSwitch<std::optional<MatrixType>>(name)
      .Case("f16", MatrixType::F16)
      .Case("bf16", MatrixType::BF16)
      .Case("tf32", MatrixType::TF32)
      .Case("s8", MatrixType::S8)
      .Case("u8", MatrixType::U8)
      .Case("f64", MatrixType::F64)
      .Default(std::nullopt);
}

/// A register as 64 bits.
Value widen(ModelCalls &b, Value value) {
  unsigned bits = unsigned(DataLayout().getTypeSizeInBits(value.getType()));
  if (!value.getType().isInteger(bits)) value = LLVM::BitcastOp::create(b, b.getIntegerType(bits), value);
  return bits == 64 ? value : LLVM::ZExtOp::create(b, b.getI64Type(), value).getResult();
}

Value narrow(ModelCalls &b, Value word, Type type) {
  unsigned bits = unsigned(DataLayout().getTypeSizeInBits(type));
  if (bits < 64) word = LLVM::TruncOp::create(b, b.getIntegerType(bits), word);
  return type.isInteger(bits) ? word : LLVM::BitcastOp::create(b, type, word).getResult();
}

Value structOf(ModelCalls &b, Type type, ArrayRef<Value> values) {
  Value all = LLVM::UndefOp::create(b, type);
  for (auto [i, value] : llvm::enumerate(values))
    all = LLVM::InsertValueOp::create(b, all, value, ArrayRef<int64_t>{int64_t(i)});
  return all;
}

Lowered lowerWgmma(NVVM::WgmmaMmaAsyncOp op) {
  auto result = op.getTypeD();
  if (op.getSatfinite() || (result != NVVM::WGMMATypes::f32 && result != NVVM::WGMMATypes::s32))
    return Lowered::Unknown;
  ModelCalls b(op);
  WgmmaCall call;
  call.accumulators = op.getInouts();
  call.descriptorA = op.getDescriptorA();
  call.descriptorB = op.getDescriptorB();
  call.n = op.getShape().getN();
  call.typeA = NVVM::stringifyWGMMATypes(op.getTypeA());
  call.typeB = NVVM::stringifyWGMMATypes(op.getTypeB());
  call.flags = (op.getLayoutA() == NVVM::MMALayout::col ? kMnMajorA : 0) |
               (op.getLayoutB() == NVVM::MMALayout::row ? kMnMajorB : 0) |
               (op.getScaleA() == NVVM::WGMMAScaleIn::neg ? kNegateA : 0) |
               (op.getScaleB() == NVVM::WGMMAScaleIn::neg ? kNegateB : 0);
  call.accumulate = b.i32(op.getScaleD() == NVVM::WGMMAScaleOut::one);
  Value results = emitWgmma(b, call);
  if (!results) return Lowered::Unknown;
  b.replaceWith(results);
  return Lowered::Done;
}

Lowered lowerMma(NVVM::MmaOp op) {
  auto typeA = op.getMultiplicandAPtxType(), typeB = op.getMultiplicandBPtxType();
  if (op.getB1Op() || op.getLayoutA() != NVVM::MMALayout::row || op.getLayoutB() != NVVM::MMALayout::col || !typeA ||
      !typeB)
    return Lowered::Unknown;
  ModelCalls b(op);
  SmallVector<Value> inputs(op.getOperandA());
  llvm::append_range(inputs, op.getOperandB());
  auto shape = op.getShape();
  SmallVector<Value> d = emitMma(b, shape.getM(), shape.getN(), shape.getK(), NVVM::stringifyMMATypes(*typeA),
                                 NVVM::stringifyMMATypes(*typeB), inputs, op.getOperandC());
  if (d.empty()) return Lowered::Unknown;
  b.replaceWith(structOf(b, op.getType(), d));
  return Lowered::Done;
}

bool areHalves(NVVM::LdStMatrixShapeAttr shape, NVVM::LdStMatrixEltType type) {
  return shape.getM() == 8 && shape.getN() == 8 && type == NVVM::LdStMatrixEltType::B16;
}

Lowered lowerLdMatrix(NVVM::LdMatrixOp op) {
  if (!areHalves(op.getShape(), op.getEltType())) return Lowered::Unknown;
  ModelCalls b(op);
  Value room = b.room(op.getType());
  b.call("ldmatrix", {op.getPtr(), b.i32(op.getNum()), b.i32(op.getLayout() == NVVM::MMALayout::col), room});
  b.replaceWith(LLVM::LoadOp::create(b, op.getType(), room).getResult());
  return Lowered::Done;
}

Lowered lowerStMatrix(NVVM::StMatrixOp op) {
  if (!areHalves(op.getShape(), op.getEltType())) return Lowered::Unknown;
  ModelCalls b(op);
  auto type =
      LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(op.getSources().size(), b.getI32Type()));
  Value room = b.room(type);
  LLVM::StoreOp::create(b, structOf(b, type, SmallVector<Value>(op.getSources())), room);
  b.replace("stmatrix",
            {op.getPtr(), b.i32(int64_t(op.getSources().size())), b.i32(op.getLayout() == NVVM::MMALayout::col), room});
  return Lowered::Done;
}

/// Rounds to nearest, ties away from zero, by adding half a unit of the 13 bits that go.
Lowered lowerToTf32(NVVM::ConvertFloatToTF32Op op) {
  if (op.getRnd() != NVVM::FPRoundingMode::RNA || op.getRelu()) return Lowered::Unknown;
  ModelCalls b(op);
  Value bits = LLVM::BitcastOp::create(b, b.getI32Type(), op.getSrc());
  bits = LLVM::AddOp::create(b, bits, b.i32(0x1000));
  b.replaceWith(LLVM::AndOp::create(b, bits, b.i32(int32_t(0xffffe000))).getResult());
  return Lowered::Done;
}

} // namespace

Value emitWgmma(ModelCalls &b, const WgmmaCall &call) {
  auto a = matrixType(call.typeA), bType = matrixType(call.typeB);
  if (!a || !bType) return {};
  Type type = call.accumulators.getType();
  Value room = b.room(type);
  LLVM::StoreOp::create(b, call.accumulators, room);
  uint32_t flags = call.flags | (call.registersA.empty() ? 0 : kRegistersA);
  Value accumulates = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ne, call.accumulate, b.i32(0));
  Value flagBits = LLVM::SelectOp::create(b, accumulates, b.i32(flags | kAccumulate), b.i32(flags));
  Value noDescriptor = LLVM::ConstantOp::create(b, b.getI64Type(), b.getI64IntegerAttr(0));
  SmallVector<Value> arguments = {room,
                                  call.descriptorA ? call.descriptorA : noDescriptor,
                                  call.descriptorB,
                                  b.i32(call.n),
                                  b.i32(int64_t(*a)),
                                  b.i32(int64_t(*bType)),
                                  flagBits};
  for (size_t i = 0; i < 4; ++i) arguments.push_back(i < call.registersA.size() ? call.registersA[i] : b.i32(0));
  b.call("wgmma", arguments);
  return LLVM::LoadOp::create(b, type, room);
}

SmallVector<Value> emitMma(ModelCalls &b, int64_t m, int64_t n, int64_t k, StringRef typeA, StringRef typeB,
                           ValueRange inputs, ValueRange c) {
  auto a = matrixType(typeA), bType = matrixType(typeB);
  // Accumulators of 16 bits, two in a register, are not modelled.
  for (Value value : c)
    if (!value.getType().isF32() && !value.getType().isF64() && !value.getType().isInteger(32)) return {};
  if (!a || !bType) return {};
  auto word = [&](Value room, size_t i) {
    return LLVM::GEPOp::create(b, b.pointer(), b.getI64Type(), room, ArrayRef<LLVM::GEPArg>{int32_t(i)});
  };
  Value room = b.room(b.getI64Type(), 16);
  for (auto [i, value] : llvm::enumerate(llvm::concat<const Value>(SmallVector<Value>(inputs), SmallVector<Value>(c))))
    LLVM::StoreOp::create(b, widen(b, value), word(room, i));
  b.call("mma", {b.i32(m), b.i32(n), b.i32(k), b.i32(int64_t(*a)), b.i32(int64_t(*bType)), room});
  SmallVector<Value> results;
  for (size_t i = 0; i < c.size(); ++i)
    results.push_back(
        narrow(b, LLVM::LoadOp::create(b, b.getI64Type(), word(room, inputs.size() + i)), c[i].getType()));
  return results;
}

Lowered lowerMatrix(Operation *op) {
  return llvm::TypeSwitch<Operation *, Lowered>(op)
      .Case([](NVVM::WgmmaMmaAsyncOp o) { return lowerWgmma(o); })
      .Case([](NVVM::MmaOp o) { return lowerMma(o); })
      .Case([](NVVM::LdMatrixOp o) { return lowerLdMatrix(o); })
      .Case([](NVVM::StMatrixOp o) { return lowerStMatrix(o); })
      .Case([](NVVM::ConvertFloatToTF32Op o) { return lowerToTf32(o); })
      .Case([](NVVM::WgmmaFenceAlignedOp o) {
        ModelCalls(o).replace("wgmma_fence", {});
        return Lowered::Done;
      })
      .Case([](NVVM::WgmmaGroupSyncAlignedOp o) {
        ModelCalls(o).replace("wgmma_commit", {});
        return Lowered::Done;
      })
      .Case([](NVVM::WgmmaWaitGroupSyncOp o) {
        ModelCalls b(o);
        b.replace("wgmma_wait", b.i32(o.getGroup()));
        return Lowered::Done;
      })
      .Default(Lowered::Unknown);
}

} // namespace ein::gpumodel
