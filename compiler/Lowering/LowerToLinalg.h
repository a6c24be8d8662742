// From a flat Program to linalg on memrefs: the first stage in MLIR.
#pragma once

#include "compiler/Paths/Flatten.h"
#include "ein/CompiledModule.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace ein {

/// Builds a module with one function `@kernel` over the operands, the results and the workspace: one
/// linalg operation per assignment, `linalg.contract` where it is a two-operand contraction and
/// `linalg.generic` otherwise, each after the `linalg.fill` that starts its reduction. What is gathered is a
/// `memref.load` in the body, at a place that is brought onto its axes.
///
/// Arguments carry `ein.operand`, `ein.result` (their number) or `ein.workspace`. Operands whose layout
/// is not row-major arrive as flat memory from their lowest address (`ein.low` elements before the
/// element at index zero) and are given their layout by memref.reinterpret_cast.
///
/// Where the Program has dynamic indices, `sized`, of which types and slots count, says which numbers come at run time:
/// they are arguments with `ein.size`, their place in the call's sizes. Operands and results that have one arrive as
/// flat memory from their element at index zero. A second function, `@workspace`, computes the bytes of the
/// intermediates.
mlir::OwningOpRef<mlir::ModuleOp> lowerToLinalg(mlir::MLIRContext &context, const FlatProgram &flat,
                                                const std::vector<TensorType> &operands,
                                                const std::vector<TensorType> &results,
                                                const CompiledModule &sized = {});

/// Fills in `module.dynamic` and `module.sizeSlots` from the types in `module` and what is dynamic in its Program.
Expected<void> assignSizes(const Program &program, CompiledModule &module);

} // namespace ein
