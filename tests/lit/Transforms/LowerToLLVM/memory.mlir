// Flat memory over a pointer costs nothing: an access is one address computation, no descriptor remains.
// RUN: %ein-opt -ein-lower-to-llvm -canonicalize %s | FileCheck %s

// CHECK-LABEL: llvm.func @move(
// CHECK-SAME: %[[FROM:.*]]: !llvm.ptr, %[[TO:.*]]: !llvm.ptr, %[[AT:.*]]: i64)
// CHECK: %[[A:.*]] = llvm.getelementptr {{.*}}%[[FROM]][%[[AT]]] : (!llvm.ptr, i64) -> !llvm.ptr, f32
// CHECK-NEXT: %[[V:.*]] = llvm.load %[[A]] {alignment = 4 : i64} : !llvm.ptr -> vector<8xf32>
// CHECK: %[[B:.*]] = llvm.getelementptr {{.*}}%[[TO]][%[[AT]]] : (!llvm.ptr, i64) -> !llvm.ptr, f32
// CHECK-NEXT: llvm.store %[[V]], %[[B]] {alignment = 4 : i64}
// CHECK: %[[C:.*]] = llvm.getelementptr {{.*}}%[[TO]]
// CHECK-NEXT: llvm.store %[[V]], %[[C]] {alignment = 32 : i64, nontemporal}
// CHECK-NEXT: llvm.return
func.func @move(%from: !llvm.ptr, %to: !llvm.ptr, %at: index) {
  %a = builtin.unrealized_conversion_cast %from : !llvm.ptr to memref<100xf32>
  %b = builtin.unrealized_conversion_cast %to : !llvm.ptr to memref<100xf32>
  %v = vector.load %a[%at] : memref<100xf32>, vector<8xf32>
  vector.store %v, %b[%at] : memref<100xf32>, vector<8xf32>
  vector.store %v, %b[%at] {alignment = 32 : i64, nontemporal = true} : memref<100xf32>, vector<8xf32>
  return
}
