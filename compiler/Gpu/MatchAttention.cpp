// From the operations of a cascade to an attention plan.
#include "compiler/Gpu/MatchAttention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace ein {

namespace {

std::optional<double> constantOf(Value v) {
  auto constant = v.getDefiningOp<arith::ConstantOp>();
  auto number = constant ? dyn_cast<FloatAttr>(constant.getValue()) : FloatAttr();
  return number ? std::optional(number.getValueAsDouble()) : std::nullopt;
}

std::optional<DType> dtypeOf(Value memory) {
  Type type = getElementTypeOrSelf(memory);
  if (type.isBF16()) return DType::BF16;
  if (type.isF16()) return DType::F16;
  return type.isF32() ? std::optional(DType::F32) : std::nullopt;
}

class AttentionMatcher {
public:
  explicit AttentionMatcher(const CascadeRegion &cascade) : cascade(cascade), shape(cascade.shape) {}

  /// Why it is none; empty if `match` is complete but for its tiles.
  std::string run();
  AttentionMatch match;

private:
  std::string findOperations();
  std::string findScores();
  std::string capScores(linalg::LinalgOp op);
  std::string bound(size_t op, std::optional<int64_t> &value, int64_t shift);
  std::string boundByBody(size_t op, AttentionPlan::Body body, std::optional<size_t> &place);
  bool rises(size_t op);
  std::string findPointwise(int &tensor);
  std::string resultByBody(size_t op);
  void findBodies();
  std::string findIndices();
  std::string findResult(size_t op);
  std::string addIndex(int index);
  AttentionDim dimOf(int index) const;
  const CascadeAccess &access(AttentionPlan::Tensor tensor) const { return *accesses[tensor]; }
  void set(AttentionPlan::Tensor tensor, Value memory, const CascadeAccess &access) {
    match.tensors[tensor] = memory;
    accesses[tensor] = &access;
  }

