// Shapes, strides and offsets must be static, and maps plain indices.
// RUN: %ein-opt -ein-plan-kernels -verify-diagnostics -split-input-file %s

#id = affine_map<(i) -> (i)>
func.func @dynamic_shape(%a: memref<?xf32>, %c: memref<?xf32>) {
  // expected-error @+1 {{cannot be planned: shapes and strides must be static}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%a : memref<?xf32>) outs(%c : memref<?xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>
func.func @dynamic_stride(%a: memref<8xf32, strided<[?]>>, %c: memref<8xf32>) {
  // expected-error @+1 {{cannot be planned}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%a : memref<8xf32, strided<[?]>>) outs(%c : memref<8xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>
func.func @dynamic_offset(%a: memref<8xf32, strided<[1], offset: ?>>, %c: memref<8xf32>) {
  // expected-error @+1 {{cannot be planned}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%a : memref<8xf32, strided<[1], offset: ?>>) outs(%c : memref<8xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

func.func @convolution(%a: memref<10xf32>, %w: memref<3xf32>, %c: memref<8xf32>) {
  // expected-error @+1 {{and maps plain indices}}
  linalg.generic {indexing_maps = [affine_map<(i, k) -> (i + k)>, affine_map<(i, k) -> (k)>, affine_map<(i, k) -> (i)>],
                  iterator_types = ["parallel", "reduction"]}
    ins(%a, %w : memref<10xf32>, memref<3xf32>) outs(%c : memref<8xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}
