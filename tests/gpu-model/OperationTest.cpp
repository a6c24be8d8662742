// Operations one by one in the CPU model: what they compute, and which uses of them are faults.
#include "tests/gpu-model/GemmCase.h"

#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

using namespace ein;
using namespace ein::gpumodel;

namespace {

/// What a kernel of this text computes and does wrong. It gets an operand, 256 i32 that count from 0, and a result of
/// 256 i32.
struct Outcome {
  std::string problems; ///< error or findings
  std::vector<int32_t> result;
};

struct Grid {
  int64_t blocks = 1, threads = 64, cluster = 1, sharedBytes = 4096;
  bool zeros = false; ///< the result holds them before
};

/// `body` may use %a, %r (pointers to global memory), %smem (to shared memory) and %t (the thread).
Outcome runText(const std::string &body, Grid grid = {}, uint32_t seed = 0) {
  std::string text = R"(
    gpu.module @m {
      llvm.mlir.global external @smem() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
      llvm.func @k(%a: !llvm.ptr<1>, %r: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
        %c0 = arith.constant 0 : i32
        %c1 = arith.constant 1 : i32
        %c32 = arith.constant 32 : i32
        %all = arith.constant -1 : i32
        %smem = llvm.mlir.addressof @smem : !llvm.ptr<3>
        %t = nvvm.read.ptx.sreg.tid.x : i32
        %at = llvm.getelementptr %a[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
        %rt = llvm.getelementptr %r[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
        %st = llvm.getelementptr %smem[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
)" + body + "\nllvm.return } }";
  Outcome outcome;
  mlir::MLIRContext &context = modelContext();
  std::string parseErrors;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &d) { parseErrors += d.str() + "\n"; });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module) return {"does not parse: " + parseErrors, {}};
  auto program = ModelProgram::compile(*module->getOps<mlir::gpu::GPUModuleOp>().begin());
  if (!program) return {program.error().message, {}};
  GpuLaunch launch;
  launch.name = "k";
  launch.grid = {grid.blocks, 1, 1};
  launch.block = {grid.threads, 1, 1};
  launch.cluster = {grid.cluster, 1, 1};
  launch.sharedBytes = grid.sharedBytes;
  launch.arguments = {GpuArgument::pointer({GpuSlot::Kind::Operand}), GpuArgument::pointer({GpuSlot::Kind::Result})};
  std::vector<int32_t> numbers(256);
  std::iota(numbers.begin(), numbers.end(), 0);
  ModelBuffers buffers;
  buffers.operands.resize(1);
  buffers.operands[0].bytes.resize(1024);
  std::memcpy(buffers.operands[0].bytes.data(), numbers.data(), 1024);
  buffers.results.resize(1);
  buffers.results[0].bytes.resize(1024);
  buffers.resultsHold = grid.zeros;
  auto report = (*program)->run({launch}, 0, buffers, seed);
  outcome.problems = report ? report->str() : report.error().message;
  outcome.result.resize(256);
  std::memcpy(outcome.result.data(), buffers.results[0].bytes.data(), 1024);
  return outcome;
}

/// Expects a finding of this kind, with these words, on every one of some seeds.
void expectFault(const std::string &body, const char *kind, const char *words, Grid grid = {}) {
  for (uint32_t seed = 0; seed < 6; ++seed) {
    std::string problems = runText(body, grid, seed).problems;
    EXPECT_NE(problems.find(std::string(kind) + ": "), std::string::npos) << problems << "\nseed " << seed;
    EXPECT_NE(problems.find(words), std::string::npos) << problems << "\nseed " << seed;
  }
}

/// Expects no findings on any of some seeds, and returns the result of the last.
std::vector<int32_t> expectClean(const std::string &body, Grid grid = {}) {
  Outcome outcome;
  for (uint32_t seed = 0; seed < 12; ++seed) {
    outcome = runText(body, grid, seed);
    EXPECT_EQ(outcome.problems, "") << "seed " << seed;
  }
  return outcome.result;
}

constexpr const char *kLoad = "%x = llvm.load %at : !llvm.ptr<1> -> i32\n";
constexpr const char *kStore = "llvm.store %x, %rt : i32, !llvm.ptr<1>\n";
constexpr const char *kStage = "llvm.store %t, %st : i32, !llvm.ptr<3>\n";
/// Reads what the neighbour staged.
constexpr const char *kFetch = R"(
  %n = arith.xori %t, %c1 : i32
  %sn = llvm.getelementptr %smem[%n] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %x = llvm.load %sn : !llvm.ptr<3> -> i32
)";

