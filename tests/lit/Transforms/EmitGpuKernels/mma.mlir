// The kernel of an mma plan: the ring is filled ahead, each stage is waited for, then the next is asked for, then the
// first is multiplied.
// RUN: %ein-opt %s --ein-emit-gpu-kernels | FileCheck %s

module attributes {ein.kernels = {
  gemm = "mma input=bf16 result=f32 products=1 swapped=0 batch=[] m=[64:64,0,64/1] n=[64:0,1,1/1] k=[60:1,64,0/1] a=k chunkA=4 b=mn chunkB=8 warpM=32 warpN=32 warpsM=2 warpsN=2 depth=32 stages=3 split=1 pair=2 raster=8 alpha=1"
}} {}

// CHECK: llvm.func @gemm(%[[A:.*]]: !llvm.ptr<1>, %[[B:.*]]: !llvm.ptr<1>, %[[D:.*]]: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel, nvvm.minctasm = 1 : i32, nvvm.reqntid = array<i32: 128, 1, 1>}

// Two stages before the loop; chunks end where the depth does, in groups that are empty where there is no stage.
// CHECK: scf.for
// CHECK: scf.if
// CHECK: nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 8, cache = ca, %{{.*}}
// CHECK: nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg, %{{.*}}
// CHECK: nvvm.cp.async.commit.group

// CHECK: scf.for {{.*}} iter_args
// CHECK-NEXT: nvvm.cp.async.wait.group 1
// CHECK-NEXT: nvvm.barrier
// CHECK: scf.if
// CHECK: nvvm.cp.async.shared.global
// CHECK: nvvm.cp.async.commit.group
// CHECK-COUNT-2: nvvm.ldmatrix {{.*}}mma_layout<row>
// CHECK-COUNT-2: nvvm.ldmatrix {{.*}}mma_layout<col>
// CHECK-COUNT-8: nvvm.mma.sync
// CHECK: nvvm.ldmatrix
// CHECK-COUNT-8: nvvm.mma.sync
// CHECK: scf.yield
// CHECK-NOT: nvvm.mma
// Neighbours are stored together.
// CHECK: llvm.store %{{.*}}, %{{.*}} {alignment = 8 : i64} : vector<2xf32>, !llvm.ptr<1>
