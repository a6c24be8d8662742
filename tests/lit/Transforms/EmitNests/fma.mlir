// Multiply and add are one operation only where the target has it: a libm fma would be called otherwise.
// RUN: %ein-opt -ein-plan-kernels="vector-bytes=16 vector-registers=16 fma=false" -ein-emit-nests=fma=false %s | FileCheck %s --implicit-check-not=vector.fma
// CHECK: vector.load {{.*}}vector<4xf32>
// CHECK: arith.mulf {{.*}}vector<4xf32>
// CHECK: arith.addf {{.*}}vector<4xf32>
func.func @kernel(%a: memref<64x64xf32> {ein.operand = 0 : i64}, %b: memref<64x64xf32> {ein.operand = 1 : i64},
                  %c: memref<64x64xf32> {ein.result = 0 : i64}) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<64x64xf32>)
  linalg.contract indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
    ins(%a, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}
