// A fused cascade becomes five functions for each width of its panels, and nothing it allocates is left.
// RUN: %ein-opt -ein-plan-kernels %s -o %t.mlir
// RUN: %ein-opt -ein-emit-nests %t.mlir | FileCheck %s --implicit-check-not=memref.alloc --implicit-check-not=linalg
// RUN: sed -E 's/ keys = 96/ keys = 48/; s/ mr_wide = 6/ mr_wide = 4/; s/ nv = 4/ nv = 2/; s/ wide_panels = 8/ wide_panels = 16/' %t.mlir \
// RUN:   | %ein-opt -ein-emit-nests | FileCheck %s --check-prefix=EDITED
// RUN: %ein-opt -ein-plan-kernels="threads=2" -ein-emit-nests %s | FileCheck %s --check-prefix=TEAM
// RUN: %ein-opt -ein-emit-nests -ein-lower-to-llvm %t.mlir | FileCheck %s --check-prefix=LLVM

// CHECK: module attributes {ein.threads = 1 : i64, ein.workspace_bytes = {{[0-9]+}} : i64}
// CHECK-LABEL: func.func @ein_kernel
// CHECK: call @step0(
// CHECK-LABEL: func.func private @step0_wide_begin
// The last key of a lane is the lane's number and one.
// CHECK: arith.addi {{.*}} : vector<16xi32>
// CHECK: vector.reduction <maxsi>
// CHECK-LABEL: func.func private @step0_wide_tile
// The inner product, then only tiles of keys that some query does not see are masked.
// CHECK: :24 = scf.for
// CHECK: vector.fma
// CHECK: scf.if {{.*}} -> (vector<16xf32>
// CHECK-LABEL: func.func private @step0_wide_weights
// CHECK: vector.reduction <or>
// CHECK: llvm.intr.ceil
// CHECK-NOT: math.
// CHECK-LABEL: func.func private @step0_wide_sums
// CHECK: vector.fma
// CHECK-LABEL: func.func private @step0_wide_finish
// CHECK: arith.divf
// CHECK-LABEL: func.func private @step0(
// CHECK: call @step0_wide_begin
// CHECK: scf.for
// CHECK: call @step0_wide_tile
// CHECK: call @step0_wide_weights
// CHECK: call @step0_wide_sums
// CHECK: call @step0_wide_finish

// EDITED: :8 = scf.for
// TEAM: ein.threads = 2
// TEAM: omp.parallel num_threads
// LLVM-NOT: unrealized_conversion_cast
#hqd = affine_map<(h, q, k, d) -> (h, q, d)>
#hkd = affine_map<(h, q, k, d) -> (h, k, d)>
#hqk5 = affine_map<(h, q, k, d) -> (h, q, k)>
#hq = affine_map<(h, q) -> (h, q)>
#hqk = affine_map<(h, q, k) -> (h, q, k)>
#rows = affine_map<(h, q, k) -> (h, q)>
#w = affine_map<(h, q, e, k) -> (h, q, k)>
#v = affine_map<(h, q, e, k) -> (h, k, e)>
#acc = affine_map<(h, q, e, k) -> (h, q, e)>
#hqe = affine_map<(h, q, e) -> (h, q, e)>
#l = affine_map<(h, q, e) -> (h, q)>
func.func @kernel(%Q: memref<4x512x64xf32> {ein.operand = 0 : i64}, %K: memref<4x512x64xf32> {ein.operand = 1 : i64},
                  %V: memref<4x512x64xf32> {ein.operand = 2 : i64}, %O: memref<4x512x64xf32> {ein.result = 0 : i64}) {
  scf.execute_region {
    %hi = memref.alloc() : memref<4x512xi32>
    linalg.generic {indexing_maps = [#hq], iterator_types = ["parallel", "parallel"]} outs(%hi : memref<4x512xi32>)
      attrs = {ein.loops = array<i64: 0, 1>, ein.role = "high"} {
    ^bb0(%o: i32):
      %i = linalg.index 1 : index
      %q = arith.index_cast %i : index to i32
      %one = arith.constant 1 : i32
      %end = arith.addi %q, %one : i32
      linalg.yield %end : i32
    }
    %S = memref.alloc() : memref<4x512x512xf32>
    linalg.contract indexing_maps = [#hqd, #hkd, #hqk5] ins(%Q, %K : memref<4x512x64xf32>, memref<4x512x64xf32>) outs(%S : memref<4x512x512xf32>)
      {ein.loops = array<i64: 0, 1, 2, 3>, ein.role = "tile"}
    %m = memref.alloc() : memref<4x512xf32>
    linalg.generic {indexing_maps = [#hqk, #rows], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%S : memref<4x512x512xf32>) outs(%m : memref<4x512xf32>) attrs = {ein.loops = array<i64: 0, 1, 2>, ein.role = "max"} {
    ^bb0(%s: f32, %o: f32):
      %x = arith.maximumf %o, %s : f32
      linalg.yield %x : f32
    }
    %W = memref.alloc() : memref<4x512x512xf32>
    linalg.generic {indexing_maps = [#hqk, #rows, #hqk], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%S, %m : memref<4x512x512xf32>, memref<4x512xf32>) outs(%W : memref<4x512x512xf32>)
      attrs = {ein.loops = array<i64: 0, 1, 2>, ein.role = "weight"} {
    ^bb0(%s: f32, %most: f32, %o: f32):
      %x = arith.subf %s, %most : f32
      %y = math.exp %x : f32
      linalg.yield %y : f32
    }
    %l = memref.alloc() : memref<4x512xf32>
    linalg.generic {indexing_maps = [#hqk, #rows], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%W : memref<4x512x512xf32>) outs(%l : memref<4x512xf32>) attrs = {ein.loops = array<i64: 0, 1, 2>, ein.role = "sum"} {
    ^bb0(%s: f32, %o: f32):
      %x = arith.addf %o, %s : f32
      linalg.yield %x : f32
    }
    %acc = memref.alloc() : memref<4x512x64xf32>
    linalg.contract indexing_maps = [#w, #v, #acc] ins(%W, %V : memref<4x512x512xf32>, memref<4x512x64xf32>) outs(%acc : memref<4x512x64xf32>)
      {ein.loops = array<i64: 0, 1, 4, 2>, ein.role = "sum"}
    linalg.generic {indexing_maps = [#hqe, #l, #hqe], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%acc, %l : memref<4x512x64xf32>, memref<4x512xf32>) outs(%O : memref<4x512x64xf32>) attrs = {ein.loops = array<i64: 0, 1, 4>, ein.role = "finish"} {
    ^bb0(%a: f32, %s: f32, %o: f32):
      %x = arith.divf %a, %s : f32
      linalg.yield %x : f32
    }
    scf.yield
  } {ein.cascade = {key = 2 : i64}}
  return
}
