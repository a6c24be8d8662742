// Bodies on vectors.
#include "compiler/Lowering/BodyEmitter.h"

#include "compiler/Lowering/VectorMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;

namespace ein {

double identityOf(Combine combine) {
  const double inf = std::numeric_limits<double>::infinity();
  return combine == Combine::Max ? -inf : combine == Combine::Min ? inf : 0;
}

Value emitCombine(NestBuilder &b, Combine combine, Value a, Value c) {
  switch (combine) {
  case Combine::None: return c;
  case Combine::Add: return arith::AddFOp::create(b, a, c);
  // To tell -0 from 0 would double the instructions, and NaN needs two of its own.
  case Combine::Max: return arith::MaximumFOp::create(b, a, c, arith::FastMathFlags::nsz);
  case Combine::Min: return arith::MinimumFOp::create(b, a, c, arith::FastMathFlags::nsz);
  }
  return c;
}

std::optional<Reduction> analyseReduction(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  Value out = body->getArguments().back(), yielded = body->getTerminator()->getOperand(0);
  if (out.use_empty()) return Reduction{Combine::None, yielded};
  if (!out.hasOneUse()) return std::nullopt;
  Operation *last = yielded.getDefiningOp();
  if (!last || *out.getUsers().begin() != last) return std::nullopt;
  Combine combine = isa<arith::AddFOp>(last)       ? Combine::Add
                    : isa<arith::MaximumFOp>(last) ? Combine::Max
                    : isa<arith::MinimumFOp>(last) ? Combine::Min
                                                   : Combine::None;
  if (combine == Combine::None) return std::nullopt;
  return Reduction{combine, last->getOperand(0) == out ? last->getOperand(1) : last->getOperand(0)};
}

bool hasTileableBody(linalg::LinalgOp op) {
  constexpr size_t most = 3; // the registers are the tile's
  auto isCheap = [](Operation &o) {
    return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::MaximumFOp, arith::MinimumFOp, arith::NegFOp,
               math::AbsFOp>(o);
  };
  if (!isa<linalg::ContractOp, linalg::GenericOp>(op) || op->getNumOperands() != 3) return false;
  auto reduction = analyseReduction(op);
  if (!reduction || reduction->combine == Combine::None) return false;
  auto operations = op.getBlock()->without_terminator();
  return size_t(llvm::range_size(operations)) <= 1 + most && llvm::all_of(operations, isCheap);
}

BodyEmitter::BodyEmitter(NestBuilder &b, linalg::LinalgOp op, int64_t lanes, ArrayRef<Value> inputs,
                         llvm::function_ref<Value(int64_t)> index)
    : b(b), op(op), lanes(lanes), index(index) {
  for (auto [argument, vector] : llvm::zip(op.getBlock()->getArguments(), inputs)) done[argument] = vector;
}

Value BodyEmitter::emit(Value value) {
  // In block order: operands come before their users, so there is no recursion over the body.
  for (Operation &o : op.getBlock()->without_terminator()) {
    if (done.count(value)) break;
    Value result = o.getResult(0);
    const bool known = llvm::all_of(o.getOperands(), [&](Value v) { return done.count(v) > 0; });
    if (!done.count(result) && known) done[result] = emitOp(&o);
  }
  return done.lookup(value);
}

Value BodyEmitter::emitOp(Operation *o) {
  if (auto i = dyn_cast<linalg::IndexOp>(o)) return index(i.getDim());
  if (auto cast = dyn_cast<arith::IndexCastOp>(o)) return done.lookup(cast.getIn());
  if (isa<math::ExpOp>(o)) return emitExp(b, done.lookup(o->getOperand(0)));
  if (isa<math::LogOp>(o)) return emitLog(b, done.lookup(o->getOperand(0)));
  if (isa<math::TanhOp>(o)) return emitTanh(b, done.lookup(o->getOperand(0)));
  if (isa<math::SqrtOp>(o)) return emitSqrt(b, done.lookup(o->getOperand(0)));
  if (isa<math::AbsFOp>(o)) return LLVM::FAbsOp::create(b, done.lookup(o->getOperand(0)));
  if (isa<math::FloorOp>(o)) return LLVM::FFloorOp::create(b, done.lookup(o->getOperand(0)));
  auto type = VectorType::get({lanes}, o->getResult(0).getType());
  if (auto k = dyn_cast<arith::ConstantOp>(o))
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef<Attribute>(k.getValue())));
  OperationState state(b.getLoc(), o->getName());
  for (Value v : o->getOperands()) state.operands.push_back(done.lookup(v));
  state.addTypes(type);
  state.addAttributes(o->getAttrs());
  return b.create(state)->getResult(0);
}

Value BodyEmitter::accumulate(const Reduction &reduction, Value acc) {
  auto product = reduction.term.getDefiningOp<arith::MulFOp>();
  if (reduction.combine == Combine::Add && product) {
    Value x = emit(product.getLhs()), y = emit(product.getRhs());
    return b.multiplyAdd(x, y, acc);
  }
  return emitCombine(b, reduction.combine, acc, emit(reduction.term));
}

} // namespace ein
