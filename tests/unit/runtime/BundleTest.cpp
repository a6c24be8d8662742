// Bundles: what is found in them, what is refused. Kernels are the fake compiler's, which copy operand 0.
#include "ein/Bundle.h"
#include "FakeCompilerFixture.h"
#include "ein/Engine.h"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

using namespace ein;

namespace {

class BundleTest : public testing::Test {
protected:
  void SetUp() override {
    test::useFakeCompiler();
    for (int64_t n : {4, 8}) {
      const TensorType type(DType::F32, {n});
      auto kernel = engine.compile("i->i", {&type, 1});
      ASSERT_TRUE(kernel) << kernel.error().render();
      bundle.kernels.push_back({"copy" + std::to_string(n), "i->i", kernel->module()});
    }
    path = testing::TempDir() + "ein-bundle-" + std::to_string(::getpid()) + ".ein";
  }
  void TearDown() override { ::unlink(path.c_str()); }

  void write(const std::string &bytes) { std::ofstream(path, std::ios::binary) << bytes; }

  static bool copies(const Kernel &kernel, int64_t n) {
    std::vector<float> from(static_cast<size_t>(n), 3), to(static_cast<size_t>(n));
    const TensorView operand(from.data(), {n}), result(to.data(), {n});
    auto done = kernel.run({&operand, 1}, {&result, 1});
    return done && from == to;
  }

  Engine engine;
  Bundle bundle;
  std::string path;
};

TEST_F(BundleTest, LoadsByName) {
  write(bundle.serialize());
  auto kernel = engine.load(path, "copy8");
  ASSERT_TRUE(kernel) << kernel.error().render();
  EXPECT_TRUE(copies(*kernel, 8));

  auto all = engine.loadAll(path);
  ASSERT_TRUE(all) << all.error().render();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_TRUE(copies(all->find("copy4")->second, 4));
  EXPECT_TRUE(copies(all->find("copy8")->second, 8));

  auto read = Bundle::read(path);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->serialize(), bundle.serialize());
  EXPECT_EQ(read->kernels[1].text, "i->i");
}

TEST_F(BundleTest, NamesAreListedWhereNoneFits) {
  write(bundle.serialize());
  for (const char *name : {"", "copy5"}) {
    auto kernel = engine.load(path, name);
    ASSERT_FALSE(kernel);
    EXPECT_EQ(kernel.error().code, ErrorCode::UnknownName);
    EXPECT_EQ(kernel.error().help, "its kernels: copy4, copy8");
  }
  bundle.kernels.pop_back();
  write(bundle.serialize());
  EXPECT_TRUE(engine.load(path, ""));
}

TEST_F(BundleTest, RefusesACpuThatLacksWhatACodeNeeds) {
  bundle.kernels[1].module.features = {"sse3", "time-travel"};
  write(bundle.serialize());
  EXPECT_TRUE(engine.load(path, "copy4"));
  auto kernel = engine.load(path, "copy8");
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().code, ErrorCode::Unsupported);
  EXPECT_EQ(kernel.error().message, "this CPU lacks what the kernel was compiled for: time-travel");
  EXPECT_EQ(kernel.error().notes, std::vector<std::string>{"this is kernel 'copy8' of '" + path + "'"});
  EXPECT_FALSE(engine.loadAll(path));
}

TEST_F(BundleTest, RefusesDamagedFiles) {
  const std::string good = bundle.serialize();
  for (size_t length = 0; length < good.size(); length += 1 + length / 50) {
    write(good.substr(0, length));
    auto kernel = engine.load(path, "copy4");
    ASSERT_FALSE(kernel) << length << " bytes";
    EXPECT_EQ(kernel.error().code, ErrorCode::IO);
  }
  write(good + '\0');
  EXPECT_FALSE(engine.load(path, "copy4"));
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string mutant = good;
    const size_t at = random() % mutant.size();
    mutant[at] = static_cast<char>(mutant[at] ^ (1 + random() % 255));
    EXPECT_FALSE(Bundle::deserialize(mutant)) << "byte " << at;
  }
  write(good);
  EXPECT_TRUE(engine.load(path, "copy4"));
}

TEST_F(BundleTest, RefusesTwoOfOneName) {
  bundle.kernels[1].name = "copy4";
  EXPECT_FALSE(Bundle::deserialize(bundle.serialize()));
  bundle.kernels[1].name = "";
  EXPECT_FALSE(Bundle::deserialize(bundle.serialize()));
}

TEST_F(BundleTest, RefusesWhatIsNoRegularFile) {
  EXPECT_EQ(engine.load(path, "").error().code, ErrorCode::IO); // absent
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(engine.load(path, "").error().code, ErrorCode::IO); // does not wait for a writer
  EXPECT_EQ(engine.load("/", "").error().code, ErrorCode::IO);
  EXPECT_EQ(engine.load("/dev/zero", "").error().code, ErrorCode::IO);
  ::unlink(path.c_str());
  write("");
  ASSERT_EQ(::truncate(path.c_str(), off_t(1) << 40), 0); // sparse
  EXPECT_EQ(engine.load(path, "").error().code, ErrorCode::IO);
}

} // namespace
