// What is missing or does not fit is an error at the operation.
// RUN: %ein-opt -ein-emit-nests -verify-diagnostics -split-input-file %s

// expected-error @+1 {{expected a function @kernel}}
module {}

// -----

// expected-error @+1 {{argument 1 needs one of ein.operand, ein.result, ein.workspace}}
func.func @kernel(%a: memref<4xf32> {ein.operand = 0 : i64}, %c: memref<4xf32>) {
  return
}

// -----

#id = affine_map<(i) -> (i)>
func.func @kernel(%a: memref<4xf32> {ein.operand = 0 : i64}, %c: memref<4xf32> {ein.result = 0 : i64}) {
  // expected-error @+1 {{has no ein.plan}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%a : memref<4xf32>) outs(%c : memref<4xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>
func.func @kernel(%a: memref<4xf32> {ein.operand = 0 : i64}, %c: memref<4xf32> {ein.result = 0 : i64}) {
  // expected-error @+1 {{has an ein.plan that is incomplete or does not fit its shape}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%a : memref<4xf32>) outs(%c : memref<4xf32>)
    attrs = {ein.plan = {kind = "nest", lanes = 4 : i64}} {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>
func.func @kernel(%a: memref<4xf32> {ein.operand = 0 : i64}, %c: memref<4xf32> {ein.result = 0 : i64}) {
  // expected-error @+1 {{does not fit its shape}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%a : memref<4xf32>) outs(%c : memref<4xf32>)
    attrs = {ein.plan = {kind = "something"}} {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}
