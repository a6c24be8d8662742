// ein-cache-torture: kills writers of a disk cache, mutates its entries, crowds it. Prints what it counted; exit code 1
// if anything was wrong.
#include "runtime/CacheFiles.h"
#include "runtime/DiskCache.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>

using namespace ein;
namespace fs = std::filesystem;

namespace {

using Random = std::mt19937_64;

std::string keyOf(uint64_t n) { return "key " + std::to_string(n); }

/// A module that tells its key by its content, of a size that differs from writer to writer.
CompiledModule moduleOf(uint64_t n, size_t bytes) {
  CompiledModule module;
  module.entry = "entry";
  module.key = keyOf(n);
  module.operands = {TensorType(DType::F32, {4, 4})};
  module.results = module.operands;
  module.code.resize(bytes);
  Random random(n);
  for (size_t i = 0; i < bytes; i += 8) {
    const uint64_t word = random();
    std::memcpy(module.code.data() + i, &word, std::min<size_t>(8, bytes - i));
  }
  return module;
}

bool isRight(uint64_t n, const CompiledModule &module) {
  return module.key == keyOf(n) && module.code == moduleOf(n, module.code.size()).code;
}

/// Runs `work` in a child, which dies with its parent.
template <class Work> pid_t start(Work work) {
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(work());
  }
  return child;
}

