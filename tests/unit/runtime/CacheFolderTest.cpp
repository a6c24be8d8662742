// Where the cache folder is, and which folders are refused.
#include "runtime/CacheFolder.h"
#include "CacheFixture.h"
#include "runtime/Environment.h"

#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace ein;
namespace fs = std::filesystem;

namespace {

class CacheFolderTest : public test::CacheTest {
protected:
  /// "open", "missing", or the reason of a refusal without the folder's path.
  std::string opened(const std::string &path, CacheFolder::Missing missing = CacheFolder::Missing::Make) const {
    auto folder = CacheFolder(path).open(missing);
    if (folder) return *folder ? "open" : "missing";
    return folder.error().message.substr(folder.error().message.rfind('\'') + 2);
  }
};

std::string placeWith(const char *enabled, const char *own, const char *xdg, const char *home) {
  const auto set = [](const char *name, const char *value) { value ? setenv(name, value, 1) : unsetenv(name); };
  const std::string before = getenv("HOME") ? getenv("HOME") : "";
  set("EIN_CACHE", enabled), set("EIN_CACHE_DIR", own), set("XDG_CACHE_HOME", xdg), set("HOME", home);
  auto folder = CacheFolder::fromEnvironment();
  set("EIN_CACHE", "0"), set("EIN_CACHE_DIR", nullptr), set("XDG_CACHE_HOME", nullptr), set("HOME", before.c_str());
  return folder ? folder->path() : "none";
}

TEST(CacheFolder, Place) {
  EXPECT_EQ(placeWith(nullptr, "/a/b", "/x", "/h"), "/a/b");
  EXPECT_EQ(placeWith("1", "/a/b//", "/x", "/h"), "/a/b");
  EXPECT_EQ(placeWith(nullptr, nullptr, "/x", "/h"), "/x/ein/v1");
  EXPECT_EQ(placeWith(nullptr, "", "", "/h"), "/h/.cache/ein/v1");
  EXPECT_EQ(placeWith(nullptr, "relative", "relative", "/h"), "/h/.cache/ein/v1");
  EXPECT_EQ(placeWith(nullptr, nullptr, nullptr, nullptr), "none");
  EXPECT_EQ(placeWith("0", "/a/b", "/x", "/h"), "none");
}

TEST(CacheFolder, Size) {
  const auto size = [](const char *word) {
    setenv("EIN_CACHE_SIZE", word, 1);
    const uint64_t bytes = resolveCacheSize();
    unsetenv("EIN_CACHE_SIZE");
    return bytes;
  };
  EXPECT_EQ(size("123"), 123u);
  EXPECT_EQ(size("64K"), 64u << 10);
  EXPECT_EQ(size("3M"), 3u << 20);
  EXPECT_EQ(size("5G"), 5ull << 30);
  for (const char *word : {"", "G", "-1", "1.5G", "1GB", "99999999999G", "99999999999999999999"})
    EXPECT_EQ(size(word), 1u << 30) << word;
}

TEST_F(CacheFolderTest, IsMadePrivate) {
  EXPECT_EQ(opened(top / "a" / "b" / "c", CacheFolder::Missing::Leave), "missing");
  EXPECT_FALSE(fs::exists(top / "a"));
  EXPECT_EQ(opened(top / "a" / "b" / "c"), "open");
  struct stat status;
  ASSERT_EQ(stat((top / "a" / "b" / "c").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  EXPECT_EQ(opened(top / "a" / "b" / "c", CacheFolder::Missing::Leave), "open");
}

TEST_F(CacheFolderTest, RefusesWhatOthersMayWrite) {
  for (mode_t mode : {0777, 0770, 0702, 01777}) {
    fs::create_directory(folder());
    ASSERT_EQ(chmod(folder().c_str(), mode), 0);
    EXPECT_EQ(opened(folder()), "may be written by others") << std::oct << mode;
    fs::remove(folder());
  }
  fs::create_directory(folder());
  ASSERT_EQ(chmod(folder().c_str(), 0755), 0);
  EXPECT_EQ(opened(folder()), "open");
}

TEST_F(CacheFolderTest, RefusesAWayThatOthersMayWrite) {
  fs::create_directory(top / "open");
  ASSERT_EQ(chmod((top / "open").c_str(), 0777), 0);
  EXPECT_EQ(opened(top / "open" / "cache"), "may be written by everybody");
  EXPECT_EQ(opened(top / "open" / "a" / "b"), "may be written by everybody");
  ASSERT_EQ(chmod((top / "open").c_str(), 01777), 0); // sticky, as /tmp
  EXPECT_EQ(opened(top / "open" / "cache"), "open");
}

TEST_F(CacheFolderTest, RefusesALinkInItsOwnPlaceOnly) {
  fs::create_directory(top / "real");
  fs::create_directory_symlink(top / "real", top / "link");
  EXPECT_EQ(opened(top / "link"), "is a symbolic link");
  EXPECT_EQ(opened(top / "link" / "cache"), "open");
  EXPECT_TRUE(fs::is_directory(top / "real" / "cache"));
  auto nested = CacheFolder(top / "real", {"link", "v1"});
  fs::create_directory_symlink(top / "real", top / "real" / "link");
  EXPECT_FALSE(nested.open(CacheFolder::Missing::Make));
}

TEST_F(CacheFolderTest, RefusesWhatIsNoFolder) {
  std::ofstream(folder()) << "file";
  EXPECT_EQ(opened(folder()), "is no folder");
  EXPECT_EQ(opened(folder() + "/below"), "cannot be used: Not a directory");
  fs::remove(folder());
  fs::create_directory_symlink(top / "absent", folder());
  EXPECT_EQ(opened(folder(), CacheFolder::Missing::Leave), "is a symbolic link");
}

TEST_F(CacheFolderTest, RefusesAFolderOfSomebodyElse) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  fs::create_directory(folder());
  ASSERT_EQ(chown(folder().c_str(), 12345, 12345), 0);
  EXPECT_EQ(opened(folder()), "belongs to user 12345");
  EXPECT_EQ(opened(folder() + "/below"), "belongs to user 12345");
}

} // namespace
