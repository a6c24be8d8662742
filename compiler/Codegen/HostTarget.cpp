// Detection of the CPU.
#include "compiler/Codegen/HostTarget.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"

#include <mutex>
#include <unistd.h>

namespace ein {

std::unique_ptr<llvm::TargetMachine> HostTarget::createMachine() const {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  llvm::Triple triple(llvm::sys::getDefaultTargetTriple());
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) return nullptr;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(triple, cpu, features, llvm::TargetOptions(),
                                                                          llvm::Reloc::PIC_, llvm::CodeModel::Small,
                                                                          llvm::CodeGenOptLevel::Default));
}

/// A cache size from the C library, or a usual one where it does not know.
static int64_t cacheBytes(int name, int64_t usual) {
  const long bytes = sysconf(name);
  return bytes > 0 ? bytes : usual;
}

Expected<HostTarget> hostTarget(const Target &target) {
  const llvm::StringMap<bool> has = llvm::sys::getHostCPUFeatures();
  const bool avx512 =
      has.lookup("avx512f") && has.lookup("avx512vl") && has.lookup("avx512dq") && has.lookup("avx512bw");
  const bool avx2 = has.lookup("avx2") && has.lookup("fma");
  HostTarget host;
  bool wide = avx512, fused = avx2;
  if (target.cpu.empty()) {
    host.cpu = llvm::sys::getHostCPUName().str();
    for (const auto &feature : has)
      host.features +=
          (host.features.empty() ? "" : ",") + std::string(feature.second ? "+" : "-") + feature.first().str();
  } else {
    if ((target.cpu == "x86-64-v4" && !avx512) || (target.cpu == "x86-64-v3" && !avx2))
      return makeError(ErrorCode::Unsupported, "this CPU does not have " + target.cpu,
                       "use --target host for what it has");
    host.cpu = target.cpu;
    wide = target.cpu == "x86-64-v4";
    fused = target.cpu != "x86-64-v2";
  }
  host.model.vectorBytes = wide ? 64 : fused ? 32 : 16;
  host.model.vectorRegisters = wide ? 32 : 16;
  host.model.fma = wide || fused;
  host.model.splitsWideVectors = wide && llvm::sys::getHostCPUName() == "znver4";
  host.model.l1Bytes = cacheBytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10);
  host.model.l2Bytes = cacheBytes(_SC_LEVEL2_CACHE_SIZE, 1 << 20);
  host.model.l3Bytes = cacheBytes(_SC_LEVEL3_CACHE_SIZE, 16 << 20);
  return host;
}

} // namespace ein
