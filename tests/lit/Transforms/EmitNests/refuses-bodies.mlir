// Reductions by something else, and memory that nobody passed, are refused after planning.
// RUN: %ein-opt -ein-plan-kernels -ein-emit-nests -verify-diagnostics -split-input-file %s

func.func @kernel(%a: memref<4xf32> {ein.operand = 0 : i64}, %c: memref<f32> {ein.result = 0 : i64}) {
  // expected-error @+1 {{reduces by something else than add, multiply, maximum or minimum}}
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
    ins(%a : memref<4xf32>) outs(%c : memref<f32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.divf %acc, %x : f32
    linalg.yield %s : f32
  }
  return
}

// -----

func.func @kernel(%a: memref<4xf32> {ein.operand = 0 : i64}, %c: memref<f32> {ein.result = 0 : i64}) {
  // expected-error @+1 {{reduces by something else}}
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
    ins(%a : memref<4xf32>) outs(%c : memref<f32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.addf %acc, %acc : f32
    linalg.yield %s : f32
  }
  return
}

// -----

func.func @kernel(%a: memref<4xf32> {ein.operand = 0 : i64}) {
  %c = memref.alloc() : memref<4xf32>
  // expected-error @+1 {{reads memory that is no argument and no view of the workspace}}
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
    ins(%a : memref<4xf32>) outs(%c : memref<4xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}
