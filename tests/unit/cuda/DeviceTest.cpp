// The CUDA runtime against a driver that records calls and fails where it is told to.
#include "ein/Device.h"
#include "tests/unit/cuda/fake/FakeCuda.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include <new>
#include <thread>

using namespace ein;

static std::atomic<uint64_t> allocations = 0;

// The thread sanitizer's own cannot be replaced.
#if __has_feature(thread_sanitizer)
static constexpr bool kCounts = false;
#else
static constexpr bool kCounts = true;
void *operator new(size_t bytes) {
  ++allocations;
  if (void *memory = std::malloc(bytes ? bytes : 1)) return memory;
  std::abort();
}
// The address sanitizer has one of its own, whose memory `free` does not take.
void *operator new(size_t bytes, const std::nothrow_t &) noexcept {
  ++allocations;
  return std::malloc(bytes);
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
#endif

namespace {

/// The controls of the fake driver, which ein loads by the same path.
struct Controls {
  decltype(&fakeReset) reset;
  decltype(&fakeFail) fail;
  decltype(&fakeQuiet) quiet;
  decltype(&fakeCalls) calls;
  decltype(&fakeAlive) alive;

  Controls() {
    void *library = dlopen(EIN_FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);
    reset = reinterpret_cast<decltype(reset)>(dlsym(library, "fakeReset"));
    fail = reinterpret_cast<decltype(fail)>(dlsym(library, "fakeFail"));
    quiet = reinterpret_cast<decltype(quiet)>(dlsym(library, "fakeQuiet"));
    calls = reinterpret_cast<decltype(calls)>(dlsym(library, "fakeCalls"));
    alive = reinterpret_cast<decltype(alive)>(dlsym(library, "fakeAlive"));
  }
};

class DeviceTest : public ::testing::Test {
protected:
  void SetUp() override {
    setenv("EIN_CUDA_LIBRARY", EIN_FAKE_CUDA, 1);
    setenv("EIN_CACHE", "0", 1);
    fake.reset(90);
    alive = fake.alive();
  }
  void TearDown() override { EXPECT_EQ(fake.alive(), alive) << "something was not given back"; }

  /// How often a line of the calls begins with this.
  int count(const std::string &call) const {
    int n = 0;
    const std::string all = "\n" + std::string(fake.calls());
    for (size_t at = all.find("\n" + call); at != std::string::npos; at = all.find("\n" + call, at + 1)) ++n;
    return n;
  }
  bool has(const std::string &call) const { return count(call) > 0; }

  /// A module with two launches, a workspace and a tensor map.
  static CompiledModule module() {
    CompiledModule m;
    m.entry = "step0";
    m.key = "ik,kj->ij; f32";
    m.gpu = "sm_90a";
    m.code = ".visible .entry step0";
    m.operands = {TensorType(DType::F32, {64, 64}), TensorType(DType::F32, {64, 64})};
    m.results = {TensorType(DType::F32, {64, 64})};
    m.workspaceBytes = 1024;
    GpuLaunch first, second;
    first.name = "step0";
    first.grid = {100, 2, 1};
    first.cluster = {2, 1, 1};
    first.block = {384, 1, 1};
    first.sharedBytes = 100000;
    first.persistent = true;
    TensorMapPlan map;
    map.type = DType::F32;
    map.swizzle = TmaSwizzle::B64;
    map.dims = {{64, 1, 16}, {64, 64, 8}};
    first.arguments = {GpuArgument::tensorMap(map, {GpuSlot::Kind::Operand, 1, 16}),
                       GpuArgument::pointer({GpuSlot::Kind::Result, 0, 0})};
    second.name = "step0_combine";
    second.arguments = {GpuArgument::pointer({GpuSlot::Kind::Workspace, 0, 512})};
    m.launches = {first, second};
    return m;
  }

  /// The module on the device with memory for its operands and result.
  struct Loaded {
    Device device;
    DeviceKernel kernel;
    Stream stream;
    std::vector<Buffer> buffers;
    std::vector<TensorView> operands, results;
  };
  static Expected<Loaded> load() {
    auto device = Device::open();
    if (!device) return device.error();
    auto kernel = device->load(module());
    if (!kernel) return kernel.error();
    auto stream = device->makeStream();
    if (!stream) return stream.error();
    Loaded loaded{*device, *kernel, *stream, {}, {}, {}};
    for (int i = 0; i < 3; ++i) {
      auto buffer = device->allocate(64 * 64 * 4);
      if (!buffer) return buffer.error();
      loaded.buffers.push_back(*buffer);
      (i < 2 ? loaded.operands : loaded.results).emplace_back(buffer->data(), TensorType(DType::F32, {64, 64}));
    }
    return loaded;
  }

  Controls fake;
  int alive = 0;
};

TEST_F(DeviceTest, SaysWhatTheDeviceIs) {
  const DeviceReport report = findDevices();
  EXPECT_EQ(report.driverVersion, 12040);
  ASSERT_EQ(report.devices.size(), 1U) << report.why;
  EXPECT_EQ(report.devices[0].name, "Fake GPU");
  EXPECT_EQ(report.devices[0].target.str(), "cuda:sm_90a");
  EXPECT_FALSE(has("cuDevicePrimaryCtxRetain")) << "a question makes no context";
}

TEST_F(DeviceTest, ChoosesTheTargetOfOtherGpus) {
  for (auto [capability, target] :
       {std::pair(80, "cuda:sm_80"), {89, "cuda:sm_89"}, {103, "cuda:sm_100"}, {120, "cuda:sm_120a"}}) {
    fake.reset(capability);
    auto device = Device::open();
    ASSERT_TRUE(device) << device.error().render();
    EXPECT_EQ(device->info().target.str(), target);
  }
  fake.reset(75);
  auto old = Device::open();
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().code, ErrorCode::DeviceMissing);
  EXPECT_NE(old.error().message.find("7.5"), std::string::npos);
}

TEST_F(DeviceTest, AbsentDriversAreDeviceMissing) {
  setenv("EIN_CUDA_LIBRARY", "/absent/libcuda.so.1", 1);
  auto device = Device::open();
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, ErrorCode::DeviceMissing);
  EXPECT_NE(device.error().message.find("/absent/libcuda.so.1"), std::string::npos) << device.error().message;
  EXPECT_TRUE(findDevices().devices.empty());
}

