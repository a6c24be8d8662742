// Loading of ELF images: checks, the libraries they need, memfd and dlopen.
#include "runtime/Loader.h"
#include "runtime/Fork.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>

namespace ein {
namespace {

Error loadError(std::string why) { return makeError(ErrorCode::Run, "cannot load the kernel: " + std::move(why)); }

/// Makes sure that the image is an x86-64 shared object whose segments lie inside it and are never
/// writable and executable at once. An image without PT_GNU_STACK would make every stack executable.
Expected<void> checkImage(std::string_view code) {
  Elf64_Ehdr header;
  if (code.size() < sizeof header) return loadError("its code is too short for an ELF image");
  std::memcpy(&header, code.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_machine != EM_X86_64 || header.e_type != ET_DYN || header.e_phentsize != sizeof(Elf64_Phdr))
    return loadError("its code is not an x86-64 ELF shared object");
  if (header.e_phoff > code.size() || header.e_phnum > (code.size() - header.e_phoff) / sizeof(Elf64_Phdr))
    return loadError("its program headers lie outside its code");
  bool hasStack = false;
  for (size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, code.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    hasStack |= segment.p_type == PT_GNU_STACK;
    if (segment.p_type != PT_LOAD && segment.p_type != PT_GNU_STACK) continue;
    if ((segment.p_flags & PF_W) && (segment.p_flags & PF_X)) return loadError("a segment is writable and executable");
    if (segment.p_filesz > code.size() || segment.p_offset > code.size() - segment.p_filesz)
      return loadError("a segment lies outside its code");
  }
  if (!hasStack) return loadError("it does not say that its stack is not executable");
  return {};
}

/// Makes the symbols of libm, and of the OpenMP runtime where it is needed, global: kernels name no
/// libraries. A libomp that the process has already wins, as two of them in one process would clash.
Expected<void> exposeLibraries(bool openMP) {
  static std::mutex mutex;
  static bool haveMath = false, haveOpenMP = false;
  const std::lock_guard lock(mutex);
  const auto open = [](const char *path, int flags = 0) { return dlopen(path, RTLD_NOW | RTLD_GLOBAL | flags); };
  haveMath = haveMath || open("libm.so.6");
  if (!haveMath) return loadError("libm.so.6 is missing");
  if (!openMP || haveOpenMP) return {};
  haveOpenMP = open("libomp.so.5", RTLD_NOLOAD) || open(EIN_LLVM_LIBDIR "/libomp.so.5") || open("libomp.so.5");
  if (haveOpenMP) return {};
  Error error = loadError("the OpenMP runtime libomp.so.5 is missing");
  error.help = "install libomp-22-dev, or run with one thread";
  return error;
}

/// A path of the open file `fd` that no earlier load used. dlopen takes a path that it has seen for the
/// library that is already loaded, though the number may name another file by now; so a count is
/// spelled into the slashes, one bit each.
std::string uniquePath(int fd) {
  static std::atomic<uint64_t> count = 0;
  std::string path = "/proc/self/fd";
  for (uint64_t n = count.fetch_add(1, std::memory_order_relaxed); n > 0; n >>= 1) path += n & 1 ? "/./" : "//";
  return path + "/" + std::to_string(fd);
}

/// Writes all bytes to a new anonymous file; -1 and errno on failure.
int anonymousFile(std::string_view bytes) {
  const int fd = memfd_create("ein", MFD_CLOEXEC);
  while (fd >= 0 && !bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      close(fd);
      return -1;
    }
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return fd;
}

} // namespace

Expected<CodeImage> CodeImage::load(const CompiledModule &module) {
  const ForkGate gate;
  if (auto fine = checkImage(module.code); !fine) return fine.error();
  if (auto fine = exposeLibraries(module.threads > 1); !fine) return fine.error();
  const int fd = anonymousFile(module.code);
  if (fd < 0) return loadError(std::string("no anonymous file: ") + std::strerror(errno));
  void *handle = dlopen(uniquePath(fd).c_str(), RTLD_NOW | RTLD_LOCAL);
  const char *why = handle ? nullptr : dlerror();
  close(fd);
  if (!handle) return loadError(why ? why : "dlopen failed");
  const std::string bytesName = module.entry + "_bytes";
  void *entry = dlsym(handle, module.entry.c_str());
  void *bytes = module.dynamic.empty() ? nullptr : dlsym(handle, bytesName.c_str());
  if (!entry || (!module.dynamic.empty() && !bytes)) {
    dlclose(handle);
    return loadError("its code has no symbol '" + (entry ? bytesName : module.entry) + "'");
  }
  return CodeImage(handle, entry, bytes);
}

CodeImage::~CodeImage() {
  if (!handle) return;
  const ForkGate gate;
  dlclose(handle);
}

} // namespace ein
