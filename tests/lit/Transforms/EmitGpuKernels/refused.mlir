// A plan that no kernel can follow is refused with the reason.
// RUN: not %ein-opt %s --ein-emit-gpu-kernels --split-input-file 2>&1 | FileCheck %s

// CHECK: kernel "gemm": not a gemm plan: B: a stride of 8190 bytes, no positive multiple of 16
module attributes {ein.kernels = {
  gemm = "gemm input=bf16 result=bf16 swapped=0 batch=[] m=[4096:4096,0,4096/128] n=[4096:0,4095,1/256] k=[4095:1,1,0/64] a=k b=k epilogue=tensor consumers=2 stages=3 cluster=1 split=1 pair=1 raster=8 alpha=1"
}} {}

// -----

// CHECK: kernel "gemm": not a gemm plan: no 'input='
module attributes {ein.kernels = {gemm = "gemm output=bf16"}} {}