TEST_F(DeviceTest, AnOrdinalThatIsNotThere) {
  auto device = Device::open(3);
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, ErrorCode::DeviceMissing);
}

TEST_F(DeviceTest, LaunchesAllKernelsInOrder) {
  auto loaded = load();
  ASSERT_TRUE(loaded) << loaded.error().render();
  EXPECT_TRUE(has("cuFuncSetAttribute step0 8 100000"));
  EXPECT_EQ(count("cuFuncSetAttribute"), 1);
  auto done = loaded->kernel.launch(loaded->operands, loaded->results, loaded->stream);
  ASSERT_TRUE(done) << done.error().render();
  // The fake has 4 multiprocessors: a persistent launch takes as many blocks, in whole clusters.
  EXPECT_TRUE(has("cuLaunchKernel step0 grid 4x2x1 block 384x1x1 shared 100000 argument " +
                  std::to_string(reinterpret_cast<uintptr_t>(loaded->operands[1].data) + 16)))
      << fake.calls();
  EXPECT_TRUE(has("cuLaunchKernel step0_combine grid 1x1x1 block 128x1x1 shared 0")) << fake.calls();
  EXPECT_TRUE(has("cuTensorMapEncodeTiled type 7 swizzle 2 64:-/16 64:256/8")) << fake.calls();
  EXPECT_EQ(count("cuMemAllocAsync 1024"), 1);
  EXPECT_EQ(count("cuMemFreeAsync"), 1);
  EXPECT_FALSE(has("cuStreamSynchronize")) << "a launch waits for nothing";
}

