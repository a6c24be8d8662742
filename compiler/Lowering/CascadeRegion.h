// A fused cascade as it stands in the IR: a region whose operations carry their roles and indices.
#pragma once

#include "compiler/Lowering/CascadePlan.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace ein {

/// On the region: {key = K}, the index that the cascade sums over.
inline constexpr const char *kCascadeAttr = "ein.cascade";
/// On each operation of the region: the index of each of its loops, and what it does (CascadeRole, in lower case).
inline constexpr const char *kLoopsAttr = "ein.loops";
inline constexpr const char *kRoleAttr = "ein.role";

/// The operations of a cascade. What they allocate is virtual: only tiles of it will exist.
struct CascadeRegion {
  mlir::scf::ExecuteRegionOp region;
  llvm::SmallVector<mlir::linalg::LinalgOp> ops; ///< as in `shape`
  CascadeShape shape;
  mlir::Type element;                   ///< that is computed in
  llvm::SmallVector<mlir::Value> sizes; ///< of @kernel, that come at run time: those that slots in `shape` name
};

/// The cascades of a kernel, in their order.
llvm::SmallVector<mlir::scf::ExecuteRegionOp> cascadesOf(mlir::func::FuncOp kernel);
/// Reads a region; on one that is no cascade it reports what is missing on the operation where it is missing.
mlir::FailureOr<CascadeRegion> readCascade(mlir::scf::ExecuteRegionOp region);

using AnyCascadePlan = std::variant<CascadePlan, ThinCascadePlan>;

mlir::DictionaryAttr planToAttr(mlir::MLIRContext *context, const AnyCascadePlan &plan);
/// Fails on an attribute that is incomplete or does not fit the cascade.
mlir::FailureOr<AnyCascadePlan> planFromAttr(const CascadeRegion &cascade, mlir::DictionaryAttr attr);

} // namespace ein
