// One conversion leaves the LLVM dialect, and omp around it; no casts.
// RUN: %ein-opt -ein-plan-kernels=threads=2 -ein-emit-nests -ein-lower-to-llvm %s \
// RUN:   | FileCheck %s --implicit-check-not=unrealized --implicit-check-not=scf. --implicit-check-not=vector. --implicit-check-not=arith. \
// RUN:     --implicit-check-not=memref. --implicit-check-not=func.func --implicit-check-not=cf. --implicit-check-not=ub.

// CHECK: ein.threads = 2
// CHECK: ein.workspace_bytes
// CHECK: llvm.func @ein_kernel(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr)
// CHECK: omp.parallel num_threads({{.*}} : i32)
// CHECK: omp.wsloop nowait schedule(static)
// CHECK: omp.loop_nest ({{.*}}) : i64
// CHECK: llvm.call @step0{{.*}}({{.*}}) : (!llvm.ptr, !llvm.ptr, !llvm.ptr, !llvm.ptr, i64
// CHECK: llvm.func internal @step0{{.*}}noinline
func.func @kernel(%a: memref<512x512xf32> {ein.operand = 0 : i64}, %b: memref<512x512xf32> {ein.operand = 1 : i64},
                  %c: memref<512x512xf32> {ein.result = 0 : i64}) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<512x512xf32>)
  linalg.contract indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
    ins(%a, %b : memref<512x512xf32>, memref<512x512xf32>) outs(%c : memref<512x512xf32>)
  return
}
