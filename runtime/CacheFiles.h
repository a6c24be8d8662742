// The files of the disk cache within its open folder: entries, the lock, the temporary file.
#pragma once

#include "runtime/DiskCache.h"
#include "runtime/FileDescriptor.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ein {

/// The bytes of an entry, read once. Refuses anything but a regular file with one name, of this user, writable by
/// nobody else, and not larger than `kMaxEntryBytes`. Marks the entry as used now if `use`.
Expected<std::string> readEntry(const FileDescriptor &folder, const std::string &name, bool use);

/// The lock of all writers of a folder, which keeps the sum of the sizes of all entries.
class WriterLock {
public:
  /// Waits for at most DiskCache::kLockTimeout. Nothing if the lock cannot be had.
  static std::optional<WriterLock> take(const FileDescriptor &folder);
  WriterLock(WriterLock &&) = default;
  WriterLock &operator=(WriterLock &&) = delete;
  ~WriterLock();

  /// The sum that was stored last; nothing if there is none.
  std::optional<uint64_t> total() const;
  /// False if it cannot be written: then nothing may be added.
  bool store(uint64_t total) const;

private:
  explicit WriterLock(FileDescriptor file) : file(std::move(file)) {}
  FileDescriptor file;
};

/// All files with an entry's name, in no order.
std::vector<DiskCache::File> scan(const FileDescriptor &folder);

/// Removes the least recently used of `files` until at most `bytes` remain; returns what remains.
uint64_t evict(const FileDescriptor &folder, std::vector<DiskCache::File> files, uint64_t bytes);

/// Writes the temporary file and renames it. The caller holds the lock.
bool writeEntry(const FileDescriptor &folder, const std::string &name, std::string_view bytes);
/// Removes the temporary file that a killed writer has left. The caller holds the lock.
void removeLeftover(const FileDescriptor &folder);

} // namespace ein
