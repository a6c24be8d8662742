// What a team of two shares, and when there is no team.
// RUN: %ein-opt -ein-plan-kernels=threads=2 %s | FileCheck %s --check-prefixes=CHECK,TWO
// RUN: %ein-opt -ein-plan-kernels=threads=1 %s | FileCheck %s --check-prefixes=CHECK,ONE

// CHECK-LABEL: @batches
// TWO: linalg.contract {{.*}}split batch over 2
// ONE: linalg.contract {{.*}}split serial over 1
func.func @batches(%a: memref<64x64x64xf32>, %b: memref<64x64x64xf32>, %c: memref<64x64x64xf32>) {
  linalg.contract indexing_maps = [affine_map<(b, i, j, k) -> (b, i, k)>, affine_map<(b, i, j, k) -> (b, k, j)>,
                                   affine_map<(b, i, j, k) -> (b, i, j)>]
    ins(%a, %b : memref<64x64x64xf32>, memref<64x64x64xf32>) outs(%c : memref<64x64x64xf32>)
  return
}

// CHECK-LABEL: @one_matrix
// TWO: linalg.contract {{.*}}split {{cols|rows}} over 2
// ONE: linalg.contract {{.*}}split serial over 1
func.func @one_matrix(%a: memref<512x512xf32>, %b: memref<512x512xf32>, %c: memref<512x512xf32>) {
  linalg.contract indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
    ins(%a, %b : memref<512x512xf32>, memref<512x512xf32>) outs(%c : memref<512x512xf32>)
  return
}

// A small result of a long sum: each thread sums a part.
// CHECK-LABEL: @deep
// TWO: linalg.contract {{.*}}split depth over 2
// ONE: linalg.contract {{.*}}split serial over 1
func.func @deep(%a: memref<12x100000xf32>, %b: memref<100000x32xf32>, %c: memref<12x32xf32>) {
  linalg.contract indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
    ins(%a, %b : memref<12x100000xf32>, memref<100000x32xf32>) outs(%c : memref<12x32xf32>)
  return
}

// Forking would cost more than it gives.
// CHECK-LABEL: @too_small
// CHECK: linalg.contract {{.*}}split serial over 1
func.func @too_small(%a: memref<64x64xf32>, %b: memref<64x64xf32>, %c: memref<64x64xf32>) {
  linalg.contract indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
    ins(%a, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}

// Rows of the output are shared.
// CHECK-LABEL: @row_sums
// TWO: linalg.generic {{.*}}split loop 0 over 2
// ONE: linalg.generic {{.*}}serial
func.func @row_sums(%a: memref<1000x1000xf32>, %c: memref<1000xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
    ins(%a : memref<1000x1000xf32>) outs(%c : memref<1000xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.addf %acc, %x : f32
    linalg.yield %s : f32
  }
  return
}

// One result: each thread reduces a part.
// CHECK-LABEL: @total
// TWO: linalg.generic {{.*}}(partial results) over 2
// ONE: linalg.generic {{.*}}serial
func.func @total(%a: memref<1000x1000xf32>, %c: memref<f32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]}
    ins(%a : memref<1000x1000xf32>) outs(%c : memref<f32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.addf %acc, %x : f32
    linalg.yield %s : f32
  }
  return
}