std::string join(std::initializer_list<const char *> parts) {
  std::string text;
  for (const char *part : parts) text += part;
  return text;
}

TEST(GpuModelOperations, CopiesGlobalMemory) {
  auto result = expectClean(join({kLoad, kStore}), {1, 256});
  for (int i = 0; i < 256; ++i) EXPECT_EQ(result[i], i);
}

TEST(GpuModelOperations, BarrierOrdersSharedMemory) {
  auto result = expectClean(join({kStage, "nvvm.barrier0\n", kFetch, kStore}), {1, 256});
  for (int i = 0; i < 256; ++i) EXPECT_EQ(result[i], i ^ 1);
  expectClean(join({kStage, "nvvm.bar.warp.sync %all : i32\n", kFetch, kStore}));
}

TEST(GpuModelOperations, Races) {
  expectFault(join({kStage, kFetch, kStore}), "race", "is written by thread");
  // The other way round: overwritten while others may still read.
  expectFault(join({kStage, "nvvm.barrier0\n", kFetch, kStage, kStore}), "race", "is read by thread");
  expectFault("llvm.store %t, %r : i32, !llvm.ptr<1>", "race", "result 0 + 0 is written by thread");
  expectFault("llvm.store %t, %rt : i32, !llvm.ptr<1>", "race", "is written by cluster", {2, 32});
}

TEST(GpuModelOperations, UninitialisedReads) {
  expectFault(join({kFetch, kStore}), "uninitialised", "was never written");
  expectFault(join({"%x = llvm.load %rt : !llvm.ptr<1> -> i32\n", kStore}), "uninitialised", "result 0 + ");
}

TEST(GpuModelOperations, Bounds) {
  expectFault(R"(%p = llvm.getelementptr %at[128] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
                 %x = llvm.load %p : !llvm.ptr<1> -> i32)",
              "out-of-bounds", "behind the end of operand 0", {1, 160});
  expectFault("llvm.store %t, %at : i32, !llvm.ptr<1>", "out-of-bounds", "may only be read");
  expectFault(kStage, "out-of-bounds", "lies outside of the 64 bytes", {1, 64, 1, 64});
}

TEST(GpuModelOperations, Alignment) {
  expectFault("%x = llvm.load %at {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>", "misaligned",
              "no multiple of 16");
  expectFault(R"(%p = llvm.getelementptr %smem[4] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
                 nvvm.mbarrier.init %p, %c1 : !llvm.ptr<3>, i32)",
              "misaligned", "8 bytes");
}

TEST(GpuModelOperations, Deadlocks) {
  const char *half = R"(%first = arith.cmpi slt, %t, %c32 : i32
                        scf.if %first { nvvm.barrier0 })";
  expectFault(half, "deadlock", "32 threads wait for the others at a barrier");
  expectFault(R"(%first = arith.cmpi eq, %t, %c0 : i32
                 scf.if %first { nvvm.mbarrier.init %smem, %c1 : !llvm.ptr<3>, i32 }
                 nvvm.barrier0
                 nvvm.mbarrier.try_wait.parity %smem, %c0, %c32 : !llvm.ptr<3>, i32, i32)",
              "deadlock", "64 threads wait for a phase of parity 0");
}

TEST(GpuModelOperations, MBarrierOrders) {
  const char *make = R"(%n64 = arith.constant 64 : i32
                        %bar = llvm.getelementptr %smem[2048] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
                        %first = arith.cmpi eq, %t, %c0 : i32
                        scf.if %first { nvvm.mbarrier.init %bar, %n64 : !llvm.ptr<3>, i32 }
                        nvvm.barrier0
  )";
  const char *arrive = "nvvm.mbarrier.arrive %bar : !llvm.ptr<3>\n";
  const char *wait = "nvvm.mbarrier.try_wait.parity %bar, %c0, %c32 : !llvm.ptr<3>, i32, i32\n";
  auto result = expectClean(join({make, kStage, arrive, wait, kFetch, kStore}));
  for (int i = 0; i < 64; ++i) EXPECT_EQ(result[i], i ^ 1);
  expectFault(join({make, kStage, arrive, kFetch, kStore}), "race", "is written by");
  expectFault(join({make, "%n65 = arith.constant 65 : i32\n", "nvvm.mbarrier.arrive %bar, %n65 : !llvm.ptr<3>\n"}),
              "protocol", "more arrivals");
  expectFault("nvvm.mbarrier.arrive %smem : !llvm.ptr<3>", "protocol", "there is no mbarrier");
}

