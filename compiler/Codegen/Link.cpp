// lld in process: object bytes in, shared object bytes out.
#include "compiler/Codegen/Object.h"

#include "lld/Common/CommonLinkerContext.h"
#include "lld/Common/Driver.h"
#include "llvm/Support/raw_ostream.h"

#include <csignal>
#include <fcntl.h>
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

} // namespace

Expected<std::string> linkSharedObject(llvm::StringRef object) {
  Descriptor input(memfd_create("ein.o", MFD_CLOEXEC));
  if (input.fd < 0 || !writeAll(input.fd, object))
    return makeError(ErrorCode::Compile, "no memory file for the object to link");
  // lld renames a temporary file onto its output, which /proc/self/fd cannot do: a private name on tmpfs,
  // removed at once.
  char directory[] = "/dev/shm/ein-XXXXXX";
  char fallback[] = "/tmp/ein-XXXXXX";
  char *made = mkdtemp(directory);
  if (!made) made = mkdtemp(fallback);
  if (!made) return makeError(ErrorCode::Compile, "neither /dev/shm nor /tmp can hold the linker's output");
  const std::string from = "/proc/self/fd/" + std::to_string(input.fd), to = std::string(made) + "/kernel.so";
  const char *arguments[] = {"ld.lld",   "-shared",   "--no-mmap-output-file", "--threads=1",
                             "-z",       "now",       "--hash-style=gnu",      "--build-id=none",
                             "-O0",      "-z",        "noexecstack",           "-o",
                             to.c_str(), from.c_str()};
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

} // namespace ein