TEST_F(DeviceTest, EncodesTensorMapsOncePerAddress) {
  auto loaded = load();
  ASSERT_TRUE(loaded) << loaded.error().render();
  auto launch = [&] {
    auto done = loaded->kernel.launch(loaded->operands, loaded->results, loaded->stream);
    EXPECT_TRUE(done) << done.error().render();
  };
  for (int i = 0; i < 3; ++i) launch();
  EXPECT_EQ(count("cuTensorMapEncodeTiled"), 1);
  std::swap(loaded->operands[0], loaded->operands[1]);
  launch();
  EXPECT_EQ(count("cuTensorMapEncodeTiled"), 2);
  std::swap(loaded->operands[0], loaded->operands[1]);
  launch();
  EXPECT_EQ(count("cuTensorMapEncodeTiled"), 2);
}

TEST_F(DeviceTest, ChecksOperands) {
  auto loaded = load();
  ASSERT_TRUE(loaded) << loaded.error().render();
  auto shifted = loaded->operands;
  shifted[1].data = static_cast<char *>(shifted[1].data) + 4;
  auto misaligned = loaded->kernel.launch(shifted, loaded->results, loaded->stream);
  ASSERT_FALSE(misaligned);
  EXPECT_EQ(misaligned.error().message, "operand 1 is not aligned to 16 bytes");
  EXPECT_FALSE(loaded->kernel.launch({}, loaded->results, loaded->stream));
  EXPECT_FALSE(has("cuLaunchKernel"));
}

TEST_F(DeviceTest, EveryFailureIsAnErrorThatNamesItsCall) {
  for (const char *call : {"cuDeviceGet",         "cuDevicePrimaryCtxRetain", "cuLinkCreate",
                           "cuLinkAddData",       "cuLinkComplete",           "cuModuleLoadData",
                           "cuModuleGetFunction", "cuFuncSetAttribute",       "cuStreamCreate",
                           "cuMemAlloc",          "cuTensorMapEncodeTiled",   "cuMemAllocAsync",
                           "cuLaunchKernel",      "cuMemFreeAsync",           "cuMemcpyHtoDAsync",
                           "cuMemcpyDtoHAsync",   "cuStreamSynchronize",      "cuEventCreate",
                           "cuEventRecord",       "cuEventElapsedTime"}) {
    fake.reset(90);
    fake.fail(call, 1, 700);
    auto all = [&]() -> Expected<void> {
      auto loaded = load();
      if (!loaded) return loaded.error();
      std::vector<char> host(64 * 64 * 4);
      Buffer &buffer = loaded->buffers[0];
      if (auto r = buffer.copyIn(host.data(), loaded->stream, buffer.data(), host.size()); !r) return r;
      if (auto r = loaded->kernel.launch(loaded->operands, loaded->results, loaded->stream); !r) return r;
      auto times = loaded->kernel.time(loaded->operands, loaded->results, loaded->stream, 3);
      if (!times) return times.error();
      EXPECT_EQ(times->size(), 3U);
      return buffer.copyOut(host.data(), loaded->stream, buffer.data(), host.size());
    }();
    ASSERT_FALSE(all) << call;
    EXPECT_NE((all.error().message + " ").find(call), std::string::npos) << all.error().message;
    EXPECT_NE(all.error().message.find("(700)"), std::string::npos) << all.error().message;
    EXPECT_EQ(fake.alive(), alive) << call;
  }
}

TEST_F(DeviceTest, AFailedLaunchNamesKernelAndExpression) {
  auto loaded = load();
  ASSERT_TRUE(loaded) << loaded.error().render();
  fake.fail("cuLaunchKernel", 2, 701);
  auto failed = loaded->kernel.launch(loaded->operands, loaded->results, loaded->stream);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::Run);
  EXPECT_NE(failed.error().message.find("step0_combine"), std::string::npos) << failed.error().message;
  ASSERT_FALSE(failed.error().notes.empty());
  EXPECT_NE(failed.error().notes[0].find("ik,kj->ij"), std::string::npos) << failed.error().notes[0];
  EXPECT_EQ(count("cuMemFreeAsync"), 1) << "the workspace goes back all the same";
}

