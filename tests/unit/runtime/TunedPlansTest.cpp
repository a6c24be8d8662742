// Tuned plans on disk: what is stored comes back, for its own key only, and a bad file is none.
#include "runtime/TunedPlans.h"
#include "FakeCompilerFixture.h"
#include "ein/Engine.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/stat.h>

using namespace ein;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kPlans = {"v1 step=0 kind=nest", "v1 step=1 kind=contraction depth_pieces=64"};

class TunedPlansTest : public testing::Test {
protected:
  void SetUp() override {
    test::useFakeCompiler();
    char name[] = "/tmp/ein-tuned-XXXXXX";
    folder = mkdtemp(name);
    setenv("XDG_CACHE_HOME", (folder / "deep").c_str(), 1);
    unsetenv("EIN_CACHE");
    request.text = "i->i";
    request.operands = {TensorType(DType::F32, {4})};
    request.options.threads = 1;
  }
  void TearDown() override {
    fs::remove_all(folder);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("EIN_CACHE");
  }

  fs::path store() {
    auto path = storeTunedPlans(request, kPlans);
    EXPECT_TRUE(path) << path.error().render();
    return path ? *path : "";
  }

  fs::path folder;
  CompileRequest request;
};

TEST_F(TunedPlansTest, ComeBack) {
  EXPECT_TRUE(loadTunedPlans(request).empty());
  const fs::path path = store();
  EXPECT_EQ(path, *tunedPlansPath(request));
  EXPECT_EQ(path.parent_path(), folder / "deep/ein/v1/tuned");
  EXPECT_EQ(loadTunedPlans(request), kPlans);
  ASSERT_TRUE(storeTunedPlans(request, {}));
  EXPECT_TRUE(loadTunedPlans(request).empty()) << "the planner's choices replace what was stored";
}

TEST_F(TunedPlansTest, AreForTheUserAloneAndLeaveNothingBehind) {
  const fs::path path = store();
  struct stat status;
  for (fs::path p : {path, path.parent_path()}) {
    ASSERT_EQ(stat(p.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 077, 0u) << p;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(path.parent_path()), fs::directory_iterator()), 1);
}

TEST_F(TunedPlansTest, BelongToOneKey) {
  store();
  const auto found = [&](auto change) {
    CompileRequest other = request;
    change(other);
    return loadTunedPlans(other) == kPlans;
  };
  EXPECT_TRUE(found([](CompileRequest &) {}));
  EXPECT_TRUE(found([](CompileRequest &r) { r.dumpStages = {"plan"}; }));
  EXPECT_TRUE(found([](CompileRequest &r) { r.options.plans = {"v1 step=0 kind=nest"}; }));
  EXPECT_TRUE(found([](CompileRequest &r) { r.text = "j->j"; })) << "another name for the index";
  EXPECT_FALSE(found([](CompileRequest &r) { r.text = "i->"; }));
  EXPECT_FALSE(found([](CompileRequest &r) { r.operands = {TensorType(DType::F32, {5})}; }));
  EXPECT_FALSE(found([](CompileRequest &r) { r.operands = {TensorType(DType::F64, {4})}; }));
  EXPECT_FALSE(found([](CompileRequest &r) { r.options.threads = 2; }));
  EXPECT_FALSE(found([](CompileRequest &r) { r.options.target.cpu = "x86-64-v3"; }));
}

TEST_F(TunedPlansTest, AFileUnderAnotherNameIsNone) {
  const fs::path path = store();
  CompileRequest other = request;
  other.text = "i->";
  fs::rename(path, *tunedPlansPath(other));
  EXPECT_TRUE(loadTunedPlans(other).empty());
}

TEST_F(TunedPlansTest, ABadFileIsNone) {
  const fs::path path = store();
  std::ifstream file(path, std::ios::binary);
  const std::string good(std::istreambuf_iterator<char>(file), {});
  const auto write = [&](const std::string &bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    return loadTunedPlans(request);
  };
  ASSERT_EQ(write(good), kPlans);
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_TRUE(write(good.substr(0, length)).empty()) << "cut at " << length;
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] ^= 0x10;
    EXPECT_TRUE(write(bad).empty()) << "flipped at " << at;
  }
  EXPECT_TRUE(write(good + "x").empty());
  EXPECT_TRUE(write(std::string(2 << 20, 'x')).empty());
  fs::remove(path);
  fs::create_directory(path);
  EXPECT_TRUE(loadTunedPlans(request).empty()) << "a folder";
  fs::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_TRUE(loadTunedPlans(request).empty()) << "a pipe that nobody writes to";
}

TEST_F(TunedPlansTest, CanBeTurnedOff) {
  store();
  setenv("EIN_CACHE", "0", 1);
  EXPECT_TRUE(loadTunedPlans(request).empty());
  auto refused = storeTunedPlans(request, kPlans);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::IO);
  unsetenv("EIN_CACHE");
  setenv("XDG_CACHE_HOME", "relative", 1);
  setenv("HOME", "", 1);
  EXPECT_FALSE(tunedPlansPath(request));
  setenv("HOME", folder.c_str(), 1);
  EXPECT_EQ(tunedPlansPath(request)->rfind((folder / ".cache/ein/v1/tuned/").string(), 0), 0u);
}

TEST_F(TunedPlansTest, AFolderThatCannotBeMadeIsAnError) {
  std::ofstream(folder / "deep") << "a file";
  auto refused = storeTunedPlans(request, kPlans);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::IO);
}

/// The fake compiler fails with the plans it was given as its message.
TEST_F(TunedPlansTest, TheEnginePassesThemOn) {
  request.text = "show plans";
  Engine engine;
  const auto plansOf = [&](const CompileOptions &options) {
    auto kernel = engine.compile(request.text, std::span<const TensorType>(request.operands), options);
    EXPECT_FALSE(kernel);
    return kernel ? std::string() : kernel.error().message;
  };
  EXPECT_EQ(plansOf(request.options), "plans:");
  store();
  EXPECT_EQ(plansOf(request.options), "plans: " + kPlans[0] + "; " + kPlans[1]);
  CompileOptions own = request.options;
  own.plans = {"mine"};
  EXPECT_EQ(plansOf(own), "plans: mine") << "the caller's go first";
}

} // namespace
