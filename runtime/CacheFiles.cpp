// Reading, writing, listing and locking of the disk cache's files.
#include "runtime/CacheFiles.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ein {
namespace {

/// One for all writers: only the one that holds the lock has it.
constexpr const char *kTemporary = "temporary";
constexpr size_t kNameLength = 32;

bool isEntryName(std::string_view name) {
  return name.size() == kNameLength && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Error refuse(std::string why) { return makeError(ErrorCode::IO, std::move(why)); }

/// Why a file cannot be an entry of ours; null if it can.
const char *fault(const struct stat &status) {
  if (!S_ISREG(status.st_mode)) return "is no regular file";
  if (status.st_uid != ::geteuid()) return "belongs to another user";
  if (status.st_mode & (S_IWGRP | S_IWOTH)) return "may be written by others";
  if (status.st_nlink > 1) return "has another name as well";
  if (static_cast<uint64_t>(status.st_size) > DiskCache::kMaxEntryBytes) return "is too large";
  return nullptr;
}

} // namespace

std::string DiskCache::nameOf(std::string_view key) {
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  std::string name;
  for (uint64_t half : {hash.high64, hash.low64})
    for (int shift = 60; shift >= 0; shift -= 4) name += "0123456789abcdef"[half >> shift & 15];
  return name;
}

Expected<std::string> readEntry(const FileDescriptor &folder, const std::string &name, bool use) {
  // Without O_NONBLOCK a FIFO would wait for its writer.
  const FileDescriptor file(
      ::openat(folder.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status;
  if (!file || ::fstat(file.get(), &status) != 0)
    return refuse(errno == ELOOP ? "is a symbolic link" : std::string("cannot be read: ") + std::strerror(errno));
  if (const char *why = fault(status)) return refuse(why);
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  for (size_t have = 0; have < bytes.size();) {
    const ssize_t n = ::read(file.get(), bytes.data() + have, bytes.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return refuse(std::string("cannot be read: ") + std::strerror(errno));
    if (n == 0) return refuse("was cut while it was read");
    have += static_cast<size_t>(n);
  }
  if (use) (void)::futimens(file.get(), nullptr);
  return bytes;
}

std::optional<WriterLock> WriterLock::take(const FileDescriptor &folder) {
  FileDescriptor file(
      ::openat(folder.get(), "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600));
  struct stat status;
  if (!file || ::fstat(file.get(), &status) != 0 || fault(status)) return std::nullopt;
  using Clock = std::chrono::steady_clock;
  std::chrono::microseconds pause(20);
  for (const auto end = Clock::now() + DiskCache::kLockTimeout; ::flock(file.get(), LOCK_EX | LOCK_NB) != 0;) {
    if ((errno != EWOULDBLOCK && errno != EINTR) || Clock::now() >= end) return std::nullopt;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(500));
  }
  return WriterLock(std::move(file));
}

WriterLock::~WriterLock() {
  // A child that was forked meanwhile shares the lock; closing our descriptor alone would leave it locked.
  if (file) ::flock(file.get(), LOCK_UN);
}

std::optional<uint64_t> WriterLock::total() const {
  char text[32];
  const ssize_t n = ::pread(file.get(), text, sizeof text, 0);
  uint64_t value = 0;
  if (n <= 0) return std::nullopt;
  const auto [stop, status] = std::from_chars(text, text + n, value);
  if (status != std::errc() || stop == text + n || *stop != '\n') return std::nullopt;
  return value;
}

bool WriterLock::store(uint64_t total) const {
  const std::string text = std::to_string(total) + "\n";
  return ::pwrite(file.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

std::vector<DiskCache::File> scan(const FileDescriptor &folder) {
  std::vector<DiskCache::File> files;
  // A description of its own: reading a folder moves its position.
  FileDescriptor again(::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR *)> names(again ? ::fdopendir(again.get()) : nullptr, ::closedir);
  if (!names) return files;
  again.release();
  while (const dirent *entry = ::readdir(names.get())) {
    const std::string name = entry->d_name;
    struct stat status;
    if (!isEntryName(name) || ::fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    files.push_back({name, static_cast<uint64_t>(status.st_size),
                     status.st_mtim.tv_sec * int64_t(1'000'000'000) + status.st_mtim.tv_nsec});
  }
  return files;
}

uint64_t evict(const FileDescriptor &folder, std::vector<DiskCache::File> files, uint64_t bytes) {
  std::sort(files.begin(), files.end(), [](const auto &a, const auto &b) { return a.lastUse < b.lastUse; });
  uint64_t total = 0;
  for (const DiskCache::File &file : files) total += file.bytes;
  for (const DiskCache::File &file : files) {
    if (total <= bytes) break;
    if (::unlinkat(folder.get(), file.name.c_str(), 0) == 0) total -= file.bytes;
  }
  return total;
}

void removeLeftover(const FileDescriptor &folder) { ::unlinkat(folder.get(), kTemporary, 0); }

bool writeEntry(const FileDescriptor &folder, const std::string &name, std::string_view bytes) {
  // Beyond this limit a write does not fail but kills the process by a signal.
  rlimit limit;
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes.size() > limit.rlim_cur) return false;
  removeLeftover(folder);
  const FileDescriptor file(
      ::openat(folder.get(), kTemporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return false;
  if (writeAll(file, bytes) && ::renameat(folder.get(), kTemporary, folder.get(), name.c_str()) == 0) return true;
  removeLeftover(folder);
  return false;
}

} // namespace ein
