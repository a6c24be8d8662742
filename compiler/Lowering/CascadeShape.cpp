// Which index of a cascade does what, and where its values are kept.
#include "compiler/Lowering/CascadeShape.h"

#include <algorithm>

namespace ein {

namespace {

bool contains(const std::vector<int> &all, int index) { return std::find(all.begin(), all.end(), index) != all.end(); }

class FlowAnalysis {
public:
  FlowAnalysis(const CascadeShape &shape, int lane, bool direct, bool thin = false)
      : shape(shape), direct(direct), thin(thin) {
    flow.lane = lane;
  }

  CascadeFlow run() {
    flow.obstacle = findRows();
    for (size_t i = 0; i < shape.ops.size() && flow.obstacle.empty(); ++i)
      if (shape.ops[i].contracts) flow.obstacle = addProduct(int(i));
    if (flow.obstacle.empty()) flow.obstacle = checkPointwise();
    if (flow.obstacle.empty() && thin) shareRows();
    if (flow.obstacle.empty() && !thin) flow.obstacle = chooseLane();
    if (flow.obstacle.empty()) placeValues();
    return std::move(flow);
  }

private:
  std::string findRows();
  std::string addProduct(int number);
  std::string checkPointwise() const;
  std::string chooseLane();
  void shareRows();
  bool canBeLane(int row) const;
  void placeValues();
  void keep(int tensor, int64_t bytes);

