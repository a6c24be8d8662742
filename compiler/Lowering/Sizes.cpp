// Sizes in @kernel.
#include "compiler/Lowering/Sizes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace ein {

Value SizeBuilder::value(OpFoldResult x) { return getValueOrCreateConstantIndexOp(b, b.getLoc(), x); }

OpFoldResult SizeBuilder::add(OpFoldResult x, OpFoldResult y) {
  auto first = getConstantIntValue(x), second = getConstantIntValue(y);
  if (first && second) return constant(*first + *second);
  if (first == 0) return y;
  if (second == 0) return x;
  return arith::AddIOp::create(b, value(x), value(y)).getResult();
}

OpFoldResult SizeBuilder::mul(OpFoldResult x, OpFoldResult y) {
  auto first = getConstantIntValue(x), second = getConstantIntValue(y);
  if (first && second) return constant(*first * *second);
  if (first == 0 || second == 0) return constant(0);
  if (first == 1) return y;
  if (second == 1) return x;
  return arith::MulIOp::create(b, value(x), value(y)).getResult();
}

OpFoldResult SizeBuilder::align64(OpFoldResult x) {
  if (auto known = getConstantIntValue(x)) return constant((*known + 63) / 64 * 64);
  return mul(arith::DivUIOp::create(b, value(add(x, constant(63))), value(constant(64))).getResult(), constant(64));
}

Value SizeBuilder::view(Value base, Type element, OpFoldResult offset, ArrayRef<OpFoldResult> extents,
                        ArrayRef<OpFoldResult> strides) {
  SmallVector<Value> ignored;
  SmallVector<int64_t> knownOffset, knownExtents, knownStrides;
  dispatchIndexOpFoldResults(offset, ignored, knownOffset);
  dispatchIndexOpFoldResults(extents, ignored, knownExtents);
  dispatchIndexOpFoldResults(strides, ignored, knownStrides);
  auto layout = StridedLayoutAttr::get(b.getContext(), knownOffset.front(), knownStrides);
  auto type = MemRefType::get(knownExtents, element, layout);
  return memref::ReinterpretCastOp::create(b, type, base, offset, extents, strides);
}

Value addSizeArgument(func::FuncOp fn, int64_t slot, int64_t typical, int64_t least) {
  Builder b(fn.getContext());
  const unsigned position = fn.getNumArguments();
  NamedAttribute attributes[] = {b.getNamedAttr(kSizeAttr, b.getI64IntegerAttr(slot)),
                                 b.getNamedAttr(kTypicalAttr, b.getI64IntegerAttr(typical)),
                                 b.getNamedAttr(kLeastAttr, b.getI64IntegerAttr(least))};
  (void)fn.insertArgument(position, b.getIndexType(), b.getDictionaryAttr(attributes), fn.getLoc());
  return fn.getArgument(position);
}

static int64_t argumentAttr(BlockArgument argument, const char *name) {
  auto fn = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto attr = fn.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), name);
  return attr ? attr.getInt() : 0;
}

/// Products are as deep as tensors have dimensions.
int64_t typicalOf(OpFoldResult size) {
  if (auto known = getConstantIntValue(size)) return *known;
  Value value = cast<Value>(size);
  if (auto argument = dyn_cast<BlockArgument>(value)) return argumentAttr(argument, kTypicalAttr);
  if (auto mul = value.getDefiningOp<arith::MulIOp>()) return typicalOf(mul.getLhs()) * typicalOf(mul.getRhs());
  if (auto add = value.getDefiningOp<arith::AddIOp>()) return typicalOf(add.getLhs()) + typicalOf(add.getRhs());
  return 0;
}

int64_t leastOf(OpFoldResult size) {
  if (auto known = getConstantIntValue(size)) return *known;
  auto argument = dyn_cast<BlockArgument>(cast<Value>(size));
  return argument ? argumentAttr(argument, kLeastAttr) : 0;
}

FailureOr<MixedLayout> layoutOf(Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  if (auto view = memref.getDefiningOp<memref::ReinterpretCastOp>())
    return MixedLayout{view.getMixedSizes(), view.getMixedStrides()};
  if (auto alloc = memref.getDefiningOp<memref::AllocOp>()) {
    MixedLayout layout{alloc.getMixedSizes(), {}};
    int64_t stride = 1;
    for (OpFoldResult extent : llvm::reverse(layout.extents)) {
      layout.strides.insert(layout.strides.begin(), Builder(memref.getContext()).getIndexAttr(stride));
      stride *= typicalOf(extent);
    }
    return layout;
  }
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)) || ShapedType::isDynamic(offset) || !type.hasStaticShape() ||
      llvm::any_of(strides, ShapedType::isDynamic))
    return failure();
  return MixedLayout{getAsIndexOpFoldResult(type.getContext(), type.getShape()),
                     getAsIndexOpFoldResult(type.getContext(), strides)};
}

int SizeSlots::of(OpFoldResult size) {
  auto value = dyn_cast<Value>(size);
  if (!value) return -1;
  auto *known = llvm::find(values, value);
  if (known == values.end()) known = (values.push_back(value), values.end() - 1);
  return int(known - values.begin());
}

} // namespace ein
