// The kernel of a gemm plan: signature, roles, and the order in which a stage is filled, multiplied and given back.
// RUN: %ein-opt %s --ein-emit-gpu-kernels | FileCheck %s

module attributes {ein.kernels = {
  gemm = "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[4096:4096,0,4096/128] n=[4096:0,4096,1/256] k=[4096:1,1,0/64] a=k b=k epilogue=tensor consumers=2 stages=3 cluster=1 split=1 pair=1 raster=8 alpha=1"
}} {}

// CHECK: module attributes {{.*}}gpu.container_module
// CHECK: gpu.module @kernels
// CHECK: llvm.mlir.global external @smem() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
// CHECK: llvm.func @gemm(%[[A:.*]]: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %[[B:.*]]: !llvm.ptr {{.*}}, %[[D:.*]]: !llvm.ptr {{.*}}) attributes {gpu.kernel, nvvm.kernel, nvvm.minctasm = 1 : i32, nvvm.reqntid = array<i32: 384, 1, 1>}

// Three pairs of barriers: one arrival fills a stage, each of two warpgroups gives it back.
// CHECK-COUNT-6: nvvm.mbarrier.init
// CHECK-NOT: nvvm.mbarrier.init
// CHECK: nvvm.fence.mbarrier.init
// CHECK: nvvm.barrier

// CHECK: nvvm.setmaxregister decrease 40
// CHECK: nvvm.mbarrier.try_wait.parity
// CHECK: nvvm.mbarrier.arrive.expect_tx %[[FULL:.*]], %c49152_i32
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global {{.*}}, %[[A]],
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global {{.*}}, %[[B]],

// CHECK: nvvm.setmaxregister increase 232
// CHECK: nvvm.mbarrier.try_wait.parity
// CHECK: nvvm.wgmma.fence.aligned
// The first step overwrites what the accumulators held.
// CHECK-NEXT: nvvm.wgmma.mma_async {{.*}} <m = 64, n = 256, k = 16>, D[<f32>, <zero>], A[<bf16>, <one>, <row>], B[<bf16>, <one>, <col>]
// CHECK-COUNT-3: nvvm.wgmma.mma_async {{.*}}D[<f32>, <one>]
// CHECK: nvvm.wgmma.commit.group.sync.aligned
// CHECK: scf.for
// CHECK: nvvm.mbarrier.try_wait.parity
// CHECK: nvvm.wgmma.fence.aligned
// CHECK-COUNT-4: nvvm.wgmma.mma_async {{.*}}D[<f32>, <one>]
// CHECK: nvvm.wgmma.commit.group.sync.aligned
// The stage before is given back while this one is multiplied.
// CHECK-NEXT: nvvm.wgmma.wait.group.sync.aligned 1
// CHECK: nvvm.mbarrier.arrive
// CHECK: nvvm.wgmma.wait.group.sync.aligned 0
// CHECK: llvm.inline_asm has_side_effects {{.*}}""
// CHECK: nvvm.mbarrier.arrive

// CHECK: nvvm.cp.async.bulk.wait_group 0 {read}
// CHECK: nvvm.barrier id
// CHECK-COUNT-16: nvvm.stmatrix
// CHECK: nvvm.fence.proxy
// CHECK: nvvm.barrier id
// CHECK-COUNT-4: nvvm.cp.async.bulk.tensor.global.shared.cta %[[D]]
// CHECK: nvvm.cp.async.bulk.commit.group
// CHECK: nvvm.cp.async.bulk.wait_group 0
