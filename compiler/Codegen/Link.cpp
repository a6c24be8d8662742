// lld in process: object bytes in, shared object bytes out.
#include "compiler/Codegen/Object.h"

#include "lld/Common/CommonLinkerContext.h"
#include "lld/Common/Driver.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/raw_ostream.h"

#include <csignal>
#include <deque>
#include <fcntl.h>
#include <map>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

namespace ein {

namespace {

/// A file descriptor that closes itself.
struct Descriptor {
  int fd;
  explicit Descriptor(int fd) : fd(fd) {}
  Descriptor(const Descriptor &) = delete;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

/// lld registers handlers for fatal signals, which are the host's to choose: puts back what was there.
class SignalHandlers {
public:
  SignalHandlers() {
    for (int s = 1; s < kSignals; ++s) saved[s] = sigaction(s, nullptr, &actions[s]) == 0;
  }
  ~SignalHandlers() {
    for (int s = 1; s < kSignals; ++s)
      if (saved[s] && s != SIGKILL && s != SIGSTOP) sigaction(s, &actions[s], nullptr);
  }

private:
  static constexpr int kSignals = 32;
  struct sigaction actions[kSignals];
  bool saved[kSignals];
};

bool writeAll(int fd, llvm::StringRef bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n <= 0) return false;
    bytes = bytes.drop_front(n);
  }
  return true;
}

bool readAll(const char *path, std::string &bytes) {
  Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
  struct stat info;
  if (file.fd < 0 || fstat(file.fd, &info) != 0) return false;
  bytes.resize(info.st_size);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = pread(file.fd, bytes.data() + done, bytes.size() - done, off_t(done));
    if (n <= 0) return false;
    done += n;
  }
  return true;
}

/// A file in memory that lld can read.
struct InputFile : Descriptor {
  explicit InputFile(llvm::StringRef bytes) : Descriptor(memfd_create("ein.o", MFD_CLOEXEC)) {
    fine = fd >= 0 && writeAll(fd, bytes);
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd); }
  bool fine;
};

/// Links objects with the libraries that they name.
Expected<std::string> link(llvm::ArrayRef<llvm::StringRef> inputs, llvm::StringRef soname) {
  std::deque<InputFile> files;
  std::vector<std::string> paths;
  for (llvm::StringRef input : inputs) {
    if (!files.emplace_back(input).fine) return makeError(ErrorCode::Compile, "no memory file for the object to link");
    paths.push_back(files.back().path());
  }
  // lld renames a temporary file onto its output, which /proc/self/fd cannot do: a private name on tmpfs,
  // removed at once.
  char directory[] = "/dev/shm/ein-XXXXXX";
  char fallback[] = "/tmp/ein-XXXXXX";
  char *made = mkdtemp(directory);
  if (!made) made = mkdtemp(fallback);
  if (!made) return makeError(ErrorCode::Compile, "neither /dev/shm nor /tmp can hold the linker's output");
  const std::string to = std::string(made) + "/kernel.so", name = "--soname=" + soname.str();
  std::vector<const char *> arguments = {"ld.lld",  "-shared", "--no-mmap-output-file", "--threads=1",
                                         "-z",      "now",     "--hash-style=gnu",      "--build-id=none",
                                         "-O0",     "-z",      "noexecstack",           "-o",
                                         to.c_str()};
  if (!soname.empty()) arguments.push_back(name.c_str());
  for (const std::string &path : paths) arguments.push_back(path.c_str());
  std::string diagnostics, image;
  llvm::raw_string_ostream stream(diagnostics);
  const lld::DriverDef driver{lld::Gnu, &lld::elf::link};
  const lld::Result result = [&] {
    SignalHandlers keep;
    return lld::lldMain(arguments, stream, stream, driver);
  }();
  const bool read = result.retCode == 0 && readAll(to.c_str(), image);
  unlink(to.c_str());
  rmdir(made);
  if (!read) return makeError(ErrorCode::Compile, "linking the kernel failed: " + diagnostics);
  return image;
}

/// What an object leaves to others, by the library that has it. The C library is in every process.
Expected<std::map<std::string, std::vector<std::string>>> neededSymbols(llvm::StringRef object) {
  auto file = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(object, "kernel"));
  if (!file) return makeError(ErrorCode::Compile, "unreadable object: " + llvm::toString(file.takeError()));
  std::map<std::string, std::vector<std::string>> needed;
  for (const llvm::object::SymbolRef &symbol : (*file)->symbols()) {
    auto flags = symbol.getFlags();
    auto name = symbol.getName();
    if (!flags || !name) {
      llvm::consumeError(llvm::joinErrors(flags.takeError(), name.takeError()));
      return makeError(ErrorCode::Compile, "unreadable symbol of the object");
    }
    if (!(*flags & llvm::object::SymbolRef::SF_Undefined) || name->empty()) continue;
    static constexpr llvm::StringRef kLibc[] = {"memcpy", "memset", "memmove", "aligned_alloc", "free"};
    if (llvm::is_contained(kLibc, *name)) continue;
    const bool openMP = name->starts_with("__kmpc_") || name->starts_with("omp_");
    needed[openMP ? "libomp.so.5" : "libm.so.6"].push_back(name->str());
  }
  return needed;
}

/// A library of that name with these symbols and nothing behind them: all that a linker wants to see.
Expected<std::string> standIn(const std::string &soname, const std::vector<std::string> &symbols,
                              llvm::TargetMachine &machine) {
  llvm::LLVMContext context;
  llvm::Module module(soname, context);
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), false);
  for (const std::string &symbol : symbols) {
    auto *function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, symbol, module);
    llvm::ReturnInst::Create(context, llvm::BasicBlock::Create(context, "", function));
  }
  auto object = emitCode(module, machine, llvm::CodeGenFileType::ObjectFile);
  if (!object) return object;
  return link({llvm::StringRef(*object)}, soname);
}

} // namespace

Expected<std::string> linkSharedObject(llvm::ArrayRef<std::string> objects) {
  return link(llvm::to_vector_of<llvm::StringRef>(objects), "");
}

Expected<std::string> linkLibrary(llvm::StringRef object, llvm::StringRef soname, llvm::TargetMachine &machine) {
  auto needed = neededSymbols(object);
  if (!needed) return needed.error();
  std::vector<std::string> libraries;
  for (const auto &[library, symbols] : *needed) {
    auto bytes = standIn(library, symbols, machine);
    if (!bytes) return bytes;
    libraries.push_back(std::move(*bytes));
  }
  std::vector<llvm::StringRef> inputs = {object};
  inputs.insert(inputs.end(), libraries.begin(), libraries.end());
  return link(inputs, soname);
}

} // namespace ein
