// What cannot be one pass is refused by name.
// RUN: %ein-opt -ein-plan-kernels -verify-diagnostics %s

#hqkd = affine_map<(h, q, k, d) -> (h, q, k, d)>
#hqk5 = affine_map<(h, q, k, d) -> (h, q, k)>
#hq = affine_map<(h, q) -> (h, q)>
#hqk = affine_map<(h, q, k) -> (h, q, k)>
#rows = affine_map<(h, q, k) -> (h, q)>
#w = affine_map<(h, q, e, k) -> (h, q, k)>
#v = affine_map<(h, q, e, k) -> (h, k, e)>
#acc = affine_map<(h, q, e, k) -> (h, q, e)>
#hqe = affine_map<(h, q, e) -> (h, q, e)>
#l = affine_map<(h, q, e) -> (h, q)>
func.func @kernel(%Q: memref<4x512x512x64xf32> {ein.operand = 0 : i64}, %K: memref<4x512x512x64xf32> {ein.operand = 1 : i64},
                  %V: memref<4x512x64xf32> {ein.operand = 2 : i64}, %O: memref<4x512x64xf32> {ein.result = 0 : i64}) {
  // expected-error @+1 {{cannot be planned as one pass: both sides of an inner product move with the key}}
  scf.execute_region {
    %hi = memref.alloc() : memref<4x512xi32>
    linalg.generic {indexing_maps = [#hq], iterator_types = ["parallel", "parallel"]} outs(%hi : memref<4x512xi32>)
      attrs = {ein.loops = array<i64: 0, 1>, ein.role = "high"} {
    ^bb0(%o: i32):
      %i = linalg.index 1 : index
      %q = arith.index_cast %i : index to i32
      %one = arith.constant 1 : i32
      %end = arith.addi %q, %one : i32
      linalg.yield %end : i32
    }
    %S = memref.alloc() : memref<4x512x512xf32>
    linalg.contract indexing_maps = [#hqkd, #hqkd, #hqk5] ins(%Q, %K : memref<4x512x512x64xf32>, memref<4x512x512x64xf32>) outs(%S : memref<4x512x512xf32>)
      {ein.loops = array<i64: 0, 1, 2, 3>, ein.role = "tile"}
    %m = memref.alloc() : memref<4x512xf32>
    linalg.generic {indexing_maps = [#hqk, #rows], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%S : memref<4x512x512xf32>) outs(%m : memref<4x512xf32>) attrs = {ein.loops = array<i64: 0, 1, 2>, ein.role = "max"} {
    ^bb0(%s: f32, %o: f32):
      %x = arith.maximumf %o, %s : f32
      linalg.yield %x : f32
    }
    %W = memref.alloc() : memref<4x512x512xf32>
    linalg.generic {indexing_maps = [#hqk, #rows, #hqk], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%S, %m : memref<4x512x512xf32>, memref<4x512xf32>) outs(%W : memref<4x512x512xf32>)
      attrs = {ein.loops = array<i64: 0, 1, 2>, ein.role = "weight"} {
    ^bb0(%s: f32, %most: f32, %o: f32):
      %x = arith.subf %s, %most : f32
      %y = math.exp %x : f32
      linalg.yield %y : f32
    }
    %l = memref.alloc() : memref<4x512xf32>
    linalg.generic {indexing_maps = [#hqk, #rows], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%W : memref<4x512x512xf32>) outs(%l : memref<4x512xf32>) attrs = {ein.loops = array<i64: 0, 1, 2>, ein.role = "sum"} {
    ^bb0(%s: f32, %o: f32):
      %x = arith.addf %o, %s : f32
      linalg.yield %x : f32
    }
    %acc = memref.alloc() : memref<4x512x64xf32>
    linalg.contract indexing_maps = [#w, #v, #acc] ins(%W, %V : memref<4x512x512xf32>, memref<4x512x64xf32>) outs(%acc : memref<4x512x64xf32>)
      {ein.loops = array<i64: 0, 1, 4, 2>, ein.role = "sum"}
    linalg.generic {indexing_maps = [#hqe, #l, #hqe], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%acc, %l : memref<4x512x64xf32>, memref<4x512xf32>) outs(%O : memref<4x512x64xf32>) attrs = {ein.loops = array<i64: 0, 1, 4>, ein.role = "finish"} {
    ^bb0(%a: f32, %s: f32, %o: f32):
      %x = arith.divf %a, %s : f32
      linalg.yield %x : f32
    }
    scf.yield
  } {ein.cascade = {key = 2 : i64}}
  return
}
