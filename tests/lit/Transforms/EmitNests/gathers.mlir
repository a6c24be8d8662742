// Loads at computed places: a vector where the lanes see neighbours, one element where they see one place, else
// element by element.
// RUN: %ein-opt -split-input-file -ein-plan-kernels -ein-emit-nests %s | FileCheck %s

// CHECK-LABEL: func.func private @step0
// CHECK: vector.load {{.*}}vector<16xf32>
// CHECK-NOT: vector.from_elements
// CHECK: vector.store {{.*}}vector<16xf32>
// CHECK-LABEL: func.func @ein_kernel
func.func @kernel(%t: memref<8xi32> {ein.operand = 0 : i64}, %x: memref<5x64xf32> {ein.operand = 1 : i64},
                  %c: memref<8x64xf32> {ein.result = 0 : i64}) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
    ins(%t : memref<8xi32>) outs(%c : memref<8x64xf32>) {
  ^bb0(%p: i32, %o: f32):
    %row = arith.index_cast %p : i32 to index
    %j = linalg.index 1 : index
    %v = memref.load %x[%row, %j] : memref<5x64xf32>
    linalg.yield %v : f32
  }
  return
}

// -----

// CHECK-LABEL: func.func private @step0
// CHECK-COUNT-16: memref.load
// CHECK: vector.from_elements
func.func @kernel(%t: memref<64xi32> {ein.operand = 0 : i64}, %x: memref<5xf32> {ein.operand = 1 : i64},
                  %c: memref<64xf32> {ein.result = 0 : i64}) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
    ins(%t : memref<64xi32>) outs(%c : memref<64xf32>) {
  ^bb0(%p: i32, %o: f32):
    %row = arith.index_cast %p : i32 to index
    %v = memref.load %x[%row] : memref<5xf32>
    linalg.yield %v : f32
  }
  return
}

// -----

// A product is a reduction like others.
// CHECK-LABEL: func.func private @step0
// CHECK: arith.mulf {{.*}} : vector<16xf32>
func.func @kernel(%a: memref<64xf32> {ein.operand = 0 : i64}, %c: memref<f32> {ein.result = 0 : i64}) {
  %one = arith.constant 1.0 : f32
  linalg.fill ins(%one : f32) outs(%c : memref<f32>)
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
    ins(%a : memref<64xf32>) outs(%c : memref<f32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.mulf %acc, %x : f32
    linalg.yield %s : f32
  }
  return
}
