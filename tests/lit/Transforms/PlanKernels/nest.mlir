// What the lanes of a plain nest follow.
// RUN: %ein-opt -ein-plan-kernels %s | FileCheck %s

#ij = affine_map<(i, j) -> (i, j)>
#ji = affine_map<(i, j) -> (j, i)>
#i = affine_map<(i, j) -> (i)>
#j = affine_map<(i, j) -> (j)>

// Contiguous: one loop.
// CHECK-LABEL: @copy
// CHECK: linalg.generic {{.*}}kind = "nest"{{.*}}nest 30000p(1,1); lanes parallel along loop 0
func.func @copy(%a: memref<100x300xf32>, %c: memref<100x300xf32>) {
  linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
    ins(%a : memref<100x300xf32>) outs(%c : memref<100x300xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}

// CHECK-LABEL: @transposition
// CHECK: linalg.generic {{.*}}kind = "nest"{{.*}}lanes square
func.func @transposition(%a: memref<100x300xf32>, %c: memref<300x100xf32>) {
  linalg.generic {indexing_maps = [#ji, #ij], iterator_types = ["parallel", "parallel"]}
    ins(%a : memref<100x300xf32>) outs(%c : memref<300x100xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}

// Too narrow for a square of 16 x 16.
// CHECK-LABEL: @narrow_transposition
// CHECK: linalg.generic {{.*}}lanes parallel
func.func @narrow_transposition(%a: memref<3x300xf32>, %c: memref<300x3xf32>) {
  linalg.generic {indexing_maps = [#ji, #ij], iterator_types = ["parallel", "parallel"]}
    ins(%a : memref<3x300xf32>) outs(%c : memref<300x3xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}

// CHECK-LABEL: @row_sums
// CHECK: linalg.generic {{.*}}lanes reduced
func.func @row_sums(%a: memref<100x300xf32>, %c: memref<100xf32>) {
  linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
    ins(%a : memref<100x300xf32>) outs(%c : memref<100xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.addf %acc, %x : f32
    linalg.yield %s : f32
  }
  return
}

// CHECK-LABEL: @column_sums
// CHECK: linalg.generic {{.*}}lanes parallel
func.func @column_sums(%a: memref<300x100xf32>, %c: memref<100xf32>) {
  linalg.generic {indexing_maps = [#ji, #i], iterator_types = ["parallel", "reduction"]}
    ins(%a : memref<300x100xf32>) outs(%c : memref<100xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.addf %acc, %x : f32
    linalg.yield %s : f32
  }
  return
}

// A body that uses an index keeps its loops apart.
// CHECK-LABEL: @masked
// CHECK: linalg.generic {{.*}}nest 100p(300,300) 300p(1,1)
func.func @masked(%a: memref<100x300xf32>, %c: memref<100x300xf32>) {
  linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
    ins(%a : memref<100x300xf32>) outs(%c : memref<100x300xf32>) {
  ^bb0(%x: f32, %o: f32):
    %zero = arith.constant 0.0 : f32
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %i32 = arith.index_cast %i : index to i32
    %j32 = arith.index_cast %j : index to i32
    %below = arith.cmpi sle, %j32, %i32 : i32
    %y = arith.select %below, %x, %zero : f32
    linalg.yield %y : f32
  }
  return
}

// A fill that starts a reduction is part of it and needs no plan; any other fill does.
// CHECK-LABEL: @fills
// CHECK: linalg.fill ins
// CHECK-NEXT: linalg.generic {{.*}}ein.plan
// CHECK: linalg.fill {ein.plan
func.func @fills(%a: memref<100x300xf32>, %c: memref<100xf32>, %d: memref<100xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<100xf32>)
  linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
    ins(%a : memref<100x300xf32>) outs(%c : memref<100xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.addf %acc, %x : f32
    linalg.yield %s : f32
  }
  linalg.fill ins(%zero : f32) outs(%d : memref<100xf32>)
  return
}

// Views keep their strides.
// CHECK-LABEL: @diagonal
// CHECK: linalg.generic {{.*}}nest 50p(51,1)
func.func @diagonal(%a: memref<50x50xf32>, %c: memref<50xf32>) {
  %d = memref.reinterpret_cast %a to offset: [0], sizes: [50], strides: [51] : memref<50x50xf32> to memref<50xf32, strided<[51]>>
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
    ins(%d : memref<50xf32, strided<[51]>>) outs(%c : memref<50xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}
