// The results of a cascade, row by row.
#include "compiler/Lowering/EmitCascadeFrame.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ein {

/// Elements of a vector from memory, `stride` apart.
static Value loadElements(NestBuilder &b, Value memory, Value offset, Value stride, int64_t lanes) {
  const std::optional<int64_t> known = getConstantIntValue(stride);
  if (known == 1) return b.loadVector(lanes, memory, offset);
  if (known == 0) return b.splat(b.load(memory, offset), lanes);
  SmallVector<Value> elements;
  for (int64_t i = 0; i < lanes; ++i) elements.push_back(b.load(memory, b.add(offset, b.mul(stride, i))));
  return vector::FromElementsOp::create(b, VectorType::get({lanes}, elements[0].getType()), elements);
}

/// The indices of a result that are no rows, in the order in which the sum that it reads has them.
std::vector<int> CascadeFrame::ownIndices(const CascadeOp &info) const {
  std::vector<int> own;
  for (const CascadeAccess &a : info.inputs)
    if (const CascadeProduct *product = a.tensor < 0 ? nullptr : flow.product(shape.producer(a.tensor)))
      if (!product->across.empty()) own = product->across;
  for (int i : info.loops)
    if (i != flow.lane && shape.extent(i) > 1 && !llvm::is_contained(flow.batch, i) &&
        !llvm::is_contained(flow.shared, i) && !llvm::is_contained(own, i))
      own.push_back(i);
  return own;
}

/// The results of one row: vectors along the innermost of their own indices, or one element.
void CascadeFrame::finishRow(size_t op, Value row) {
  const CascadeOp &info = shape.ops[op];
  const std::vector<int> own = ownIndices(info);
  Values at(position);
  bindRow(at, row);
  for (int i : info.loops)
    if (!at[i]) at[i] = b.c(0);
  if (own.empty()) return finishVector(op, row, b.c(0), -1, b.c(0), 1, at);
  const int inner = own.back();
  const int64_t extent = shape.extent(inner);
  std::function<void(size_t, Value)> loops = [&](size_t d, Value place) {
    if (d + 1 < own.size())
      return b.loop(0, shape.extent(own[d]), 1, [&](Value i) {
        at[own[d]] = i;
        loops(d + 1, b.add(b.mul(place, shape.extent(own[d])), i));
      });
    place = b.mul(place, extent);
    if (extent >= lanes)
      return b.loop(0, extent, lanes, [&](Value i) {
        // The last vector moves back to end with the row.
        Value start = extent % lanes ? b.min(i, b.c(extent - lanes)) : i;
        finishVector(op, row, b.add(place, start), inner, start, lanes, at);
      });
    for (int64_t done = 0, n; done < extent; done += n) {
      n = llvm::bit_floor<uint64_t>(extent - done);
      finishVector(op, row, b.add(place, done), inner, b.c(done), n, at);
    }
  };
  loops(0, b.c(0));
}

/// Elements [start, start + lanes) of index `inner` (-1: none) of one row; `place` is their number in the states.
void CascadeFrame::finishVector(size_t op, Value row, Value place, int inner, Value start, int64_t lanes,
                                const Values &at) {
  const CascadeOp &info = shape.ops[op];
  auto along = [&](const CascadeAccess &access) { return inner < 0 ? b.c(0) : stride(access, inner); };
  auto offset = [&](unsigned operand, const CascadeAccess &access) {
    Value sum = offsetOf(op, operand);
    for (int i : info.loops)
      if (!llvm::is_contained(flow.batch, i)) sum = b.add(sum, b.mul(i == inner ? start : at[i], stride(access, i)));
    return sum;
  };
  auto load = [&](unsigned i) -> Value {
    const CascadeAccess &access = info.inputs[i];
    if (access.tensor < 0) return loadElements(b, memory[op][i], offset(i, access), along(access), lanes);
    const CascadeProduct *product = flow.product(shape.producer(access.tensor));
    if (!product || product->across.empty()) return b.splat(rowValue(access.tensor, row), lanes);
    auto [sums, pitch] = rowsOfSum(product - flow.products.data());
    return b.loadVector(lanes, sums, b.add(b.mul(row, pitch), place));
  };
  auto index = [&](int i) { return indexVector(i == inner ? start : at[i], lanes, i == inner); };
  Value value = evaluate(op, lanes, load, index), to = offset(info.inputs.size(), info.output);
  Value apart = along(info.output);
  if (lanes == 1 || getConstantIntValue(apart) == 1) return b.storeVector(value, memory[op].back(), to);
  for (int64_t i = 0; i < lanes; ++i)
    b.store(vector::ExtractOp::create(b, value, ArrayRef<int64_t>{i}), memory[op].back(), b.add(to, b.mul(apart, i)));
}

} // namespace ein
