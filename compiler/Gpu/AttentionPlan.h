// The plan of fused attention on tensor cores: indices, masks, tiles and pipeline. No MLIR.
#pragma once

#include "compiler/Gpu/TmaTransfer.h"

#include "ein/Error.h"

#include <array>
#include <optional>
#include <string_view>

namespace ein {

/// One index of batches or of rows. Strides in elements of queries, keys, values, result and log-sum-exp; 0 where a
/// tensor does not move, as keys and values along the heads of a group that share them.
struct AttentionDim {
  int64_t extent = 1;
  int64_t tile = 1; ///< of rows: steps that a tile spans, a power of two
  std::array<int64_t, 5> strides = {};

  int64_t tiles() const { return (extent + tile - 1) / tile; }
  bool operator==(const AttentionDim &) const = default;
};

/// Attention, O[b,q,:] = sum over k of softmax(s[b,q,k]) V[b,k,:] with s = scale * Q[b,q,:] K[b,k,:], as a
/// warp-specialised kernel: one warpgroup loads tiles of keys and values by TMA, the others keep 64 rows each, their
/// probabilities in registers. The products of the next tile of keys run while the exponentials of this one are taken,
/// and where there are two of them, warpgroups take turns: one multiplies while the other exponentiates.
struct AttentionPlan {
  /// Tensors, in the order of `AttentionDim::strides` and of the kernel's parameters.
  enum Tensor : unsigned { Q, K, V, O, L };

  DType input = DType::BF16, result = DType::BF16;
  std::vector<AttentionDim> batch, rows; ///< rows: the first is the fastest in a tile
  AttentionDim key;                      ///< strides of keys and values count, and its tile
  int64_t depth = 128, width = 128;      ///< features of queries and keys, and of values: contiguous everywhere
  double scale = 1;
  double softcap = 0; ///< s becomes softcap * tanh(s / softcap); 0: it does not
  /// Keys that count for the row whose index `position` has the value q: q + lowest <= k <= q + highest.
  unsigned position = 0;
  std::optional<int64_t> lowest, highest;
  std::optional<DType> logSum; ///< stores log(sum of exp(s)) to L, in this type
  bool zeroEmpty = true;       ///< a row for which no key counts is 0; else 0 / 0
  /// By mma.sync, for every GPU from sm_80 on: four warps copy tiles by cp.async and multiply them, each 16 rows of
  /// every 64; scores are exponentiated while the next keys arrive, and there is one stage. Else by TMA and wgmma.
  bool byWarps = false;
  int64_t consumers = 2;   ///< warpgroups that multiply, 64 rows each: 1 or 2; by warps how often each has 16 rows
  int64_t stages = 2;      ///< of keys, and of values
  int64_t section = 1;     ///< batches that are walked together, longest rows first: what L2 holds of keys and values
  bool tensorStore = true; ///< the result leaves by TMA; else straight from registers, in pairs

  /// What operations of the cascade compute, where the members above cannot say it.
  enum Body : int64_t {
    Score = 1,   ///< the score, from scale * product
    Guard = 2,   ///< whether a key counts for a row, one by one
    Low = 4,     ///< the first key that counts for a row
    High = 8,    ///< the first after those that do
    Result = 16, ///< the result, from maximum, sum and sum of values
    LogSum = 32, ///< what goes to L, from maximum and sum
  };
  int64_t bodies = 0;
  bool boundsRise = true; ///< Low and High rise with the index `position` of a tile's rows, and depend on no other

  bool has(Body body) const { return bodies & body; }
  /// Whether no tile of keys is known to count whole.
  bool masksAll() const { return has(Guard) || (bodies & (Low | High) && !boundsRise); }

  int64_t tileRows() const;
  int64_t tileDepth() const { return (depth + 63) / 64 * 64; }
  int64_t tileWidth() const { return (width + 63) / 64 * 64; }
  int64_t tileKeys() const { return key.tile; }
  int64_t rowTiles() const;
  int64_t batches() const;
  int64_t keyTiles() const { return key.tiles(); }
  int64_t threads() const { return byWarps ? 128 : 128 * (consumers + 1); }
  bool masked() const { return lowest || highest || bodies & (Guard | Low | High); }

  /// Bytes and offsets in shared memory: queries (later results), stages of keys, of values, barriers.
  int64_t bytesQ() const { return tileRows() * tileDepth() * 2; }
  int64_t bytesK() const { return tileKeys() * tileDepth() * 2; }
  int64_t bytesV() const { return tileKeys() * tileWidth() * 2; }
  int64_t offsetK() const;
  int64_t offsetV() const { return offsetK() + stages * bytesK(); }
  int64_t offsetBarriers() const { return offsetV() + stages * bytesV(); }
  int64_t sharedBytes() const { return offsetBarriers() + (byWarps ? 0 : 8 * (2 + 4 * stages)); }

  /// How Q, K, V or O is moved by TMA: `rows` of it by one instruction, 64 features wide.
  TmaTransfer transfer(Tensor tensor) const;
  /// Why no kernel can be emitted for these decisions; empty if one can.
  std::string obstacle() const;

  /// One line that `parseAttentionPlan` reads.
  std::string str() const;
  uint64_t hash() const;
  bool operator==(const AttentionPlan &) const = default;
};

/// Reads what `AttentionPlan::str` wrote; refuses what `obstacle` refuses.
Expected<AttentionPlan> parseAttentionPlan(std::string_view text);

/// Completes a plan of which the tensors, masks and scale are known: tiles, stages, order. Drops masks that cut
/// nothing. `multiprocessors` and `sharedBytes` are those of the GPU.
void chooseAttentionTiles(AttentionPlan &plan, int64_t multiprocessors = 132, int64_t sharedBytes = 227 << 10);

/// The launch of a plan whose kernel is emitted under `name`. Slots: operands 0 to 2 are Q, K and V, result 0 is O,
/// result 1 is L.
LaunchPlan attentionLaunches(const AttentionPlan &plan, std::string_view name);

} // namespace ein