  const CascadeRegion &cascade;
  const CascadeShape &shape;
  std::array<const CascadeAccess *, 5> accesses = {};
  int scores = -1, weights = -1, total = -1, output = -1;  ///< operations
  int maximum = -1, depth = -1, width = -1, position = -1; ///< operation, indices
  SmallVector<size_t> pointwise, finishes;
  std::vector<std::pair<AttentionDim, int>> batch; ///< with the index of each
};

std::string AttentionMatcher::run() {
  if (std::string why = findOperations(); !why.empty()) return why;
  if (std::string why = findScores(); !why.empty()) return why;
  for (size_t op : finishes)
    if (!findResult(op).empty())
      if (std::string why = resultByBody(op); !why.empty()) return why;
  if (!accesses[AttentionPlan::O]) return "no result that is divided by the sum of the weights";
  return findIndices();
}

/// One operation of each role.
std::string AttentionMatcher::findOperations() {
  auto once = [](int &place, size_t op) {
    const bool isFirst = place < 0;
    place = int(op);
    return isFirst;
  };
  for (auto [i, op] : llvm::enumerate(shape.ops)) {
    bool fine = true;
    switch (op.role) {
    case CascadeRole::Low:
      if (!bound(i, match.plan.lowest, 0).empty())
        if (std::string why = boundByBody(i, AttentionPlan::Low, match.bodies.low); !why.empty()) return why;
      break;
    case CascadeRole::High:
      if (!bound(i, match.plan.highest, -1).empty())
        if (std::string why = boundByBody(i, AttentionPlan::High, match.bodies.high); !why.empty()) return why;
      break;
    case CascadeRole::Guard:
      if (llvm::any_of(op.inputs, [](const CascadeAccess &a) { return a.tensor >= 0; }))
        return "a mask that is made of scores";
      match.plan.bodies |= AttentionPlan::Guard;
      match.bodies.guards.push_back(i);
      break;
    case CascadeRole::Tile:
      if (op.contracts)
        fine = once(scores, i);
      else
        pointwise.push_back(i);
      break;
    case CascadeRole::Max: fine = once(maximum, i); break;
    case CascadeRole::Weight: fine = once(weights, i); break;
    case CascadeRole::Sum: fine = once(op.contracts ? output : total, i); break;
    case CascadeRole::Finish: finishes.push_back(i); break;
    }
    if (!fine) return "more than one inner product or sum of a kind";
  }
  if (scores < 0 || maximum < 0 || weights < 0 || total < 0 || output < 0)
    return "not scores, weights, their sum and a sum of values";
  return {};
}

/// Keys from `q + c` on, or up to there.
std::string AttentionMatcher::bound(size_t op, std::optional<int64_t> &value, int64_t shift) {
  const char *why = "a mask that is no comparison of the key with an index and a constant";
  if (value) return why;
  linalg::LinalgOp body = cascade.ops[op];
  int64_t constant = shift;
  Value v = body.getBlock()->getTerminator()->getOperand(0);
  while (Operation *maker = v.getDefiningOp()) {
    if (auto index = dyn_cast<linalg::IndexOp>(maker)) {
      const int at = shape.ops[op].loops[index.getDim()];
      if (position >= 0 && position != at) return "masks that compare the key with two indices";
      position = at;
      value = constant;
      return {};
    }
    APInt number;
    if (isa<arith::IndexCastOp, arith::ExtSIOp>(maker)) {
      v = maker->getOperand(0);
    } else if (isa<arith::AddIOp, arith::SubIOp>(maker) && matchPattern(maker->getOperand(1), m_ConstantInt(&number))) {
      constant += isa<arith::AddIOp>(maker) ? number.getSExtValue() : -number.getSExtValue();
      v = maker->getOperand(0);
    } else {
      return why;
    }
  }
  return why;
}

/// A range of keys that an operation computes.
std::string AttentionMatcher::boundByBody(size_t op, AttentionPlan::Body body, std::optional<size_t> &place) {
  const bool isLow = body == AttentionPlan::Low;
  if (place || (isLow ? match.plan.lowest : match.plan.highest)) return "a range of keys with two ends";
  place = op;
  match.plan.bodies |= body;
  match.plan.boundsRise &= rises(op);
  return {};
}

/// Whether a bound rises with one index, `position`, as far as its body tells.
bool AttentionMatcher::rises(size_t op) {
  linalg::LinalgOp body = cascade.ops[op];
  SmallVector<std::pair<Value, bool>> left{{body.getBlock()->getTerminator()->getOperand(0), true}};
  while (!left.empty()) {
    const auto [v, mayMove] = left.pop_back_val();
    Operation *maker = v.getDefiningOp();
    if (!maker || isa<arith::ConstantOp>(maker)) continue;
    if (auto index = dyn_cast<linalg::IndexOp>(maker)) {
      const int at = shape.ops[op].loops[index.getDim()];
      if (!mayMove || (position >= 0 && position != at)) return false;
      position = at;
    } else if (isa<arith::SubIOp>(maker)) {
      left.push_back({maker->getOperand(0), mayMove});
      left.push_back({maker->getOperand(1), false});
    } else if (isa<arith::AddIOp, arith::MaxSIOp, arith::MinSIOp, arith::IndexCastOp, arith::ExtSIOp>(maker)) {
      for (Value operand : maker->getOperands()) left.push_back({operand, mayMove});
    } else {
      return false;
    }
  }
  return true;
}

/// scale * product, or softcap * tanh(scale * product / softcap), in as many steps as there are.
std::string AttentionMatcher::findScores() {
  const CascadeOp &product = shape.ops[scores];
  match.plan.scale = product.factor;
  const bool keysFirst = product.inputs[0].moves(shape.key);
  const CascadeAccess &keys = product.inputs[!keysFirst], &queries = product.inputs[keysFirst];
  if (keys.memory < 0 || queries.memory < 0 || queries.moves(shape.key))
    return "scores that are no inner product of queries and keys in memory";
  linalg::LinalgOp body = cascade.ops[scores], sums = cascade.ops[output];
  auto inputs = body.getDpsInputs();
  set(AttentionPlan::Q, inputs[keysFirst], queries);
  set(AttentionPlan::K, inputs[!keysFirst], keys);
  int tensor = product.output.tensor;
  if (std::string why = findPointwise(tensor); !why.empty()) return why;
  const CascadeOp &weight = shape.ops[weights], &sum = shape.ops[output];
  if (shape.ops[maximum].inputs[0].tensor != tensor || weight.inputs[0].tensor != tensor ||
      shape.ops[total].inputs[0].tensor != weight.output.tensor)
    return "a maximum or weights of something else than the scores";
  const bool valuesFirst = sum.inputs[1].tensor == weight.output.tensor;
  const CascadeAccess &values = sum.inputs[!valuesFirst];
  if (sum.inputs[valuesFirst].tensor != weight.output.tensor || values.memory < 0)
    return "a sum of something else than weights times values in memory";
  set(AttentionPlan::V, sums.getDpsInputs()[!valuesFirst], values);
  return {};
}

/// Pointwise operations between the product and the scores: as factors and a cap, else as bodies.
std::string AttentionMatcher::findPointwise(int &tensor) {
  const AttentionPlan plain = match.plan;
  bool caps = true;
  std::vector<int> made{tensor};
  for (size_t i : pointwise) {
    const CascadeOp &op = shape.ops[i];
    caps = caps && op.inputs.size() == 1 && op.inputs[0].tensor == made.back() && capScores(cascade.ops[i]).empty();
    for (const CascadeAccess &input : op.inputs)
      if (input.tensor >= 0 && !llvm::is_contained(made, input.tensor)) return "scores that weights are made into";
    if (!linalg::LinalgOp(cascade.ops[i]).getBlock()->getTerminator()->getOperand(0).getType().isF32())
      return "scores that are not f32";
    made.push_back(op.output.tensor);
  }
  tensor = made.back();
  if (caps) return {};
  match.plan.scale = plain.scale;
  match.plan.softcap = 0;
  match.plan.bodies |= AttentionPlan::Score;
  match.bodies.scores.assign(pointwise.begin(), pointwise.end());
  return {};
}

std::string AttentionMatcher::capScores(linalg::LinalgOp op) {
  const char *why = "scores that are more than scaled and capped by tanh";
  SmallVector<Operation *> chain;
  Value v = op.getBlock()->getTerminator()->getOperand(0);
  while (Operation *maker = v.getDefiningOp()) {
    chain.push_back(maker);
    const bool onRight = isa<arith::MulFOp>(maker) && constantOf(maker->getOperand(0));
    v = maker->getOperand(onRight ? 1 : 0);
  }
  if (v != op.getBlock()->getArgument(0)) return why;
  AttentionPlan &p = match.plan;
  for (Operation *maker : llvm::reverse(chain)) {
    if (isa<math::TanhOp>(maker)) {
      if (p.softcap != 0) return why;
      p.softcap = 1;
      continue;
    }
    if (!isa<arith::MulFOp, arith::DivFOp>(maker)) return why;
    auto factor = constantOf(maker->getOperand(1));
    if (isa<arith::MulFOp>(maker) && !factor) factor = constantOf(maker->getOperand(0));
    if (!factor || *factor == 0) return why;
    const double f = isa<arith::MulFOp>(maker) ? *factor : 1 / *factor;
    p.scale *= f; // softcap * tanh(scale / softcap * x): both take what comes after the tanh
    if (p.softcap != 0) p.softcap *= f;
  }
  return p.softcap < 0 ? why : "";
}

/// sum / total, 0 where total is 0; or maximum + log(total).
std::string AttentionMatcher::findResult(size_t number) {
  const CascadeOp &op = shape.ops[number];
  linalg::LinalgOp body = cascade.ops[number];
  auto isTensor = [&](Value v, int maker) {
    auto argument = dyn_cast<BlockArgument>(v);
    return argument && argument.getArgNumber() < op.inputs.size() &&
           op.inputs[argument.getArgNumber()].tensor == shape.ops[maker].output.tensor;
  };
  Value v = body.getBlock()->getTerminator()->getOperand(0);
  if (auto rounded = v.getDefiningOp<arith::TruncFOp>()) v = rounded.getIn();
  const auto type = dtypeOf(body.getDpsInits()[0]);
  if (!type) return "a result that is no float of 16 or 32 bits";
  if (auto sum = v.getDefiningOp<arith::AddFOp>()) {
    auto log = sum.getRhs().getDefiningOp<math::LogOp>();
    if (!log || !isTensor(sum.getLhs(), maximum) || !isTensor(log.getOperand(), total) || accesses[AttentionPlan::L])
      return "a result that is neither attention nor its log-sum-exp";
    match.plan.logSum = *type;
    set(AttentionPlan::L, body.getDpsInits()[0], op.output);
    return {};
  }
  if (auto select = v.getDefiningOp<arith::SelectOp>()) {
    auto isZero = select.getCondition().getDefiningOp<arith::CmpFOp>();
    if (!isZero || isZero.getPredicate() != arith::CmpFPredicate::OEQ || !isTensor(isZero.getLhs(), total) ||
        constantOf(isZero.getRhs()) != 0.0 || constantOf(select.getTrueValue()) != 0.0)
      return "a result that is chosen by something else than an empty sum";
    match.plan.zeroEmpty = true;
    v = select.getFalseValue();
  }
  auto ratio = v.getDefiningOp<arith::DivFOp>();
  if (!ratio || !isTensor(ratio.getLhs(), output) || !isTensor(ratio.getRhs(), total) || accesses[AttentionPlan::O])
    return "a result that is neither attention nor its log-sum-exp";
  match.plan.result = *type;
  set(AttentionPlan::O, body.getDpsInits()[0], op.output);
  return {};
}

/// Any other function of the maximum, the sum of weights and the sum of values.
std::string AttentionMatcher::resultByBody(size_t number) {
  const CascadeOp &op = shape.ops[number];
  linalg::LinalgOp body = cascade.ops[number];
  const auto type = dtypeOf(body.getDpsInits()[0]);
  if (!type) return "a result that is no float of 16 or 32 bits";
  bool ofValues = false;
  for (const CascadeAccess &input : op.inputs) {
    if (input.tensor < 0) continue;
    ofValues |= input.tensor == shape.ops[output].output.tensor;
    if (!llvm::is_contained(
            {shape.ops[output].output.tensor, shape.ops[total].output.tensor, shape.ops[maximum].output.tensor},
            input.tensor))
      return "a result of something else than maximum and sums";
  }
  if (accesses[ofValues ? AttentionPlan::O : AttentionPlan::L]) return "more than one result of a kind";
  (ofValues ? match.bodies.result : match.bodies.logSum) = number;
  match.plan.bodies |= ofValues ? AttentionPlan::Result : AttentionPlan::LogSum;
  if (ofValues)
    match.plan.result = *type;
  else
    match.plan.logSum = *type;
  set(ofValues ? AttentionPlan::O : AttentionPlan::L, body.getDpsInits()[0], op.output);
  return {};
}

AttentionDim AttentionMatcher::dimOf(int index) const {
  AttentionDim d{shape.extent(index), 1, {}};
  for (unsigned t = 0; t < 5; ++t)
    if (accesses[t]) d.strides[t] = accesses[t]->strides[index];
  // Along a single element, which no tensor seems to have, any stride serves that TMA takes.
  if (d.extent == 1)
    d.strides = index == shape.key ? std::array<int64_t, 5>{0, 8, 8, 0, 0} : std::array<int64_t, 5>{8, 0, 0, 8, 1};
  return d;
}

/// What an index is by the tensors that move along it.
std::string AttentionMatcher::addIndex(int index) {
  const bool q = access(AttentionPlan::Q).moves(index), k = access(AttentionPlan::K).moves(index);
  const bool v = access(AttentionPlan::V).moves(index), o = access(AttentionPlan::O).moves(index);
  AttentionPlan &p = match.plan;
  if (index == position && shape.extent(index) == 1) {
    p.rows = {dimOf(index)};
    match.bodies.rows = {index};
    return {};
  }
  if (index == shape.key) {
    p.key = dimOf(index);
    return q || o ? "queries or a result that have the key" : "";
  }
  if (q && k && !v && !o) {
    if (depth >= 0 || access(AttentionPlan::Q).strides[index] != 1 || access(AttentionPlan::K).strides[index] != 1)
      return "features of queries and keys that are not one contiguous index";
    depth = index;
    p.depth = shape.extent(index);
  } else if (v && o && !q && !k) {
    if (width >= 0 || access(AttentionPlan::V).strides[index] != 1 || access(AttentionPlan::O).strides[index] != 1)
      return "features of values and result that are not one contiguous index";
    width = index;
    p.width = shape.extent(index);
  } else if (!o || !q) {
    return "an index of keys or values that queries and result do not have";
  } else if (index == position ||
             (position < 0 && !k && !v && (p.rows.empty() || p.rows[0].extent < shape.extent(index)))) {
    if (k || v) return "keys that depend on the index of queries that masks compare";
    if (!p.rows.empty()) batch.emplace_back(p.rows[0], match.bodies.rows[0]);
    p.rows = {dimOf(index)};
    match.bodies.rows = {index};
  } else {
    batch.emplace_back(dimOf(index), index);
  }
  return {};
}

std::string AttentionMatcher::findIndices() {
  AttentionPlan &p = match.plan;
  for (int index = 0; index < int(shape.extents.size()); ++index) {
    if (shape.extent(index) <= 1 && index != shape.key && index != position) continue;
    if (std::string why = addIndex(index); !why.empty()) return why;
  }
  // A single query.
  if (p.rows.empty()) p.rows = {{1, 1, {8, 0, 0, 8, 1}}}, match.bodies.rows = {-1};
  if (depth < 0 || width < 0) return "no index of features";
  std::array<std::optional<DType>, 3> types;
  for (unsigned t : {AttentionPlan::Q, AttentionPlan::K, AttentionPlan::V}) types[t] = dtypeOf(match.tensors[t]);
  if (!types[0] || types[0] != types[1] || types[0] != types[2] || byteSize(*types[0]) != 2)
    return "operands that are not all bf16 or all f16";
  p.input = *types[0];
  // Heads that share keys lie closest in the result: they come first, so that what runs together reads the same keys.
  llvm::stable_sort(batch, [](const auto &x, const auto &y) {
    return std::abs(x.first.strides[AttentionPlan::O]) < std::abs(y.first.strides[AttentionPlan::O]);
  });
  // Few queries: heads of a group are rows of the same tile.
  const bool joins = p.rows[0].extent <= 32;
  for (const auto &[d, index] : batch) {
    const bool isRow = joins && d.strides[AttentionPlan::K] == 0 && d.strides[AttentionPlan::V] == 0;
    (isRow ? p.rows : p.batch).push_back(d);
    (isRow ? match.bodies.rows : match.bodies.batch).push_back(index);
  }
  findBodies();
  return {};
}

/// What bodies are given, and whether bounds hold for all rows of a tile that stand at the same position.
void AttentionMatcher::findBodies() {
  AttentionBodies &bodies = match.bodies;
  bodies.cascade = cascade;
  bodies.width = width;
  bodies.product = shape.ops[scores].output.tensor;
  bodies.maximum = shape.ops[maximum].output.tensor;
  bodies.total = shape.ops[total].output.tensor;
  bodies.output = shape.ops[output].output.tensor;
  for (const auto &op : {bodies.low, bodies.high})
    for (int row : bodies.rows)
      if (op && row >= 0)
        for (const CascadeAccess &input : shape.ops[*op].inputs) match.plan.boundsRise &= !input.moves(row);
}

} // namespace

std::variant<AttentionMatch, std::string> matchAttention(const CascadeRegion &cascade, int64_t multiprocessors,
                                                         bool byWarps) {
  AttentionMatcher matcher(cascade);
  if (std::string why = matcher.run(); !why.empty()) return why;
  matcher.match.plan.byWarps = byWarps;
  chooseAttentionTiles(matcher.match.plan, multiprocessors);
  if (std::string why = matcher.match.plan.obstacle(); !why.empty()) return why;
  return std::move(matcher.match);
}

} // namespace ein
