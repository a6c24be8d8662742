// A contraction after its fill only writes the output; without one it adds to what is there.
// RUN: %ein-opt -split-input-file -ein-plan-kernels -ein-emit-nests %s | FileCheck %s

// CHECK-LABEL: @ein_kernel
// CHECK: vector.fma
// CHECK-NOT: arith.addf
// CHECK: vector.store
func.func @kernel(%a: memref<64x64xf32> {ein.operand = 0 : i64}, %b: memref<64x64xf32> {ein.operand = 1 : i64},
                  %c: memref<64x64xf32> {ein.result = 0 : i64}) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<64x64xf32>)
  linalg.contract indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
    ins(%a, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}

// -----

// CHECK-LABEL: @ein_kernel
// CHECK: vector.fma
// CHECK: arith.addf
// CHECK: vector.store
func.func @kernel(%a: memref<64x64xf32> {ein.operand = 0 : i64}, %b: memref<64x64xf32> {ein.operand = 1 : i64},
                  %c: memref<64x64xf32> {ein.result = 0 : i64}) {
  linalg.contract indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
    ins(%a, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}

// -----

// A fill of another buffer starts nothing: it is a step of its own.
// CHECK-LABEL: @ein_kernel
// CHECK: call @step0
// CHECK: call @step1
func.func @kernel(%a: memref<64xf32> {ein.operand = 0 : i64}, %c: memref<f32> {ein.result = 0 : i64}, %d: memref<f32> {ein.result = 1 : i64}) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%d : memref<f32>)
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
    ins(%a : memref<64xf32>) outs(%c : memref<f32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.addf %acc, %x : f32
    linalg.yield %s : f32
  }
  return
}
