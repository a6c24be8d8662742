// Faults planted in gemm kernels: the model reports each of them, and nothing in the kernels as they are.
#include "tests/gpu-model/PlantedFault.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace ein;
using namespace ein::gpumodel;
using namespace mlir;

namespace {

/// Two consumers, more blocks of the depth than stages, more tiles than blocks, stores by TMA.
const char *const kPlain =
    "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[256:200,0,136/128] n=[130:0,200,1/64] k=[200:1,1,0/32] a=k b=k "
    "epilogue=tensor consumers=2 stages=3 cluster=1 split=1 pair=2 raster=8 alpha=1";
/// The same in clusters.
const char *const kCluster =
    "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[256:200,0,136/128] n=[130:0,200,1/64] k=[200:1,1,0/32] a=k b=k "
    "epilogue=tensor consumers=2 stages=3 cluster=2 split=1 pair=2 raster=8 alpha=1";
/// Split depth, direct stores.
const char *const kSplit =
    "gemm input=bf16 result=f32 swapped=0 batch=[] m=[100:400,0,70/64] n=[70:0,400,1/64] k=[390:1,1,0/64] a=k b=k "
    "epilogue=direct consumers=1 stages=3 cluster=1 split=3 pair=2 raster=8 alpha=1";

using Wgmma = NVVM::WgmmaMmaAsyncOp;
using WaitParity = NVVM::MBarrierTryWaitParityOp;
using WaitProducts = NVVM::WgmmaWaitGroupSyncOp;
using LoadBox = NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp;
using StoreBox = NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp;

/// Flips bits in the constant of the descriptors of operand A (1) or B (2).
void changeDescriptors(gpu::GPUModuleOp kernels, unsigned operand, uint64_t bits) {
  kernels.walk([&](Wgmma op) {
    OpBuilder b(op);
    Value descriptor = op->getOperand(operand);
    Value mask = arith::ConstantOp::create(b, op.getLoc(), b.getI64IntegerAttr(int64_t(bits)));
    op->setOperand(operand, arith::XOrIOp::create(b, op.getLoc(), descriptor, mask));
  });
}

/// The select of the phase behind wait number `wait` never takes the flipped one.
void freezePhase(gpu::GPUModuleOp kernels, int firstSelect) {
  if (auto select = nth<arith::SelectOp>(kernels, firstSelect)) select->setOperand(1, select->getOperand(2));
}

const PlantedFault kFaults[] = {
    {"no wait for a product before its stage is given back", kPlain, [](auto k) { erase<WaitProducts>(k, 0); }},
    {"no wait before accumulators are read", kPlain, [](auto k) { erase<WaitProducts>(k, 1); }},
    {"accumulators read while one group is pending", kPlain, [](auto k) { nth<WaitProducts>(k, 1).setGroup(1); }},
    {"no commit of a group of products", kPlain, [](auto k) { erase<NVVM::WgmmaGroupSyncAlignedOp>(k, 1); }},
    {"no fence before the first product", kPlain, [](auto k) { erase<NVVM::WgmmaFenceAlignedOp>(k, 0); }},
    {"producer does not wait for an empty stage", kPlain, [](auto k) { erase<WaitParity>(k, 0); }},
    {"consumer does not wait for its first stage", kPlain, [](auto k) { erase<WaitParity>(k, 1); }},
    {"consumer does not wait for a full stage", kPlain, [](auto k) { erase<WaitParity>(k, 2); }},
    {"producer waits for the wrong parity", kPlain, [](auto k) { setOperand(nth<WaitParity>(k, 0), 1, 0); }},
    {"consumer waits for parity 0 only", kPlain, [](auto k) { setOperand(nth<WaitParity>(k, 2), 1, 0); }},
    {"half of the bytes announced", kPlain,
     [](auto k) { setOperand(nth<NVVM::MBarrierArriveExpectTxOp>(k, 0), 1, 6144); }},
    {"more bytes announced than come", kPlain,
     [](auto k) { setOperand(nth<NVVM::MBarrierArriveExpectTxOp>(k, 0), 1, 16384); }},
    {"empty barrier made for one arrival of two", kPlain,
     [](auto k) { setOperand(nth<NVVM::MBarrierInitOp>(k, 1), 1, 1); }},
    {"empty barrier made for three arrivals of two", kPlain,
     [](auto k) { setOperand(nth<NVVM::MBarrierInitOp>(k, 1), 1, 3); }},
    {"an arrival too many", kPlain,
     [](auto k) {
       auto arrive = nth<NVVM::MBarrierArriveOp>(k, 0);
       OpBuilder(arrive).clone(*arrive);
     }},
    {"stage not given back", kPlain, [](auto k) { erase<NVVM::MBarrierArriveOp>(k, 0); }},
    {"stage given back before the wait", kPlain,
     [](auto k) {
       auto wait = nth<WaitProducts>(k, 0);
       wait->moveBefore(wait->getBlock()->getTerminator());
     }},
    {"barriers not made visible to TMA", kPlain,
     [](auto k) {
       erase<NVVM::FenceMbarrierInitOp>(k, 0);
       erase<NVVM::FenceProxyOp>(k, 0);
     }},
    {"block does not meet after barriers are made", kPlain, [](auto k) { erase<NVVM::BarrierOp>(k, 0); }},
    {"depth of A advances by twice as much", kPlain,
     [](auto k) { setOperand(nth<Wgmma>(k, 1).getDescriptorA().getDefiningOp(), 1, 4); }},
    {"wrong stride between groups of rows of A", kPlain, [](auto k) { changeDescriptors(k, 1, uint64_t(96) << 32); }},
    {"wrong swizzle of B", kPlain, [](auto k) { changeDescriptors(k, 2, uint64_t(3) << 62); }},
    {"descriptor of B one row off", kPlain, [](auto k) { changeDescriptors(k, 2, 4); }},
    {"second step of the depth does not accumulate", kPlain,
     [](auto k) {
       auto op = nth<Wgmma>(k, 3);
       op.setScaleDAttr(NVVM::WGMMAScaleOutAttr::get(op.getContext(), NVVM::WGMMAScaleOut::zero));
     }},
    {"first step accumulates on registers that hold nothing", kPlain,
     [](auto k) {
       auto op = nth<Wgmma>(k, 0);
       op.setScaleDAttr(NVVM::WGMMAScaleOutAttr::get(op.getContext(), NVVM::WGMMAScaleOut::one));
     }},
    {"A taken for M-major", kPlain, [](auto k) { k.walk([](Wgmma op) { op.setLayoutA(NVVM::MMALayout::col); }); }},
    {"B taken for N-major", kPlain, [](auto k) { k.walk([](Wgmma op) { op.setLayoutB(NVVM::MMALayout::row); }); }},
    {"coordinates of A exchanged", kPlain,
     [](auto k) {
       auto load = nth<LoadBox>(k, 0);
       Value first = load->getOperand(2);
       load->setOperand(2, load->getOperand(3));
       load->setOperand(3, first);
     }},
    {"stage of A half a swizzle off", kPlain, [](auto k) { moveBy(nth<LoadBox>(k, 0), 0, 64); }},
    {"stage of B overlaps the next", kPlain, [](auto k) { moveBy(nth<LoadBox>(k, 1), 0, 1024); }},
    {"results staged without a fence for TMA", kPlain, [](auto k) { erase<NVVM::FenceProxyOp>(k, 1); }},
    {"warpgroup does not meet before its store", kPlain, [](auto k) { erase<NVVM::BarrierOp>(k, -1); }},
    {"staging overwritten while a store reads it", kPlain, [](auto k) { erase<NVVM::CpAsyncBulkWaitGroupOp>(k, 0); }},
    {"stores not committed", kPlain, [](auto k) { erase<NVVM::CpAsyncBulkCommitGroupOp>(k, 0); }},
    {"block ends while a store reads its memory", kPlain, [](auto k) { erase<NVVM::CpAsyncBulkWaitGroupOp>(k, -1); }},
    {"stmatrix to an odd address", kPlain, [](auto k) { moveBy(nth<NVVM::StMatrixOp>(k, 0), 0, 8); }},
    {"stmatrix behind the staged tile", kPlain, [](auto k) { moveBy(nth<NVVM::StMatrixOp>(k, 0), 0, 1 << 16); }},
    {"producer's phase never flips", kPlain, [](auto k) { freezePhase(k, 1); }},
    {"blocks of a cluster do not meet at the start", kCluster,
     [](auto k) {
       erase<NVVM::ClusterWaitOp>(k, 0);
       erase<NVVM::ClusterArriveOp>(k, 0);
     }},
    {"blocks of a cluster do not meet at the end", kCluster,
     [](auto k) {
       erase<NVVM::ClusterWaitOp>(k, -1);
       erase<NVVM::ClusterArriveOp>(k, -1);
     }},
    {"multicast to one block only", kCluster,
     [](auto k) {
       auto load = nth<LoadBox>(k, 1);
       setOperand(load, unsigned(load->getNumOperands() - 1), 1);
     }},
    {"stage given back to one block of the cluster only", kCluster,
     [](auto k) { k.walk([](NVVM::MapaOp op) { setOperand(op, 1, 0); }); }},
    {"stores of a ragged tile not guarded", kSplit,
     [](auto k) {
       k.walk([](arith::CmpIOp op) {
         if (op.getPredicate() == arith::CmpIPredicate::slt) op.setPredicate(arith::CmpIPredicate::sge);
       });
     }},
    {"sums of parts not all added", kSplit, [](auto k) { setOperand(nth<scf::ForOp>(k, -1), 1, 2); }},
};

GemmPlan planOf(const char *text) {
  auto plan = parseGemmPlan(text);
  EXPECT_TRUE(plan) << plan.error().render();
  return *plan;
}

TEST(GpuModelFaults, NoneInTheKernelsAsTheyAre) {
  for (const char *text : {kPlain, kCluster, kSplit})
    EXPECT_EQ(checkGemm(planOf(text), {0, 1, 2, 3, 4, 5}), "") << text;
}

TEST(GpuModelFaults, EachIsReported) {
  for (const PlantedFault &fault : kFaults) expectReported(planOf(fault.plan), fault);
}

} // namespace
