// Anything that is no nest is an error, never left in the module.
// RUN: %ein-opt -ein-lower-to-llvm -verify-diagnostics -split-input-file %s

func.func @linalg(%c: memref<4xf32>, %x: f32) {
  // expected-error @+1 {{failed to legalize operation 'linalg.fill'}}
  linalg.fill ins(%x : f32) outs(%c : memref<4xf32>)
  return
}

// -----

func.func @cast(%x: f32) -> i32 {
  // expected-error @+1 {{is left over}}
  %y = builtin.unrealized_conversion_cast %x : f32 to i32
  return %y : i32
}
