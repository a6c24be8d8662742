// The kernel of an mma plan: copies run ahead through a ring of stages, warps multiply behind them.
#include "compiler/Gpu/MmaKernel.h"

#include "compiler/Gpu/EmitGemm.h"
#include "compiler/Gpu/EmitMma.h"
#include "compiler/Lowering/NestShape.h"

using namespace mlir;

namespace ein {

namespace {

using Parameter = KernelSignature::Parameter;

std::vector<Parameter> pointers(size_t own, const GemmFinishEmitter &finish) {
  return std::vector<Parameter>(own + finish.parameters().size(), Parameter::Pointer);
}

class MmaEmitter {
public:
  MmaEmitter(gpu::GPUModuleOp module, const MmaPlan &plan, StringRef name, GemmFinishEmitter &finish)
      : p(plan), b(module, name, {pointers(3, finish), plan.threads(), 1}),
        tiles{MmaTile(b, plan, 0), MmaTile(b, plan, 1)}, epilogue(b, plan, finish) {
    finish.bind(b, 3);
  }

  void emit();

private:
  MmaBlock blockOf(Value number);
  void copyStage(Value slot, Value number);
  SmallVector<Value> multiplyStage(Value slot, ValueRange sums);
  SmallVector<Value> multiplyStep(Value slot, int64_t step, ValueRange sums);
  Value next(Value slot) { return b.select(b.equal(b.add(slot, 1), p.stages), b.c(0), b.add(slot, 1)); }
  Value stageOf(Value slot, unsigned operand) {
    return b.add(b.mul(slot, p.stageBytes()), operand ? p.operandBytes(0) : 0);
  }
  Value zero();

