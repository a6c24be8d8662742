// The values of a cascade at a point: vectors of lanes.
#include "compiler/Lowering/EmitCascadeFrame.h"

#include "compiler/Lowering/VectorMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;

namespace ein {

const double CascadeFrame::kLog2E = 1 / std::log(2.0);

Type CascadeFrame::tileType(int tensor) {
  linalg::LinalgOp maker = cascade.ops[shape.producer(tensor)];
  return cast<MemRefType>(maker.getDpsInits()[0].getType()).getElementType();
}

/// The first operand where it is larger, else the second: one instruction, which drops a NaN of the first.
Value CascadeFrame::larger(Value a, Value c) {
  return arith::SelectOp::create(b, arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, a, c), a, c);
}

/// The value where it counts, else a number of its type.
Value CascadeFrame::orElse(Value counts, Value value, double number) {
  auto type = cast<VectorType>(value.getType());
  TypedAttr other = b.getZeroAttr(type);
  if (auto real = dyn_cast<FloatType>(type.getElementType()))
    other = DenseElementsAttr::get(type, Attribute(b.getFloatAttr(real, number)));
  return arith::SelectOp::create(b, counts, value, arith::ConstantOp::create(b, other));
}

/// A scalar index as vector of i32, or the numbers from it on.
Value CascadeFrame::indexVector(Value scalar, int64_t lanes, bool counts) {
  if (counts) return b.numbers(scalar, lanes);
  return b.splat(arith::IndexCastOp::create(b, b.getI32Type(), scalar), lanes);
}

/// An operation's term on `lanes` elements; constants are not loaded.
Value CascadeFrame::evaluate(size_t op, int64_t lanes, llvm::function_ref<Value(unsigned)> load,
                             llvm::function_ref<Value(int)> index) {
  linalg::LinalgOp linalg = cascade.ops[op];
  Values inputs;
  for (unsigned i = 0; i < shape.ops[op].inputs.size(); ++i) {
    auto constant = linalg->getOperand(i).getDefiningOp<arith::ConstantOp>();
    if (constant && !memory[op][i]) {
      auto type = VectorType::get({lanes}, constant.getType());
      inputs.push_back(
          arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef<Attribute>(constant.getValue()))));
    } else {
      inputs.push_back(load(i));
    }
  }
  auto ofLoop = [&](int64_t loop) { return index(shape.ops[op].loops[loop]); };
  return BodyEmitter(b, linalg, lanes, inputs, ofLoop).emit(analyseReduction(linalg)->term);
}

/// An operation's term at a point; `known` has its virtual inputs.
Value CascadeFrame::evaluateAt(size_t op, const Point &at, const Known &known) {
  auto load = [&](unsigned i) -> Value {
    const CascadeAccess &access = shape.ops[op].inputs[i];
    return access.tensor >= 0 ? known.lookup(access.tensor) : loadAt(op, i, at);
  };
  return evaluate(op, lanes, load, [&](int i) { return indexAt(i, at); });
}

/// Early tiles at a point: inner products from registers (`direct`, of the last one) or their buffers, then what is
/// pointwise.
CascadeFrame::Known CascadeFrame::earlyValues(const Point &at, Value direct) {
  Known known;
  for (size_t op = 0; op < shape.ops.size(); ++op) {
    const CascadeOp &info = shape.ops[op];
    const int tensor = info.output.tensor;
    if ((info.role != CascadeRole::Tile && info.role != CascadeRole::Guard) || flow.late[tensor]) continue;
    if (!info.contracts)
      known[tensor] = evaluateAt(op, at, known);
    else
      known[tensor] = direct && flow.product(op) == flow.lastTile() ? direct : loadTile(tensor, at);
  }
  return known;
}

/// What needs a weight, at a point: tiles go to their buffers, terms of plain sums to `sum`. `references`: by score.
void CascadeFrame::lateValues(const Point &at, ArrayRef<Value> references,
                              llvm::function_ref<void(size_t, Value)> sum) {
  Known known;
  for (int tensor : flow.kept) known[tensor] = loadTile(tensor, at);
  for (auto [i, score] : llvm::enumerate(flow.scores)) {
    Value negative = arith::NegFOp::create(b, references[i]);
    known[score.weight] = emitShortExp2(b, b.multiplyAdd(known[score.score], b.constant(kLog2E, lanes), negative));
  }
  // What is no weight itself is masked: its other factors may be anything where the weight is zero.
  auto counted = [&](Value value, const CascadeScore &score) -> Value {
    if (value == known[score.weight]) return value;
    Value none = b.constant(-kInfinity, lanes);
    return orElse(arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, known[score.score], none), value, 0);
  };
  for (auto [op, info] : llvm::enumerate(shape.ops)) {
    if (!isLate(info) || info.contracts || info.role == CascadeRole::Finish) continue;
    Value value = counted(evaluateAt(op, at, known), flow.scores[flow.scoreNeeded(info)]);
    if (info.role == CascadeRole::Sum)
      sum(op, value);
    else
      known[info.output.tensor] = value;
  }
  for (int tensor = 0; tensor < shape.tensors; ++tensor)
    if (flow.late[tensor] && flow.buffer[tensor] >= 0) storeTile(tensor, known[tensor], at);
}

} // namespace ein
