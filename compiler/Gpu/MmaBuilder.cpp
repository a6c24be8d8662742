// cp.async, ldmatrix and mma.sync as NVVM operations.
#include "compiler/Gpu/MmaBuilder.h"

using namespace mlir;

namespace ein {

void MmaBuilder::copyAsync(Value destination, Value source, int64_t bytes, Value valid) {
  // What L1 would keep is in shared memory; only copies of 16 bytes may pass it by.
  const auto cache = bytes == 16 ? NVVM::LoadCacheModifierKind::CG : NVVM::LoadCacheModifierKind::CA;
  NVVM::CpAsyncOp::create(*this, destination, source, uint32_t(bytes), cache, valid);
}

void MmaBuilder::commitCopies() { NVVM::CpAsyncCommitGroupOp::create(*this); }
void MmaBuilder::waitCopies(int64_t pending) { NVVM::CpAsyncWaitGroupOp::create(*this, uint32_t(pending)); }

MmaBuilder::Registers MmaBuilder::loadMatrices(Value place, bool transposed) {
  Value all = NVVM::LdMatrixOp::create(
      *this, registers(getI32Type(), 4), shared(place), 4, transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row,
      NVVM::LdStMatrixShapeAttr::get(getContext(), 8, 8), NVVM::LdStMatrixEltType::B16);
  return Registers(unpack(all));
}

Value MmaBuilder::toTf32(Value f32) {
  return NVVM::ConvertFloatToTF32Op::create(*this, getI32Type(), f32, NVVM::FPRoundingMode::RNA);
}

/// One instruction: the registers of a product of m by 8.
static MmaBuilder::Registers mma(MmaBuilder &b, std::array<int64_t, 3> shape, NVVM::MMATypes type, ValueRange a,
                                 ValueRange c, ValueRange sums) {
  const bool isByte = type == NVVM::MMATypes::s8 || type == NVVM::MMATypes::u8;
  const auto overflow = isByte ? std::optional(NVVM::MMAIntOverflow::wrapped) : std::optional<NVVM::MMAIntOverflow>();
  Value d =
      NVVM::MmaOp::create(b, b.registers(sums[0].getType(), int64_t(sums.size())), a, c, sums, shape, std::nullopt,
                          overflow, std::array{type, type}, std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
  return MmaBuilder::Registers(b.unpack(d));
}

MmaBuilder::Registers MmaBuilder::multiply(DType type, ValueRange a, ValueRange b, ValueRange sums) {
  using NVVM::MMATypes;
  switch (type) {
  case DType::BF16: return mma(*this, {16, 8, 16}, MMATypes::bf16, a, b, sums);
  case DType::F16: {
    auto halves = [&](ValueRange words) {
      Registers pairs;
      for (Value word : words)
        pairs.push_back(LLVM::BitcastOp::create(*this, VectorType::get({2}, getF16Type()), word));
      return pairs;
    };
    return mma(*this, {16, 8, 16}, MMATypes::f16, halves(a), halves(b), sums);
  }
  case DType::F64: { // eight rows each
    Registers all = mma(*this, {8, 8, 4}, MMATypes::f64, a[0], b[0], sums.take_front(2));
    all.append(mma(*this, {8, 8, 4}, MMATypes::f64, a[1], b[0], sums.drop_front(2)));
    return all;
  }
  case DType::F32: {
    auto rounded = [&](ValueRange words) {
      Registers all;
      for (Value word : words) all.push_back(toTf32(LLVM::BitcastOp::create(*this, getF32Type(), word)));
      return all;
    };
    return multiplyTf32(rounded(a), rounded(b), sums);
  }
  default: return mma(*this, {16, 8, 32}, type == DType::U8 ? MMATypes::u8 : MMATypes::s8, a, b, sums);
  }
}

MmaBuilder::Registers MmaBuilder::multiplyTf32(ValueRange a, ValueRange b, ValueRange sums) {
  return mma(*this, {16, 8, 8}, NVVM::MMATypes::tf32, a, b, sums);
}

MmaBuilder::Registers MmaBuilder::multiplyThrice(ValueRange a, ValueRange b, ValueRange sums) {
  auto split = [&](ValueRange words, Registers &most, Registers &rest) {
    for (Value word : words) {
      Value value = LLVM::BitcastOp::create(*this, getF32Type(), word);
      most.push_back(toTf32(value));
      Value rounded = LLVM::BitcastOp::create(*this, getF32Type(), most.back());
      rest.push_back(toTf32(arith::SubFOp::create(*this, value, rounded)));
    }
  };
  Registers aMost, aRest, bMost, bRest;
  split(a, aMost, aRest);
  split(b, bMost, bRest);
  // The least first, so that it is not lost beside the rest.
  Registers all = multiplyTf32(aRest, bMost, sums);
  all = multiplyTf32(aMost, bRest, all);
  return multiplyTf32(aMost, bMost, all);
}

} // namespace ein
