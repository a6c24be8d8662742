// The functions that lowered kernels call, one for each kind of operation. `site` numbers the operation.
#pragma once

#include <cstdint>

namespace ein::gpumodel {

/// Numbers of special registers: these plus the axis, or what stands behind them.
enum class SpecialRegister : uint32_t {
  Thread = 0,
  Threads = 3,
  Block = 6,
  Blocks = 9,
  Cluster = 12,
  Clusters = 15,
  BlockOfCluster = 18,
  BlocksOfCluster = 21,
  Rank = 24, ///< in the cluster; blocks of the cluster
  Lane = 27, ///< of the warp; warp of the block; warps of the block
};
enum class ShuffleKind : uint32_t { Butterfly, Up, Down, Index };
enum class VoteKind : uint32_t { Any, All, Ballot, Uniform };

} // namespace ein::gpumodel

extern "C" {

// Memory. `flags`: the access (read, write, atomic), or'ed with 4 times the alignment in bytes.
void *ein_model_access(uint32_t site, void *pointer, uint32_t bytes, uint32_t flags);
void *ein_model_shared(uint32_t site, uint32_t offset);
uint64_t ein_model_shared_to_int(uint32_t site, void *pointer);
void *ein_model_int_to_shared(uint32_t site, uint64_t address);
void *ein_model_mapa(uint32_t site, void *pointer, uint32_t rank);
void ein_model_fence(uint32_t site);
uint32_t ein_model_register(uint32_t site, uint32_t which);

// Barriers.
void ein_model_mbarrier_init(uint32_t site, void *address, uint32_t count);
void ein_model_mbarrier_inval(uint32_t site, void *address);
uint64_t ein_model_mbarrier_arrive(uint32_t site, void *address, uint32_t count, uint32_t bytes);
uint32_t ein_model_mbarrier_wait(uint32_t site, void *address, uint32_t parity, uint32_t blocking);
void ein_model_barrier(uint32_t site, uint32_t id, uint32_t threads);
void ein_model_barrier_arrive(uint32_t site, uint32_t id, uint32_t threads);
void ein_model_cluster_arrive(uint32_t site, uint32_t relaxed);
void ein_model_cluster_wait(uint32_t site);
void ein_model_fence_mbarrier_init(uint32_t site);
void ein_model_fence_proxy_async(uint32_t site);

// Copies.
void ein_model_tma_load(uint32_t site, void *destination, void *descriptor, void *barrier, uint32_t rank, int32_t c0,
                        int32_t c1, int32_t c2, int32_t c3, int32_t c4, uint32_t multicast);
void ein_model_tma_store(uint32_t site, void *descriptor, void *source, uint32_t rank, int32_t c0, int32_t c1,
                         int32_t c2, int32_t c3, int32_t c4, uint32_t add);
void ein_model_bulk_commit(uint32_t site);
void ein_model_bulk_wait(uint32_t site, uint32_t pending, uint32_t read);
void ein_model_cp_async(uint32_t site, void *destination, void *source, uint32_t size, uint32_t bytes);
void ein_model_cp_async_commit(uint32_t site);
void ein_model_cp_async_wait(uint32_t site, uint32_t pending);

// Warpgroups. Accumulators go through memory and come back as tokens; `accumulator` reads one.
void ein_model_wgmma(uint32_t site, uint32_t *accumulators, uint64_t descriptorA, uint64_t descriptorB, uint32_t n,
                     uint32_t typeA, uint32_t typeB, uint32_t flags, uint32_t a0, uint32_t a1, uint32_t a2,
                     uint32_t a3);
uint32_t ein_model_accumulator(uint32_t site, uint32_t bits);
void ein_model_wgmma_fence(uint32_t site);
void ein_model_wgmma_commit(uint32_t site);
void ein_model_wgmma_wait(uint32_t site, uint32_t pending);

// Warps. Fragments go through memory, 32 or 64 bits a register.
uint32_t ein_model_shuffle(uint32_t site, uint32_t mask, uint32_t value, uint32_t offset, uint32_t clamp,
                           uint32_t kind);
uint32_t ein_model_vote(uint32_t site, uint32_t mask, uint32_t predicate, uint32_t kind);
uint32_t ein_model_elect(uint32_t site, uint32_t mask);
void ein_model_warp_sync(uint32_t site, uint32_t mask);
void ein_model_ldmatrix(uint32_t site, void *pointer, uint32_t count, uint32_t transposed, uint32_t *registers);
void ein_model_stmatrix(uint32_t site, void *pointer, uint32_t count, uint32_t transposed, uint32_t *registers);
void ein_model_mma(uint32_t site, uint32_t m, uint32_t n, uint32_t k, uint32_t typeA, uint32_t typeB, void *fragments);
}
