// The persistent, warp-specialised kernel of a gemm plan, role by role.
#include "compiler/Gpu/HopperGemm.h"

#include "compiler/Gpu/EmitGemm.h"

using namespace mlir;

namespace ein {

std::pair<Value, Value> walkTiles(KernelBuilder &b, Value number, int64_t rows, int64_t cols, int64_t raster) {
  const int64_t height = std::min(raster, rows);
  Value first = b.mul(b.div(number, height * cols), height), inGroup = b.rem(number, height * cols);
  Value tall = rows % height == 0 ? b.c(height) : b.min(b.sub(b.c(rows), first), b.c(height));
  return {b.add(first, b.rem(inGroup, tall)), b.div(inGroup, tall)};
}

GemmTile gemmTile(KernelBuilder &b, const GemmPlan &plan, Value unit, Value rank) {
  const int64_t rows = tilesOf(plan.m) / plan.cluster, cols = tilesOf(plan.n);
  GemmTile tile;
  tile.number = b.add(b.mul(unit, plan.cluster), rank);
  Value batch = b.div(unit, rows * cols);
  auto [rowOfClusters, col] = walkTiles(b, b.rem(unit, rows * cols), rows, cols, plan.raster);
  Value row = b.add(b.mul(rowOfClusters, plan.cluster), rank);
  auto coordinates = [&](const GemmDims &dims, Value block) {
    SmallVector<Value> result;
    for (const GemmDim &d : dims) {
      const bool last = &d == &dims.back();
      result.push_back(b.mul(last ? block : b.rem(block, d.tiles()), d.tile));
      if (!last) block = b.div(block, d.tiles());
    }
    return result;
  };
  tile.batch = coordinates(plan.batch, batch);
  tile.m = coordinates(plan.m, row);
  tile.n = coordinates(plan.n, col);
  return tile;
}

SmallVector<Value> offsetsIn(KernelBuilder &b, const GemmDims &dims, Value rows) {
  SmallVector<Value> result;
  for (const GemmDim &d : dims) {
    result.push_back(b.rem(rows, d.tile));
    rows = b.div(rows, d.tile);
  }
  return result;
}

SmallVector<Value> addEach(KernelBuilder &b, ValueRange x, ValueRange y) {
  SmallVector<Value> result;
  for (auto [a, c] : llvm::zip_equal(x, y)) result.push_back(b.add(a, c));
  return result;
}

namespace {

/// A tile, and the blocks of the depth that are summed for it.
struct WorkItem {
  GemmTile tile;
  Value part, firstBlock, blocks;
};

class GemmEmitter {
public:
  GemmEmitter(gpu::GPUModuleOp module, const GemmPlan &plan, StringRef name, GemmFinishEmitter &finish)
      : p(plan), b(module, name, signature(plan, finish.parameters().size())), epilogue(b, plan, finish) {
    finish.bind(b, 3);
    for (unsigned t : {0u, 1u}) {
      transfers[t] = p.transfer(t);
      const bool kMajor = (t ? p.majorB : p.majorA) == GemmMajor::K;
      const int64_t width = t ? p.widthB() : p.widthA();
      tiles[t] = {kMajor, width * byteSize(p.input), (kMajor ? (t ? p.tileN() : p.tileM()) : p.tileK()) * width * 2};
    }
  }

  void emit();

private:
  using Parameter = KernelSignature::Parameter;
  static KernelSignature signature(const GemmPlan &plan, size_t more) {
    const bool map = plan.split == 1 && plan.epilogue == GemmEpilogue::Tensor;
    KernelSignature s{{Parameter::TensorMap, Parameter::TensorMap, map ? Parameter::TensorMap : Parameter::Pointer},
                      plan.threads(),
                      plan.cluster};
    s.parameters.resize(s.parameters.size() + more, Parameter::Pointer);
    return s;
  }

