// Plain C functions around a kernel, for shared objects that are used without libein.
#pragma once

#include "ein/CompiledModule.h"

#include "llvm/IR/Module.h"

namespace ein {

/// What the C functions return; docs/aot.md and the headers that `einc compile` writes say the same.
enum class CStatus : int { Fine = 0, Null = 1, Misaligned = 2, NoMemory = 3, Cpu = 4 };

/// Adds to a module with the entry `ein_kernel`, which becomes NAME_kernel:
///
///     int NAME_ws(const void *operand..., void *result..., void *workspace)
///     int NAME(const void *operand..., void *result...)
///
/// NAME_ws refuses null and misaligned pointers and a CPU that lacks one of `description.features`, which is looked
/// at once; NAME allocates the workspace for the call. `description` gives types, workspace and features; its entry is
/// set. To be called after prepareModule. Refuses a name that is no C identifier or belongs to the C library.
Expected<void> addCFunction(llvm::Module &module, llvm::StringRef name, CompiledModule &description);

} // namespace ein
