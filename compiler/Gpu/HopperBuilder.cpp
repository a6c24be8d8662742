// mbarriers, TMA and wgmma as NVVM operations.
#include "compiler/Gpu/HopperBuilder.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace ein {

uint64_t WgmmaTile::descriptor() const {
  // Bits 16-29 leading offset, 32-45 stride offset, both in units of 16 bytes; 62-63 the swizzle. The stride goes from
  // one atom of eight rows to the next; the leading offset is ignored where K is major.
  const uint64_t leading = kMajor ? 0 : uint64_t(groupStride) >> 4;
  const uint64_t stride = uint64_t(8 * rowBytes) >> 4;
  const uint64_t swizzle = rowBytes == 128 ? 1 : rowBytes == 64 ? 2 : 3;
  return leading << 16 | stride << 32 | swizzle << 62;
}

int64_t WgmmaTile::depthOffset(int64_t k) const {
  return kMajor ? k / width() * groupStride + k % width() * elementBytes : k * rowBytes;
}

int64_t WgmmaTile::rowOffset(int64_t row) const {
  return kMajor ? row * rowBytes : row / width() * groupStride + row % width() * elementBytes;
}

Value HopperBuilder::clusterRank() { return NVVM::ClusterId::create(*this, getI32Type()); }

void HopperBuilder::oneThreadOf(Value warp, function_ref<void()> body) {
  ifThen(equal(warp, 0), [&] { ifThen(NVVM::ElectSyncOp::create(*this, getI1Type(), Value()), body); });
}

void HopperBuilder::syncGroup(Value id, int64_t threads) {
  NVVM::BarrierOp::create(*this, TypeRange(), id, c(threads), NVVM::BarrierReductionAttr(), Value());
}

void HopperBuilder::arriveGroup(Value id, int64_t threads) { NVVM::BarrierArriveOp::create(*this, id, c(threads)); }

void HopperBuilder::syncCluster() {
  NVVM::ClusterArriveOp::create(*this, getUnitAttr());
  NVVM::ClusterWaitOp::create(*this, getUnitAttr());
}

void HopperBuilder::setRegisters(int64_t count, bool increase) {
  NVVM::SetMaxRegisterOp::create(
      *this, uint32_t(count), increase ? NVVM::SetMaxRegisterAction::increase : NVVM::SetMaxRegisterAction::decrease);
}

void HopperBuilder::initBarrier(Value barrier, int64_t arrivals) {
  NVVM::MBarrierInitOp::create(*this, barrier, c(arrivals), Value());
}

void HopperBuilder::fenceBarrierInit() {
  NVVM::FenceMbarrierInitOp::create(*this);
  fenceSharedWrites();
}

void HopperBuilder::waitBarrier(Value barrier, Value phase) {
  // The operation loops; a try waits in hardware for at most this many nanoseconds.
  NVVM::MBarrierTryWaitParityOp::create(*this, barrier, phase, c(10000000));
}

void HopperBuilder::arrive(Value barrier) {
  NVVM::MBarrierArriveOp::create(*this, TypeRange(), barrier, Value(), NVVM::MemScopeKind::CTA, false);
}

void HopperBuilder::arriveRemote(Value barrier, Value rank) {
  Value remote = NVVM::MapaOp::create(*this, pointerType(7), barrier, rank);
  NVVM::MBarrierArriveOp::create(*this, TypeRange(), remote, Value(), NVVM::MemScopeKind::CLUSTER, false);
}

void HopperBuilder::expectBytes(Value barrier, int64_t bytes) {
  NVVM::MBarrierArriveExpectTxOp::create(*this, TypeRange(), barrier, c(bytes), NVVM::MemScopeKind::CTA, false,
                                         Value());
}

RingSlot HopperBuilder::advance(RingSlot slot, int64_t stages) {
  Value next = add(slot.index, 1), wraps = equal(next, stages);
  return {select(wraps, c(0), next), select(wraps, bitXor(slot.phase, c(1)), slot.phase)};
}

void HopperBuilder::prefetchMap(Value map) {
  NVVM::PrefetchOp::create(*this, NVVM::PrefetchCacheLevelAttr(), NVVM::CacheEvictionPriorityAttr(), map, Value(),
                           getUnitAttr(), UnitAttr(), UnitAttr());
}

SmallVector<Value> HopperBuilder::boxCoordinates(const TmaTransfer &transfer,
                                                 function_ref<Value(TileGroup, unsigned)> coordinate) {
  SmallVector<Value> box;
  for (const auto &terms : transfer.coordinates) {
    Value sum = c(0);
    for (const TmaCoordinate &t : terms) sum = add(sum, mul(coordinate(t.group, t.dim), t.factor));
    box.push_back(sum);
  }
  return box;
}

void HopperBuilder::loadBox(Value destination, Value map, ValueRange coordinates, Value barrier, int64_t multicast) {
  Value cluster = LLVM::AddrSpaceCastOp::create(*this, pointerType(7), destination);
  Value mask = multicast ? Value(arith::ConstantOp::create(*this, getI16IntegerAttr(int16_t(multicast)))) : Value();
  NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(*this, cluster, map, coordinates, barrier, ValueRange(), mask,
                                                         Value(), NVVM::TMALoadMode::TILE, false,
                                                         NVVM::CTAGroupKindAttr(), Value());
}

