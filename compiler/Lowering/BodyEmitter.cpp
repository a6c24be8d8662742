// Bodies on vectors.
#include "compiler/Lowering/BodyEmitter.h"

#include "compiler/Lowering/VectorMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;

namespace ein {

Value emitIdentity(NestBuilder &b, Combine combine, int64_t lanes) {
  if (isa<FloatType>(b.element)) {
    const double inf = std::numeric_limits<double>::infinity();
    return b.constant(combine == Combine::Max   ? -inf
                      : combine == Combine::Min ? inf
                      : combine == Combine::Mul ? 1
                                                : 0,
                      lanes);
  }
  const unsigned bits = b.element.getIntOrFloatBitWidth();
  APInt value(bits, combine == Combine::Mul);
  if (combine == Combine::Max) value = APInt::getSignedMinValue(bits);
  if (combine == Combine::Min) value = APInt::getSignedMaxValue(bits);
  if (combine == Combine::UnsignedMin || combine == Combine::And) value = APInt::getAllOnes(bits);
  return arith::ConstantOp::create(b, DenseElementsAttr::get(b.vectorType(lanes), value));
}

Value emitCombine(NestBuilder &b, Combine combine, Value a, Value c) {
  const bool real = isa<FloatType>(getElementTypeOrSelf(a));
  switch (combine) {
  case Combine::None: return c;
  case Combine::Add:
    if (!real) return arith::AddIOp::create(b, a, c);
    return arith::AddFOp::create(b, a, c);
  // To tell -0 from 0 would double the instructions, and NaN needs two of its own.
  case Combine::Max:
    if (!real) return arith::MaxSIOp::create(b, a, c);
    return arith::MaximumFOp::create(b, a, c, arith::FastMathFlags::nsz);
  case Combine::Min:
    if (!real) return arith::MinSIOp::create(b, a, c);
    return arith::MinimumFOp::create(b, a, c, arith::FastMathFlags::nsz);
  case Combine::UnsignedMax: return arith::MaxUIOp::create(b, a, c);
  case Combine::UnsignedMin: return arith::MinUIOp::create(b, a, c);
  case Combine::Or: return arith::OrIOp::create(b, a, c);
  case Combine::And: return arith::AndIOp::create(b, a, c);
  case Combine::Mul:
    if (!real) return arith::MulIOp::create(b, a, c);
    return arith::MulFOp::create(b, a, c);
  }
  return c;
}

static Combine combineOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, Combine>(op)
      .Case<arith::AddFOp, arith::AddIOp>([](auto) { return Combine::Add; })
      .Case<arith::MaximumFOp, arith::MaxSIOp>([](auto) { return Combine::Max; })
      .Case<arith::MinimumFOp, arith::MinSIOp>([](auto) { return Combine::Min; })
      .Case<arith::MaxUIOp>([](auto) { return Combine::UnsignedMax; })
      .Case<arith::MinUIOp>([](auto) { return Combine::UnsignedMin; })
      .Case<arith::MulFOp, arith::MulIOp>([](auto) { return Combine::Mul; })
      .Case<arith::OrIOp>([](auto) { return Combine::Or; })
      .Case<arith::AndIOp>([](auto) { return Combine::And; })
      .Default(Combine::None);
}

std::optional<Reduction> analyseReduction(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  Value out = body->getArguments().back(), yielded = body->getTerminator()->getOperand(0);
  if (out.use_empty()) return Reduction{Combine::None, yielded};
  if (!out.hasOneUse()) return std::nullopt;
  Operation *last = yielded.getDefiningOp();
  if (!last || *out.getUsers().begin() != last) return std::nullopt;
  const Combine combine = combineOf(last);
  if (combine == Combine::None) return std::nullopt;
  return Reduction{combine, last->getOperand(0) == out ? last->getOperand(1) : last->getOperand(0)};
}

/// Whether an operation only brings an input to the type that is computed in: packing and loads do.
static bool isLoad(Operation &o, Type element) {
  return isa<arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp, arith::SIToFPOp, arith::UIToFPOp>(o) &&
         isa<BlockArgument>(o.getOperand(0)) && !o.getOperand(0).getType().isInteger(1) &&
         o.getResult(0).getType() == element;
}

