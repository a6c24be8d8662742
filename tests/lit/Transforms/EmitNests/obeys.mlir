// An edited plan is obeyed: tile, depth of a block, unrolling, team. This is how a plan is tried out by hand.
// RUN: %ein-opt -ein-plan-kernels %s -o %t.mlir
// RUN: sed -E 's/ mr = [0-9]+/ mr = 2/; s/ nv = [0-9]+/ nv = 1/' %t.mlir | %ein-opt -ein-emit-nests | FileCheck %s --check-prefix=TILE2X1
// RUN: sed -E 's/ mr = [0-9]+/ mr = 4/; s/ nv = [0-9]+/ nv = 2/' %t.mlir | %ein-opt -ein-emit-nests | FileCheck %s --check-prefix=TILE4X2
// RUN: sed -E 's/ lanes = [0-9]+/ lanes = 4/; s/ nv = [0-9]+/ nv = 1/; s/ mr = [0-9]+/ mr = 2/' %t.mlir \
// RUN:   | %ein-opt -ein-emit-nests | FileCheck %s --check-prefix=LANES4
// RUN: sed -E 's/ depth_pieces = array<i64: [0-9]+>/ depth_pieces = array<i64: 16>/; s/ unroll = [0-9]+/ unroll = 2/' %t.mlir | %ein-opt -ein-emit-nests | FileCheck %s --check-prefix=DEPTH16
// RUN: sed -E 's/ pack_rows = 0/ pack_rows = 2/' %t.mlir | %ein-opt -ein-emit-nests | FileCheck %s --check-prefix=TRANSPOSES
// RUN: sed -E 's/ split = 0/ split = 3/; s/ threads = 1/ threads = 2/; s/row_panels = [0-9]+/row_panels = 1/' %t.mlir \
// RUN:   | %ein-opt -ein-emit-nests | FileCheck %s --check-prefix=TEAM

// One accumulator for each vector of the tile.
// TILE2X1: :2 = scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>) {
// TILE2X1-NOT: vector.shuffle
// TILE2X1-NOT: omp.parallel

// TILE4X2: :8 = scf.for

// LANES4: :2 = scf.for {{.*}} -> (vector<4xf32>, vector<4xf32>) {

// Four blocks of 16; later ones add to what the first stored.
// DEPTH16: scf.for {{.*}} to %c16{{(_[0-9]+)?}} step %c2{{(_[0-9]+)?}} iter_args
// DEPTH16: scf.if
// DEPTH16: else
// DEPTH16: arith.addf

// TRANSPOSES: vector.shuffle

// TEAM: ein.threads = 2
// TEAM: omp.parallel num_threads
func.func @kernel(%a: memref<64x64xf32> {ein.operand = 0 : i64}, %b: memref<64x64xf32> {ein.operand = 1 : i64},
                  %c: memref<64x64xf32> {ein.result = 0 : i64}) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<64x64xf32>)
  linalg.contract indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
    ins(%a, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}
