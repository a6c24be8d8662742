// The project's passes: those of the CPU pipeline in its order, then that of GPUs.
#ifndef EIN_PASSES
#define EIN_PASSES

include "mlir/Pass/PassBase.td"

def PlanKernels : Pass<"ein-plan-kernels", "::mlir::func::FuncOp"> {
  let summary = "Attach a plan to every linalg operation and fused cascade";
  let description = [{
    Before: linalg operations on memrefs of static shapes and strides.
    After: each carries `ein.plan`, the decisions the next pass obeys. Nothing else changes, so a plan can
    be read, edited and replayed. Decisions in the function's `ein.tuned` are taken where they fit their step.
  }];
  let options = [
    Option<"vectorBytes", "vector-bytes", "int64_t", "64", "Bytes of a vector register">,
    Option<"vectorRegisters", "vector-registers", "int64_t", "32", "Vector registers">,
    Option<"fma", "fma", "bool", "true", "Whether the target has fused multiply-add">,
    Option<"splitsWideVectors", "splits-wide-vectors", "bool", "false", "Whether a 64-byte operation takes two slots">,
    Option<"l1Bytes", "l1", "int64_t", "32768", "L1 data cache, bytes">,
    Option<"l2Bytes", "l2", "int64_t", "1048576", "L2 cache, bytes">,
    Option<"l3Bytes", "l3", "int64_t", "33554432", "L3 cache, bytes">,
    Option<"threads", "threads", "int64_t", "1", "Team size">
  ];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def EmitNests : Pass<"ein-emit-nests", "::mlir::ModuleOp"> {
  let summary = "Replace planned linalg operations by their nests and the kernel by its C entry point";
  let description = [{
    Before: one function `@kernel` whose memref arguments carry `ein.operand`, `ein.result` or
    `ein.workspace`, and whose linalg operations carry `ein.plan`.
    After: `@ein_kernel(operands, results, workspace)` over raw pointers, which calls private functions in
    scf, vector, memref, arith and omp. The module says what it needs in `ein.workspace_bytes` and
    `ein.threads`.
  }];
  let options = [
    Option<"fma", "fma", "bool", "true", "Whether the target has fused multiply-add">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::omp::OpenMPDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect", "::mlir::ub::UBDialect"
  ];
}

def LowerToLLVM : Pass<"ein-lower-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Convert nests to the LLVM dialect in one conversion";
  let description = [{
    Before: what ein-emit-nests leaves.
    After: the LLVM and omp dialects only, no unrealized casts. One conversion with all patterns costs half
    of a pass per dialect.
  }];
  let dependentDialects = ["::mlir::cf::ControlFlowDialect", "::mlir::LLVM::LLVMDialect"];
}

def EmitGpuKernels : Pass<"ein-emit-gpu-kernels", "::mlir::ModuleOp"> {
  let summary = "Emit the kernels of plans in text";
  let description = [{
    Before: a module whose `ein.kernels` is a dictionary of plans as their `str()` writes them, by the names of their
    kernels.
    After: `gpu.module @kernels` holds them, in gpu, nvvm, llvm, scf and arith. For tests of the emitters.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect"
  ];
}

def LowerKernels : Pass<"ein-lower-kernels", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Convert GPU kernels to the LLVM dialect in one conversion";
  let description = [{
    Before: a gpu.module of `llvm.func` kernels in the nvvm, llvm, scf and arith dialects.
    After: the llvm dialect, and of nvvm what LLVM has intrinsics for; other nvvm operations are inline PTX.
  }];
  let dependentDialects = ["::mlir::cf::ControlFlowDialect", "::mlir::LLVM::LLVMDialect"];
}

def PlanAttention : Pass<"ein-plan-attention", "::mlir::func::FuncOp"> {
  let summary = "Attach an attention plan to every fused cascade that is one";
  let description = [{
    Before: cascades as regions with `ein.cascade`.
    After: each that one attention kernel for Hopper computes carries its plan as text in `ein.attention`; on the others
    a remark says why it cannot.
  }];
}

#endif
