// A plan that no kernel can follow is refused with the reason.
// RUN: not %ein-opt %s --ein-emit-gpu-kernels --split-input-file 2>&1 | FileCheck %s

// CHECK: kernel "gemm": not a gemm plan: B: a stride of 8190 bytes, no positive multiple of 16
module attributes {ein.kernels = {
  gemm = "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[4096:4096,0,4096/128] n=[4096:0,4095,1/256] k=[4095:1,1,0/64] a=k b=k epilogue=tensor consumers=2 stages=3 cluster=1 split=1 pair=1 raster=8 alpha=1"
}} {}

// -----

// CHECK: kernel "gemm": not a gemm plan: no 'input='
module attributes {ein.kernels = {gemm = "gemm output=bf16"}} {}

// -----

// CHECK: kernel "gemm": not an mma plan: A: copies from addresses that are no multiples
module attributes {ein.kernels = {
  gemm = "mma input=bf16 result=bf16 products=1 swapped=0 batch=[] m=[64:36,0,64/1] n=[64:0,40,1/1] k=[36:1,1,0/1] a=k chunkA=8 b=k chunkB=4 warpM=32 warpN=32 warpsM=2 warpsN=2 depth=32 stages=3 split=1 pair=2 raster=8 alpha=1"
}} {}
