// Attention: probabilities stay in registers, the next scores are on their way while this tile's exponentials are taken,
// and two warpgroups take turns.
// RUN: %ein-opt %s --ein-emit-gpu-kernels | FileCheck %s
// RUN: %ein-opt %s --ein-emit-gpu-kernels \
// RUN:   | mlir-opt --pass-pipeline="builtin.module(nvvm-attach-target{chip=sm_90a features=+ptx80 O=3},gpu.module(convert-scf-to-cf,convert-nvvm-to-llvm,convert-to-llvm,canonicalize,cse,reconcile-unrealized-casts),gpu-module-to-binary{format=isa})" \
// RUN:   | sed 's/\\0A/\n/g; s/\\09/ /g' | FileCheck %s --check-prefix=PTX

module attributes {ein.kernels = {
  causal = "attention input=bf16 result=bf16 batch=[16:128,128,128,128,4096/1 2:8388608,8388608,8388608,8388608,65536/1] rows=[4096:2048,0,0,2048,1/128] key=[4096:0,2048,2048,0,0/128] depth=128 width=128 scale=0.088388347648318447 softcap=0 position=0 lowest=none highest=0 logsum=f32 zero-empty=1 consumers=2 stages=2 section=11 tensor-store=1",
  wide = "attention input=f16 result=f16 batch=[] rows=[4096:256,0,0,256,1/128] key=[4000:0,256,256,0,0/64] depth=256 width=256 scale=0.0625 softcap=50 position=0 lowest=none highest=none logsum=none zero-empty=1 consumers=2 stages=2 section=1 tensor-store=1"
}} {}

// CHECK-LABEL: llvm.func @causal
// Queries, and two stages of keys and of values, each full or empty.
// CHECK-COUNT-10: nvvm.mbarrier.init
// CHECK: nvvm.barrier
// CHECK: nvvm.setmaxregister decrease 24
// Queries of two panels, the last keys, then keys a step ahead of values.
// CHECK-COUNT-4: nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK: scf.for
// CHECK-COUNT-4: nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK: nvvm.setmaxregister increase 240
// The first scores.
// CHECK-COUNT-8: nvvm.wgmma.mma_async {{.*}}<m = 64, n = 128, k = 16>
// CHECK: nvvm.wgmma.wait.group.sync.aligned 0
// Only tiles that the diagonal cuts are masked.
// CHECK: scf.if
// CHECK: arith.select
// CHECK: } else {
// CHECK: scf.for
// CHECK: nvvm.barrier id = {{.*}} number_of_threads = %c256_i32
// CHECK-COUNT-8: nvvm.wgmma.mma_async
// CHECK-NEXT: nvvm.wgmma.commit.group.sync.aligned
// CHECK: nvvm.wgmma.fence.aligned
// CHECK-COUNT-8: llvm.inline_asm {{.*}}wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16
// CHECK: nvvm.wgmma.commit.group.sync.aligned
// CHECK: nvvm.barrier.arrive
// CHECK: nvvm.wgmma.wait.group.sync.aligned 1
// CHECK: llvm.intr.exp2
// CHECK: nvvm.wgmma.wait.group.sync.aligned 0
// The logarithm of the sum, then the result.
// CHECK: arith.sitofp
// CHECK: nvvm.stmatrix
// CHECK: nvvm.cp.async.bulk.tensor.global.shared.cta

// PTX-LABEL: .entry causal(
// PTX-NOT: .local
// PTX-NOT: call
// PTX: setmaxnreg.inc.sync.aligned.u32 240
// PTX-DAG: ex2.approx.f32
// PTX-DAG: cvt.rn.bf16x2.f32
// PTX-DAG: bar.arrive
// PTX: st.global.b32
// PTX-LABEL: .entry wide(
// PTX-NOT: .local
// PTX-DAG: wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16
// PTX-DAG: wgmma.mma_async.sync.aligned.m64n256k16.f32.f16.f16
// PTX-DAG: rcp.approx
