// What a plan does so that operands are read in the order in which they lie.
// RUN: %ein-opt -ein-plan-kernels %s | FileCheck %s

#bda = affine_map<(c, b, a, d) -> (a, d, b)>
#cd = affine_map<(c, b, a, d) -> (c, d)>
#cba = affine_map<(c, b, a, d) -> (c, b, a)>

// The output is adjacent along a, its operand along b: squares of both are the columns.
// CHECK-LABEL: @cross
// CHECK: linalg.contract {{.*}} cols=cross
func.func @cross(%x: memref<64x300x64xf32>, %y: memref<24x300xf32>, %o: memref<24x64x64xf32>) {
  linalg.contract indexing_maps = [#bda, #cd, #cba]
    ins(%x, %y : memref<64x300x64xf32>, memref<24x300xf32>) outs(%o : memref<24x64x64xf32>)
  return
}

// Runs of 19 end in a square that is filled up.
// CHECK-LABEL: @ragged_cross
// CHECK: linalg.contract {{.*}}n=1216 in runs of 19 {{.*}} cols=cross
func.func @ragged_cross(%x: memref<19x300x64xf32>, %y: memref<24x300xf32>, %o: memref<24x64x19xf32>) {
  linalg.contract indexing_maps = [#bda, #cd, #cba]
    ins(%x, %y : memref<19x300x64xf32>, memref<24x300xf32>) outs(%o : memref<24x64x19xf32>)
  return
}

// The operand is adjacent along two elements only: no square fits.
// CHECK-LABEL: @no_cross
// CHECK: linalg.contract {{.*}} cols=gather
func.func @no_cross(%x: memref<64x300x2xf32>, %y: memref<24x300xf32>, %o: memref<24x2x64xf32>) {
  linalg.contract indexing_maps = [#bda, #cd, #cba]
    ins(%x, %y : memref<64x300x2xf32>, memref<24x300xf32>) outs(%o : memref<24x2x64xf32>)
  return
}

#ji = affine_map<(i, j) -> (j, i)>
#i = affine_map<(i, j) -> (i)>

// Sums down the rows of a matrix that does not fit L2: eight rows a pass.
// CHECK-LABEL: @column_sums
// CHECK: linalg.generic {{.*}}sweeps of 8
func.func @column_sums(%a: memref<1000x4096xf32>, %c: memref<4096xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<4096xf32>)
  linalg.generic {indexing_maps = [#ji, #i], iterator_types = ["parallel", "reduction"]}
    ins(%a : memref<1000x4096xf32>) outs(%c : memref<4096xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.addf %acc, %x : f32
    linalg.yield %s : f32
  }
  return
}

// What is added to an output is not swept: vectors are summed at once.
// CHECK-LABEL: @column_sums_added
// CHECK: linalg.generic
// CHECK-NOT: sweeps
// CHECK: return
func.func @column_sums_added(%a: memref<1000x4096xf32>, %c: memref<4096xf32>) {
  linalg.generic {indexing_maps = [#ji, #i], iterator_types = ["parallel", "reduction"]}
    ins(%a : memref<1000x4096xf32>) outs(%c : memref<4096xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.addf %acc, %x : f32
    linalg.yield %s : f32
  }
  return
}

#jik = affine_map<(i, j, k) -> (j, i, k)>
#first = affine_map<(i, j, k) -> (i)>

// The outer reduced loop strides furthest: outermost.
// CHECK-LABEL: @outer_sums
// CHECK: linalg.generic {{.*}}lanes reduced{{.*}} outermost
func.func @outer_sums(%a: memref<256x256x256xf32>, %c: memref<256xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<256xf32>)
  linalg.generic {indexing_maps = [#jik, #first], iterator_types = ["parallel", "reduction", "reduction"]}
    ins(%a : memref<256x256x256xf32>) outs(%c : memref<256xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.addf %acc, %x : f32
    linalg.yield %s : f32
  }
  return
}

#m = affine_map<(i, j, k, l) -> (i, j, k, l)>
#lk = affine_map<(i, j, k, l) -> (l, k)>
#ij = affine_map<(i, j, k, l) -> (i, j)>

// A small operand that does not lie along the lanes is copied first.
// CHECK-LABEL: @staged
// CHECK: linalg.contract {{.*}}kind = "nest"{{.*}}operand 0 staged
func.func @staged(%x: memref<31x30xf32>, %a: memref<20x21x30x31xf32>, %c: memref<20x21xf32>) {
  linalg.contract indexing_maps = [#lk, #m, #ij]
    ins(%x, %a : memref<31x30xf32>, memref<20x21x30x31xf32>) outs(%c : memref<20x21xf32>)
  return
}
