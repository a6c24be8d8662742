// The asynchronous machinery of Hopper: mbarriers in rings, TMA, warpgroup products.
#pragma once

#include "compiler/Gpu/KernelBuilder.h"
#include "compiler/Gpu/TmaTransfer.h"

namespace ein {

/// A place in a ring of stages, and the parity of the round.
struct RingSlot {
  mlir::Value index, phase;
};

/// How a tile lies in shared memory for wgmma: rows of `width` elements, swizzled, eight of them an atom.
struct WgmmaTile {
  bool kMajor = true;      ///< rows run along the depth, else along M or N
  int64_t rowBytes = 128;  ///< 32, 64 or 128, the swizzle
  int64_t groupStride = 0; ///< bytes between groups of rows that lie beside each other: slabs of the depth where K is
                           ///< major, else of M or N
  int64_t elementBytes = 2;

  int64_t width() const { return rowBytes / elementBytes; }
  /// All of a descriptor but the address.
  uint64_t descriptor() const;
  /// Bytes from the first element to depth `k`, a multiple of 16 (of 8 for elements of 4 bytes).
  int64_t depthOffset(int64_t k) const;
  /// Bytes from the first element to row `row` (of M or N), a multiple of 8 and of whole rows.
  int64_t rowOffset(int64_t row) const;
};

/// Emits what the kernels of Hopper share.
class HopperBuilder : public KernelBuilder {
public:
  using KernelBuilder::KernelBuilder;

  // Threads. A warpgroup is four warps.
  mlir::Value warpgroup() { return uniform(div(threadIndex(), 128)); }
  mlir::Value threadOfGroup() { return rem(threadIndex(), 128); }
  mlir::Value clusterRank();
  /// One thread of warp 0 of the block runs `body`.
  void oneThread(llvm::function_ref<void()> body) { oneThreadOf(warp(), body); }
  /// One thread of the first warp of this warpgroup does.
  void oneThreadOfGroup(llvm::function_ref<void()> body) { oneThreadOf(rem(warp(), 4), body); }
  /// Threads of one warpgroup wait for each other; `id` is a hardware barrier, 1 to 15.
  void syncGroup(mlir::Value id, int64_t threads = 128);
  /// Threads arrive and go on; others wait with `syncGroup`.
  void arriveGroup(mlir::Value id, int64_t threads);
  void syncCluster();
  /// Registers of each thread of this warpgroup from here on.
  void setRegisters(int64_t count, bool increase);

  // mbarriers: 8 bytes of shared memory each.
  void initBarrier(mlir::Value barrier, int64_t arrivals);
  /// After all of `initBarrier`, before others see them.
  void fenceBarrierInit();
  void waitBarrier(mlir::Value barrier, mlir::Value phase);
  void arrive(mlir::Value barrier);
  /// At the barrier of the same place in another block of the cluster.
  void arriveRemote(mlir::Value barrier, mlir::Value rank);
  void expectBytes(mlir::Value barrier, int64_t bytes);
  /// Barrier number `index` of those that begin at byte `offset`.
  mlir::Value barrier(int64_t offset, mlir::Value index) { return shared(add(mul(index, 8), offset)); }
  RingSlot advance(RingSlot slot, int64_t stages);

  // TMA.
  void prefetchMap(mlir::Value map);
  /// Coordinates of a box, from those of the indices.
  llvm::SmallVector<mlir::Value> boxCoordinates(const TmaTransfer &transfer,
                                                llvm::function_ref<mlir::Value(TileGroup, unsigned)> coordinate);
  /// `multicast`: a bit for each block of the cluster that gets it; 0: this one alone.
  void loadBox(mlir::Value destination, mlir::Value map, mlir::ValueRange coordinates, mlir::Value barrier,
               int64_t multicast = 0);
  void storeBox(mlir::Value map, mlir::Value source, mlir::ValueRange coordinates);
  void commitStores();
  /// Until all but `pending` groups of stores have left shared memory, or (not `read`) are visible.
  void waitStores(int64_t pending, bool read);
  /// What this thread wrote to shared memory becomes visible to TMA and wgmma.
  void fenceSharedWrites();

  // Products of a warpgroup. An accumulator is a struct of f32: row 16 * warp + lane / 4 (+ 8), column
  // 8 * j + 2 * (lane % 4) (+ 1) is element 4 * j (+ 2) (+ 1).
  mlir::Value descriptor(mlir::Value address, const WgmmaTile &tile);
  /// D = A * B, or D += A * B, over one step of the depth.
  mlir::Value multiply(mlir::Value descriptorA, mlir::Value descriptorB, mlir::Value accumulator, const WgmmaTile &a,
                       const WgmmaTile &b, DType type, bool accumulate);
  /// The same with A in registers: four of two halves each.
  mlir::Value multiplyRegisters(mlir::ValueRange a, mlir::Value descriptorB, mlir::Value accumulator,
                                const WgmmaTile &b, DType type, bool accumulate);
  /// Before the first product after registers of accumulators (or of A) were written otherwise.
  void fenceProducts();
  void commitProducts();
  /// Until at most `pending` groups of products are under way.
  void waitProducts(int64_t pending);
  /// The values of accumulators, from here on: keeps what uses them behind the wait.
  mlir::Value pin(mlir::Value accumulator);
  mlir::Value undefined(mlir::Type type);

private:
  void oneThreadOf(mlir::Value warp, llvm::function_ref<void()> body);
  mlir::Value inlineAssembly(llvm::StringRef text, llvm::StringRef constraints, mlir::ValueRange operands,
                             mlir::Type result);
};

} // namespace ein
