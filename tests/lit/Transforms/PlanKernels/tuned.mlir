// Plans from outside are taken where they fit their step; else the planner's own says why not.
// RUN: %ein-opt -ein-plan-kernels -split-input-file %s | FileCheck %s
// RUN: %ein-opt -ein-plan-kernels=vector-bytes=32 -split-input-file %s | FileCheck %s --check-prefix=AVX2

#ik = affine_map<(i, j, k) -> (i, k)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>

// Step 0 is the copy, step 1 the contraction: a fill that starts a sum is no step.
// CHECK-LABEL: @contraction
// CHECK: linalg.copy {{.*}}kind = "nest"
// CHECK-NOT: tuned
// CHECK: linalg.contract {{.*}}depth_pieces = array<i64: 32>{{.*}}mr = 3 {{.*}}nv = 2 {{.*}}tile 3x32 {{.*}}split serial over 1; {{.*}}; tuned; predicted
// AVX2-LABEL: @contraction
// AVX2: linalg.contract {{.*}}, tuned plan left out: the CPU has no such vectors; predicted
func.func @contraction(%a: memref<64x64xf32>, %b: memref<64x64xf32>, %c: memref<64x64xf32>, %d: memref<64x64xf32>)
    attributes {ein.tuned = ["v1 step=7 kind=nest", "v1 step=1 kind=contraction col_loop=1 col_panels=2 col_pieces=1 col_run=0 cols_outer=1 depth_pieces=32 lanes=16 mr=3 nv=2 pack_cols=0 pack_rows=0 row_loop=0 row_panels=22 split=0 streaming=0 swapped=0 threads=1 unroll=2"]} {
  %zero = arith.constant 0.0 : f32
  linalg.copy ins(%a : memref<64x64xf32>) outs(%d : memref<64x64xf32>)
  linalg.fill ins(%zero : f32) outs(%c : memref<64x64xf32>)
  linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%d, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}

// -----

#ik = affine_map<(i, j, k) -> (i, k)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
// CHECK-LABEL: @nest
// CHECK: linalg.contract {{.*}}kind = "nest"{{.*}}tuned
func.func @nest(%a: memref<64x64xf32>, %b: memref<64x64xf32>, %c: memref<64x64xf32>) attributes {ein.tuned = ["v1 step=0 kind=nest"]} {
  linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%a, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}

// -----

#ik = affine_map<(i, j, k) -> (i, k)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
// CHECK-LABEL: @another_version
// CHECK: kind = "contraction"{{.*}}tuned plan left out: it is no text of this version
func.func @another_version(%a: memref<64x64xf32>, %b: memref<64x64xf32>, %c: memref<64x64xf32>) attributes {ein.tuned = ["v0 step=0 kind=nest"]} {
  linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%a, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}

// -----

#ik = affine_map<(i, j, k) -> (i, k)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
// CHECK-LABEL: @not_a_text
// CHECK: tuned plan left out: it is no text of this version
func.func @not_a_text(%a: memref<64x64xf32>, %b: memref<64x64xf32>, %c: memref<64x64xf32>) attributes {ein.tuned = ["", "v1 step=0 kind", "v1 step=0 =4", "v1 step=0 step=0 kind=nest", 7]} {
  linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%a, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}

// -----

#ik = affine_map<(i, j, k) -> (i, k)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
// CHECK-LABEL: @incomplete
// CHECK: tuned plan left out: it is incomplete or does not fit the shape
func.func @incomplete(%a: memref<64x64xf32>, %b: memref<64x64xf32>, %c: memref<64x64xf32>) attributes {ein.tuned = ["v1 step=0 kind=contraction lanes=16"]} {
  linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%a, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}

// -----

#ik = affine_map<(i, j, k) -> (i, k)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
// CHECK-LABEL: @absurd_depth
// CHECK: tuned plan left out: it is incomplete or does not fit the shape
func.func @absurd_depth(%a: memref<64x64xf32>, %b: memref<64x64xf32>, %c: memref<64x64xf32>) attributes {ein.tuned = ["v1 step=0 kind=contraction col_loop=1 col_panels=2 col_pieces=1 col_run=0 cols_outer=1 depth_pieces=0x9223372036854775807 lanes=16 mr=3 nv=2 pack_cols=0 pack_rows=0 row_loop=0 row_panels=22 split=0 streaming=0 swapped=0 threads=1 unroll=2"]} {
  linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%a, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}

// -----

// A contraction's plan on a step that is none.
// CHECK-LABEL: @copy
// CHECK: linalg.copy {{.*}}kind = "nest"{{.*}}tuned plan left out: the step is not tiled
func.func @copy(%a: memref<64x64xf32>, %d: memref<64x64xf32>) attributes {ein.tuned = ["v1 step=0 kind=contraction lanes=16"]} {
  linalg.copy ins(%a : memref<64x64xf32>) outs(%d : memref<64x64xf32>)
  return
}