  const CascadeShape &shape;
  bool direct, thin;
  CascadeFlow flow;
  std::vector<int> rows;
};

/// Rows are all that tiles, bounds and the maximum have but the key. A sum with fewer of them is the same for all.
std::string FlowAnalysis::findRows() {
  for (const CascadeOp &op : shape.ops)
    if (op.role < CascadeRole::Sum)
      for (int i : op.outputIndices)
        if (i != shape.key && !contains(rows, i)) rows.push_back(i);
  if (!shape.has(CascadeRole::Sum)) return "nothing is summed over the key";
  for (int i = 0; i < int(shape.extents.size()); ++i)
    if (shape.isDynamic(i) && i != shape.key && !contains(rows, i))
      return "the extent of an index that is neither row nor key comes at run time";
  // Each weight has the maximum of its own score.
  std::vector<std::pair<int, int>> maxima, weights;
  for (const CascadeOp &op : shape.ops) {
    if (op.role == CascadeRole::Max) maxima.emplace_back(op.inputs[0].tensor, op.output.tensor);
    if (op.role == CascadeRole::Weight) weights.emplace_back(op.inputs[0].tensor, op.inputs[1].tensor);
  }
  std::sort(maxima.begin(), maxima.end()), std::sort(weights.begin(), weights.end());
  if (maxima != weights) return "a maximum and a weight come together";
  return {};
}

std::string FlowAnalysis::addProduct(int number) {
  const CascadeOp &op = shape.ops[number];
  CascadeProduct product{number, op.sides[0], op.sides[1], {}, op.role == CascadeRole::Sum};
  const auto moves = [&](unsigned side, int index) { return op.inputs[side].moves(index); };
  const CascadeAccess &first = op.inputs[op.sides[0]], &second = op.inputs[op.sides[1]];
  if (product.isState) {
    if ((first.tensor < 0) == (second.tensor < 0)) return "a sum is no product of one tile and one tensor";
    if (first.tensor < 0) std::swap(product.laneSide, product.keySide);
    if (!op.inputs[product.laneSide].computed) return "a tile is summed in another type than its own";
  } else {
    if (first.tensor >= 0 || second.tensor >= 0) return "an inner product of tiles";
    if (first.moves(shape.key) && second.moves(shape.key)) return "both sides of an inner product move with the key";
    bool isSecondTheLanes = first.moves(shape.key);
    if (shape.extent(shape.key) == 1) // nothing moves with it: lanes are on the side that has rows of its own
      isSecondTheLanes =
          std::none_of(rows.begin(), rows.end(), [&](int row) { return first.moves(row) && !second.moves(row); });
    if (isSecondTheLanes) std::swap(product.laneSide, product.keySide);
  }
  if (op.inputs[product.laneSide].gathered) return "what all keys share is gathered";
  for (int i : op.loops) {
    const bool isOutput = contains(op.outputIndices, i);
    if (contains(rows, i) || i == shape.key) {
      if (!isOutput && i != shape.key) return "a contraction reduces a row";
      continue;
    }
    if (shape.extent(i) == 1) continue;
    if (isOutput != product.isState) return "a contraction has an index that is neither row nor depth";
    if (product.isState && moves(product.laneSide, i)) return "a tile moves with an index of its sum";
    if (contains(op.inputs[product.keySide].follows, i)) return "places move with an index across a product";
    product.across.push_back(i);
  }
  // The key side walks its fastest index last.
  std::stable_sort(product.across.begin(), product.across.end(), [&](int a, int c) {
    return std::abs(op.inputs[product.keySide].strides[a]) > std::abs(op.inputs[product.keySide].strides[c]);
  });
  flow.products.push_back(product);
  return {};
}

/// Pointwise operations and plain reductions stay within rows and key, finishes within rows and one sum's indices.
std::string FlowAnalysis::checkPointwise() const {
  for (const CascadeOp &op : shape.ops) {
    const bool finishes = op.role == CascadeRole::Finish;
    if (op.contracts) continue;
    for (int i : op.loops)
      if (!finishes && shape.extent(i) > 1 && !contains(rows, i) && i != shape.key)
        return "an operation has an index that is no row";
    for (const CascadeAccess &input : op.inputs) {
      const int maker = input.tensor < 0 ? -1 : shape.producer(input.tensor);
      if (finishes || op.role == CascadeRole::Weight || maker < 0) continue;
      if (shape.ops[maker].role != CascadeRole::Tile && shape.ops[maker].role != CascadeRole::Weight)
        return "an operation needs a sum before it is complete";
    }
    if (!finishes) continue;
    const std::vector<int> *own = nullptr;
    for (const CascadeAccess &input : op.inputs) {
      const CascadeProduct *product = input.tensor < 0 ? nullptr : flow.product(shape.producer(input.tensor));
      if (!product || product->across.empty()) continue;
      if (own && *own != product->across) return "a result crosses the indices of two sums";
      own = &product->across;
    }
    for (int i : op.loops)
      if (own && shape.extent(i) > 1 && !contains(rows, i) && !contains(*own, i))
        return "a result has an index that its sums do not have";
  }
  return {};
}

/// Lanes are broadcast to: no tensor on a key side may move along them.
bool FlowAnalysis::canBeLane(int row) const {
  return std::none_of(flow.products.begin(), flow.products.end(), [&](const CascadeProduct &product) {
    return shape.ops[product.op].inputs[product.keySide].moves(row);
  });
}

std::string FlowAnalysis::chooseLane() {
  if (flow.lane >= 0 && (!contains(rows, flow.lane) || !canBeLane(flow.lane)))
    return "its lanes cannot follow that index";
  if (flow.lane < 0)
    for (int row : rows)
      if (canBeLane(row) && (flow.lane < 0 || shape.extent(row) >= shape.extent(flow.lane))) flow.lane = row;
  if (flow.lane < 0) return "no index of the rows can be the lanes: each moves what the key moves";
  // Rows that share what is read by key turn innermost.
  for (bool shared : {false, true})
    for (int row : rows)
      if (row != flow.lane && canBeLane(row) == shared) flow.batch.push_back(row);
  return {};
}

/// Rows that move what the key moves are taken one by one, in the order in which that lies in memory.
void FlowAnalysis::shareRows() {
  for (int row : rows) (canBeLane(row) ? flow.shared : flow.batch).push_back(row);
  if (flow.products.empty()) return;
  const CascadeProduct &first = flow.products.front();
  const CascadeAccess &side = shape.ops[first.op].inputs[first.keySide];
  auto stride = [&](int row) { return contains(side.follows, row) ? INT64_MAX : std::abs(side.strides[row]); };
  std::stable_sort(flow.batch.begin(), flow.batch.end(), [&](int a, int c) { return stride(a) > stride(c); });
}

void FlowAnalysis::keep(int tensor, int64_t bytes) {
  if (flow.buffer[tensor] >= 0) return;
  flow.buffer[tensor] = int(flow.bufferBytes.size());
  flow.bufferBytes.push_back(bytes);
}

/// Which tiles need the weight, and which are kept in memory for what comes after them.
void FlowAnalysis::placeValues() {
  flow.late.assign(shape.tensors, false);
  flow.scoreOf.assign(shape.tensors, -1);
  flow.buffer.assign(shape.tensors, -1);
  int last = -1;
  for (int i = 0; i < int(shape.ops.size()); ++i)
    if (shape.ops[i].role == CascadeRole::Tile && shape.ops[i].contracts) last = i;
  auto require = [&](const CascadeAccess &tile) {
    if (!flow.late[tile.tensor] && !contains(flow.kept, tile.tensor)) flow.kept.push_back(tile.tensor);
    keep(tile.tensor, tile.bytes);
  };
  for (int i = 0; i < int(shape.ops.size()); ++i) {
    const CascadeOp &op = shape.ops[i];
    if (op.role == CascadeRole::Finish) break;
    if (op.role == CascadeRole::Max) {
      flow.scores.push_back({op.inputs[0].tensor, op.output.tensor, -1});
      require(op.inputs[0]);
    }
    if (op.role == CascadeRole::Tile && op.contracts && !(direct && i == last)) keep(op.output.tensor, op.output.bytes);
    if (op.role == CascadeRole::Weight) { // in the place of the score
      const int number = flow.scoreNumber(op.inputs[0].tensor);
      flow.scores[number].weight = op.output.tensor;
      flow.late[op.output.tensor] = true;
      flow.scoreOf[op.output.tensor] = number;
      flow.buffer[op.output.tensor] = flow.buffer[op.inputs[0].tensor];
      continue;
    }
    const int score = flow.scoreNeeded(op);
    const bool isLate = score >= 0;
    flow.scoreOf[op.output.tensor] = score;
    if (isLate && op.role == CascadeRole::Tile) flow.late[op.output.tensor] = true;
    const bool readsBuffer = op.role == CascadeRole::Sum && op.contracts;
    for (const CascadeAccess &a : op.inputs)
      if (a.tensor >= 0 && (readsBuffer || (isLate && !flow.late[a.tensor]))) require(a);
  }
}

} // namespace

bool CascadeShape::has(CascadeRole role) const { return find(role) != nullptr; }

const CascadeOp *CascadeShape::find(CascadeRole role) const {
  auto found = std::find_if(ops.begin(), ops.end(), [&](const CascadeOp &op) { return op.role == role; });
  return found == ops.end() ? nullptr : &*found;
}

std::string CascadeShape::dynamicExtents() const {
  std::string kinds = isDynamic(key) ? "keys" : "";
  for (size_t i = 0; i < extents.size(); ++i)
    if (int(i) != key && isDynamic(int(i))) return kinds + (kinds.empty() ? "rows" : ", rows");
  return kinds;
}

int CascadeShape::producer(int tensor) const {
  for (size_t i = 0; i < ops.size(); ++i)
    if (ops[i].output.tensor == tensor) return int(i);
  return -1;
}

int64_t CascadeProduct::size(const CascadeShape &shape) const {
  int64_t n = 1;
  for (int i : across) n *= shape.extent(i);
  return n;
}

bool CascadeProduct::sharesLanes(const CascadeShape &shape, const CascadeProduct &other) const {
  const CascadeAccess &own = shape.ops[op].inputs[laneSide], &theirs = shape.ops[other.op].inputs[other.laneSide];
  return !isState && !other.isState && own.memory >= 0 && own.memory == theirs.memory &&
         own.strides == theirs.strides && own.strideSlots == theirs.strideSlots && across == other.across &&
         shape.ops[op].factor == shape.ops[other.op].factor;
}

const CascadeProduct *CascadeFlow::product(int op) const {
  for (const CascadeProduct &p : products)
    if (p.op == op) return &p;
  return nullptr;
}

int CascadeFlow::scoreNeeded(const CascadeOp &op) const {
  for (const CascadeAccess &a : op.inputs)
    if (a.tensor >= 0 && late[a.tensor]) return scoreOf[a.tensor];
  return -1;
}

int CascadeFlow::scoreNumber(int tensor) const {
  for (size_t i = 0; i < scores.size(); ++i)
    if (scores[i].score == tensor) return int(i);
  return -1;
}

const CascadeProduct *CascadeFlow::lastTile() const {
  const CascadeProduct *last = nullptr;
  for (const CascadeProduct &p : products)
    if (!p.isState) last = &p;
  return last;
}

CascadeFlow analyseFlow(const CascadeShape &shape, int lane, bool direct) {
  return FlowAnalysis(shape, lane, direct).run();
}

CascadeFlow analyseThinFlow(const CascadeShape &shape) { return FlowAnalysis(shape, -1, false, true).run(); }

} // namespace ein
