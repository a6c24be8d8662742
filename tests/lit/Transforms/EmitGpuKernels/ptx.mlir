// Kernels of every kind reach PTX, with the instructions that their plans are made of.
// RUN: %ein-opt %s --ein-emit-gpu-kernels \
// RUN:   | mlir-opt --pass-pipeline="builtin.module(nvvm-attach-target{chip=sm_90a features=+ptx80 O=3},gpu.module(convert-scf-to-cf,convert-nvvm-to-llvm,convert-to-llvm,canonicalize,cse,reconcile-unrealized-casts),gpu-module-to-binary{format=isa})" \
// RUN:   | sed 's/\\0A/\n/g; s/\\09/ /g' | FileCheck %s

module attributes {ein.kernels = {
  // Two blocks share the columns; results leave by TMA.
  cluster = "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[4096:4096,0,4096/128] n=[4096:0,4096,1/256] k=[4096:1,1,0/64] a=k b=k epilogue=tensor consumers=2 stages=3 cluster=2 split=1 pair=1 raster=8 alpha=1",
  // Both operands transposed, batches, ragged extents.
  majors = "gemm input=f16 result=f16 swapped=0 batch=[3:1048576,1048576,1048576/1] m=[1000:1,0,296/64] n=[296:0,1,1/64] k=[504:1000,296,0/64] a=mn b=mn epilogue=tensor consumers=1 stages=4 cluster=1 split=1 pair=1 raster=6 alpha=0.5",
  // A deep sum in eight parts.
  parts = "gemm input=bf16 result=f32 swapped=0 batch=[] m=[128:16384,0,128/128] n=[128:0,16384,1/128] k=[16384:1,1,0/64] a=k b=k epilogue=direct consumers=2 stages=4 cluster=1 split=8 pair=2 raster=1 alpha=1"
}} {}

// CHECK: .version 8.0
// CHECK: .target sm_90a
// CHECK: .extern .shared .align 1024 .b8 smem[];

// CHECK-LABEL: .entry cluster(
// CHECK: .param .align 64 .b8 cluster_param_0[128]
// CHECK: .reqntid 384, 1, 1
// CHECK: .minnctapersm 1
// CHECK: .reqnctapercluster 2, 1, 1
// CHECK-NOT: .local
// CHECK: mbarrier.init.shared
// CHECK: fence.mbarrier_init.release.cluster
// CHECK: barrier.cluster.arrive
// CHECK: setmaxnreg.inc.sync.aligned.u32 232
// CHECK: mbarrier.try_wait.parity.shared
// CHECK: wgmma.fence.sync.aligned
// CHECK: wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16
// CHECK: wgmma.commit_group.sync.aligned
// CHECK: wgmma.wait_group.sync.aligned 1
// CHECK: mapa.shared::cluster
// CHECK: mbarrier.arrive.release.cluster.shared::cluster
// CHECK: stmatrix.sync.aligned.m8n8.x4.shared.b16
// CHECK: fence.proxy.async.shared::cta
// CHECK: cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group
// CHECK: cp.async.bulk.commit_group
// CHECK: setmaxnreg.dec.sync.aligned.u32 40
// CHECK: elect.sync
// CHECK: mbarrier.arrive.expect_tx.shared
// CHECK: cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [
// CHECK: cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [

// CHECK-LABEL: .entry majors(
// CHECK-NOT: setmaxnreg
// CHECK: wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {{.*}} p, 1, 1, 1, 1
// CHECK: cp.async.bulk.tensor.3d.shared::cluster.global

// CHECK-LABEL: .entry parts(
// CHECK-NOT: stmatrix
// CHECK-DAG: wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16
// CHECK-DAG: st.global.v4.b32
// CHECK-LABEL: .entry parts_sum(
// CHECK: ld.global.v4.b32
// CHECK: st.global.v2.b32
