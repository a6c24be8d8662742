// From the linalg operations of a kernel to the kernels of a GPU: plans, then a gpu.module and its launches.
#pragma once

#include "compiler/Gpu/AttentionBodies.h"
#include "compiler/Gpu/EmitSimt.h"
#include "compiler/Gpu/GemmFinish.h"
#include "compiler/Gpu/MmaPlan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <variant>

namespace ein {

/// One linalg operation, or one fused cascade, planned.
struct GpuStep {
  mlir::linalg::LinalgOp op; ///< null for a cascade
  CascadeRegion cascade;     ///< of a SimtCascadePlan
  AttentionBodies bodies;    ///< of an AttentionPlan that has some
  GemmFinish finish;         ///< of a GemmPlan or MmaPlan that has one
  std::string name;          ///< of its first kernel: step0, step1, ...
  std::variant<SimtPlan, GemmPlan, MmaPlan, AttentionPlan, SimtCascadePlan> plan;
  std::string reason = {}; ///< why it is not the plan that the GPU is fastest with; empty if it is
  /// Its operands, then what its body gathers from; of attention Q, K, V, O and L, then that of its bodies; of other
  /// cascades as `emitSimtCascade` wants it.
  std::vector<SimtMemory> memory;
  bool overwrite = false;
  /// Of the operations that it does, in the order of the kernel: a contraction may store what another makes of its
  /// sums.
  std::vector<size_t> numbers = {};

  /// Bytes of the workspace that its kernels use among themselves.
  int64_t scratchBytes() const;
  /// One line: the decisions.
  std::string str() const;
};

/// Whether this GPU has a kernel for every fused cascade.
bool takesCascades(mlir::func::FuncOp kernel, const GpuModel &gpu);

/// Plans every step of `@kernel`, whose memref arguments carry `ein.operand`, `ein.result` or `ein.workspace`. Fails
/// with a diagnostic on what has no static shape, no argument behind it, or a body that reduces in no known way.
mlir::FailureOr<std::vector<GpuStep>> planGpuSteps(mlir::func::FuncOp kernel, const GpuModel &gpu);

/// What a GPU runs.
struct GpuKernels {
  mlir::gpu::GPUModuleOp module; ///< `@kernels`, at the end of the function's module
  std::vector<GpuLaunch> launches;
  int64_t workspaceBytes = 0; ///< intermediates, then parts of split reductions
};

/// Emits the kernels of all steps. The kernel function stays as it is.
GpuKernels emitGpuKernels(mlir::func::FuncOp kernel, const std::vector<GpuStep> &steps);

} // namespace ein