TEST_F(DeviceTest, BadPtxIsACompileErrorWithTheDriversLog) {
  auto device = Device::open();
  ASSERT_TRUE(device) << device.error().render();
  CompiledModule bad = module();
  bad.code = "nothing";
  auto kernel = device->load(bad);
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().code, ErrorCode::Compile);
  ASSERT_FALSE(kernel.error().notes.empty());
  EXPECT_EQ(kernel.error().notes[0], "ptxas error: nothing to compile");
}

TEST_F(DeviceTest, RefusesModulesForOthers) {
  fake.reset(80);
  auto device = Device::open();
  ASSERT_TRUE(device) << device.error().render();
  auto hopper = device->load(module());
  ASSERT_FALSE(hopper);
  EXPECT_EQ(hopper.error().code, ErrorCode::Unsupported);
  CompiledModule host = module();
  host.gpu.clear();
  auto cpu = device->load(host);
  ASSERT_FALSE(cpu);
  EXPECT_EQ(cpu.error().message, "the kernel is for a CPU");
}

TEST_F(DeviceTest, MemoryComesBackAsItWent) {
  auto device = Device::open();
  ASSERT_TRUE(device) << device.error().render();
  auto stream = device->makeStream();
  auto buffer = device->allocate(12);
  ASSERT_TRUE(stream && buffer);
  const char in[] = "hello world";
  char out[sizeof in] = {};
  ASSERT_TRUE(buffer->copyIn(in, *stream, buffer->data(), sizeof in));
  ASSERT_TRUE(buffer->copyOut(out, *stream, buffer->data(), sizeof out));
  EXPECT_STREQ(out, in);
}

TEST_F(DeviceTest, CompilesATextOnce) {
  auto device = Device::open();
  ASSERT_TRUE(device) << device.error().render();
  const std::vector<TensorType> types(2, TensorType(DType::F32, {64}));
  std::vector<std::thread> threads;
  std::vector<const CompiledModule *> modules(4);
  for (const CompiledModule *&module : modules)
    threads.emplace_back([&] {
      auto kernel = device->compile("i,i->i", types);
      if (kernel) module = &kernel->module();
    });
  for (std::thread &thread : threads) thread.join();
  for (const CompiledModule *module : modules) EXPECT_EQ(module, modules[0]);
  EXPECT_NE(modules[0], nullptr);
  EXPECT_EQ(count("cuModuleLoadData"), 1);

  const Device copy = *device;
  ASSERT_TRUE(copy.compile("i,i->i", types));
  EXPECT_EQ(count("cuModuleLoadData"), 1) << "copies share what is in memory";
  CompileOptions options;
  options.alpha = 2;
  ASSERT_TRUE(device->compile("i,i->i", types, options));
  EXPECT_EQ(count("cuModuleLoadData"), 2) << "another kernel";
}

TEST_F(DeviceTest, WhatFailedIsTriedAgain) {
  auto device = Device::open();
  ASSERT_TRUE(device) << device.error().render();
  const std::vector<TensorType> types(2, TensorType(DType::F32, {64}));
  fake.fail("cuModuleLoadData", 1, 2);
  EXPECT_FALSE(device->compile("i,i->i", types));
  auto again = device->compile("i,i->i", types);
  EXPECT_TRUE(again) << again.error().render();
}

TEST_F(DeviceTest, AHeldKernelLaunchesWithoutAllocating) {
  if (!kCounts) GTEST_SKIP() << "the thread sanitizer has an operator new that cannot be replaced";
  auto loaded = load();
  ASSERT_TRUE(loaded) << loaded.error().render();
  const auto run = [&] { return loaded->kernel.launch(loaded->operands, loaded->results, loaded->stream); };
  ASSERT_TRUE(run()); // tensor maps are encoded, this thread has its room
  fake.quiet(true);
  const uint64_t before = allocations;
  const bool fine = bool(run());
  const uint64_t after = allocations;
  fake.quiet(false);
  EXPECT_TRUE(fine);
  EXPECT_EQ(after, before);
  EXPECT_GT(before, 0U) << "allocations are not counted";
}

} // namespace
