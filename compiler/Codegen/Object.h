// LLVM IR to machine code in memory.
#pragma once

#include "ein/Error.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

#include <string>

namespace ein {

/// Gives every function the machine's CPU and features, hides all but `entry`, and runs early-cse: the
/// only LLVM pass that pays for itself on these nests (docs/rationale.md).
void prepareModule(llvm::Module &module, llvm::TargetMachine &machine, llvm::StringRef entry);

/// Bytes of an object file, or assembly text.
Expected<std::string> emitCode(llvm::Module &module, llvm::TargetMachine &machine, llvm::CodeGenFileType type);

/// Links objects to a shared object, in process and without touching a disk. It names no libraries: who loads it
/// has them. Not re-entrant.
Expected<std::string> linkSharedObject(llvm::ArrayRef<std::string> objects);

/// The same for one object that stands alone: it has this name, where that is not empty, and names libm and libomp
/// where it needs them. Neither has to be here.
Expected<std::string> linkLibrary(llvm::StringRef object, llvm::StringRef soname, llvm::TargetMachine &machine);

} // namespace ein
