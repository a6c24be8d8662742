// Plain nests: vectors whatever the extents, no masks, no calls to libm.
// RUN: %ein-opt -split-input-file -ein-plan-kernels -ein-emit-nests %s | FileCheck %s --implicit-check-not=masked --implicit-check-not=math.

// 77 is no multiple of 16: the last vector moves back.
// CHECK-LABEL: func.func private @step0
// CHECK: arith.minui
// CHECK: vector.load {{.*}}vector<16xf32>
// CHECK: vector.store {{.*}}vector<16xf32>
func.func @kernel(%a: memref<77xf32> {ein.operand = 0 : i64}, %c: memref<77xf32> {ein.result = 0 : i64}) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
    ins(%a : memref<77xf32>) outs(%c : memref<77xf32>) {
  ^bb0(%x: f32, %o: f32):
    %e = math.exp %x : f32
    %l = math.log %e : f32
    %t = math.tanh %l : f32
    %s = math.sqrt %t : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Transposition in registers, with stores past the caches where the output is aligned.
// CHECK-LABEL: func.func private @step0
// CHECK: vector.load {{.*}}vector<16xf32>
// CHECK: vector.shuffle
// CHECK: scf.if
// CHECK: vector.store {{.*}}nontemporal = true
// CHECK: else
func.func @kernel(%a: memref<2048x2048xf32> {ein.operand = 0 : i64}, %c: memref<2048x2048xf32> {ein.result = 0 : i64}) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
    ins(%a : memref<2048x2048xf32>) outs(%c : memref<2048x2048xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

// A maximum starts at -inf and keeps NaN (arith.maximumf); its lanes are folded at the end.
// CHECK-LABEL: func.func private @step0
// CHECK: 0xFF800000
// CHECK: scf.for {{.*}}vector<16xf32>
// CHECK: arith.maximumf {{.*}}vector<16xf32>
// CHECK: vector.shuffle
func.func @kernel(%a: memref<1000xf32> {ein.operand = 0 : i64}, %c: memref<f32> {ein.result = 0 : i64}) {
  %low = arith.constant 0xFF800000 : f32
  linalg.fill ins(%low : f32) outs(%c : memref<f32>)
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
    ins(%a : memref<1000xf32>) outs(%c : memref<f32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.maximumf %acc, %x : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Narrower than a vector: a narrower vector.
// CHECK-LABEL: func.func private @step0
// CHECK: vector.load {{.*}}vector<4xf32>
func.func @kernel(%a: memref<5xf32> {ein.operand = 0 : i64}, %c: memref<5xf32> {ein.result = 0 : i64}) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
    ins(%a : memref<5xf32>) outs(%c : memref<5xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}
