// Files of tuned plans: an envelope with the key and the texts.
#include "runtime/TunedPlans.h"
#include "runtime/CacheFiles.h"
#include "runtime/CacheFolder.h"
#include "runtime/DiskKey.h"
#include "runtime/Types/Wire.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>

namespace ein {
namespace {

/// More than any file of ours holds.
constexpr size_t kMostBytes = 1 << 20;

/// The kernel's, whatever plans it is asked for with.
std::string keyOf(CompileRequest request) {
  request.options.plans.clear();
  return diskKey(request);
}

std::string nameOf(const std::string &key) { return DiskCache::nameOf(key) + ".plan"; }

std::optional<CacheFolder> tunedFolder() {
  const auto cache = CacheFolder::fromEnvironment();
  return cache ? std::optional(cache->below("tuned")) : std::nullopt;
}

Error noFolder() {
  return makeError(ErrorCode::IO, "there is no cache folder for tuned plans",
                   "set XDG_CACHE_HOME or HOME to an absolute path, and not EIN_CACHE=0");
}

Error systemError(const std::string &what, const std::string &path) {
  return makeError(ErrorCode::IO, what + " '" + path + "': " + std::strerror(errno));
}

} // namespace

Expected<std::string> tunedPlansPath(const CompileRequest &request) {
  const auto folder = tunedFolder();
  return folder ? Expected<std::string>(folder->path() + "/" + nameOf(keyOf(request))) : noFolder();
}

std::vector<std::string> loadTunedPlans(const CompileRequest &request) {
  const auto place = tunedFolder();
  if (!place) return {};
  const auto folder = place->open(CacheFolder::Missing::Leave);
  if (!folder || !*folder) return {};
  const std::string key = keyOf(request);
  const auto bytes = readEntry(*folder, nameOf(key), false);
  if (!bytes) return {};
  const auto fields = wire::open(wire::Kind::TunedPlans, *bytes);
  if (!fields) return {};
  wire::Reader r(*fields);
  const std::string storedKey = r.string();
  std::vector<std::string> plans = r.list<std::string>([&] { return r.string(); });
  if (!r.finished() || storedKey != key) return {};
  return plans;
}

Expected<std::string> storeTunedPlans(const CompileRequest &request, const std::vector<std::string> &plans) {
  const std::string key = keyOf(request), name = nameOf(key), temporary = name + "." + std::to_string(::getpid());
  const auto place = tunedFolder();
  if (!place) return noFolder();
  wire::Writer w;
  w.string(key);
  w.list(plans, [&](const std::string &plan) { w.string(plan); });
  const std::string bytes = w.seal(wire::Kind::TunedPlans);
  if (bytes.size() > kMostBytes) return makeError(ErrorCode::Limit, "the plans do not fit a file of tuned plans");

  const auto folder = place->open(CacheFolder::Missing::Make);
  if (!folder) return folder.error();
  const std::string path = place->path() + "/" + name;
  constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  FileDescriptor file(::openat(folder->get(), temporary.c_str(), flags, 0600));
  if (!file) return systemError("cannot create", place->path() + "/" + temporary);
  const bool written = writeAll(file, bytes) && ::close(file.release()) == 0;
  if (written && ::renameat(folder->get(), temporary.c_str(), folder->get(), name.c_str()) == 0) return path;
  Error error = systemError("cannot write", path);
  ::unlinkat(folder->get(), temporary.c_str(), 0);
  return error;
}

} // namespace ein
