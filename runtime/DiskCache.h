// Kernels on disk: one self-describing file per key.
#pragma once

#include "ein/CompiledModule.h"
#include "runtime/CacheFolder.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ein {

/// A cache of modules in a folder that any number of threads and processes share. Nothing that is wrong with the
/// folder, a file in it or the file system is an error: `get` misses and `put` does nothing. A folder that is
/// not safe is named once per process on stderr.
///
/// An entry is `wire` fields behind magic, format version, length and checksum: the whole key, then the
/// module. Its file's name is the key's hash. It is written to a temporary file and renamed, so that it is there
/// whole or not at all; what a crash of the machine leaves fails the checksum. Readers lock nothing. Writers hold a
/// lock on `lock`, a file that also holds the sum of all sizes, and evict what was not used for longest before
/// the sum exceeds the capacity.
class DiskCache {
public:
  /// Nothing if the environment turns it off or names no folder.
  static std::optional<DiskCache> fromEnvironment();
  DiskCache(CacheFolder folder, uint64_t capacity) : cacheFolder(std::move(folder)), maxBytes(capacity) {}

  /// The module of a key. Its bytes are read once, and those very bytes checked.
  std::optional<CompiledModule> get(std::string_view key) const;
  /// Adds or replaces; whether the entry is there now.
  bool put(std::string_view key, const CompiledModule &module) const;

  /// The name of a key's file: 32 hexadecimal digits of XXH3.
  static std::string nameOf(std::string_view key);
  const CacheFolder &folder() const { return cacheFolder; }
  uint64_t capacity() const { return maxBytes; }

  /// How long `put` waits for other writers before it gives up.
  static constexpr std::chrono::milliseconds kLockTimeout{2000};
  /// No entry is larger.
  static constexpr uint64_t kMaxEntryBytes = uint64_t(64) << 20;

  // What follows is for tools: it reports errors.

  /// A file that has the name of an entry.
  struct File {
    std::string name;
    uint64_t bytes = 0;
    int64_t lastUse = 0; ///< nanoseconds since the epoch
  };
  /// All entries, most recently used first; none where there is no folder yet.
  Expected<std::vector<File>> list() const;
  /// The module of an entry by its file's name; an error says why `get` would miss.
  Expected<CompiledModule> read(const std::string &name) const;
  /// What was removed.
  struct Pruned {
    uint64_t files = 0, bytes = 0;
  };
  /// Removes bad entries and what a killed writer has left, then the least recently used until at most `bytes` remain.
  Expected<Pruned> prune(uint64_t bytes) const;

private:
  CacheFolder cacheFolder;
  uint64_t maxBytes;
};

} // namespace ein
