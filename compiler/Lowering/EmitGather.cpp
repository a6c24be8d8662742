// Loads from places that the body of a nest computes.
#include "compiler/Lowering/EmitNest.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

/// Whether a value of the body differs from lane to lane.
bool NestEmitter::variesAlong(Value value, int lane) const {
  if (lane < 0) return false;
  Block *body = linalg::LinalgOp(op).getBlock();
  llvm::SmallPtrSet<Operation *, 16> seen;
  SmallVector<Value> stack{value};
  while (!stack.empty()) {
    const Value v = stack.pop_back_val();
    if (auto argument = dyn_cast<BlockArgument>(v)) {
      if (argument.getOwner() == body && p.stride(argument.getArgNumber(), lane) != 0) return true;
      continue;
    }
    Operation *o = v.getDefiningOp();
    if (auto index = dyn_cast<linalg::IndexOp>(o); index && loopOf(index.getDim()) == lane) return true;
    if (o->getBlock() == body && seen.insert(o).second) llvm::append_range(stack, o->getOperands());
  }
  return false;
}

/// One vector where all lanes look at the same place or at neighbours, else element by element.
Value NestEmitter::gather(memref::LoadOp load, llvm::function_ref<Value(Value)> valueOf, const Run &run) {
  const size_t number = op->getNumOperands() + (llvm::find(gathers, load) - gathers.begin());
  SmallVector<int64_t> strides;
  int64_t offset;
  (void)load.getMemRefType().getStridesAndOffset(strides, offset); // EmitNests has looked
  Value from = memory[number], place = b.c(operands[number].offset);
  auto asIndex = [&](Value v) { return arith::IndexCastOp::create(b, b.getIndexType(), v).getResult(); };
  auto element = [&](Value vector, int64_t lane) {
    return vector::ExtractOp::create(b, vector, ArrayRef<int64_t>{lane});
  };

  int64_t alongLanes = 0;
  SmallVector<std::pair<Value, int64_t>> varying; // vectors of positions, with their strides
  for (auto [index, stride] : llvm::zip(load.getIndices(), strides)) {
    if (auto loop = index.getDefiningOp<linalg::IndexOp>()) {
      const int d = loopOf(loop.getDim());
      if (d >= 0) place = b.add(place, b.mul(d == run.lane ? run.position : position[d], stride));
      if (d >= 0 && d == run.lane) alongLanes += stride;
    } else if (auto constant = index.getDefiningOp<arith::ConstantIndexOp>()) {
      place = b.add(place, constant.value() * stride);
    } else if (variesAlong(index, run.lane)) {
      varying.emplace_back(valueOf(index), stride);
    } else {
      place = b.add(place, b.mul(asIndex(element(valueOf(index), 0)), stride));
    }
  }
  Value result;
  if (varying.empty() && alongLanes == 0) {
    result = b.splat(b.load(from, place), run.lanes);
  } else if (varying.empty() && alongLanes == 1) {
    result = b.loadVector(run.lanes, from, place);
  } else {
    SmallVector<Value> elements;
    for (int64_t i = 0; i < run.lanes; ++i) {
      Value at = b.add(place, i * alongLanes);
      for (auto [vector, stride] : varying) at = b.add(at, b.mul(asIndex(element(vector, i)), stride));
      elements.push_back(b.load(from, at));
    }
    result = vector::FromElementsOp::create(b, VectorType::get({run.lanes}, elements[0].getType()), elements);
  }
  const Type type = load.getMemRefType().getElementType();
  return type.isInteger(1) ? b.convert(result, type, true) : result; // bytes are conditions
}

} // namespace ein
