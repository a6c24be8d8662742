// The pointwise operation that the sums of a contraction go through before they are stored.
#pragma once

#include "compiler/Gpu/EmitSimt.h"
#include "compiler/Gpu/GemmPlan.h"
#include "compiler/Gpu/KernelBuilder.h"
#include "compiler/Gpu/SimtBuilder.h"

#include <optional>

namespace ein {

/// An operation whose result a kernel for tensor cores stores in the place of its sums, which are f32 and never reach
/// memory. It reads the sum at its own place, and any other tensors.
struct GemmFinish {
  mlir::linalg::LinalgOp op;      ///< null: sums are stored as they are
  unsigned sum = 0;               ///< number of the input that is the sum
  std::vector<SimtMemory> memory; ///< of its inputs

  /// Of an index of the result: elements that the result moves along it, by which plans name it, and each input.
  struct Index {
    int64_t result = 0;
    std::vector<int64_t> inputs;
  };
  std::vector<Index> indices;
};

/// Emits it into a kernel.
class GemmFinishEmitter {
public:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;

  /// `finish`: null, or without an operation, where there is none. `groups`: the plan's batch, M and N.
  GemmFinishEmitter(mlir::gpu::GPUModuleOp module, const GemmFinish *finish, std::array<const GemmDims *, 3> groups);

  explicit operator bool() const { return b.has_value(); }
  /// What the kernel that stores results takes after its own parameters.
  std::vector<GpuArgument> parameters() const;
  /// Before anything is emitted: the kernel's builder, and the first of those parameters.
  void bind(KernelBuilder &kernel, unsigned firstParameter);

  /// What is stored of one sum, or of two that are neighbours along the first index of N, the first of which is even.
  /// `at`: coordinates of all indices, which exist.
  llvm::SmallVector<Value> results(ValueRange at, ValueRange sums);

private:
  Value load(unsigned input, ValueRange at, int64_t lanes);

  const GemmFinish *finish;
  unsigned neighbour = 0;                         ///< among the indices: the first of N
  std::vector<const GemmFinish::Index *> indices; ///< in the order of the plan
  std::optional<SimtBuilder> b;
  KernelBuilder *kernel = nullptr;
  llvm::SmallVector<Value> pointers; ///< of the inputs; null where they have no memory
};

} // namespace ein
