// Operations of a cascade within an attention kernel.
#include "compiler/Gpu/AttentionBodies.h"

using namespace mlir;

namespace ein {

bool AttentionBodies::takes(size_t op) const {
  return llvm::is_contained(scores, op) || llvm::is_contained(guards, op) || low == op || high == op || result == op ||
         logSum == op;
}

AttentionBodyEmitter::AttentionBodyEmitter(gpu::GPUModuleOp module, const AttentionPlan &plan,
                                           const AttentionBodies *bodies)
    : p(plan), bodies(bodies) {
  if (!bodies) return;
  b.emplace(module.getLoc(), module.getContext(), bodies->cascade.element,
            CascadeOperands::needsWideIndices(bodies->cascade));
  operands.emplace(*b, bodies->cascade, bodies->memory);
}

std::vector<GpuArgument> AttentionBodyEmitter::parameters() const {
  return operands ? operands->parameters() : std::vector<GpuArgument>();
}

void AttentionBodyEmitter::bind(KernelBuilder &builder, unsigned firstParameter) {
  kernel = &builder;
  if (operands) operands->bind(ValueRange(kernel->function.getArguments()).drop_front(firstParameter));
}

/// Both builders write to one place, in turns.
void AttentionBodyEmitter::enter() { b->setInsertionPoint(kernel->getInsertionBlock(), kernel->getInsertionPoint()); }
void AttentionBodyEmitter::leave() { kernel->setInsertionPoint(b->getInsertionBlock(), b->getInsertionPoint()); }

AttentionBodyEmitter::Position AttentionBodyEmitter::place(ValueRange batch, ValueRange rows) {
  Position at(bodies->cascade.shape.extents.size());
  for (auto [index, x] : llvm::zip_equal(bodies->batch, batch))
    if (index >= 0) at[index] = b->toIndex(x);
  for (auto [index, d, x] : llvm::zip_equal(bodies->rows, p.rows, rows)) {
    if (index < 0) continue;
    at[index] = b->toIndex(x);
    if (d.extent % d.tile != 0) at[index] = b->least(at[index], d.extent - 1);
  }
  return at;
}

void AttentionBodyEmitter::setAlong(Position &at, int index, Value first, int64_t lanes) {
  at[index] = b->least(b->toIndex(first), bodies->cascade.shape.extent(index) - lanes);
}

/// The virtual inputs of an operation, of those that are at hand.
SmallVector<Value> AttentionBodyEmitter::given(size_t op, ArrayRef<std::pair<int, Value>> tensors) {
  SmallVector<Value> values;
  for (const CascadeAccess &input : bodies->cascade.shape.ops[op].inputs) {
    values.push_back({});
    for (const auto &[tensor, value] : tensors)
      if (input.tensor >= 0 && input.tensor == tensor) values.back() = value;
  }
  return values;
}

/// A body on two neighbours along an index: at once where it has no odd end.
std::pair<Value, Value> AttentionBodyEmitter::inPairs(int along, Value first,
                                                      function_ref<Value(const Position &, int64_t, int64_t)> body,
                                                      Position at) {
  if (bodies->cascade.shape.extent(along) % 2 == 0) {
    setAlong(at, along, first, 2);
    Value both = body(at, 2, 0);
    return {b->lane(both, 0), b->lane(both, 1)};
  }
  Value results[2];
  for (int64_t i : {0, 1}) {
    setAlong(at, along, b->plus(b->toIndex(first), i), 1);
    results[i] = b->lane(body(at, 1, i), 0);
  }
  return {results[0], results[1]};
}

Value AttentionBodyEmitter::bound(bool low, ValueRange batch, ValueRange rows) {
  enter();
  Value bound = b->toI32(operands->boundOf(low ? *bodies->low : *bodies->high, place(batch, rows)));
  leave();
  return bound;
}

std::pair<Value, Value> AttentionBodyEmitter::scores(ValueRange batch, ValueRange rows, Value key, Value first,
                                                     Value second) {
  enter();
  const int along = bodies->cascade.shape.key;
  const auto result = inPairs(
      along, key,
      [&](const Position &at, int64_t lanes, int64_t from) {
        const Value products[2] = {first, second};
        SmallVector<std::pair<int, Value>> tensors{
            {bodies->product, b->vectorOf(ArrayRef(products).slice(from, lanes))}};
        for (size_t op : bodies->scores)
          tensors.emplace_back(bodies->cascade.shape.ops[op].output.tensor,
                               operands->evaluate(op, at, along, lanes, given(op, tensors)));
        return tensors.back().second;
      },
      place(batch, rows));
  leave();
  return result;
}

std::pair<Value, Value> AttentionBodyEmitter::counts(ValueRange batch, ValueRange rows, Value key) {
  enter();
  const int along = bodies->cascade.shape.key;
  const auto result = inPairs(
      along, key,
      [&](const Position &at, int64_t lanes, int64_t) {
        Value all;
        for (size_t op : bodies->guards) all = b->both(all, operands->evaluate(op, at, along, lanes, {}));
        return all;
      },
      place(batch, rows));
  leave();
  return result;
}

std::pair<Value, Value> AttentionBodyEmitter::results(ValueRange batch, ValueRange rows, Value column, Value first,
                                                      Value second, Value total, Value maximum) {
  enter();
  const auto result = inPairs(
      bodies->width, column,
      [&](const Position &at, int64_t lanes, int64_t from) {
        const Value sums[2] = {first, second};
        const std::pair<int, Value> tensors[] = {{bodies->output, b->vectorOf(ArrayRef(sums).slice(from, lanes))},
                                                 {bodies->total, b->spread(total, lanes)},
                                                 {bodies->maximum, b->spread(maximum, lanes)}};
        const size_t op = *bodies->result;
        Value value = operands->evaluate(op, at, bodies->width, lanes, given(op, tensors), {}, /*keepsWide=*/true);
        return b->convert(value, b->getF32Type(), false);
      },
      place(batch, rows));
  leave();
  return result;
}

Value AttentionBodyEmitter::logSum(ValueRange batch, ValueRange rows, Value total, Value maximum) {
  enter();
  const std::pair<int, Value> tensors[] = {{bodies->total, b->spread(total, 1)},
                                           {bodies->maximum, b->spread(maximum, 1)}};
  const size_t op = *bodies->logSum;
  Value value = operands->evaluate(op, place(batch, rows), -1, 1, given(op, tensors), {}, /*keepsWide=*/true);
  value = b->lane(b->convert(value, b->getF32Type(), false), 0);
  leave();
  return value;
}

} // namespace ein
