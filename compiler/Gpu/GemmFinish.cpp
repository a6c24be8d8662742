// Bodies of pointwise operations on the sums of a fragment.
#include "compiler/Gpu/GemmFinish.h"

#include "compiler/Lowering/BodyEmitter.h"
#include "compiler/Lowering/PlanAttr.h"

#include <numeric>

using namespace mlir;

namespace ein {

/// Whether an input lies in memory that the body reads.
static bool isRead(const GemmFinish &finish, unsigned input) {
  return input != finish.sum && !finish.memory[input].constant;
}

/// Whether some offset needs more than 31 bits.
static bool isFar(const GemmFinish &finish, std::array<const GemmDims *, 3> groups,
                  ArrayRef<const GemmFinish::Index *> indices) {
  for (size_t input = 0; input < finish.memory.size(); ++input) {
    double reach = 0;
    size_t i = 0;
    for (const GemmDims *dims : groups)
      for (const GemmDim &d : *dims) reach += double(d.extent) * std::abs(double(indices[i++]->inputs[input]));
    if (reach > double(1 << 30)) return true;
  }
  return false;
}

GemmFinishEmitter::GemmFinishEmitter(gpu::GPUModuleOp module, const GemmFinish *given,
                                     std::array<const GemmDims *, 3> groups)
    : finish(given) {
  if (!finish || !finish->op) return;
  neighbour = unsigned(groups[0]->size() + groups[1]->size());
  for (const GemmDims *dims : groups)
    for (const GemmDim &d : *dims) {
      const auto index = llvm::find_if(finish->indices, [&](const auto &i) { return i.result == d.strides[2]; });
      assert(index != finish->indices.end() && "an index that the result does not have");
      indices.push_back(&*index);
    }
  linalg::LinalgOp op = finish->op;
  b.emplace(module.getLoc(), module.getContext(), getElementTypeOrSelf(op.getDpsInits()[0]),
            isFar(*finish, groups, indices));
}

std::vector<GpuArgument> GemmFinishEmitter::parameters() const {
  std::vector<GpuArgument> all;
  for (unsigned i = 0; b && i < finish->memory.size(); ++i)
    if (isRead(*finish, i)) all.push_back(GpuArgument::pointer(finish->memory[i].slot));
  return all;
}

void GemmFinishEmitter::bind(KernelBuilder &builder, unsigned firstParameter) {
  kernel = &builder;
  for (unsigned i = 0; b && i < finish->memory.size(); ++i)
    pointers.push_back(isRead(*finish, i) ? kernel->argument(firstParameter++) : Value());
}

Value GemmFinishEmitter::load(unsigned input, ValueRange at, int64_t lanes) {
  const SimtMemory &m = finish->memory[input];
  if (m.constant) {
    auto type = VectorType::get({lanes}, m.constant.getType());
    return arith::ConstantOp::create(*b, DenseElementsAttr::get(type, Attribute(m.constant)));
  }
  const int64_t bytes = bytesOf(m.element);
  Value offset = b->k(0);
  int64_t alignment = std::gcd<int64_t>(16, m.slot.offset), stride = 0;
  for (size_t i = 0; i < indices.size(); ++i) {
    const int64_t step = indices[i]->inputs[input];
    if (step) offset = b->plus(offset, b->times(b->toIndex(at[i]), step));
    if (i == neighbour) stride = step;
    alignment = std::gcd(alignment, step * bytes * (i == neighbour ? 2 : 1));
  }
  if (lanes == 1) return b->loadLanes(pointers[input], m.element, offset, 1, bytes);
  if (stride == 0) return b->spread(b->lane(b->loadLanes(pointers[input], m.element, offset, 1, bytes), 0), lanes);
  if (stride != 1) return b->gatherLanes(pointers[input], m.element, offset, stride, lanes);
  return b->loadLanes(pointers[input], m.element, offset, lanes, std::min(alignment, lanes * bytes));
}

SmallVector<Value> GemmFinishEmitter::results(ValueRange at, ValueRange sums) {
  // Both builders write to one place, in turns.
  b->setInsertionPoint(kernel->getInsertionBlock(), kernel->getInsertionPoint());
  const int64_t lanes = int64_t(sums.size());
  SmallVector<Value> inputs;
  for (unsigned i = 0; i < finish->memory.size(); ++i)
    inputs.push_back(i == finish->sum ? b->vectorOf(SmallVector<Value>(sums)) : load(i, at, lanes));
  BodyEmitter body(*b, finish->op, lanes, inputs, [](int64_t) { return Value(); });
  // The kernel rounds.
  Value term = analyseReduction(finish->op)->term;
  auto rounding = term.getDefiningOp<arith::TruncFOp>();
  Value value = b->convert(body.emit(rounding ? rounding.getIn() : term), b->getF32Type(), false);
  SmallVector<Value> results;
  for (int64_t i = 0; i < lanes; ++i) results.push_back(b->lane(value, i));
  kernel->setInsertionPoint(b->getInsertionBlock(), b->getInsertionPoint());
  return results;
}

} // namespace ein