TEST(GpuModelOperations, Shuffles) {
  auto result = expectClean(join({"%two = arith.constant 2 : i32\n%clamp = arith.constant 31 : i32\n",
                                  "%x = nvvm.shfl.sync bfly %all, %t, %two, %clamp : i32 -> i32\n", kStore}));
  for (int i = 0; i < 64; ++i) EXPECT_EQ(result[i], i ^ 2);
  result = expectClean(join({"%five = arith.constant 5 : i32\n%clamp = arith.constant 31 : i32\n",
                             "%x = nvvm.shfl.sync down %all, %t, %five, %clamp : i32 -> i32\n", kStore}));
  for (int i = 0; i < 64; ++i) EXPECT_EQ(result[i], i % 32 + 5 < 32 ? i + 5 : i);
  expectFault(R"(%odd = arith.andi %t, %c1 : i32
                 %p = arith.cmpi eq, %odd, %c0 : i32
                 scf.if %p { %x = nvvm.shfl.sync idx %all, %t, %c0, %c32 : i32 -> i32 })",
              "deadlock", "the other lanes of the warp");
}

TEST(GpuModelOperations, Atomics) {
  auto result = expectClean(R"(
    %z = arith.cmpi eq, %t, %c0 : i32
    scf.if %z { llvm.store %c0, %smem : i32, !llvm.ptr<3> }
    nvvm.barrier0
    %old = llvm.atomicrmw add %smem, %t monotonic : !llvm.ptr<3>, i32
    nvvm.barrier0
    scf.if %z {
      %x = llvm.load %smem : !llvm.ptr<3> -> i32
      llvm.store %x, %r : i32, !llvm.ptr<1>
    })");
  EXPECT_EQ(result[0], 63 * 64 / 2);
}

/// The last block to come reads what two others (or it and another) wrote, as sums of parts do.
TEST(GpuModelOperations, FencesOrderBlocks) {
  auto body = [](const char *fence) {
    return join({R"(
      %block = nvvm.read.ptx.sreg.ctaid.x : i32
      %c3 = arith.constant 3 : i32
      %count = llvm.getelementptr %r[64] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
      %mine = llvm.getelementptr %r[%block] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
      llvm.store %block, %mine : i32, !llvm.ptr<1>
)",
                 fence, R"(
      %before = llvm.atomicrmw add %count, %c1 monotonic : !llvm.ptr<1>, i32
      %last = arith.cmpi eq, %before, %c3 : i32
      scf.if %last {
        %p = llvm.getelementptr %r[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
        %x = llvm.load %r : !llvm.ptr<1> -> i32
        %y = llvm.load %p : !llvm.ptr<1> -> i32
      })"});
  };
  Grid grid = {4, 1};
  grid.zeros = true;
  expectClean(body("nvvm.memory.barrier #nvvm.mem_scope<gpu>"), grid);
  expectFault(body(""), "race", "is written by cluster", grid);
}

TEST(GpuModelOperations, UnknownOnesAreErrors) {
  EXPECT_NE(runText("%x = nvvm.read.ptx.sreg.clock : i32").problems.find("'nvvm.read.ptx.sreg.clock' op is not known"),
            std::string::npos);
  std::string ptx = runText(R"(llvm.inline_asm has_side_effects "nanosleep.u32 $0;", "r" %t : (i32) -> ())").problems;
  EXPECT_NE(ptx.find("nanosleep.u32"), std::string::npos) << ptx;
  EXPECT_NE(runText("%x = gpu.thread_id x").problems.find("'gpu.thread_id' op is not known"), std::string::npos);
}

TEST(GpuModelOperations, SameSeedSameRun) {
  std::string racy = join({kStage, kFetch, kStore});
  for (uint32_t seed = 0; seed < 6; ++seed)
    EXPECT_EQ(runText(racy, {3, 96}, seed).problems, runText(racy, {3, 96}, seed).problems);
}

} // namespace