bool hasTileableBody(linalg::LinalgOp op) {
  constexpr int64_t most = 3; // the registers are the tile's
  auto isCheap = [](Operation &o) {
    return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::MaximumFOp, arith::MinimumFOp, arith::NegFOp,
               math::AbsFOp, arith::AddIOp, arith::SubIOp, arith::MulIOp, arith::MaxSIOp, arith::MinSIOp,
               arith::MaxUIOp, arith::MinUIOp, arith::AndIOp, arith::OrIOp>(o);
  };
  if (!isa<linalg::ContractOp, linalg::GenericOp>(op) || op->getNumOperands() != 3) return false;
  auto reduction = analyseReduction(op);
  if (!reduction || reduction->combine == Combine::None) return false;
  const Type element = op.getBlock()->getArguments().back().getType();
  auto operations = op.getBlock()->without_terminator();
  return llvm::count_if(operations, isCheap) <= 1 + most &&
         llvm::all_of(operations, [&](Operation &o) { return isCheap(o) || isLoad(o, element); });
}

/// The inputs that a value of the body is made of, by number.
static SmallVector<unsigned> inputsOf(Value value) {
  SmallVector<Value> stack{value};
  llvm::SmallSetVector<unsigned, 4> inputs;
  llvm::SmallDenseSet<Operation *> seen;
  while (!stack.empty()) {
    Value now = stack.pop_back_val();
    if (auto argument = dyn_cast<BlockArgument>(now))
      inputs.insert(argument.getArgNumber());
    else if (seen.insert(now.getDefiningOp()).second)
      llvm::append_range(stack, now.getDefiningOp()->getOperands());
  }
  return inputs.takeVector();
}

std::optional<ComputedFactor> computedFactor(linalg::LinalgOp op) {
  if (!isa<linalg::GenericOp>(op)) return std::nullopt;
  auto reduction = analyseReduction(op);
  if (!reduction || reduction->combine != Combine::Add) return std::nullopt;
  auto product = reduction->term.getDefiningOp<arith::MulFOp>();
  if (!product) return std::nullopt;
  for (Operation &o : op.getBlock()->without_terminator())
    if (isa<linalg::IndexOp, memref::LoadOp>(o)) return std::nullopt;
  const Type element = op.getBlock()->getArguments().back().getType();
  auto isElement = [&](Value v) {
    return isa<BlockArgument>(v) ? v.getType() == element : isLoad(*v.getDefiningOp(), element);
  };
  const bool isFirst = !isElement(product.getLhs());
  Value value = isFirst ? product.getLhs() : product.getRhs(), other = isFirst ? product.getRhs() : product.getLhs();
  if (isElement(value) || !isElement(other)) return std::nullopt;
  ComputedFactor factor{value, inputsOf(value), inputsOf(other).front()};
  const unsigned inputs = op.getNumDpsInputs();
  if (factor.inputs.empty() || factor.inputs.size() + 1 != inputs || llvm::is_contained(factor.inputs, factor.element))
    return std::nullopt;
  auto loops = [&](unsigned input) { return op.getIndexingMapsArray()[input].getNumResults(); };
  llvm::stable_sort(factor.inputs, [&](unsigned a, unsigned c) { return loops(a) > loops(c); });
  return factor;
}

bool multipliesShorts(linalg::LinalgOp op) {
  if (!hasTileableBody(op) || !op.getBlock()->getArguments().back().getType().isInteger(32)) return false;
  const Reduction reduction = *analyseReduction(op);
  Operation *product = reduction.term.getDefiningOp();
  if (reduction.combine != Combine::Add || !isa_and_nonnull<arith::MulIOp>(product)) return false;
  return llvm::all_of(product->getOperands(), [](Value factor) {
    Operation *load = factor.getDefiningOp();
    if (!isa_and_nonnull<arith::ExtSIOp, arith::ExtUIOp>(load)) return false;
    const unsigned bits = load->getOperand(0).getType().getIntOrFloatBitWidth();
    return bits == 8 || (bits == 16 && isa<arith::ExtSIOp>(load));
  });
}

bool widensUnsigned(BlockArgument input) {
  return llvm::any_of(input.getUsers(), [](Operation *o) { return isa<arith::ExtUIOp, arith::UIToFPOp>(o); });
}

