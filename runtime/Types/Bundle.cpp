// Binary form of Bundle, and its file.
#include "ein/Bundle.h"
#include "runtime/Types/Wire.h"

#include <cerrno>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace ein {
namespace {

/// More than any bundle of ours; a sparse file may claim any size.
constexpr off_t kMostBytes = off_t(1) << 30;

Error fileError(const std::string &path, const std::string &why) {
  return makeError(ErrorCode::IO, "cannot read '" + path + "': " + why);
}

/// The bytes of a regular file; an error with errno's words, or what is wrong with it.
Expected<std::string> readRegularFile(const std::string &path) {
  // A FIFO that nobody writes to must not block.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fileError(path, std::strerror(errno));
  struct stat status;
  std::string why, bytes;
  if (::fstat(fd, &status) != 0)
    why = std::strerror(errno);
  else if (!S_ISREG(status.st_mode))
    why = "not a regular file";
  else if (status.st_size > kMostBytes)
    why = "it has more than 1 GiB";
  else
    bytes.resize(static_cast<size_t>(status.st_size));
  for (size_t done = 0; why.empty() && done < bytes.size();) {
    const ssize_t n = ::read(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) why = std::strerror(errno);
    if (n == 0) why = "it became shorter meanwhile";
    if (n > 0) done += static_cast<size_t>(n);
  }
  ::close(fd);
  if (!why.empty()) return fileError(path, why);
  return bytes;
}

} // namespace

Expected<const BundledKernel *> Bundle::find(std::string_view name) const {
  if (name.empty() && kernels.size() == 1) return &kernels.front();
  std::string names;
  for (const BundledKernel &kernel : kernels) {
    if (kernel.name == name) return &kernel;
    names += (names.empty() ? "" : ", ") + kernel.name;
  }
  return makeError(ErrorCode::UnknownName,
                   name.empty() ? "the bundle has " + std::to_string(kernels.size()) + " kernels"
                                : "the bundle has no kernel '" + std::string(name) + "'",
                   "its kernels: " + names);
}

std::string Bundle::serialize() const {
  wire::Writer w;
  w.list(kernels, [&](const BundledKernel &kernel) {
    w.string(kernel.name);
    w.string(kernel.text);
    wire::write(w, kernel.module);
  });
  return w.seal(wire::Kind::Bundle);
}

Expected<Bundle> Bundle::deserialize(std::string_view bytes) {
  auto fields = wire::open(wire::Kind::Bundle, bytes);
  if (!fields) return fields.error();
  wire::Reader r(*fields);
  Bundle bundle;
  std::set<std::string_view> names;
  bundle.kernels = r.list<BundledKernel>([&] {
    BundledKernel kernel;
    kernel.name = r.string();
    kernel.text = r.string();
    kernel.module = wire::readModule(r);
    return kernel;
  });
  for (const BundledKernel &kernel : bundle.kernels)
    if (kernel.name.empty() || !names.insert(kernel.name).second) return wire::malformed("bundle");
  if (!r.finished()) return wire::malformed("bundle");
  return bundle;
}

Expected<Bundle> Bundle::read(const std::string &path) {
  const auto bytes = readRegularFile(path);
  if (!bytes) return bytes.error();
  auto bundle = deserialize(*bytes);
  if (!bundle) bundle.error().message = "'" + path + "' is " + bundle.error().message;
  return bundle;
}

} // namespace ein
