// Faults planted in mma kernels: the model reports each of them, and nothing in the kernels as they are.
#include "tests/gpu-model/PlantedFault.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace ein;
using namespace ein::gpumodel;
using namespace mlir;

namespace {

/// More blocks of the depth than stages; rows, columns and depth are ragged.
const char *const kPlain =
    "mma input=bf16 result=bf16 products=1 swapped=0 batch=[] m=[100:136,0,136/1] n=[130:0,136,1/1] k=[136:1,1,0/1] "
    "a=k chunkA=8 b=k chunkB=8 warpM=32 warpN=32 warpsM=2 warpsN=2 depth=32 stages=3 split=1 pair=2 raster=8 alpha=1";
/// Both operands transposed, A element by element.
const char *const kTransposed =
    "mma input=bf16 result=bf16 products=1 swapped=0 batch=[] m=[75:1,0,72/1] n=[70:0,1,1/1] k=[120:75,72,0/1] a=mn "
    "chunkA=1 b=mn chunkB=8 warpM=32 warpN=32 warpsM=2 warpsN=2 depth=32 stages=3 split=1 pair=2 raster=8 alpha=1";
/// Split depth.
const char *const kSplit =
    "mma input=f32 result=f32 products=3 swapped=0 batch=[] m=[40:100,0,50/1] n=[50:0,1,1/1] k=[100:1,52,0/1] a=k "
    "chunkA=4 b=mn chunkB=4 warpM=32 warpN=32 warpsM=2 warpsN=2 depth=16 stages=3 split=2 pair=2 raster=8 alpha=1";

using Wait = NVVM::CpAsyncWaitGroupOp;
using Commit = NVVM::CpAsyncCommitGroupOp;
using Copy = NVVM::CpAsyncOp;
using Load = NVVM::LdMatrixOp;

/// Exchanges two operands.
void exchange(Operation *op, unsigned a, unsigned b) {
  Value first = op->getOperand(a);
  op->setOperand(a, op->getOperand(b));
  op->setOperand(b, first);
}

/// The loop over the depth: the last but those of sums of parts.
scf::ForOp mainLoop(gpu::GPUModuleOp kernels) { return nth<scf::ForOp>(kernels, 1); }

/// Shifts the stage that a loop variable names: 0 is the one that is multiplied, 1 the one that is filled.
void startAt(gpu::GPUModuleOp kernels, unsigned variable, int64_t stage) {
  setOperand(mainLoop(kernels), 3 + variable, stage);
}

/// The swizzle of rows is left out: the pieces of copies (before `isLoad`) or of fragments stay where they are.
void dropSwizzle(gpu::GPUModuleOp kernels, bool isLoad) {
  auto loop = mainLoop(kernels);
  bool seen = false; // everything from the first fragment on is of fragments
  loop.walk<WalkOrder::PreOrder>([&](Operation *op) {
    seen |= isa<NVVM::CpAsyncCommitGroupOp>(op);
    if (auto turn = dyn_cast<arith::XOrIOp>(op); turn && seen == isLoad) turn->setOperand(1, turn->getOperand(0));
  });
}

const PlantedFault kFaults[] = {
    {"no wait for copies before a stage is multiplied", kPlain, [](auto k) { erase<Wait>(k, 0); }},
    {"a wait that leaves one group too many under way", kPlain, [](auto k) { nth<Wait>(k, 0).setN(2); }},
    {"the block does not meet before a stage is multiplied", kPlain, [](auto k) { erase<NVVM::BarrierOp>(k, 0); }},
    {"the block meets before its copies are waited for", kPlain,
     [](auto k) { nth<NVVM::BarrierOp>(k, 0)->moveBefore(nth<Wait>(k, 0)); }},
    {"the block meets after the next stage is filled", kPlain,
     [](auto k) { nth<NVVM::BarrierOp>(k, 0)->moveAfter(nth<Commit>(k, 1)); }},
    {"first groups not committed", kPlain, [](auto k) { erase<Commit>(k, 0); }},
    {"later groups not committed", kPlain, [](auto k) { erase<Commit>(k, 1); }},
    {"the stage that is multiplied is one too far", kPlain, [](auto k) { startAt(k, 0, 1); }},
    {"the stage that is filled is one too early", kPlain, [](auto k) { startAt(k, 1, 1); }},
    {"the ring is one stage longer than it is", kPlain,
     [](auto k) {
       k.walk([](arith::CmpIOp op) {
         if (op.getPredicate() == arith::CmpIPredicate::eq) setOperand(op, 1, 4);
       });
     }},
    {"fewer stages filled before the loop", kPlain, [](auto k) { setOperand(nth<scf::ForOp>(k, 0), 1, 1); }},
    {"the last block of the depth left out", kPlain, [](auto k) { setOperand(mainLoop(k), 1, 4); }},
    {"no swizzle of copies", kPlain, [](auto k) { dropSwizzle(k, false); }},
    {"no swizzle of fragments", kPlain, [](auto k) { dropSwizzle(k, true); }},
    {"all of a ragged chunk copied", kPlain, [](auto k) { k.walk([](Copy op) { op.getCpSizeMutable().clear(); }); }},
    {"half of a chunk copied", kPlain, [](auto k) { k.walk([](Copy op) { setOperand(op, 2, 8); }); }},
    {"a copy from an odd address", kPlain, [](auto k) { moveBy(nth<Copy>(k, 0), 1, 2); }},
    {"a copy behind the ring", kPlain, [](auto k) { moveBy(nth<Copy>(k, 2), 0, 1 << 16); }},
    {"a copy to the row before", kPlain, [](auto k) { moveBy(nth<Copy>(k, 3), 0, -64); }},
    {"ldmatrix of an odd address", kPlain, [](auto k) { moveBy(nth<Load>(k, 0), 0, 8); }},
    {"ldmatrix of a row that another warp has", kPlain, [](auto k) { moveBy(nth<Load>(k, 0), 0, 64); }},
    {"B loaded transposed", kPlain, [](auto k) { nth<Load>(k, -1).setLayout(NVVM::MMALayout::col); }},
    {"A not loaded transposed", kTransposed, [](auto k) { nth<Load>(k, 0).setLayout(NVVM::MMALayout::row); }},
    {"single elements beyond the depth are read", kTransposed,
     [](auto k) {
       k.walk([](arith::SelectOp op) {
         if (op.getType().isInteger(32)) op->setOperand(2, op->getOperand(1));
       });
     }},
    {"registers of A in the wrong order", kPlain, [](auto k) { exchange(nth<NVVM::MmaOp>(k, 0), 1, 2); }},
    {"registers of B in the wrong order", kPlain, [](auto k) { exchange(nth<NVVM::MmaOp>(k, 0), 4, 5); }},
    {"a product that starts from other sums", kPlain, [](auto k) { exchange(nth<NVVM::MmaOp>(k, 1), 6, 8); }},
    {"stores of a ragged tile not guarded", kPlain,
     [](auto k) {
       k.walk([](arith::AndIOp op) {
         if (op.getType().isInteger(1)) op->setOperand(0, op->getOperand(1));
       });
     }},
    {"what rounding left out is not multiplied", kSplit,
     [](auto k) { k.walk([](arith::SubFOp op) { op->setOperand(1, op->getOperand(0)); }); }},
    {"sums of parts not all added", kSplit, [](auto k) { setOperand(nth<scf::ForOp>(k, -1), 1, 1); }},
    {"the second part of the depth begins too late", kSplit,
     [](auto k) { k.walk([](arith::MinSIOp op) { op->setOperand(1, op->getOperand(0)); }); }},
};

MmaPlan planOf(const char *text) {
  auto plan = parseMmaPlan(text);
  EXPECT_TRUE(plan) << plan.error().render();
  return *plan;
}

TEST(GpuModelMmaFaults, NoneInTheKernelsAsTheyAre) {
  for (const char *text : {kPlain, kTransposed, kSplit})
    EXPECT_EQ(checkGemm(planOf(text), {0, 1, 2, 3, 4, 5}), "") << text;
}

TEST(GpuModelMmaFaults, EachIsReported) {
  for (const PlantedFault &fault : kFaults) expectReported(planOf(fault.plan), fault);
}

} // namespace
