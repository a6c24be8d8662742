// The CPU that code is generated for: LLVM's target machine, and what plans know of it.
#pragma once

#include "compiler/Lowering/NestShape.h"
#include "ein/Target.h"

#include "llvm/Target/TargetMachine.h"

#include <memory>
#include <string>

namespace ein {

/// A CPU by name and feature string, as LLVM knows them.
struct HostTarget {
  std::string cpu, features;
  std::vector<std::string> needs; ///< extensions that code for it may use, of those in ein/Cpu.h
  CpuModel model;                 ///< vectors from the features, caches from the machine; `threads` is the caller's

  std::unique_ptr<llvm::TargetMachine> createMachine() const;
};

/// `host`: everything this machine reports. `host:x86-64-vN`: that level, refused where the machine does
/// not have it. `x86-64-vN`: that level with usual caches, the same on every machine.
Expected<HostTarget> hostTarget(const Target &target);

} // namespace ein
