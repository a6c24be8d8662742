// The plan of a fused cascade: lanes, panels, tiles of keys, packing and threads. No MLIR.
#pragma once

#include "compiler/Lowering/ThinCascadePlan.h"

#include <variant>

namespace ein {

/// When the key side of a product is copied to where its elements lie close.
enum class KeyPacking : uint8_t {
  None, ///< read in place
  Head, ///< all keys at once, whenever the batch moves to others
  Tile, ///< a tile of keys, before the panels of a group use it
};

/// A cascade in one pass over the key. A panel is nv vectors of lanes; its points share every key that is broadcast.
/// There are `widePanels` of `nv`, then `narrowPanels` of one vector less, where that saves padding. A group of
/// panels goes through the tiles of `bk` keys together; the team shares the groups of all batches.
struct CascadePlan {
  int lane = 0;              ///< index that the lanes follow
  int64_t lanes = 1, nv = 1; ///< elements in a vector, vectors in a wide panel
  int64_t widePanels = 1, narrowPanels = 0;
  int64_t mrWide = 1, mrNarrow = 1; ///< rows of the register tile, by panel
  int64_t bk = 1;                   ///< keys in a tile; a multiple of both
  int64_t depthBlock = 1;           ///< steps of an inner product before its sums leave the registers
  bool direct = true;               ///< the last inner product goes from registers into what follows it
  bool thinTrips = false;           ///< what follows goes key by key: it is long enough to fill the registers
  std::vector<int64_t> packing;     ///< KeyPacking of each product of the flow
  int64_t groupPanels = 1;          ///< panels in a group
  bool cyclic = false;              ///< groups are dealt to the threads in turn, not in stretches
  int64_t threads = 1;
  std::string reason; ///< why so many threads, and how they share
  std::string sized;  ///< extents that come at run time: the panels are then an example, and masked where they end

  int64_t panels() const { return widePanels + narrowPanels; }
  int64_t groups() const { return ceilDiv(panels(), groupPanels); }
  int64_t nr() const { return nv * lanes; }
  /// Whether the decisions fit the shape: every number in its range.
  bool fits(const CascadeShape &shape, const CascadeFlow &flow) const;
  /// One line.
  std::string str() const;
};

/// Plans a cascade with lanes along a row, or says why that cannot be.
std::variant<CascadePlan, std::string> planWideCascade(const CascadeShape &shape, const CpuModel &cpu);

/// Plans a cascade in the shape that takes fewer instructions for a key, or says why it has to stay a chain of
/// operations.
std::variant<CascadePlan, ThinCascadePlan, std::string> planCascade(const CascadeShape &shape, const CpuModel &cpu);

/// Floating-point operations of all products, of the examples where extents come at run time.
double cascadeFlops(const CascadeShape &shape, const CascadeFlow &flow);
/// The same for extents of 1 in place of those that come at run time.
double flopsOfSizes(const CascadeShape &shape, const CascadeFlow &flow);
/// Whether a team never pays. Where extents come at run time it may pay for the largest: whether it does is asked then.
bool isSmallCascade(const CascadeShape &shape, const CascadeFlow &flow);

/// Where everything lies in the scratch memory of one thread, in bytes. State is kept for each panel of a group.
struct CascadeScratch {
  CascadeScratch(const CascadeShape &shape, const CascadeFlow &flow, const CascadePlan &plan);

  std::vector<int64_t> laneSide;        ///< by product: a tile's lane side, [across][nr], or a state, [across][nr]
  std::vector<int64_t> states;          ///< by virtual tensor: maximum and plain sums, [nr]; -1 for the others
  int64_t low = 0, high = 0, range = 0; ///< keys that count: [nr], [nr], and four bounds of the panel
  int64_t panelBytes = 0;               ///< of the state of a panel, places above count from its begin

  std::vector<int64_t> buffers;             ///< tiles, [bk][nr]
  std::vector<int64_t> tileMax;             ///< by score, [nr]
  int64_t result = 0;                       ///< [nr]
  std::vector<int64_t> tileSums;            ///< by virtual tensor: a plain sum over the tile, [nr]; -1 for the others
  std::vector<std::vector<int64_t>> staged; ///< by operation and input: copies on the lanes, [nr] or [bk][nr]; or -1
  std::vector<int64_t> turned;              ///< by product: a state with its own index innermost, [nr][pitch]
  std::vector<int64_t> packs, packedAt;     ///< by product: the packed key side, and which batch that is
  std::vector<int64_t> places;              ///< by product: where a tile's keys are, [bk] of i64, of what is gathered
  int64_t panelsAt = 0;                     ///< the panels' states
  int64_t total = 0;

  /// Elements from one row of `turned` to the next, and rows of a state that are allocated.
  static int64_t turnedPitch(const CascadePlan &plan, int64_t size) { return ceilDiv(size, plan.lanes) * plan.lanes; }
};

/// Whether an input is copied to the lanes, once per panel or for every tile of keys.
enum class Staging : uint8_t { None, Row, Tile };
Staging stagingOf(const CascadeShape &shape, const CascadeFlow &flow, const CascadeOp &op, const CascadeAccess &input);

} // namespace ein
