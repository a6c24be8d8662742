// The environment variables of ein: the only place that reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace ein {

/// A variable by its place in the table.
enum class EnvironmentVariable : uint8_t {
  NumThreads,
  Compiler,
  Cache,
  CacheDir,
  CacheSize,
  Log,
  XdgCacheHome,
  Home,
  CudaLibrary,
  Background
};

/// A row of the table, as help texts print it.
struct EnvironmentEntry {
  const char *name;
  const char *meaning;
};

/// All variables, in the order of the enumeration.
std::span<const EnvironmentEntry> environmentTable();

/// The value; null where it is unset, and always in a set-user-id process.
const char *environment(EnvironmentVariable variable);

/// Largest accepted team.
inline constexpr int kMaxThreads = 1024;

/// Team size for a requested one: itself, or for 0 EIN_NUM_THREADS where it holds a number from 1 to
/// `kMaxThreads`, else the number of cores this process may run on. Reads the environment on every call.
int resolveThreads(int requested);

/// Bytes the disk cache may take: EIN_CACHE_SIZE where it is a number with or without a unit, else 1 GiB.
uint64_t resolveCacheSize();
/// Reads a number of bytes: `500000`, `64K`, `100M` and `2G` in powers of 1024; nothing for any other word.
std::optional<uint64_t> parseByteSize(std::string_view word);

} // namespace ein
