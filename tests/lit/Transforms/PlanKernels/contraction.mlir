// Which contractions are tiled, which operand the lanes follow, and how panels are made.
// RUN: %ein-opt -ein-plan-kernels %s | FileCheck %s

#ik = affine_map<(i, j, k) -> (i, k)>
#ki = affine_map<(i, j, k) -> (k, i)>
#kj = affine_map<(i, j, k) -> (k, j)>
#jk = affine_map<(i, j, k) -> (j, k)>
#ij = affine_map<(i, j, k) -> (i, j)>
#ji = affine_map<(i, j, k) -> (j, i)>

// Small operands are read in place.
// CHECK-LABEL: @small
// CHECK: linalg.contract {{.*}}kind = "contraction"{{.*}}lanes along operand 1{{.*}}packing rows=none cols=none
func.func @small(%a: memref<64x64xf32>, %b: memref<64x64xf32>, %c: memref<64x64xf32>) {
  linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%a, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}

// The left operand is adjacent along k: squares are transposed. The right one along j: copies.
// CHECK-LABEL: @large
// CHECK: linalg.contract {{.*}}kind = "contraction"{{.*}}m=1000 n=1000 k=1000{{.*}}packing rows=transpose cols=rows
func.func @large(%a: memref<1000x1000xf32>, %b: memref<1000x1000xf32>, %c: memref<1000x1000xf32>) {
  linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%a, %b : memref<1000x1000xf32>, memref<1000x1000xf32>) outs(%c : memref<1000x1000xf32>)
  return
}

// CHECK-LABEL: @both_transposed
// CHECK: linalg.contract {{.*}}kind = "contraction"{{.*}}packing rows=rows cols=transpose
func.func @both_transposed(%a: memref<1000x1000xf32>, %b: memref<1000x1000xf32>, %c: memref<1000x1000xf32>) {
  linalg.contract indexing_maps = [#ki, #jk, #ij] ins(%a, %b : memref<1000x1000xf32>, memref<1000x1000xf32>) outs(%c : memref<1000x1000xf32>)
  return
}

// The output is adjacent along i, an index of operand 0: that one gets the lanes.
// CHECK-LABEL: @swapped
// CHECK: linalg.contract {{.*}}lanes along operand 0{{.*}}swapped = 1
func.func @swapped(%a: memref<500x500xf32>, %b: memref<500x500xf32>, %c: memref<500x500xf32>) {
  linalg.contract indexing_maps = [#ki, #kj, #ji] ins(%a, %b : memref<500x500xf32>, memref<500x500xf32>) outs(%c : memref<500x500xf32>)
  return
}

// Operand 0 is adjacent along the batch only: element by element.
// CHECK-LABEL: @batch_innermost
// CHECK: linalg.contract {{.*}}kind = "contraction"{{.*}}b=3 m=500 n=512 k=500{{.*}}packing rows=gather cols=rows
func.func @batch_innermost(%a: memref<500x500x3xf32>, %b: memref<3x500x512xf32>, %c: memref<3x500x512xf32>) {
  linalg.contract indexing_maps = [affine_map<(b, i, j, k) -> (k, i, b)>, affine_map<(b, i, j, k) -> (b, k, j)>,
                                   affine_map<(b, i, j, k) -> (b, i, j)>]
    ins(%a, %b : memref<500x500x3xf32>, memref<3x500x512xf32>) outs(%c : memref<3x500x512xf32>)
  return
}

// Groups of several loops are one side each, however they are interleaved.
// CHECK-LABEL: @groups
// CHECK: linalg.contract {{.*}}kind = "contraction"{{.*}}b=1 m=480 in runs of 20 n=480 k=480
func.func @groups(%a: memref<20x24x20x24xf32>, %b: memref<24x24x20x20xf32>, %c: memref<20x24x20x24xf32>) {
  linalg.contract indexing_maps = [affine_map<(d, c, b, a, e, f) -> (f, e, b, a)>, affine_map<(d, c, b, a, e, f) -> (e, c, f, d)>,
                                   affine_map<(d, c, b, a, e, f) -> (d, c, b, a)>]
    ins(%a, %b : memref<20x24x20x24xf32>, memref<24x24x20x20xf32>) outs(%c : memref<20x24x20x24xf32>)
  return
}

// f64 has half the lanes.
// CHECK-LABEL: @doubles
// CHECK: linalg.contract {{.*}}kind = "contraction", lanes = 8
func.func @doubles(%a: memref<64x64xf64>, %b: memref<64x64xf64>, %c: memref<64x64xf64>) {
  linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%a, %b : memref<64x64xf64>, memref<64x64xf64>) outs(%c : memref<64x64xf64>)
  return
}

// No columns: a matrix times a vector is a nest.
// CHECK-LABEL: @matvec
// CHECK: linalg.contract {{.*}}kind = "nest"{{.*}}lanes reduced
func.func @matvec(%a: memref<500x500xf32>, %b: memref<500xf32>, %c: memref<500xf32>) {
  linalg.contract indexing_maps = [affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (k)>, affine_map<(i, k) -> (i)>]
    ins(%a, %b : memref<500x500xf32>, memref<500xf32>) outs(%c : memref<500xf32>)
  return
}

// Too shallow to fill a tile.
// CHECK-LABEL: @shallow
// CHECK: linalg.contract {{.*}}kind = "nest"{{.*}}lanes parallel
func.func @shallow(%a: memref<500x2xf32>, %b: memref<2x500xf32>, %c: memref<500x500xf32>) {
  linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%a, %b : memref<500x2xf32>, memref<2x500xf32>) outs(%c : memref<500x500xf32>)
  return
}