  const MmaPlan &p;
  MmaBuilder b;
  MmaTile tiles[2];
  MmaEpilogue epilogue;
  MmaBlock block;
  Value warpRow, warpCol; ///< first row and column of this warp, in the tile
};

MmaBlock MmaEmitter::blockOf(Value number) {
  const int64_t rows = ceilDiv(p.extent(p.m), p.tileM()), cols = ceilDiv(p.extent(p.n), p.tileN());
  MmaBlock block;
  Value tile = p.split == 1 ? number : b.rem(number, p.tiles());
  block.batch = p.batch.empty() ? b.c(0) : b.div(tile, rows * cols);
  auto [row, col] = walkTiles(b, p.batch.empty() ? tile : b.rem(tile, rows * cols), rows, cols, p.raster);
  block.row = b.mul(row, p.tileM());
  block.col = b.mul(col, p.tileN());
  if (p.split == 1) {
    block.part = block.firstBlock = b.c(0);
    block.blocks = b.c(p.depthBlocks());
    return block;
  }
  const int64_t most = p.depthBlocksPerPart();
  block.part = b.div(number, p.tiles());
  block.firstBlock = b.mul(block.part, most);
  block.blocks = b.min(b.sub(b.c(p.depthBlocks()), block.firstBlock), b.c(most));
  return block;
}

Value MmaEmitter::zero() {
  const DType type = p.accumulator();
  if (type == DType::I32) return b.c(0);
  return arith::ConstantOp::create(b, type == DType::F64 ? b.getF64FloatAttr(0) : b.getF32FloatAttr(0));
}

/// Asks for block number `number` of this part of the depth, if there is one. Each thread's copies are a group, be it
/// empty.
void MmaEmitter::copyStage(Value slot, Value number) {
  b.ifThen(b.less(number, block.blocks), [&] {
    Value depth = b.mul(b.add(block.firstBlock, number), p.depth);
    for (unsigned o : {0u, 1u}) tiles[o].copy(stageOf(slot, o), block, depth);
  });
  b.commitCopies();
}

SmallVector<Value> MmaEmitter::multiplyStep(Value slot, int64_t step, ValueRange sums) {
  SmallVector<MmaBuilder::Registers> a, c;
  for (int64_t row = 0; row < p.warpM; row += 16)
    a.push_back(tiles[0].fragment(stageOf(slot, 0), b.add(warpRow, row), step));
  for (int64_t col = 0; col < p.warpN; col += 16) {
    MmaBuilder::Registers both = tiles[1].fragment(stageOf(slot, 1), b.add(warpCol, col), step);
    for (size_t eight : {0, 1}) { // rows 0-7 and 8-15 are columns of B
      MmaBuilder::Registers &one = c.emplace_back();
      for (size_t i = eight; i < both.size(); i += 2) one.push_back(both[i]);
    }
  }
  SmallVector<Value> next;
  for (const MmaBuilder::Registers &rows : a)
    for (const MmaBuilder::Registers &columns : c) {
      ValueRange before = sums.slice(next.size(), 4);
      llvm::append_range(next, p.products == 3 ? b.multiplyThrice(rows, columns, before)
                                               : b.multiply(p.input, rows, columns, before));
    }
  return next;
}

SmallVector<Value> MmaEmitter::multiplyStage(Value slot, ValueRange sums) {
  SmallVector<Value> next(sums);
  for (int64_t step = 0; step < p.depth / p.instructionDepth(); ++step) next = multiplyStep(slot, step, next);
  return next;
}

void MmaEmitter::emit() {
  block = blockOf(NVVM::BlockIdXOp::create(b, b.getI32Type()));
  Value warp = b.warp();
  warpRow = b.mul(b.div(warp, p.warpsN), p.warpM);
  warpCol = b.mul(b.rem(warp, p.warpsN), p.warpN);
  b.loop(b.c(0), b.c(p.stages - 1), b.c(1), {}, [&](Value number, ValueRange) {
    copyStage(number, number);
    return SmallVector<Value>();
  });
  // Carried: the stage to multiply, the stage to fill, sums.
  SmallVector<Value> carried{b.c(0), b.c(p.stages - 1)};
  carried.append(p.warpM * p.warpN / 32, zero());
  auto results = b.loop(b.c(0), block.blocks, b.c(1), carried, [&](Value i, ValueRange now) {
    // This stage is here for all threads, and all are done with the one before, which is filled next.
    b.waitCopies(p.stages - 2);
    b.syncBlock();
    copyStage(now[1], b.add(i, p.stages - 1));
    SmallVector<Value> after{next(now[0]), next(now[1])};
    llvm::append_range(after, multiplyStage(now[0], now.drop_front(2)));
    return after;
  });
  ValueRange sums = ValueRange(results).drop_front(2);
  Value row = b.add(block.row, warpRow), col = b.add(block.col, warpCol);
  if (p.split == 1)
    epilogue.direct(block, sums, row, col, b.argument(2));
  else
    epilogue.partial(block, sums, row, col, b.argument(2));
}

/// Adds up the parts of the depth, a result by each thread.
void emitMmaSum(gpu::GPUModuleOp module, const MmaPlan &p, StringRef name, GemmFinishEmitter &finish) {
  MmaBuilder b(module, (name + "_sum").str(), {pointers(2, finish), 256, 1});
  MmaEpilogue epilogue(b, p, finish);
  finish.bind(b, 2);
  Value number = b.add(b.mul(NVVM::BlockIdXOp::create(b, b.getI32Type()), 256), b.threadIndex());
  b.ifThen(b.less(number, b.c(p.extent(p.batch) * p.extent(p.m) * p.extent(p.n))),
           [&] { epilogue.sumParts(number, b.argument(0), b.argument(1)); });
}

} // namespace

std::vector<GpuArgument> emitMma(gpu::GPUModuleOp module, const MmaPlan &plan, StringRef name,
                                 const GemmFinish *finish) {
  assert(plan.obstacle().empty() && "a plan that no kernel can follow");
  const std::array groups = {&plan.batch, &plan.m, &plan.n};
  GemmFinishEmitter none(module, nullptr, groups), last(module, finish, groups);
  MmaEmitter(module, plan, name, plan.split > 1 ? none : last).emit();
  if (plan.split > 1) emitMmaSum(module, plan, name, last);
  return last.parameters();
}

} // namespace ein
