// Sums whose lanes are adjacent in the operands but not in the output: squares are transposed before they are stored.
// RUN: %ein-opt -ein-plan-kernels %s | FileCheck %s
// RUN: %ein-opt -ein-plan-kernels -ein-emit-nests %s | FileCheck %s --check-prefix=NEST

// CHECK: linalg.contract {{.*}}kind = "nest"{{.*}}lanes parallel{{.*}}, 16 values of loop {{[0-9]+}}, transposed
// NEST: vector.fma
// NEST: vector.shuffle
// NEST: vector.store
func.func @kernel(%a: memref<32x24x30x32xf32> {ein.operand = 0 : i64}, %b: memref<24x24x32xf32> {ein.operand = 1 : i64},
                  %c: memref<30x24x32x32xf32> {ein.result = 0 : i64}) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<30x24x32x32xf32>)
  linalg.contract indexing_maps = [affine_map<(a, c, x, e, f) -> (e, f, a, x)>, affine_map<(a, c, x, e, f) -> (c, f, x)>,
                                   affine_map<(a, c, x, e, f) -> (a, c, x, e)>]
    ins(%a, %b : memref<32x24x30x32xf32>, memref<24x24x32xf32>) outs(%c : memref<30x24x32x32xf32>)
  return
}
