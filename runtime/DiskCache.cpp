// Lookup, insertion and eviction of kernels on disk.
#include "runtime/DiskCache.h"
#include "runtime/CacheFiles.h"
#include "runtime/Environment.h"
#include "runtime/Types/Wire.h"

#include <algorithm>
#include <atomic>
#include <cstdio>

namespace ein {
namespace {

/// A key and its module, as an entry holds them.
struct Entry {
  std::string key;
  CompiledModule module;
};

std::string seal(std::string_view key, const CompiledModule &module) {
  wire::Writer w;
  w.string(key);
  wire::write(w, module);
  return w.seal(wire::Kind::CacheEntry);
}

Expected<Entry> unseal(std::string_view bytes) {
  auto fields = wire::open(wire::Kind::CacheEntry, bytes);
  if (!fields) return fields.error();
  wire::Reader r(*fields);
  Entry entry;
  entry.key = r.string();
  entry.module = wire::readModule(r);
  if (!r.finished()) return wire::malformed("cache entry");
  return entry;
}

/// The module of an entry by its file's name.
Expected<CompiledModule> readModule(const FileDescriptor &folder, const std::string &name) {
  auto bytes = readEntry(folder, name, false);
  if (!bytes) return bytes.error();
  auto entry = unseal(*bytes);
  if (!entry) return entry.error();
  if (DiskCache::nameOf(entry->key) != name) return makeError(ErrorCode::IO, "has the name of another key");
  return std::move(entry->module);
}

void warnOnce(const Error &error) {
  static std::atomic<bool> warned = false;
  if (warned.exchange(true)) return;
  std::fprintf(stderr, "warning: ein keeps no kernels on disk: %s (EIN_CACHE=0 turns this off)\n",
               error.message.c_str());
}

/// The folder, or an empty descriptor after a warning.
FileDescriptor openOrWarn(const CacheFolder &folder, CacheFolder::Missing missing) {
  auto opened = folder.open(missing);
  if (opened) return std::move(*opened);
  warnOnce(opened.error());
  return FileDescriptor();
}

} // namespace

std::optional<DiskCache> DiskCache::fromEnvironment() {
  auto folder = CacheFolder::fromEnvironment();
  if (!folder) return std::nullopt;
  return DiskCache(std::move(*folder), resolveCacheSize());
}

std::optional<CompiledModule> DiskCache::get(std::string_view key) const {
  const FileDescriptor folder = openOrWarn(cacheFolder, CacheFolder::Missing::Leave);
  if (!folder) return std::nullopt;
  auto bytes = readEntry(folder, DiskCache::nameOf(key), true);
  if (!bytes) return std::nullopt;
  auto entry = unseal(*bytes);
  if (!entry || entry->key != key) return std::nullopt;
  return std::move(entry->module);
}

bool DiskCache::put(std::string_view key, const CompiledModule &module) const {
  const std::string bytes = seal(key, module);
  if (bytes.size() > std::min(maxBytes, kMaxEntryBytes)) return false;
  const FileDescriptor folder = openOrWarn(cacheFolder, CacheFolder::Missing::Make);
  if (!folder) return false;
  const auto lock = WriterLock::take(folder);
  if (!lock) return false;
  // Down to four fifths of the capacity, so that a scan pays for many insertions.
  const auto room = [&] { return std::min(maxBytes - bytes.size(), maxBytes / 5 * 4); };
  std::optional<uint64_t> total = lock->total();
  if (!total || *total > maxBytes - bytes.size()) total = evict(folder, scan(folder), room());
  if (*total > maxBytes - bytes.size()) return false;
  // The sum is never too small: it is raised first, and forgets neither what a killed writer did not write nor what
  // is replaced, until the next scan.
  if (!lock->store(*total + bytes.size())) return false;
  return writeEntry(folder, DiskCache::nameOf(key), bytes);
}

Expected<std::vector<DiskCache::File>> DiskCache::list() const {
  auto folder = cacheFolder.open(CacheFolder::Missing::Leave);
  if (!folder) return folder.error();
  std::vector<File> files;
  if (*folder) files = scan(*folder);
  std::sort(files.begin(), files.end(), [](const File &a, const File &b) { return a.lastUse > b.lastUse; });
  return files;
}

Expected<CompiledModule> DiskCache::read(const std::string &name) const {
  auto folder = cacheFolder.open(CacheFolder::Missing::Leave);
  if (!folder) return folder.error();
  return readModule(*folder, name);
}

Expected<DiskCache::Pruned> DiskCache::prune(uint64_t bytes) const {
  auto folder = cacheFolder.open(CacheFolder::Missing::Leave);
  if (!folder) return folder.error();
  Pruned pruned;
  if (!*folder) return pruned;
  const auto lock = WriterLock::take(*folder);
  if (!lock) return makeError(ErrorCode::IO, "the lock of '" + cacheFolder.path() + "' cannot be had");
  removeLeftover(*folder);
  std::vector<File> before = scan(*folder), good;
  for (const File &file : before)
    if (readModule(*folder, file.name) || ::unlinkat(folder->get(), file.name.c_str(), 0) != 0) good.push_back(file);
  const uint64_t total = evict(*folder, std::move(good), bytes);
  (void)lock->store(total);
  std::vector<File> after = scan(*folder);
  pruned.files = before.size() - std::min(before.size(), after.size());
  for (const File &file : before) pruned.bytes += file.bytes;
  pruned.bytes -= std::min(pruned.bytes, total);
  return pruned;
}

} // namespace ein
