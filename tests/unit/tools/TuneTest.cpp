// What einc tune rests on: agreement of results, timing in turns, and that dump takes what is stored.
#include "runtime/TunedPlans.h"
#include "tools/einc/Check.h"
#include "tools/einc/Commands.h"
#include "tools/einc/Timing.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <limits>
#include <sstream>
#include <thread>

using namespace ein;
using namespace einc;
namespace fs = std::filesystem;

namespace {

/// Whether a sum of 100 products that should be `expected`, with products that large, may come out as `found`.
std::string compared(float expected, float found, float magnitude) {
  const TensorType types[] = {TensorType(DType::F32, {100}), TensorType(DType::F32, {100})};
  auto program = parseAndBind("k,k->", types);
  EXPECT_TRUE(program);
  const std::vector<int64_t> scalar;
  const TensorView views[] = {{&expected, scalar}, {&magnitude, scalar}, {&found, scalar}};
  return disagreement(*program, {views, 1}, {views + 1, 1}, {views + 2, 1});
}

TEST(Disagreement, AllowsRoundingOfTheSumAndNoMore) {
  const float eps = 0x1p-24f, inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  EXPECT_EQ(compared(1, 1, 1), "");
  EXPECT_EQ(compared(1, 1 + 100 * eps, 1), "");
  EXPECT_NE(compared(1, 1 + 300 * eps, 1), "") << "more than both may err";
  EXPECT_EQ(compared(1, 1 + 300 * eps, 100), "") << "cancellation";
  EXPECT_NE(compared(1, nan, 1), "");
  EXPECT_NE(compared(1, inf, 1), "");
  EXPECT_EQ(compared(nan, nan, nan), "");
  EXPECT_NE(compared(0, 1e-6f, 0), "");
}

TEST(Disagreement, NamesTheElement) {
  const TensorType type(DType::F64, {2, 3});
  auto program = parseAndBind("ij->ji", {&type, 1});
  ASSERT_TRUE(program);
  double expected[] = {1, 2, 3, 4, 5, 6}, found[] = {1, 2, 3, 4, 9, 6};
  const TensorView a(expected, {3, 2}), b(found, {3, 2});
  const std::string place = disagreement(*program, {&a, 1}, {&a, 1}, {&b, 1});
  EXPECT_NE(place.find("[2,0] is 9, expected 5"), std::string::npos) << place;
}

using Call = std::function<Expected<void>()>;

TEST(TimeInTurns, TellsTheSlowerOne) {
  const auto sleeps = [](int microseconds) -> Call {
    return [=]() -> Expected<void> {
      std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
      return {};
    };
  };
  const Call calls[] = {sleeps(500), sleeps(2000), sleeps(100)};
  auto timings = timeInTurns(calls, 0);
  ASSERT_TRUE(timings);
  ASSERT_EQ(timings->size(), 3u);
  for (const Timing &timing : *timings) EXPECT_GE(timing.runs, 3);
  EXPECT_GE((*timings)[0].min, 500e-6);
  EXPECT_GE((*timings)[1].min, 2000e-6);
  EXPECT_LT((*timings)[0].min, (*timings)[1].min);
  EXPECT_LT((*timings)[2].min, (*timings)[1].min);
}

TEST(TimeInTurns, StopsAtAnError) {
  const Call fine = []() -> Expected<void> { return {}; };
  const Call fails = []() -> Expected<void> { return makeError(ErrorCode::Run, "as asked for"); };
  const Call first[] = {fails, fine}, second[] = {fine, fails};
  EXPECT_FALSE(timeInTurns(first, 0));
  EXPECT_FALSE(timeInTurns(second, 0));
}

class TunedDump : public ::testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/ein-tuned-XXXXXX";
    folder = mkdtemp(name);
    setenv("XDG_CACHE_HOME", folder.c_str(), 1);
    unsetenv("EIN_CACHE");
    arguments.text = "ik,kj->ij";
    arguments.types = {"f32[64,64]", "f32[64,64]"};
    arguments.threads = 1;
    arguments.stages = {"plan"};
    arguments.directory = (folder / "stages").string();
  }
  void TearDown() override {
    fs::remove_all(folder);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("EIN_CACHE");
  }

  /// The plan stage with this text stored.
  std::string planWith(const std::string &stored) {
    auto request = resolve(arguments);
    EXPECT_TRUE(request);
    EXPECT_TRUE(storeTunedPlans({request->text, request->operands, request->options, {}, 0}, {stored}));
    return plan();
  }
  std::string plan() {
    EXPECT_EQ(dump(arguments), kFine);
    std::ifstream file(folder / "stages/03-plan.mlir");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path folder;
  DumpArguments arguments;
};

TEST_F(TunedDump, SaysThatAPlanIsTuned) {
  EXPECT_EQ(plan().find("tuned"), std::string::npos);
  const std::string tuned = planWith("v1 step=0 kind=nest");
  EXPECT_NE(tuned.find("; tuned\""), std::string::npos) << tuned;
  EXPECT_NE(tuned.find("kind = \"nest\""), std::string::npos) << tuned;
  setenv("EIN_CACHE", "0", 1);
  EXPECT_EQ(plan().find("tuned"), std::string::npos);
}

TEST_F(TunedDump, SaysWhyAStoredPlanIsLeftOut) {
  EXPECT_NE(planWith("v0 step=0 kind=nest").find("tuned plan left out: it is no text of this version"),
            std::string::npos);
  EXPECT_NE(planWith("v1 step=0 kind=contraction lanes=3").find("tuned plan left out: it is incomplete"),
            std::string::npos);
}

} // namespace
