// Where few rows share their keys, lanes follow the products; keys are split where there are too few rows for the team.
// RUN: %ein-opt -ein-plan-kernels %s | FileCheck %s
// RUN: %ein-opt -ein-plan-kernels="threads=4" %s | FileCheck %s --check-prefix=TEAM
// RUN: %ein-opt -ein-plan-kernels="threads=4" %s -o %t.mlir
// RUN: %ein-opt -ein-emit-nests %t.mlir | FileCheck %s --check-prefix=NEST --implicit-check-not=memref.alloc --implicit-check-not=linalg
// RUN: sed 's/keys = 32/keys = 24/' %t.mlir | not %ein-opt -ein-emit-nests 2>&1 | FileCheck %s --check-prefix=EDITED

#hqd = affine_map<(h, q, k, d) -> (h, q, d)>
#hkd = affine_map<(h, q, k, d) -> (h, k, d)>
#hqk5 = affine_map<(h, q, k, d) -> (h, q, k)>
#hqk = affine_map<(h, q, k) -> (h, q, k)>
#rows = affine_map<(h, q, k) -> (h, q)>
#w = affine_map<(h, q, e, k) -> (h, q, k)>
#v = affine_map<(h, q, e, k) -> (h, k, e)>
#acc = affine_map<(h, q, e, k) -> (h, q, e)>
#hqe = affine_map<(h, q, e) -> (h, q, e)>
#l = affine_map<(h, q, e) -> (h, q)>

// The keys of both heads lie inside each other: they go together.
// CHECK: ein.plan = {{.*}}kind = "thin-cascade"{{.*}}cascade lanes=16 along the products, tile 4x4v, keys 32, 2 batches at a time, prefetch, threads 1"
// TEAM: splits = 4{{.*}}split-k 4, prefetch, threads 4 (too few rows for the team)
// A dot product of 4 keys and 4 rows is one vector; then the states of the parts are added up.
// NEST-LABEL: func.func private @step0_tile
// NEST: :16 = scf.for
// NEST: memref.prefetch
// NEST-COUNT-30: vector.shuffle
// NEST: llvm.intr.ceil
// NEST-LABEL: func.func private @step0(
// NEST: call @step0_begin
// NEST: call @step0_tile
// NEST-LABEL: func.func private @step0_results(
// NEST: call @step0_merge
// NEST: call @step0_finish
// EDITED: has an ein.plan that is incomplete or does not fit its cascade
func.func @kernel(%Q: memref<2x4x64xf32> {ein.operand = 0 : i64}, %K: memref<2x4096x64xf32, strided<[64, 128, 1]>> {ein.operand = 1 : i64},
                  %V: memref<2x4096x64xf32, strided<[64, 128, 1]>> {ein.operand = 2 : i64}, %O: memref<2x4x64xf32> {ein.result = 0 : i64}) {
  scf.execute_region {
    %S = memref.alloc() : memref<2x4x4096xf32>
    linalg.contract indexing_maps = [#hqd, #hkd, #hqk5] ins(%Q, %K : memref<2x4x64xf32>, memref<2x4096x64xf32, strided<[64, 128, 1]>>) outs(%S : memref<2x4x4096xf32>)
      {ein.loops = array<i64: 0, 1, 2, 3>, ein.role = "tile"}
    %m = memref.alloc() : memref<2x4xf32>
    linalg.generic {indexing_maps = [#hqk, #rows], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%S : memref<2x4x4096xf32>) outs(%m : memref<2x4xf32>) attrs = {ein.loops = array<i64: 0, 1, 2>, ein.role = "max"} {
    ^bb0(%s: f32, %o: f32):
      %x = arith.maximumf %o, %s : f32
      linalg.yield %x : f32
    }
    %W = memref.alloc() : memref<2x4x4096xf32>
    linalg.generic {indexing_maps = [#hqk, #rows, #hqk], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%S, %m : memref<2x4x4096xf32>, memref<2x4xf32>) outs(%W : memref<2x4x4096xf32>)
      attrs = {ein.loops = array<i64: 0, 1, 2>, ein.role = "weight"} {
    ^bb0(%s: f32, %most: f32, %o: f32):
      %x = arith.subf %s, %most : f32
      %y = math.exp %x : f32
      linalg.yield %y : f32
    }
    %l = memref.alloc() : memref<2x4xf32>
    linalg.generic {indexing_maps = [#hqk, #rows], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%W : memref<2x4x4096xf32>) outs(%l : memref<2x4xf32>) attrs = {ein.loops = array<i64: 0, 1, 2>, ein.role = "sum"} {
    ^bb0(%s: f32, %o: f32):
      %x = arith.addf %o, %s : f32
      linalg.yield %x : f32
    }
    %acc = memref.alloc() : memref<2x4x64xf32>
    linalg.contract indexing_maps = [#w, #v, #acc] ins(%W, %V : memref<2x4x4096xf32>, memref<2x4096x64xf32, strided<[64, 128, 1]>>) outs(%acc : memref<2x4x64xf32>)
      {ein.loops = array<i64: 0, 1, 4, 2>, ein.role = "sum"}
    linalg.generic {indexing_maps = [#hqe, #l, #hqe], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%acc, %l : memref<2x4x64xf32>, memref<2x4xf32>) outs(%O : memref<2x4x64xf32>) attrs = {ein.loops = array<i64: 0, 1, 4>, ein.role = "finish"} {
    ^bb0(%a: f32, %s: f32, %o: f32):
      %x = arith.divf %a, %s : f32
      linalg.yield %x : f32
    }
    scf.yield
  } {ein.cascade = {key = 2 : i64}}
  return
}
