// Entries on disk: what comes back, what is refused, what is evicted.
#include "runtime/DiskCache.h"
#include "CacheFixture.h"
#include "runtime/FileDescriptor.h"

#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <random>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>

using namespace ein;
namespace fs = std::filesystem;

namespace {

class DiskCacheTest : public test::CacheTest {
protected:
  static void setAge(const fs::path &file, int seconds) {
    const timespec then{time(nullptr) - seconds, 0};
    const timespec times[] = {then, then};
    ASSERT_EQ(utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  }
  fs::path entry(std::string_view key) const { return fs::path(folder()) / DiskCache::nameOf(key); }
  /// Misses, and the next put makes it right.
  void expectMissThenCure(const char *what) {
    EXPECT_FALSE(cache().get("key")) << what;
    EXPECT_TRUE(cache().put("key", module('k'))) << what;
    EXPECT_TRUE(has(cache(), "key", 'k')) << what;
    fs::remove_all(entry("key"));
  }
};

std::string readAll(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}
void writeOver(const fs::path &path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

TEST_F(DiskCacheTest, GivesBackWhatWasPut) {
  EXPECT_FALSE(cache().get("key"));
  EXPECT_FALSE(fs::exists(folder())) << "a miss makes no folder";
  EXPECT_TRUE(cache().put("key", module('k')));
  EXPECT_TRUE(cache().put("other", module('o')));
  EXPECT_TRUE(has(cache(), "key", 'k'));
  EXPECT_TRUE(has(cache(), "other", 'o'));
  EXPECT_FALSE(cache().get("ke"));
  EXPECT_TRUE(cache().put("key", module('n')));
  EXPECT_TRUE(has(cache(), "key", 'n'));
  struct stat status;
  ASSERT_EQ(stat(entry("key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(entry("key").filename().string().size(), 32u);
}

TEST_F(DiskCacheTest, TheWholeKeyIsCompared) {
  ASSERT_TRUE(cache().put("key", module('k')));
  fs::rename(entry("key"), entry("another"));
  EXPECT_FALSE(cache().get("another"));
  EXPECT_FALSE(cache().read(entry("another").filename()));
}

TEST_F(DiskCacheTest, EveryTruncationAndMutationMisses) {
  ASSERT_TRUE(cache().put("key", module('k', 100)));
  const fs::path file = onlyEntry();
  const std::string good = readAll(file);
  for (size_t n = 0; n < good.size(); ++n) {
    writeOver(file, good.substr(0, n));
    ASSERT_FALSE(cache().get("key")) << n;
  }
  writeOver(file, good + '\0');
  EXPECT_FALSE(cache().get("key"));
  std::mt19937_64 random(7);
  for (size_t n = 0; n < good.size(); ++n) {
    std::string bad = good;
    bad[n] = static_cast<char>(bad[n] ^ (1 + random() % 255));
    writeOver(file, bad);
    ASSERT_FALSE(cache().get("key")) << n;
  }
  writeOver(file, good);
  EXPECT_TRUE(has(cache(), "key", 'k', 100));
}

TEST_F(DiskCacheTest, StrangeFilesMiss) {
  ASSERT_TRUE(cache().put("key", module('k')));
  const std::string good = readAll(entry("key"));
  fs::rename(entry("key"), top / "elsewhere");

  ASSERT_EQ(mkfifo(entry("key").c_str(), 0600), 0);
  EXPECT_EQ(cache().read(DiskCache::nameOf("key")).error().message, "is no regular file");
  expectMissThenCure("FIFO");
  fs::create_symlink(top / "elsewhere", entry("key"));
  expectMissThenCure("symbolic link");
  EXPECT_EQ(readAll(top / "elsewhere"), good) << "written through the link";
  fs::create_hard_link(top / "elsewhere", entry("key"));
  expectMissThenCure("hard link");
  fs::create_symlink("/dev/zero", entry("key"));
  expectMissThenCure("device");
  writeOver(entry("key"), good);
  fs::resize_file(entry("key"), uint64_t(1) << 40);
  expectMissThenCure("sparse");
  writeOver(entry("key"), good);
  fs::permissions(entry("key"), fs::perms::all);
  expectMissThenCure("0777");
  if (geteuid() == 0) {
    writeOver(entry("key"), good);
    ASSERT_EQ(chown(entry("key").c_str(), 12345, 12345), 0);
    expectMissThenCure("of another user");
  }
  fs::create_directory(entry("key"));
  EXPECT_FALSE(cache().get("key"));
  EXPECT_FALSE(cache().put("key", module('k')));
  EXPECT_TRUE(cache().put("other", module('o')));
}

TEST_F(DiskCacheTest, EvictsTheLeastRecentlyUsed) {
  const DiskCache small = cache(13'000); // ten entries of about 1250 bytes
  for (char c = 'a'; c < 'k'; ++c) {
    ASSERT_TRUE(small.put(std::string(1, c), module(c)));
    setAge(entry(std::string(1, c)), 1000 - (c - 'a'));
  }
  EXPECT_TRUE(has(small, "a", 'a')); // now the most recently used
  ASSERT_TRUE(small.put("x", module('x')));
  ASSERT_TRUE(small.put("y", module('y')));
  EXPECT_FALSE(small.get("b"));
  EXPECT_FALSE(small.get("c"));
  for (char c : {'a', 'i', 'j', 'x', 'y'}) EXPECT_TRUE(has(small, std::string(1, c), c)) << c;
  EXPECT_FALSE(small.put("huge", module('h', 13'000)));
}

TEST_F(DiskCacheTest, HoldsItsCapacity) {
  const DiskCache small = cache(20'000);
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(small.put(std::to_string(i), module('m', 200 + i * 7 % 1000)));
    const auto files = small.list();
    ASSERT_TRUE(files);
    uint64_t total = 0;
    for (const DiskCache::File &file : *files) total += file.bytes;
    ASSERT_LE(total, small.capacity());
  }
  // Whatever the sum says, the next writer finds the truth.
  for (const char *sum : {"", "x", "0", "99999999999999", "-5\n"}) {
    writeOver(fs::path(folder()) / "lock", sum);
    EXPECT_TRUE(small.put("after", module('z'))) << sum;
  }
  EXPECT_TRUE(has(small, "after", 'z'));
}

TEST_F(DiskCacheTest, LeftoversOfKilledWritersGo) {
  ASSERT_TRUE(cache().put("key", module('k')));
  writeOver(fs::path(folder()) / "temporary", "half an entry");
  ASSERT_TRUE(cache().put("other", module('o')));
  EXPECT_TRUE(has(cache(), "other", 'o'));
  EXPECT_FALSE(fs::exists(fs::path(folder()) / "temporary"));
}

TEST_F(DiskCacheTest, ALockThatIsHeldStopsWritersOnly) {
  ASSERT_TRUE(cache().put("key", module('k')));
  const FileDescriptor held(open((folder() + "/lock").c_str(), O_RDWR));
  ASSERT_EQ(flock(held.get(), LOCK_EX), 0);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(cache().put("other", module('o')));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5 * DiskCache::kLockTimeout);
  EXPECT_TRUE(has(cache(), "key", 'k'));
  EXPECT_FALSE(cache().prune(0));
  // The lock's place may be taken by something else.
  fs::remove(folder() + "/lock");
  ASSERT_EQ(mkfifo((folder() + "/lock").c_str(), 0600), 0);
  EXPECT_FALSE(cache().put("other", module('o')));
}

TEST_F(DiskCacheTest, FileSizeLimit) {
  ASSERT_TRUE(cache().put("key", module('k')));
  rlimit before, small{500, RLIM_INFINITY};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  small.rlim_max = before.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const bool put = cache().put("other", module('o')); // a signal would end the process
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(put);
  EXPECT_TRUE(has(cache(), "key", 'k'));
}

TEST_F(DiskCacheTest, ReadOnlyFolderServes) {
  ASSERT_TRUE(cache().put("key", module('k')));
  fs::permissions(folder(), fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_TRUE(has(cache(), "key", 'k'));
  const bool put = cache().put("other", module('o'));
  EXPECT_EQ(put, geteuid() == 0) << "permissions do not bind root";
  fs::permissions(folder(), fs::perms::owner_all);
}

TEST_F(DiskCacheTest, PruneAndClear) {
  for (char c = 'a'; c < 'f'; ++c) ASSERT_TRUE(cache().put(std::string(1, c), module(c)));
  writeOver(entry("b"), "damaged");
  writeOver(fs::path(folder()) / "temporary", "half an entry");
  writeOver(fs::path(folder()) / "something else", "not ours to remove");
  auto pruned = cache().prune(1 << 20);
  ASSERT_TRUE(pruned);
  EXPECT_EQ(pruned->files, 1u);
  EXPECT_EQ(pruned->bytes, 7u);
  EXPECT_EQ(cache().list()->size(), 4u);
  pruned = cache().prune(0);
  ASSERT_TRUE(pruned);
  EXPECT_EQ(pruned->files, 4u);
  EXPECT_EQ(cache().list()->size(), 0u);
  EXPECT_TRUE(fs::exists(fs::path(folder()) / "something else"));
  EXPECT_FALSE(fs::exists(fs::path(folder()) / "temporary"));
}

TEST_F(DiskCacheTest, ManyThreads) {
  const DiskCache small = cache(30'000);
  std::atomic<int> wrong = 0, hits = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const char c = static_cast<char>('a' + (i * 5 + t) % 26);
        const std::string key(1, c);
        if (i % 2) wrong += !small.put(key, module(c, 1500));
        if (auto found = small.get(key)) wrong += found->code != std::string(1500, c), ++hits;
      }
    });
  for (std::thread &t : threads) t.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(hits, 0);
}

} // namespace
