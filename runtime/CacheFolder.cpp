// Finding, making and checking of the cache folder.
#include "runtime/CacheFolder.h"
#include "runtime/Environment.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace ein {

bool writeAll(const FileDescriptor &file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

namespace {

Error refuse(const std::string &path, const std::string &why) {
  return makeError(ErrorCode::IO, "'" + path + "' " + why);
}

Error systemError(const std::string &path) {
  return refuse(path, std::string("cannot be used: ") + std::strerror(errno));
}

/// Makes every missing folder of an absolute path; what cannot be made is found by whoever opens it.
void makeFolders(const std::string &path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
    ::mkdir(path.substr(0, slash).c_str(), 0700);
  ::mkdir(path.c_str(), 0700);
}

/// Refuses a real path on which others could put a folder of theirs in the place of ours. From the root
/// down, so that nobody can change what has been checked.
Expected<void> checkWay(const std::string &path) {
  for (size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string folder = end == std::string::npos || end == 0 ? path : path.substr(0, end);
    struct stat status;
    if (::lstat(folder.c_str(), &status) != 0) return systemError(folder);
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
      return refuse(folder, "belongs to user " + std::to_string(status.st_uid));
    if ((status.st_mode & S_IWOTH) && !(status.st_mode & S_ISVTX)) return refuse(folder, "may be written by everybody");
  }
  return {};
}

/// Opens a folder of ours, and makes it first where asked to. An empty descriptor where there is none.
Expected<FileDescriptor> openOwn(const FileDescriptor &parent, const std::string &name, const std::string &path,
                                 CacheFolder::Missing missing) {
  if (missing == CacheFolder::Missing::Make) ::mkdirat(parent.get(), name.c_str(), 0700);
  FileDescriptor folder(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder && errno == ENOENT && missing == CacheFolder::Missing::Leave) return folder;
  struct stat status;
  if (!folder && ::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(status.st_mode))
    return refuse(path, S_ISLNK(status.st_mode) ? "is a symbolic link" : "is no folder");
  if (!folder || ::fstat(folder.get(), &status) != 0) return systemError(path);
  if (status.st_uid != ::geteuid()) return refuse(path, "belongs to user " + std::to_string(status.st_uid));
  if (status.st_mode & (S_IWGRP | S_IWOTH)) return refuse(path, "may be written by others");
  return folder;
}

} // namespace

std::optional<CacheFolder> CacheFolder::fromEnvironment() {
  const auto path = [](EnvironmentVariable variable) {
    const char *value = environment(variable);
    // Relative paths mean nothing to a library (and the XDG specification has them ignored).
    return std::string(value && value[0] == '/' ? value : "");
  };
  const char *enabled = environment(EnvironmentVariable::Cache);
  if (enabled && std::string_view(enabled) == "0") return std::nullopt;
  if (const std::string folder = path(EnvironmentVariable::CacheDir); !folder.empty()) return CacheFolder(folder);
  if (const std::string caches = path(EnvironmentVariable::XdgCacheHome); !caches.empty())
    return CacheFolder(caches, {"ein", "v1"});
  if (const std::string home = path(EnvironmentVariable::Home); !home.empty())
    return CacheFolder(home + "/.cache", {"ein", "v1"});
  return std::nullopt;
}

CacheFolder::CacheFolder(const std::string &path) {
  const size_t end = path.find_last_not_of('/');
  const size_t slash = path.rfind('/', end);
  base = slash == 0 || end == std::string::npos ? "/" : path.substr(0, slash);
  own = {end == std::string::npos ? "." : path.substr(slash + 1, end - slash)};
}

std::string CacheFolder::path() const {
  std::string path = base;
  for (const std::string &name : own) path += (path.ends_with('/') ? "" : "/") + name;
  return path;
}

Expected<FileDescriptor> CacheFolder::open(Missing missing) const {
  if (missing == Missing::Make) makeFolders(base);
  char real[PATH_MAX];
  if (!::realpath(base.c_str(), real)) {
    if (errno == ENOENT && missing == Missing::Leave) return FileDescriptor();
    return systemError(base);
  }
  if (auto fine = checkWay(real); !fine) return fine.error();
  FileDescriptor folder(::open(real, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return systemError(real);
  std::string path = real;
  for (const std::string &name : own) {
    path += (path.ends_with('/') ? "" : "/") + name;
    auto next = openOwn(folder, name, path, missing);
    if (!next || !*next) return next;
    folder = std::move(*next);
  }
  return folder;
}

} // namespace ein