SmallVector<memref::LoadOp> gathersOf(linalg::LinalgOp op) {
  return llvm::to_vector(op.getBlock()->getOps<memref::LoadOp>());
}

BodyEmitter::BodyEmitter(NestBuilder &b, linalg::LinalgOp op, int64_t lanes, ArrayRef<Value> inputs, Index index,
                         Gather gather)
    : b(b), op(op), lanes(lanes),
      keepsBytes(b.element.isInteger(8) && op.getBlock()->getArguments().back().getType().isInteger(1)), index(index),
      gather(gather) {
  for (auto [argument, vector] : llvm::zip(op.getBlock()->getArguments(), inputs)) {
    if (!vector) continue;
    const Type type = argument.getType();
    done[argument] = type.isInteger(1) && !keepsBytes ? b.convert(vector, type, true) : vector; // bytes are conditions
    if (type.isInteger(1) || getElementTypeOrSelf(vector) == type) continue;
    for (Operation *conversion : argument.getUsers()) done[conversion->getResult(0)] = vector;
  }
}

Value BodyEmitter::emit(Value value) {
  // In block order: operands come before their users, so there is no recursion over the body.
  for (Operation &o : op.getBlock()->without_terminator()) {
    if (done.count(value)) break;
    Value result = o.getResult(0);
    const bool known =
        llvm::all_of(o.getOperands(), [&](Value v) { return done.count(v) > 0 || isa<MemRefType>(v.getType()); });
    if (!done.count(result) && known) done[result] = emitOp(&o);
  }
  return done.lookup(value);
}

Value BodyEmitter::emitOp(Operation *o) {
  if (auto i = dyn_cast<linalg::IndexOp>(o)) return index(i.getDim());
  if (auto cast = dyn_cast<arith::IndexCastOp>(o)) return done.lookup(cast.getIn());
  if (auto load = dyn_cast<memref::LoadOp>(o)) return gather(load, [&](Value v) { return done.lookup(v); });
  if (isa<math::ExpOp>(o)) return emitExp(b, done.lookup(o->getOperand(0)));
  if (isa<math::LogOp>(o)) return emitLog(b, done.lookup(o->getOperand(0)));
  if (isa<math::TanhOp>(o)) return emitTanh(b, done.lookup(o->getOperand(0)));
  if (isa<math::Exp2Op>(o)) return emitExp2(b, done.lookup(o->getOperand(0)));
  if (isa<math::ErfOp>(o)) return emitErf(b, done.lookup(o->getOperand(0)));
  if (isa<math::SinOp>(o)) return emitSin(b, done.lookup(o->getOperand(0)));
  if (isa<math::CosOp>(o)) return emitCos(b, done.lookup(o->getOperand(0)));
  if (isa<math::SqrtOp>(o)) return emitSqrt(b, done.lookup(o->getOperand(0)));
  if (isa<math::AbsFOp>(o)) return LLVM::FAbsOp::create(b, done.lookup(o->getOperand(0)));
  if (isa<math::FloorOp>(o)) return LLVM::FFloorOp::create(b, done.lookup(o->getOperand(0)));
  if (isa<arith::ExtFOp, arith::TruncFOp>(o))
    return b.convert(done.lookup(o->getOperand(0)), o->getResult(0).getType(), false);
  auto type = VectorType::get({lanes}, keepsBytes ? b.element : o->getResult(0).getType());
  if (auto k = dyn_cast<arith::ConstantOp>(o))
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef<Attribute>(k.getValue())));
  OperationState state(b.getLoc(), o->getName());
  for (Value v : o->getOperands()) state.operands.push_back(done.lookup(v));
  state.addTypes(type);
  state.addAttributes(o->getAttrs());
  return b.create(state)->getResult(0);
}

Value BodyEmitter::accumulate(const Reduction &reduction, Value acc) {
  Operation *product = reduction.term.getDefiningOp();
  if (reduction.combine == Combine::Add && isa_and_nonnull<arith::MulFOp, arith::MulIOp>(product)) {
    Value x = emit(product->getOperand(0)), y = emit(product->getOperand(1));
    return b.multiplyAdd(x, y, acc);
  }
  return emitCombine(b, reduction.combine, acc, emit(reduction.term));
}

} // namespace ein
