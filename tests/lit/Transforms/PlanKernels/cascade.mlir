// A fused cascade is planned as a whole: lanes along the queries, even panels, tiles of keys.
// RUN: %ein-opt -ein-plan-kernels %s | FileCheck %s
// RUN: %ein-opt -ein-plan-kernels="threads=4" %s | FileCheck %s --check-prefix=TEAM
// RUN: %ein-opt -ein-plan-kernels="vector-bytes=32 vector-registers=16" %s | FileCheck %s --check-prefix=AVX2

#hqd = affine_map<(h, q, k, d) -> (h, q, d)>
#hkd = affine_map<(h, q, k, d) -> (h, k, d)>
#hqk5 = affine_map<(h, q, k, d) -> (h, q, k)>
#hq = affine_map<(h, q) -> (h, q)>
#hqk = affine_map<(h, q, k) -> (h, q, k)>
#rows = affine_map<(h, q, k) -> (h, q)>
#w = affine_map<(h, q, e, k) -> (h, q, k)>
#v = affine_map<(h, q, e, k) -> (h, k, e)>
#acc = affine_map<(h, q, e, k) -> (h, q, e)>
#hqe = affine_map<(h, q, e) -> (h, q, e)>
#l = affine_map<(h, q, e) -> (h, q)>

// CHECK-LABEL: @dense
// CHECK-NOT: linalg.{{.*}}ein.plan
// CHECK: ein.plan = {{.*}}kind = "cascade"{{.*}}cascade lanes=16 along i1, panels 8x4v, tile 6x4v, keys 96, depth 64, direct, key side in place + in place, threads 1"
// TEAM: threads 4 (even share of batches)
// AVX2: lanes=8 along i1, panels 32x2v, tile 6x2v
func.func @dense(%Q: memref<4x512x64xf32> {ein.operand = 0 : i64}, %K: memref<4x512x64xf32> {ein.operand = 1 : i64},
                  %V: memref<4x512x64xf32> {ein.operand = 2 : i64}, %O: memref<4x512x64xf32> {ein.result = 0 : i64}) {
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
    linalg.contract indexing_maps = [#hqd, #hkd, #hqk5] ins(%Q, %K : memref<4x512x64xf32>, memref<4x512x64xf32>) outs(%S : memref<4x512x512xf32>)
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

// Keys of one head lie apart: copied once for all panels.
// CHECK-LABEL: @apart
// CHECK: panels 1x4v + 3x3v, {{.*}}key side head + head
func.func @apart(%Q: memref<4x197x64xf32> {ein.operand = 0 : i64}, %K: memref<4x197x64xf32, strided<[64, 256, 1]>> {ein.operand = 1 : i64},
                  %V: memref<4x197x64xf32, strided<[64, 256, 1]>> {ein.operand = 2 : i64}, %O: memref<4x197x64xf32> {ein.result = 0 : i64}) {
  scf.execute_region {
    %S = memref.alloc() : memref<4x197x197xf32>
    linalg.contract indexing_maps = [#hqd, #hkd, #hqk5] ins(%Q, %K : memref<4x197x64xf32>, memref<4x197x64xf32, strided<[64, 256, 1]>>) outs(%S : memref<4x197x197xf32>)
      {ein.loops = array<i64: 0, 1, 2, 3>, ein.role = "tile"}
    %m = memref.alloc() : memref<4x197xf32>
    linalg.generic {indexing_maps = [#hqk, #rows], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%S : memref<4x197x197xf32>) outs(%m : memref<4x197xf32>) attrs = {ein.loops = array<i64: 0, 1, 2>, ein.role = "max"} {
    ^bb0(%s: f32, %o: f32):
      %x = arith.maximumf %o, %s : f32
      linalg.yield %x : f32
    }
    %W = memref.alloc() : memref<4x197x197xf32>
    linalg.generic {indexing_maps = [#hqk, #rows, #hqk], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%S, %m : memref<4x197x197xf32>, memref<4x197xf32>) outs(%W : memref<4x197x197xf32>)
      attrs = {ein.loops = array<i64: 0, 1, 2>, ein.role = "weight"} {
    ^bb0(%s: f32, %most: f32, %o: f32):
      %x = arith.subf %s, %most : f32
      %y = math.exp %x : f32
      linalg.yield %y : f32
    }
    %l = memref.alloc() : memref<4x197xf32>
    linalg.generic {indexing_maps = [#hqk, #rows], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%W : memref<4x197x197xf32>) outs(%l : memref<4x197xf32>) attrs = {ein.loops = array<i64: 0, 1, 2>, ein.role = "sum"} {
    ^bb0(%s: f32, %o: f32):
      %x = arith.addf %o, %s : f32
      linalg.yield %x : f32
    }
    %acc = memref.alloc() : memref<4x197x64xf32>
    linalg.contract indexing_maps = [#w, #v, #acc] ins(%W, %V : memref<4x197x197xf32>, memref<4x197x64xf32, strided<[64, 256, 1]>>) outs(%acc : memref<4x197x64xf32>)
      {ein.loops = array<i64: 0, 1, 4, 2>, ein.role = "sum"}
    linalg.generic {indexing_maps = [#hqe, #l, #hqe], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%acc, %l : memref<4x197x64xf32>, memref<4x197xf32>) outs(%O : memref<4x197x64xf32>) attrs = {ein.loops = array<i64: 0, 1, 4>, ein.role = "finish"} {
    ^bb0(%a: f32, %s: f32, %o: f32):
      %x = arith.divf %a, %s : f32
      linalg.yield %x : f32
    }
    scf.yield
  } {ein.cascade = {key = 2 : i64}}
  return
}
