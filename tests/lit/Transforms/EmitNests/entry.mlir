// The C entry point: pointers from arrays, views of the workspace, one call per operation, nothing of linalg left.
// RUN: %ein-opt -ein-plan-kernels -ein-emit-nests %s | FileCheck %s --implicit-check-not=linalg --implicit-check-not=@kernel

// The intermediate takes 4096 bytes of the workspace; scratch memory of the nests follows it.
// CHECK: module attributes {ein.threads = 1 : i64, ein.workspace_bytes = {{[0-9]+}} : i64}
// CHECK: func.func @ein_kernel(%[[OPERANDS:.*]]: !llvm.ptr, %[[RESULTS:.*]]: !llvm.ptr, %[[WORKSPACE:.*]]: !llvm.ptr) {
// CHECK: llvm.getelementptr %[[OPERANDS]][0] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
// The layout of operand 1 begins 30 elements below the element at index zero.
// CHECK: %[[SLOT:.*]] = llvm.getelementptr %[[OPERANDS]][1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
// CHECK: %[[ZERO:.*]] = llvm.load %[[SLOT]]
// CHECK: %[[BYTES:.*]] = arith.constant -120 : i64
// CHECK: llvm.getelementptr %[[ZERO]][%[[BYTES]]] : (!llvm.ptr, i64) -> !llvm.ptr, i8
// CHECK: llvm.getelementptr %[[RESULTS]][0] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
// CHECK: call @step0(
// CHECK: call @step1(
// CHECK: return
// CHECK: func.func private @step0({{.*}}llvm.linkage = #llvm.linkage<internal>, passthrough = ["noinline"]
// CHECK: func.func private @step1(
func.func @kernel(%a: memref<32x32xf32> {ein.operand = 0 : i64}, %b: memref<31xf32> {ein.operand = 1 : i64, ein.low = -30 : i64},
                  %c: memref<32xf32> {ein.result = 0 : i64}, %w: memref<4096xi8> {ein.workspace}) {
  %at = arith.constant 0 : index
  %t = memref.view %w[%at][] : memref<4096xi8> to memref<32x31xf32>
  %r = memref.reinterpret_cast %b to offset: [30], sizes: [31], strides: [-1] : memref<31xf32> to memref<31xf32, strided<[-1], offset: 30>>
  %z = memref.reinterpret_cast %a to offset: [0], sizes: [32, 31], strides: [32, 1] : memref<32x32xf32> to memref<32x31xf32, strided<[32, 1]>>
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
                  iterator_types = ["parallel", "parallel"]}
    ins(%z, %r : memref<32x31xf32, strided<[32, 1]>>, memref<31xf32, strided<[-1], offset: 30>>) outs(%t : memref<32x31xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    linalg.yield %p : f32
  }
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<32xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
    ins(%t : memref<32x31xf32>) outs(%c : memref<32xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.addf %acc, %x : f32
    linalg.yield %s : f32
  }
  return
}
