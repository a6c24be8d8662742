// What a plan sees of a fused cascade: its indices, its operations and how they move. No MLIR.
#pragma once

#include "compiler/Lowering/NestShape.h"

#include <algorithm>
#include <string>
#include <vector>

namespace ein {

/// What an operation does for its cascade; they come in this order.
enum class CascadeRole : uint8_t {
  Low,    ///< first key that counts, by row
  High,   ///< first key after those that count
  Tile,   ///< values by row and key: an inner product, or pointwise
  Guard,  ///< whether a point counts, by row and key
  Max,    ///< the largest score of a row
  Weight, ///< exp(score - maximum)
  Sum,    ///< over the key
  Finish, ///< results from the sums
};

/// How an operation moves through a tensor.
struct CascadeAccess {
  int tensor = -1;              ///< number of a virtual tensor; -1: memory, or a constant
  int memory = -1;              ///< number of a tensor in memory
  std::vector<int64_t> strides; ///< by index, in elements; 0 where it does not move and where the extent is 1
  int64_t bytes = 4;            ///< of an element in memory
  bool computed = true;         ///< whether elements are of the type that is computed in
  bool gathered = false;        ///< read at places that the body computes; strides are those of the other dimensions
  std::vector<int> strideSlots; ///< by index: place among the sizes if it comes at run time, else -1; or empty
  std::vector<int> follows;     ///< indices that its places are computed from
  int64_t placeStride = 0;      ///< the smallest from one computed place to the next

  int strideSlot(int index) const { return strideSlots.empty() ? -1 : strideSlots[index]; }
  /// Whether the stride is known, and this number.
  bool hasStride(int index, int64_t stride) const { return strides[index] == stride && strideSlot(index) < 0; }
  bool moves(int index) const {
    return strides[index] != 0 || std::find(follows.begin(), follows.end(), index) != follows.end();
  }
};

struct CascadeOp {
  CascadeRole role = CascadeRole::Tile;
  bool contracts = false;            ///< two inputs, multiplied and summed
  unsigned sides[2] = {0, 1};        ///< those inputs
  std::vector<int> loops;            ///< index of each loop
  std::vector<CascadeAccess> inputs; ///< operands, then what the body gathers
  CascadeAccess output;
  std::vector<int> outputIndices; ///< of the dimensions of the output
  int64_t operations = 0;         ///< in the body
  double factor = 1;              ///< that an inner product is multiplied by

  bool isPlainSum() const { return role == CascadeRole::Sum && !contracts; }
};

/// A cascade of operations over one key. Indices are numbered as in `ein.loops`, virtual tensors in order.
struct CascadeShape {
  std::vector<int64_t> extents; ///< by index; 0 where no loop has that number
  std::vector<int> extentSlots; ///< by index: place among the sizes of an extent that comes at run time, of which
                                ///< `extents` has an example; empty: none does
  int key = 0;
  std::vector<CascadeOp> ops;
  int tensors = 0;          ///< virtual ones
  int64_t elementBytes = 4; ///< of the type computed in

  int64_t extent(int index) const { return extents[index]; }
  bool isDynamic(int index) const { return !extentSlots.empty() && extentSlots[index] >= 0; }
  /// The largest that an extent can be: examples of 64 and more stand for all of these, others for those below.
  int64_t most(int index) const {
    return !isDynamic(index) ? extent(index) : extent(index) < LoopDim::kLongLoop ? LoopDim::kLongLoop - 1 : INT32_MAX;
  }
  /// Which extents come at run time: "keys, rows"; empty if none does.
  std::string dynamicExtents() const;
  bool has(CascadeRole role) const;
  const CascadeOp *find(CascadeRole role) const;
  /// The operation that makes a virtual tensor.
  int producer(int tensor) const;
};

/// A contraction with one side on the lanes: a tile (sum over `across` of lane side times key side), or a state
/// (sum over the key of a tile times the key side, for each point of `across`).
struct CascadeProduct {
  int op = 0;
  unsigned laneSide = 0, keySide = 1; ///< inputs
  std::vector<int> across;            ///< indices, outermost first; none of extent 1
  bool isState = false;

  int64_t size(const CascadeShape &shape) const;
  /// Whether another product puts the same on the lanes.
  bool sharesLanes(const CascadeShape &shape, const CascadeProduct &other) const;
};

/// Virtual tensors that are exponentiated, what they are exponentiated against, and the result.
struct CascadeScore {
  int score = -1, max = -1, weight = -1;
};

/// The roles of the indices, and what becomes of the values. Early values are computed as soon as the inner products
/// are there, late ones after the maximum is known.
struct CascadeFlow {
  std::vector<int> batch;  ///< rows but the lanes (thin: those that move what the key moves), outermost first
  std::vector<int> shared; ///< thin: rows that share all that moves with the key
  int lane = -1;           ///< row that the lanes follow; thin: none
  std::vector<CascadeProduct> products; ///< tiles first
  std::vector<bool> late;               ///< by virtual tensor: a tile that needs the weight
  std::vector<int> buffer;              ///< by virtual tensor: number of the tile buffer it is kept in, or -1
  std::vector<int64_t> bufferBytes;     ///< of an element, by buffer
  std::vector<int> kept;                ///< early tiles that are masked and stored for what follows
  std::vector<CascadeScore> scores;     ///< maxima in their order
  std::vector<int> scoreOf;             ///< by virtual tensor: number of the score that a late one needs; else -1
  std::string obstacle;                 ///< why the cascade cannot be tiled; empty if it can

  const CascadeProduct *product(int op) const;
  /// The number of the score that an operation's late inputs need; -1 for an early operation.
  int scoreNeeded(const CascadeOp &op) const;
  /// The number of the score that a virtual tensor is; -1 if it is none.
  int scoreNumber(int tensor) const;
  /// The last inner product; none in a cascade of pointwise tiles.
  const CascadeProduct *lastTile() const;
};

/// Analyses a cascade with its lanes along `lane`, or along the best index where that is -1. `direct`: the last inner
/// product goes from registers into what follows it.
CascadeFlow analyseFlow(const CascadeShape &shape, int lane, bool direct);
/// Analyses it for few rows: lanes follow the indices of the products, and the key between them.
CascadeFlow analyseThinFlow(const CascadeShape &shape);

} // namespace ein
