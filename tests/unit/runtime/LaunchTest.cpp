// Targets by name, launches as text and as bytes.
#include "ein/CompiledModule.h"
#include "ein/Target.h"

#include <gtest/gtest.h>

using namespace ein;

namespace {

TEST(Target, ParseAndPrintRoundTrip) {
  for (const char *name : {"host", "host:x86-64-v3", "x86-64-v4", "cuda:sm_80", "cuda:sm_90", "cuda:sm_90a",
                           "cuda:sm_120a", "cuda:sm_80+tf32", "cuda:sm_90a+tf32x3"}) {
    auto target = Target::parse(name);
    ASSERT_TRUE(target) << target.error().render();
    EXPECT_EQ(target->str(), name);
    EXPECT_EQ(target->isGpu(), std::string_view(name).starts_with("cuda:"));
  }
}

TEST(Target, RefusesOthersAndSaysWhatThereIs) {
  for (const char *name : {"cuda", "cuda:", "cuda:sm_75", "cuda:90a", "sm_90a", "cuda:sm_90b", "cuda:sm_80+",
                           "cuda:sm_80+tf32x2", "cuda:+tf32"}) {
    auto target = Target::parse(name);
    ASSERT_FALSE(target) << name;
    EXPECT_NE(target.error().help.find("cuda:sm_90a"), std::string::npos) << target.error().help;
  }
}

CompiledModule module() {
  CompiledModule m;
  m.gpu = "sm_90a";
  m.code = "ptx";
  m.operands = {TensorType(DType::BF16, {64, 64})};
  m.results = m.operands;
  m.workspaceBytes = 4096;
  GpuLaunch launch;
  launch.name = "step0";
  launch.grid = {8, 2, 1};
  launch.cluster = {2, 1, 1};
  launch.persistent = true;
  launch.sharedBytes = 70000;
  TensorMapPlan map;
  map.dims = {{64, 1, 64}, {64, 64, 64}};
  launch.arguments = {GpuArgument::tensorMap(map, {GpuSlot::Kind::Operand, 0, 32}),
                      GpuArgument::pointer({GpuSlot::Kind::Workspace, 0, 256})};
  launch.arguments.push_back({GpuArgument::Kind::F32, {}, {}, 0, 0.5});
  m.launches = {launch};
  return m;
}

TEST(Launch, SurvivesBytes) {
  auto again = CompiledModule::deserialize(module().serialize());
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(again->gpu, "sm_90a");
  EXPECT_EQ(again->launches, module().launches);
}

TEST(Launch, Prints) {
  EXPECT_EQ(module().launches[0].str(), "launch @step0 grid 8x2x1 persistent block 128x1x1 cluster 2x1x1 shared 70000\n"
                                        "  tensor-map operand0+32 bf16 b128 [64:1/64 64:64/64]\n"
                                        "  pointer workspace+256\n"
                                        "  f32 0.5\n");
}

/// Whether a changed module is refused.
template <class Change> bool refused(Change change) {
  CompiledModule m = module();
  change(m, m.launches[0]);
  return !CompiledModule::deserialize(m.serialize());
}

TEST(Launch, BytesThatNoGpuCouldObeyAreRefused) {
  EXPECT_TRUE(refused([](auto &m, auto &) { m.gpu = "sm_1"; }));
  EXPECT_TRUE(refused([](auto &m, auto &) { m.gpu.clear(); }));
  EXPECT_TRUE(refused([](auto &, auto &l) { l.grid[0] = 0; }));
  EXPECT_TRUE(refused([](auto &, auto &l) { l.grid[0] = 7; }));
  EXPECT_TRUE(refused([](auto &, auto &l) { l.grid[1] = 70000; }));
  EXPECT_TRUE(refused([](auto &, auto &l) { l.block = {512, 4, 1}; }));
  EXPECT_TRUE(refused([](auto &, auto &l) { l.sharedBytes = -1; }));
  EXPECT_TRUE(refused([](auto &, auto &l) { l.arguments[0].slot.number = 1; }));
  EXPECT_TRUE(refused([](auto &, auto &l) { l.arguments[0].map.dims[0].stride = 2; }));
  EXPECT_TRUE(refused([](auto &, auto &l) { l.arguments[1].slot.offset = 5000; }));
  EXPECT_FALSE(refused([](auto &, auto &) {}));
}

} // namespace