  void prologue();
  void eachItem(function_ref<RingSlot(const WorkItem &, RingSlot)> body);
  void produce();
  void load(unsigned tensor, const WorkItem &item, ValueRange depth, RingSlot slot);
  void consume();
  Value multiplyStage(RingSlot slot, Value accumulator, bool first);
  std::pair<RingSlot, Value> multiplyTile(const WorkItem &item, RingSlot slot);
  void release(Value stage);

  Value full(Value stage) { return b.barrier(p.offsetBarriers(), stage); }
  Value empty(Value stage) { return b.barrier(p.offsetBarriers() + 8 * p.stages, stage); }

  const GemmPlan &p;
  HopperBuilder b;
  GemmEpilogueEmitter epilogue;
  TmaTransfer transfers[2];
  WgmmaTile tiles[2];
  Value group, rank, consumer, leads;
};

void GemmEmitter::emit() {
  prologue();
  b.ifThen(b.equal(group, 0), [&] { produce(); }, [&] { consume(); });
  // No block leaves while another may still arrive at its barriers or write to its stages.
  if (p.cluster > 1) b.syncCluster();
}

void GemmEmitter::prologue() {
  group = b.warpgroup();
  rank = p.cluster > 1 ? b.clusterRank() : b.c(0);
  b.oneThread([&] {
    for (auto [i, parameter] : llvm::enumerate(signature(p, 0).parameters))
      if (parameter == Parameter::TensorMap) b.prefetchMap(b.argument(unsigned(i)));
    for (int64_t s = 0; s < p.stages; ++s) {
      b.initBarrier(full(b.c(s)), 1);
      b.initBarrier(empty(b.c(s)), p.consumers * p.cluster);
    }
    b.fenceBarrierInit();
  });
  if (p.cluster > 1)
    b.syncCluster();
  else
    b.syncBlock();
}

/// Runs `body` for each of this block's (or cluster's) items; a place in the ring goes from one to the next.
void GemmEmitter::eachItem(function_ref<RingSlot(const WorkItem &, RingSlot)> body) {
  Value first = b.div(NVVM::BlockIdXOp::create(b, b.getI32Type()), p.cluster);
  Value step = b.div(NVVM::GridDimXOp::create(b, b.getI32Type()), p.cluster);
  const int64_t units = p.tiles() / p.cluster;
  b.loop(first, b.c(units * p.split), step, {b.c(0), b.c(0)}, [&](Value index, ValueRange carried) {
    WorkItem item;
    item.tile = gemmTile(b, p, p.split == 1 ? index : b.rem(index, units), rank);
    if (p.split == 1) {
      item.part = item.firstBlock = b.c(0);
      item.blocks = b.c(p.depthBlocks());
    } else {
      const int64_t most = p.depthBlocksPerPart();
      item.part = b.div(index, units);
      item.firstBlock = b.mul(item.part, most);
      item.blocks = b.min(b.sub(b.c(p.depthBlocks()), item.firstBlock), b.c(most));
    }
    const RingSlot next = body(item, {carried[0], carried[1]});
    return SmallVector<Value>{next.index, next.phase};
  });
}

/// One thread keeps the ring full.
void GemmEmitter::produce() {
  if (p.consumers == 2) b.setRegisters(40, false);
  b.oneThreadOfGroup([&] {
    eachItem([&](const WorkItem &item, RingSlot slot) {
      auto results = b.loop(b.c(0), item.blocks, b.c(1), {slot.index, slot.phase}, [&](Value i, ValueRange carried) {
        const RingSlot slot{carried[0], carried[1]};
        Value block = b.add(item.firstBlock, i);
        SmallVector<Value> depth;
        for (const GemmDim &d : p.k) {
          const bool last = &d == &p.k.back();
          depth.push_back(b.mul(last ? block : b.rem(block, d.tiles()), d.tile));
          if (!last) block = b.div(block, d.tiles());
        }
        b.waitBarrier(empty(slot.index), b.bitXor(slot.phase, b.c(1)));
        b.expectBytes(full(slot.index), p.stageBytes());
        load(0, item, depth, slot);
        load(1, item, depth, slot);
        const RingSlot next = b.advance(slot, p.stages);
        return SmallVector<Value>{next.index, next.phase};
      });
      return RingSlot{results[0], results[1]};
    });
  });
}

/// This block's part of a stage of A or B.
void GemmEmitter::load(unsigned tensor, const WorkItem &item, ValueRange depth, RingSlot slot) {
  const TmaTransfer &t = transfers[tensor];
  const GemmDims &dims = tensor ? p.n : p.m;
  const bool shared = tensor == 1 && p.cluster > 1;
  const int64_t rows = (tensor ? p.tileN() : p.tileM()) / (shared ? p.cluster : 1);
  const int64_t rowBytes = p.tileK() * byteSize(p.input);
  Value mine = shared ? b.mul(rank, rows) : b.c(0);
  Value stage = tensor ? b.add(b.mul(slot.index, p.bytesB()), p.offsetB()) : b.mul(slot.index, p.bytesA());
  for (int64_t row = 0; row < rows; row += t.rows) {
    Value offset = b.add(mine, row);
    const SmallVector<Value> start = addEach(b, tensor ? item.tile.n : item.tile.m, offsetsIn(b, dims, offset));
    const SmallVector<Value> box = b.boxCoordinates(t, [&](TileGroup group, unsigned dim) {
      return group == TileGroup::Batch ? item.tile.batch[dim] : group == TileGroup::K ? depth[dim] : start[dim];
    });
    b.loadBox(b.shared(b.add(stage, b.mul(offset, rowBytes))), b.argument(tensor), box, full(slot.index),
              shared ? (1 << p.cluster) - 1 : 0);
  }
}

/// A warpgroup multiplies 64 rows of each tile.
void GemmEmitter::consume() {
  if (p.consumers == 2) b.setRegisters(232, true);
  consumer = b.sub(group, 1);
  leads = b.equal(b.threadOfGroup(), 0);
  eachItem([&](const WorkItem &item, RingSlot slot) {
    auto [next, accumulator] = multiplyTile(item, slot);
    if (p.split > 1)
      epilogue.partial(item.tile, accumulator, consumer, item.part, b.argument(2));
    else if (p.epilogue == GemmEpilogue::Tensor)
      epilogue.tensor(item.tile, accumulator, consumer, b.argument(2));
    else
      epilogue.direct(item.tile, b.unpack(accumulator), consumer, b.c(0), b.argument(2));
    return next;
  });
  if (p.split == 1 && p.epilogue == GemmEpilogue::Tensor) b.ifThen(leads, [&] { b.waitStores(0, false); });
}

/// The products of one stage, committed as a group.
Value GemmEmitter::multiplyStage(RingSlot slot, Value accumulator, bool first) {
  b.waitBarrier(full(slot.index), slot.phase);
  Value base = b.sharedAddress();
  const int64_t groupRows = tiles[0].rowOffset(64);
  Value a = b.add(b.add(b.mul(slot.index, p.bytesA()), b.mul(consumer, groupRows)), base);
  Value c = b.add(b.add(b.mul(slot.index, p.bytesB()), p.offsetB()), base);
  Value descriptorA = b.descriptor(a, tiles[0]), descriptorB = b.descriptor(c, tiles[1]);
  b.fenceProducts();
  for (int64_t k = 0; k < p.tileK(); k += 16)
    accumulator = b.multiply(b.add(descriptorA, tiles[0].depthOffset(k) >> 4),
                             b.add(descriptorB, tiles[1].depthOffset(k) >> 4), accumulator, tiles[0], tiles[1], p.input,
                             /*accumulate=*/!first || k > 0);
  b.commitProducts();
  return accumulator;
}

/// A stage is given back when the products of the next one are under way and its own have retired.
std::pair<RingSlot, Value> GemmEmitter::multiplyTile(const WorkItem &item, RingSlot slot) {
  Value accumulator = b.undefined(b.registers(b.getF32Type(), p.tileN() / 2));
  accumulator = multiplyStage(slot, accumulator, /*first=*/true);
  RingSlot next = b.advance(slot, p.stages);
  auto results = b.loop(b.c(1), item.blocks, b.c(1), {next.index, next.phase, slot.index, accumulator},
                        [&](Value, ValueRange carried) {
                          const RingSlot slot{carried[0], carried[1]};
                          Value products = multiplyStage(slot, carried[3], /*first=*/false);
                          b.waitProducts(1);
                          release(carried[2]);
                          const RingSlot next = b.advance(slot, p.stages);
                          return SmallVector<Value>{next.index, next.phase, slot.index, products};
                        });
  b.waitProducts(0);
  Value sum = b.pin(results[3]);
  release(results[2]);
  return {{results[0], results[1]}, sum};
}

/// Every block whose loads fill this stage hears of it.
void GemmEmitter::release(Value stage) {
  b.ifThen(leads, [&] {
    if (p.cluster == 1) return b.arrive(empty(stage));
    for (int64_t r = 0; r < p.cluster; ++r) b.arriveRemote(empty(stage), b.c(r));
  });
}

/// Adds up the parts of the depth, 32 columns of a warpgroup's rows in each block.
void emitSum(gpu::GPUModuleOp module, const GemmPlan &p, StringRef name, GemmFinishEmitter &finish) {
  const std::vector parameters(2 + finish.parameters().size(), KernelSignature::Parameter::Pointer);
  HopperBuilder b(module, (name + "_sum").str(), {parameters, 128, 1});
  finish.bind(b, 2);
  GemmEpilogueEmitter epilogue(b, p, finish);
  Value number = NVVM::BlockIdXOp::create(b, b.getI32Type());
  Value consumer = NVVM::BlockIdYOp::create(b, b.getI32Type());
  Value column = b.mul(NVVM::BlockIdZOp::create(b, b.getI32Type()), 32);
  const GemmTile tile = gemmTile(b, p, b.div(number, p.cluster), b.rem(number, p.cluster));
  const int64_t groups = std::min<int64_t>(p.tileN(), 32) / 8;
  auto four = VectorType::get({4}, b.getF32Type());
  SmallVector<Value> zero(groups * 4, b.f(0));
  auto sums = b.loop(b.c(0), b.c(p.split), b.c(1), zero, [&](Value part, ValueRange carried) {
    SmallVector<Value> next;
    Value offset = b.add(epilogue.partialOffset(number, consumer, part), b.wide(b.mul(column, 64)));
    for (int64_t g = 0; g < groups; ++g) {
      Value v = b.load(four, b.element(b.argument(0), b.getF32Type(), b.add(offset, 512 * g)), 16);
      for (int64_t i = 0; i < 4; ++i)
        next.push_back(arith::AddFOp::create(b, carried[4 * g + i], LLVM::ExtractElementOp::create(b, v, b.c(i))));
    }
    return next;
  });
  epilogue.direct(tile, sums, consumer, column, b.argument(1));
}

} // namespace

std::vector<GpuArgument> emitHopperGemm(gpu::GPUModuleOp module, const GemmPlan &plan, StringRef name,
                                        const GemmFinish *finish) {
  assert(plan.obstacle().empty() && "a plan that no kernel can follow");
  const std::array groups = {&plan.batch, &plan.m, &plan.n};
  GemmFinishEmitter none(module, nullptr, groups), last(module, finish, groups);
  GemmEmitter(module, plan, name, plan.split > 1 ? none : last).emit();
  if (plan.split > 1) emitSum(module, plan, name, last);
  return last.parameters();
}

} // namespace ein
