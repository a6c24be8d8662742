// Operands, indices and memory of a cascade's functions.
#include "compiler/Lowering/EmitCascadeFrame.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

CascadeFrame::CascadeFrame(NestBuilder &b, const CascadeRegion &cascade, ArrayRef<SmallVector<NestOperand>> operands,
                           StringRef name, CascadeFlow flow, int64_t lanes)
    : b(b), cascade(cascade), shape(cascade.shape), operands(operands), name(name), flow(std::move(flow)),
      lanes(lanes) {
  for (const auto &ofOp : operands)
    for (const NestOperand &operand : ofOp)
      if (operand.pointer && !llvm::is_contained(pointers, operand.pointer)) pointers.push_back(operand.pointer);
}

/// Views of the operands inside the current function.
void CascadeFrame::bind(ValueRange args) {
  arguments.assign(args.begin(), args.end());
  scratch = args.back();
  views.clear();
  memory.assign(operands.size(), {});
  for (auto [op, ofOp] : llvm::enumerate(operands))
    for (const NestOperand &operand : ofOp) {
      auto *pointer = llvm::find(pointers, operand.pointer);
      memory[op].push_back(operand.pointer ? b.flat(args[pointer - pointers.begin()], operand.element, operand.extent)
                                           : Value());
    }
  position.assign(shape.extents.size(), Value());
}

Value CascadeFrame::stride(const CascadeAccess &access, int index) {
  const int slot = access.strideSlot(index);
  return slot < 0 ? b.c(access.strides[index]) : b.sizes[slot];
}

Value CascadeFrame::countOf(const std::vector<int> &indices) {
  Value count = b.c(1);
  for (int i : indices) count = b.mul(count, extent(i));
  return count;
}

/// The values of the batch's indices, from its linear number.
void CascadeFrame::bindBatch(Value batch) {
  for (auto i = flow.batch.rbegin(); i != flow.batch.rend(); ++i) {
    const bool isLast = std::next(i) == flow.batch.rend();
    position[*i] = isLast ? batch : b.rem(batch, extent(*i));
    if (!isLast) batch = b.div(batch, extent(*i));
  }
}

/// Where an operand is at the begin of the batch.
Value CascadeFrame::offsetOf(size_t op, unsigned operand) {
  const CascadeOp &info = shape.ops[op];
  const CascadeAccess &access = operand < info.inputs.size() ? info.inputs[operand] : info.output;
  const NestOperand &source = operands[op][operand];
  Value sum = source.offsetSlot < 0 ? b.c(source.offset) : b.sizes[source.offsetSlot];
  for (int i : flow.batch) sum = b.add(sum, b.mul(position[i], stride(access, i)));
  return sum;
}

/// The memory `place` bytes after `base`, made once, where `base` is.
Value CascadeFrame::viewAt(Value base, int64_t place, Type type, int64_t extent) {
  Value &view = views[{base.getAsOpaquePointer(), place, type.getAsOpaquePointer(), extent}];
  if (view) return view;
  Value offset = b.c(place);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfterValue(isa<BlockArgument>(base) ? offset : base);
  return view = b.flat(b.advance(base, offset), type, extent);
}

void CascadeFrame::fill(Value memory, int64_t elements, double value) {
  Value vector = b.constant(value, lanes);
  b.loop(0, elements, lanes, [&](Value i) { b.storeVector(vector, memory, i); });
}

Value CascadeFrame::withinKeys(Value numbers) {
  auto type = cast<VectorType>(numbers.getType());
  auto limit = [&](Value number) {
    return b.splat(b.createOrFold<arith::IndexCastOp>(type.getElementType(), number), type.getNumElements());
  };
  numbers = arith::MaxSIOp::create(b, numbers, limit(b.c(0)));
  return b.convert(arith::MinSIOp::create(b, numbers, limit(extent(shape.key))), b.getI32Type(), false);
}

/// Loops over the first `loops` indices across a product: how far `access` moves, and the number of the point.
void CascadeFrame::overAcross(const CascadeProduct &product, const CascadeAccess &access, size_t loops,
                              llvm::function_ref<void(Value offset, Value place)> body) {
  std::function<void(size_t, Value, Value)> nest = [&](size_t d, Value offset, Value place) {
    if (d == loops) return body(offset, place);
    const int index = product.across[d];
    b.loop(0, shape.extent(index), 1, [&](Value i) {
      nest(d + 1, b.add(offset, b.mul(i, stride(access, index))), b.add(b.mul(place, shape.extent(index)), i));
    });
  };
  nest(0, b.c(0), b.c(0));
}

} // namespace ein
