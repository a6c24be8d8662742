// What an attention kernel takes from the operations of its cascade: scores, masks and results that no plan can say.
#pragma once

#include "compiler/Gpu/AttentionPlan.h"
#include "compiler/Gpu/CascadeOperands.h"
#include "compiler/Gpu/KernelBuilder.h"

#include <optional>

namespace ein {

/// The operations behind `AttentionPlan::bodies`.
struct AttentionBodies {
  CascadeRegion cascade;
  std::vector<int> batch, rows;                            ///< by index of the plan: that of the cascade; -1: none
  int width = -1;                                          ///< index of the cascade
  int product = -1, maximum = -1, total = -1, output = -1; ///< virtual tensors
  std::vector<size_t> scores, guards;                      ///< operations, in their order
  std::optional<size_t> low, high, result, logSum;
  std::vector<SimtMemory> memory; ///< as CascadeOperands wants it

  /// Whether operation `op` is one of them.
  bool takes(size_t op) const;
};

/// Emits them into an attention kernel, on pairs of neighbours where extents are even. What lies behind the end of the
/// rows or keys is computed as the last one, and is for others to discard.
class AttentionBodyEmitter {
public:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;

  /// `bodies`: null where the plan has none.
  AttentionBodyEmitter(mlir::gpu::GPUModuleOp module, const AttentionPlan &plan, const AttentionBodies *bodies);

  /// What the kernel takes after the plan's own parameters.
  std::vector<GpuArgument> parameters() const;
  /// Before anything is emitted: the kernel's builder, and the first of those parameters.
  void bind(KernelBuilder &kernel, unsigned firstParameter);

  /// The first key of a row, or the first after its keys.
  Value bound(bool low, ValueRange batch, ValueRange rows);
  /// Scores of two neighbouring keys from their products, which are scaled.
  std::pair<Value, Value> scores(ValueRange batch, ValueRange rows, Value key, Value first, Value second);
  /// Whether they count.
  std::pair<Value, Value> counts(ValueRange batch, ValueRange rows, Value key);
  /// Results in two neighbouring columns.
  std::pair<Value, Value> results(ValueRange batch, ValueRange rows, Value column, Value first, Value second,
                                  Value total, Value maximum);
  Value logSum(ValueRange batch, ValueRange rows, Value total, Value maximum);

private:
  using Position = CascadeOperands::Position;
  Position place(ValueRange batch, ValueRange rows);
  /// `lanes` neighbours of an index; the last of them is its last one.
  void setAlong(Position &at, int index, Value first, int64_t lanes);
  llvm::SmallVector<Value> given(size_t op, llvm::ArrayRef<std::pair<int, Value>> tensors);
  std::pair<Value, Value> inPairs(int along, Value first,
                                  llvm::function_ref<Value(const Position &, int64_t lanes, int64_t from)> body,
                                  Position at);
  void enter();
  void leave();

  const AttentionPlan &p;
  const AttentionBodies *bodies;
  std::optional<SimtBuilder> b;
  std::optional<CascadeOperands> operands;
  KernelBuilder *kernel = nullptr;
};

} // namespace ein