bool exitedWell(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int report(bool fine, const char *name, const std::string &counts) {
  std::printf("%-7s %-5s %s\n", name, fine ? "fine" : "WRONG", counts.c_str());
  return fine ? 0 : 1;
}

std::string count(uint64_t n, const char *what) { return std::to_string(n) + " " + what; }

/// Four writers of 400 KB entries, all killed at once when one has its file half written; then everything that is there
/// is read.
int killWriters(const std::string &folder, uint64_t kills) {
  constexpr uint64_t kKeys = 20;
  const DiskCache cache(CacheFolder(folder), 64 << 20);
  const fs::path temporary = fs::path(folder) / "temporary";
  std::vector<CompiledModule> modules;
  for (uint64_t n = 0; n < kKeys; ++n) modules.push_back(moduleOf(n, 400'000 + n));
  const auto write = [&](uint64_t seed) {
    for (Random random(seed);;) {
      const uint64_t n = random() % kKeys;
      cache.put(keyOf(n), modules[n]);
    }
    return 0;
  };
  Random random(1);
  uint64_t bad = 0, loads = 0, halves = 0;
  for (uint64_t i = 0; i < kills; i += 4) {
    fs::remove(temporary);
    pid_t writers[4];
    for (pid_t &writer : writers) writer = start([&, seed = random()] { return write(seed); });
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    for (int wait = 0; wait < 5000 && !fs::exists(temporary); ++wait) std::this_thread::yield();
    for (pid_t writer : writers) kill(writer, SIGKILL);
    for (pid_t writer : writers) waitpid(writer, nullptr, 0);
    halves += fs::exists(temporary);
    for (uint64_t n = 0; n < kKeys; ++n) {
      const bool there = fs::exists(fs::path(folder) / DiskCache::nameOf(keyOf(n)));
      auto module = cache.get(keyOf(n));
      loads += module.has_value();
      bad += there && (!module || module->code != modules[n].code);
    }
  }
  const bool usable = cache.put("after", moduleOf(0, 1000)) && cache.get("after");
  return report(bad == 0 && usable && loads > kills && halves > kills / 40, "kill",
                count(kills, "kills, ") + count(halves, "times in the middle of a file, ") + count(loads, "loads, ") +
                    count(bad, "bad"));
}

/// Changes an entry in one of many ways; never into itself.
std::string mutated(const std::string &good, Random &random) {
  std::string bad = good;
  const auto place = [&] { return random() % good.size(); };
  switch (random() % 6) {
  case 0: bad[place()] ^= static_cast<char>(1 << random() % 8); break;
  case 1: bad.resize(place()); break;
  case 2: bad.insert(place(), 1 + random() % 64, static_cast<char>(random())); break;
  case 3: bad.erase(place(), 1 + random() % 64); break;
  case 4: std::memset(bad.data() + place() / 2, 0, good.size() / 2); break;
  default:
    for (uint64_t i = 1 + random() % 16; i > 0; --i)
      bad[random() % 2 ? place() : place() % 128] = static_cast<char>(random());
  }
  if (bad == good) bad += '\0';
  return bad;
}

int mutateEntries(const std::string &folder, uint64_t mutations) {
  const DiskCache cache(CacheFolder(folder), 64 << 20);
  if (!cache.put("key", moduleOf(0, 3000))) return report(false, "mutate", "no entry");
  const fs::path path = fs::path(folder) / DiskCache::nameOf("key");
  std::ifstream file(path, std::ios::binary);
  const std::string good(std::istreambuf_iterator<char>(file), {});
  Random random(2);
  uint64_t accepted = 0;
  for (uint64_t i = 0; i < mutations; ++i) {
    const std::string bad = mutated(good, random);
    std::ofstream(path, std::ios::binary | std::ios::trunc).write(bad.data(), static_cast<std::streamsize>(bad.size()));
    accepted += cache.get("key").has_value();
  }
  std::ofstream(path, std::ios::binary | std::ios::trunc).write(good.data(), static_cast<std::streamsize>(good.size()));
  return report(accepted == 0 && cache.get("key"), "mutate",
                count(mutations, "mutated entries, ") + count(accepted, "accepted, 0 crashes"));
}

/// The bytes of all files but the lock, while no writer is at work.
uint64_t bytesIn(const DiskCache &cache) {
  auto folder = cache.folder().open(CacheFolder::Missing::Leave);
  const auto lock = folder && *folder ? WriterLock::take(*folder) : std::nullopt;
  uint64_t total = 0;
  if (!lock) return total;
  for (const auto &file : fs::directory_iterator(cache.folder().path()))
    if (file.path().filename() != "lock") total += file.file_size();
  return total;
}

/// Processes that put and get random keys, four times as many bytes as there is room for.
int crowd(const std::string &folder, uint64_t processes, uint64_t operations) {
  constexpr uint64_t kCapacity = 10 << 20, kKeys = 4000;
  const DiskCache cache(CacheFolder(folder), kCapacity);
  struct Counts {
    uint64_t puts, refused, gets, hits, wrong;
  };
  int results[2];
  if (pipe(results) != 0) return report(false, "crowd", "no pipe");
  const auto work = [&](uint64_t seed) {
    Random random(seed);
    Counts counts{};
    for (uint64_t i = 0; i < operations; ++i) {
      const uint64_t n = random() % kKeys;
      ++counts.puts;
      counts.refused += !cache.put(keyOf(n), moduleOf(n, 4000 + random() % 12'000));
      const uint64_t other = random() % kKeys;
      ++counts.gets;
      auto module = cache.get(keyOf(other));
      counts.hits += module.has_value();
      counts.wrong += module && !isRight(other, *module);
    }
    return write(results[1], &counts, sizeof counts) == sizeof counts ? 0 : 1;
  };
  std::vector<pid_t> children;
  for (uint64_t p = 0; p < processes; ++p) children.push_back(start([&] { return work(p); }));
  std::atomic<bool> done = false;
  uint64_t largest = 0, died = 0;
  std::thread measure([&] {
    while (!done) {
      largest = std::max(largest, bytesIn(cache));
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  for (pid_t child : children) died += !exitedWell(child);
  done = true;
  measure.join();
  close(results[1]);
  Counts sum{}, one;
  while (read(results[0], &one, sizeof one) == sizeof one) {
    sum.puts += one.puts, sum.refused += one.refused, sum.gets += one.gets, sum.hits += one.hits,
        sum.wrong += one.wrong;
  }
  const bool fine =
      died == 0 && sum.wrong == 0 && sum.refused == 0 && sum.hits > 0 && std::max(largest, bytesIn(cache)) <= kCapacity;
  return report(fine, "crowd",
                count(processes, "processes, ") + count(sum.puts, "puts (") + count(sum.refused, "refused), ") +
                    count(sum.gets, "gets (") + count(sum.hits, "hits), ") + count(sum.wrong, "wrong, ") +
                    count(died, "died, at most ") + count(largest, "bytes of ") + std::to_string(kCapacity));
}

} // namespace

int main(int argc, char **argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  uint64_t numbers[2] = {};
  for (int i = 2; i < argc && i < 4; ++i) std::from_chars(argv[i], argv[i] + std::strlen(argv[i]), numbers[i - 2]);
  char top[] = "/tmp/ein-torture-XXXXXX";
  if (numbers[0] == 0 || !mkdtemp(top)) {
    std::fprintf(stderr, "usage: ein-cache-torture kill N | mutate N | crowd PROCESSES N\n");
    return 2;
  }
  const std::string folder = std::string(top) + "/cache";
  int code = 2;
  if (what == "kill") code = killWriters(folder, numbers[0]);
  if (what == "mutate") code = mutateEntries(folder, numbers[0]);
  if (what == "crowd") code = crowd(folder, numbers[0], numbers[1]);
  fs::remove_all(top);
  return code;
}
