// Files of tuned plans: an envelope with the key and the texts.
#include "runtime/TunedPlans.h"
#include "runtime/CompilerLibrary.h"
#include "runtime/Environment.h"
#include "runtime/Types/Wire.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cerrno>
#include <cpuid.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ein {
namespace {

/// More than any file of ours holds.
constexpr size_t kMostBytes = 1 << 20;

/// Family, model and stepping, and the name the CPU gives itself: "a20f10 AMD Ryzen 9 5950X 16-Core Processor".
const std::string &cpuName() {
  static const std::string name = [] {
    unsigned r[4] = {};
    char words[3 * sizeof r + 1] = {};
    __get_cpuid(1, &r[0], &r[1], &r[2], &r[3]);
    char signature[16];
    std::snprintf(signature, sizeof signature, "%x ", r[0]);
    for (unsigned leaf = 0; leaf < 3; ++leaf)
      if (__get_cpuid(0x80000002 + leaf, &r[0], &r[1], &r[2], &r[3])) std::memcpy(words + leaf * sizeof r, r, sizeof r);
    return std::string(signature) + words;
  }();
  return name;
}

/// "HOME/.cache" or what replaces it; empty where neither is an absolute path.
std::string cacheHome() {
  const char *home = environment(EnvironmentVariable::CacheHome);
  if (home && *home == '/') return home;
  home = environment(EnvironmentVariable::Home);
  return home && *home == '/' ? std::string(home) + "/.cache" : std::string();
}

std::string tunedFolder() {
  const char *use = environment(EnvironmentVariable::Cache);
  if (use && std::strcmp(use, "0") == 0) return {};
  const std::string home = cacheHome();
  return home.empty() ? home : home + "/ein/v1/tuned";
}

std::string keyOf(CompileRequest request) {
  request.options.plans.clear();
  return request.keyText() + "; cpu " + cpuName() + "; compiler " + compilerBuild();
}

Expected<std::string> pathOf(const std::string &key) {
  const std::string folder = tunedFolder();
  if (folder.empty())
    return makeError(ErrorCode::IO, "there is no cache folder for tuned plans",
                     "set XDG_CACHE_HOME or HOME to an absolute path, and not EIN_CACHE=0");
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  char name[48];
  std::snprintf(name, sizeof name, "/%016llx%016llx.plan", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return folder + name;
}

/// What a file of ours holds; empty where it cannot be read or is too long to be one.
std::string readFile(const std::string &path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return {};
  struct stat status;
  std::string bytes;
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= off_t(kMostBytes)) {
    bytes.resize(static_cast<size_t>(status.st_size));
    if (::read(fd, bytes.data(), bytes.size()) != status.st_size) bytes.clear();
  }
  ::close(fd);
  return bytes;
}

Error systemError(const std::string &what, const std::string &path) {
  return makeError(ErrorCode::IO, what + " '" + path + "': " + std::strerror(errno));
}

} // namespace

Expected<std::string> tunedPlansPath(const CompileRequest &request) { return pathOf(keyOf(request)); }

std::vector<std::string> loadTunedPlans(const CompileRequest &request) {
  const std::string key = keyOf(request);
  const auto path = pathOf(key);
  if (!path) return {};
  const std::string bytes = readFile(*path);
  const auto fields = wire::open(wire::Kind::TunedPlans, bytes);
  if (!fields) return {};
  wire::Reader r(*fields);
  const std::string storedKey = r.string();
  std::vector<std::string> plans = r.list<std::string>([&] { return r.string(); });
  if (!r.finished() || storedKey != key) return {};
  return plans;
}

Expected<std::string> storeTunedPlans(const CompileRequest &request, const std::vector<std::string> &plans) {
  const std::string key = keyOf(request);
  const auto place = pathOf(key);
  if (!place) return place;
  const std::string &path = *place;
  wire::Writer w;
  w.string(key);
  w.list(plans, [&](const std::string &plan) { w.string(plan); });
  const std::string bytes = w.seal(wire::Kind::TunedPlans);
  if (bytes.size() > kMostBytes) return makeError(ErrorCode::Limit, "the plans do not fit a file of tuned plans");

  // Every folder on the way; one that cannot be made shows when the file is created.
  for (size_t slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1))
    ::mkdir(path.substr(0, slash).c_str(), 0700);
  std::string temporary = path + ".XXXXXX";
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return systemError("cannot create", temporary);
  const bool written = ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  if (::close(fd) == 0 && written && ::rename(temporary.c_str(), path.c_str()) == 0) return path;
  Error error = systemError("cannot write", path);
  ::unlink(temporary.c_str());
  return error;
}

} // namespace ein
