// A team forks only where the plan says so, and what it captures are pointers.
// RUN: %ein-opt -ein-plan-kernels=threads=2 -ein-emit-nests %s | FileCheck %s --check-prefix=TWO
// RUN: %ein-opt -ein-plan-kernels=threads=1 -ein-emit-nests %s | FileCheck %s --check-prefix=ONE --implicit-check-not=omp.

// ONE: ein.threads = 1
// TWO: ein.threads = 2
// TWO: func.func @ein_kernel
// TWO: omp.parallel num_threads
// TWO: omp.wsloop nowait schedule(static)
// TWO: omp.loop_nest
// TWO-NEXT: func.call @step0(
// The parts are combined by one thread.
// TWO: call @step0_combine(
func.func @kernel(%a: memref<1000x1000xf32> {ein.operand = 0 : i64}, %c: memref<f32> {ein.result = 0 : i64}) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<f32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]}
    ins(%a : memref<1000x1000xf32>) outs(%c : memref<f32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.addf %acc, %x : f32
    linalg.yield %s : f32
  }
  return
}
