// Fused cascades by warps: rows, the range of their keys, operands, and what becomes of the sums.
#include "compiler/Gpu/SimtCascadeEmitter.h"
#include "compiler/Lowering/PlanAttr.h"

#include <numeric>

using namespace mlir;

namespace ein {

/// The value of each of `indices` at a point; the last one counts in runs of `lastWidth`.
void SimtCascadeEmitter::decompose(Value number, ArrayRef<int> indices, Position &at, int64_t lastWidth) {
  for (size_t i = indices.size(); i-- > 0;) {
    const int64_t width = i + 1 == indices.size() ? lastWidth : 1, trips = shape.extent(indices[i]) / width;
    at[indices[i]] = b.times(i == 0 ? number : b.modulo(number, trips), width);
    if (i > 0) number = b.over(number, trips);
  }
}

/// `count` rows of a warp's item. Where there are fewer, the last one is computed again and not stored.
SmallVector<SimtCascadeEmitter::Row> SimtCascadeEmitter::rowsOf(Value item, int64_t count) {
  const int64_t shared = p.sharedRows(), groups = ceilDiv(shared, count);
  Value batch = b.over(item, groups), first = b.times(b.modulo(item, groups), count);
  Position at(shape.extents.size());
  decompose(batch, p.flow.batch, at);
  SmallVector<Row> rows(count);
  for (auto [r, row] : llvm::enumerate(rows)) {
    Value number = b.plus(first, r);
    if (shared % count != 0) {
      row.inside = b.less(number, shared);
      number = b.least(number, shared - 1);
    }
    row.number = b.plus(b.times(batch, shared), number);
    row.at = at;
    decompose(number, p.flow.shared, row.at);
    row.tensors.resize(shape.tensors);
  }
  return rows;
}

/// The keys that count for a row, from all operations that bound them.
void SimtCascadeEmitter::findBounds(Row &row) {
  for (auto [i, op] : llvm::enumerate(shape.ops)) {
    if (op.role != CascadeRole::Low && op.role != CascadeRole::High) continue;
    Value bound = boundOf(i, row.at);
    Value &known = op.role == CascadeRole::Low ? row.low : row.high;
    if (known && op.role == CascadeRole::Low)
      bound = b.createOrFold<arith::MaxUIOp>(known, bound);
    else if (known)
      bound = b.least(known, bound);
    known = bound;
  }
}

/// Vectors in which a thread keeps what an operation makes of a row.
int64_t SimtCascadeEmitter::runs(size_t op) {
  const int product = p.productOf(op);
  return product < 0 ? 1 : ceilDiv(p.stateElements(op), SimtCascadePlan::kWarp * p.lanes[product]);
}

SimtCascadeEmitter::Values SimtCascadeEmitter::initialState(size_t rows) {
  Values values;
  for (size_t r = 0; r < rows; ++r)
    for (auto [i, op] : llvm::enumerate(shape.ops)) {
      if (!p.lasts(i)) continue;
      const int product = p.productOf(i);
      const Combine combine = op.role == CascadeRole::Max ? Combine::Max : Combine::Add;
      values.append(runs(i), emitIdentity(b, combine, product < 0 ? 1 : p.lanes[product]));
    }
  return values;
}

void SimtCascadeEmitter::setState(MutableArrayRef<Row> rows, ValueRange values) {
  for (Row &row : rows)
    for (auto [i, op] : llvm::enumerate(shape.ops)) {
      if (!p.lasts(i)) continue;
      row.tensors[op.output.tensor] = Values(values.take_front(runs(i)));
      values = values.drop_front(runs(i));
    }
}

SimtCascadeEmitter::Values SimtCascadeEmitter::stateOf(ArrayRef<Row> rows) {
  Values values;
  for (const Row &row : rows)
    for (auto [i, op] : llvm::enumerate(shape.ops))
      if (p.lasts(i)) llvm::append_range(values, row.tensors[op.output.tensor]);
  return values;
}

SimtCascadeEmitter::Values SimtCascadeEmitter::given(size_t op, const Row &row) {
  Values values;
  for (const CascadeAccess &input : shape.ops[op].inputs)
    values.push_back(input.tensor < 0 ? Value() : row.tensors[input.tensor][0]);
  return values;
}

/// Sums over keys that the lanes of a warp have taken become those of the row.
void SimtCascadeEmitter::foldSums(Row &row) {
  for (auto [i, op] : llvm::enumerate(shape.ops))
    if (op.isPlainSum()) row.tensors[op.output.tensor][0] = foldWarp(Combine::Add, row.tensors[op.output.tensor][0]);
}

SimtCascadeEmitter::Position SimtCascadeEmitter::sumPlace(ArrayRef<int> across, const Position &at, int64_t j,
                                                          int64_t lanes, Value &inside) {
  const int64_t trips = p.points(std::vector<int>(across)) / lanes;
  Value run = b.plus(warpLane, j * SimtCascadePlan::kWarp);
  inside = {};
  if ((j + 1) * SimtCascadePlan::kWarp > trips) {
    inside = b.less(run, trips);
    run = b.least(run, trips - 1);
  }
  Position place = at;
  decompose(run, across, place, lanes);
  return place;
}

void SimtCascadeEmitter::start(ValueRange values) {
  bind(values.take_front(parameters().size()));
  parts = values.size() > parameters().size() ? values.back() : Value();
  Value thread = b.threadNumber();
  warpLane = b.modulo(thread, SimtCascadePlan::kWarp);
  item = b.plus(b.times(b.blockNumber(0), SimtCascadePlan::kThreads / SimtCascadePlan::kWarp),
                b.over(thread, SimtCascadePlan::kWarp));
}

void SimtCascadeEmitter::passKernel(ValueRange values) {
  start(values);
  b.when(b.less(item, p.items()), [&] {
    SmallVector<Row> rows = rowsOf(item, p.rows);
    Value low = b.k(0), high = b.k(p.keys());
    if (p.split > 1) {
      low = b.times(b.blockNumber(1), p.chunk);
      high = b.least(b.plus(low, p.chunk), high);
    }
    Value lowest, highest;
    for (Row &row : rows) {
      findBounds(row);
      if (row.low) lowest = lowest ? b.least(lowest, row.low) : row.low;
      if (row.high) highest = highest ? b.createOrFold<arith::MaxUIOp>(highest, row.high) : row.high;
    }
    if (lowest) low = b.createOrFold<arith::MaxUIOp>(low, lowest);
    if (highest) high = b.least(high, highest);
    Values state = b.forEach(low, high, b.k(SimtCascadePlan::kWarp), initialState(rows.size()),
                             [&](Value base, ValueRange carried) { return tile(base, high, rows, carried); });
    setState(rows, state);
    for (Row &row : rows) {
      foldSums(row);
      if (p.split > 1)
        storeState(row);
      else
        storeResults(row);
    }
  });
}

void SimtCascadeEmitter::emit(StringRef name, int64_t scratch, std::vector<GpuLaunch> &launches) {
  GpuLaunch launch;
  launch.name = name.str();
  launch.grid = {p.blocks(), p.split, 1};
  launch.block = {SimtCascadePlan::kThreads, 1, 1};
  launch.arguments = parameters();
  if (p.split > 1) launch.arguments.push_back(GpuArgument::pointer({GpuSlot::Kind::Workspace, 0, scratch}));
  b.kernel(module, name, SimtCascadePlan::kThreads, launch.arguments.size(),
           [&](ValueRange values) { passKernel(values); });
  launches.push_back(launch);
  if (p.split == 1) return;
  launch.name += "_combine";
  launch.grid = {ceilDiv(p.allRows(), SimtCascadePlan::kThreads / SimtCascadePlan::kWarp), 1, 1};
  b.kernel(module, launch.name, SimtCascadePlan::kThreads, launch.arguments.size(),
           [&](ValueRange values) { combineKernel(values); });
  launches.push_back(launch);
}

void emitSimtCascade(gpu::GPUModuleOp module, const SimtCascadePlan &plan, const CascadeRegion &region,
                     ArrayRef<SimtMemory> memory, int64_t scratch, StringRef name, std::vector<GpuLaunch> &launches) {
  constexpr double most = double(int64_t(1) << 30);
  const bool wide = CascadeOperands::needsWideIndices(region) || double(plan.partBytes()) > most ||
                    double(plan.items()) * SimtCascadePlan::kWarp > most;
  linalg::LinalgOp first = region.ops.front();
  SimtBuilder b(first.getLoc(), first.getContext(), region.element, wide);
  SimtCascadeEmitter(b, module, plan, region, memory).emit(name, scratch, launches);
}

} // namespace ein