void HopperBuilder::storeBox(Value map, Value source, ValueRange coordinates) {
  NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp::create(*this, map, source, coordinates, Value(), NVVM::TMAStoreMode::TILE,
                                                     Value());
}

void HopperBuilder::commitStores() { NVVM::CpAsyncBulkCommitGroupOp::create(*this); }

void HopperBuilder::waitStores(int64_t pending, bool read) {
  NVVM::CpAsyncBulkWaitGroupOp::create(*this, uint32_t(pending), read ? getUnitAttr() : UnitAttr());
}

void HopperBuilder::fenceSharedWrites() {
  NVVM::FenceProxyOp::create(*this, NVVM::ProxyKind::async_shared,
                             NVVM::SharedSpaceAttr::get(getContext(), NVVM::SharedSpace::shared_cta));
}

Value HopperBuilder::descriptor(Value address, const WgmmaTile &tile) {
  Value field = bitAnd(arith::ShRUIOp::create(*this, address, c(4)), c(0x3fff));
  Value wideField = arith::ExtUIOp::create(*this, getI64Type(), field);
  return arith::OrIOp::create(*this, wideField, c64(int64_t(tile.descriptor())));
}

static int columnsOf(Value accumulator) {
  return 2 * int(cast<LLVM::LLVMStructType>(accumulator.getType()).getBody().size());
}

Value HopperBuilder::multiply(Value descriptorA, Value descriptorB, Value accumulator, const WgmmaTile &a,
                              const WgmmaTile &b, DType type, bool accumulate) {
  using namespace NVVM;
  MLIRContext *context = getContext();
  const auto input = type == DType::BF16 ? WGMMATypes::bf16 : WGMMATypes::f16;
  auto one = WGMMAScaleInAttr::get(context, WGMMAScaleIn::one);
  auto types = WGMMATypesAttr::get(context, input);
  return WgmmaMmaAsyncOp::create(*this, accumulator.getType(), accumulator, descriptorA, descriptorB,
                                 MMAShapeAttr::get(context, 64, columnsOf(accumulator), 16), types, types,
                                 WGMMATypesAttr::get(context, WGMMATypes::f32),
                                 WGMMAScaleOutAttr::get(context, accumulate ? WGMMAScaleOut::one : WGMMAScaleOut::zero),
                                 one, one, MMALayoutAttr::get(context, a.kMajor ? MMALayout::row : MMALayout::col),
                                 MMALayoutAttr::get(context, b.kMajor ? MMALayout::col : MMALayout::row),
                                 MMAIntOverflowAttr());
}

/// "=f,=f,...,0,1,...": `count` registers that are read and written.
static std::string tied(int64_t count) {
  std::string s;
  for (int64_t i = 0; i < count; ++i) s += i ? ",=f" : "=f";
  for (int64_t i = 0; i < count; ++i) s += ',' + std::to_string(i);
  return s;
}

Value HopperBuilder::multiplyRegisters(ValueRange a, Value descriptorB, Value accumulator, const WgmmaTile &b,
                                       DType type, bool accumulate) {
  SmallVector<Value> operands = unpack(accumulator);
  const int64_t count = int64_t(operands.size());
  std::string registers;
  for (int64_t i = 0; i < count; ++i) registers += (i ? ", $" : "$") + std::to_string(i);
  auto operand = [&](int64_t i) { return '$' + std::to_string(2 * count + i); };
  const std::string half = type == DType::BF16 ? "bf16" : "f16";
  // The operation of the NVVM dialect takes A from shared memory only.
  const std::string text = "{\n.reg .pred p;\nsetp.ne.b32 p, " + std::to_string(int(accumulate)) +
                           ", 0;\nwgmma.mma_async.sync.aligned.m64n" + std::to_string(2 * count) + "k16.f32." + half +
                           '.' + half + " {" + registers + "}, {" + operand(0) + ", " + operand(1) + ", " + operand(2) +
                           ", " + operand(3) + "}, " + operand(4) + ", p, 1, 1, " + (b.kMajor ? "0" : "1") + ";\n}\n";
  llvm::append_range(operands, a);
  operands.push_back(descriptorB);
  return inlineAssembly(text, tied(count) + ",r,r,r,r,l", operands, accumulator.getType());
}

void HopperBuilder::fenceProducts() { NVVM::WgmmaFenceAlignedOp::create(*this); }
void HopperBuilder::commitProducts() { NVVM::WgmmaGroupSyncAlignedOp::create(*this); }
void HopperBuilder::waitProducts(int64_t pending) { NVVM::WgmmaWaitGroupSyncOp::create(*this, uint64_t(pending)); }

Value HopperBuilder::pin(Value accumulator) {
  SmallVector<Value> operands = unpack(accumulator);
  return inlineAssembly("", tied(int64_t(operands.size())), operands, accumulator.getType());
}

Value HopperBuilder::undefined(Type type) { return LLVM::UndefOp::create(*this, type); }

Value HopperBuilder::inlineAssembly(StringRef text, StringRef constraints, ValueRange operands, Type result) {
  return LLVM::InlineAsmOp::create(*this, result, operands, text, constraints, /*has_side_effects=*/true,
                                   /*is_align_stack=*/false, LLVM::TailCallKind::None,
                                   LLVM::AsmDialectAttr::get(getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr())
      .getResult(0);
}

} // namespace ein
