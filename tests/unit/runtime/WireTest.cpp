// The binary forms: round trips, and that nothing else is accepted.
#include "ein/Bundle.h"
#include "ein/Compile.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <random>

using namespace ein;

namespace {

CompileRequest sampleRequest() {
  CompileRequest request;
  request.text = std::string("ik,kj->ij\0x", 11);
  request.operands = {TensorType(DType::F32, {2, 3}), TensorType(DType::F64, {3, 4}, {1, -3}),
                      TensorType(DType::F32, {})};
  request.options.target.cpu = "x86-64-v3";
  request.options.target.portable = true;
  request.options.path = PathStrategy::Greedy;
  request.options.pathBudgetMs = 12.5;
  request.options.threads = 7;
  request.options.memoryLimit = 1 << 20;
  request.options.resultStrides = {{1, 2}, {}};
  request.options.plans = {"v1 step=0 kind=nest", ""};
  request.options.labels = LabelStyle::Names;
  request.options.scatter = true;
  request.options.resultDType = DType::BF16;
  request.options.computeDType = DType::F64;
  request.options.accumulateDType = DType::C128;
  request.options.conjugate = {1, 0};
  request.options.semiring = Semiring::MaxPlus;
  request.options.alpha = 2;
  request.options.beta = -0.5;
  request.options.order = {{0, 1}, {1, 0}};
  request.dumpStages = {"plan", "asm"};
  request.candidates = 24;
  request.cFunction = "f";
  request.soname = "libf.so";
  return request;
}

CompileResult sampleResult() {
  CompileResult result;
  result.module.entry = "entry";
  result.module.key = "the key";
  result.module.operands = sampleRequest().operands;
  result.module.results = {TensorType(DType::F32, {2, 4})};
  result.module.workspaceBytes = 4096;
  result.module.threads = 2;
  result.module.features = {"avx2", "fma"};
  result.module.code = std::string("\x7f"
                                   "ELF\0\0code",
                                   10);
  result.stages = {{"plan", "a plan"}, {"asm", ""}};
  result.timings = {{"codegen", 5.25}};
  result.candidates = {{3, "a plan", 1.5e6}, {4, "", 0}};
  result.compiler = "LLVM 1.2.3";
  result.cpu = "znver9";
  return result;
}

Error sampleError() {
  Error error = makeError(ErrorCode::Extent, "message", "help");
  error.text = "ij";
  error.labels = {{{0, 1}, "here"}, {{1, 2}, ""}};
  error.notes = {"one", "two"};
  return error;
}

/// The binary forms of the samples, each with a reader that says whether it accepts some bytes.
struct Form {
  const char *name;
  std::string bytes;
  std::function<bool(std::string_view)> accepts;
};

std::vector<Form> forms() {
  return {
      {"request", sampleRequest().serialize(), [](std::string_view b) { return bool(CompileRequest::deserialize(b)); }},
      {"result", sampleResult().serialize(), [](std::string_view b) { return bool(CompileResult::deserialize(b)); }},
      {"module", sampleResult().module.serialize(),
       [](std::string_view b) { return bool(CompiledModule::deserialize(b)); }},
      {"bundle", Bundle{{{"a", "i->i", sampleResult().module}, {"b", "", sampleResult().module}}}.serialize(),
       [](std::string_view b) { return bool(Bundle::deserialize(b)); }},
      {"error", serializeError(sampleError()),
       [](std::string_view b) {
         Error error;
         return bool(deserializeError(b, error));
       }},
  };
}

TEST(Wire, RequestRoundTrips) {
  const CompileRequest sample = sampleRequest();
  auto read = CompileRequest::deserialize(sample.serialize());
  ASSERT_TRUE(read) << read.error().render();
  EXPECT_EQ(read->text, sample.text);
  EXPECT_EQ(read->operands, sample.operands);
  EXPECT_EQ(read->options, sample.options);
  EXPECT_EQ(read->dumpStages, sample.dumpStages);
  EXPECT_EQ(read->candidates, sample.candidates);
  EXPECT_EQ(read->serialize(), sample.serialize());
}

TEST(Wire, ResultRoundTrips) {
  const CompileResult sample = sampleResult();
  auto read = CompileResult::deserialize(sample.serialize());
  ASSERT_TRUE(read) << read.error().render();
  EXPECT_EQ(read->module.entry, sample.module.entry);
  EXPECT_EQ(read->module.key, sample.module.key);
  EXPECT_EQ(read->module.operands, sample.module.operands);
  EXPECT_EQ(read->module.results, sample.module.results);
  EXPECT_EQ(read->module.workspaceBytes, sample.module.workspaceBytes);
  EXPECT_EQ(read->module.threads, sample.module.threads);
  EXPECT_EQ(read->module.code, sample.module.code);
  EXPECT_EQ(read->stages, sample.stages);
  EXPECT_EQ(read->timings, sample.timings);
  ASSERT_EQ(read->candidates.size(), 2u);
  EXPECT_EQ(read->candidates[0].step, 3);
  EXPECT_EQ(read->candidates[0].plan, "a plan");
  EXPECT_EQ(read->candidates[0].predictedCycles, 1.5e6);
}

TEST(Wire, ErrorRoundTrips) {
  Error read;
  ASSERT_TRUE(deserializeError(serializeError(sampleError()), read));
  EXPECT_EQ(read.render(), sampleError().render());
  EXPECT_EQ(read.code, ErrorCode::Extent);
}

TEST(Wire, EveryTruncationAndExtensionIsRefused) {
  for (const Form &form : forms()) {
    EXPECT_TRUE(form.accepts(form.bytes)) << form.name;
    for (size_t n = 0; n < form.bytes.size(); ++n) EXPECT_FALSE(form.accepts(form.bytes.substr(0, n))) << form.name;
    EXPECT_FALSE(form.accepts(form.bytes + '\0')) << form.name;
  }
}

TEST(Wire, MutationsAreRefused) {
  std::mt19937 random(1);
  for (const Form &form : forms())
    for (int i = 0; i < 10000; ++i) {
      std::string mutant = form.bytes;
      const size_t at = random() % mutant.size();
      mutant[at] = static_cast<char>(mutant[at] ^ (1 + random() % 255));
      EXPECT_FALSE(form.accepts(mutant)) << form.name << ", byte " << at << ", mutation " << i;
    }
}

TEST(Wire, FieldsBehindAValidChecksumAreStillChecked) {
  // Whoever makes a file can make its checksum: no field may be trusted. Accepted or not, nothing crashes,
  // and what is accepted is a valid value.
  std::mt19937 random(2);
  constexpr size_t kHeader = 32, kChecksum = 24;
  for (const Form &form : forms())
    for (int i = 0; i < 20000; ++i) {
      std::string mutant = form.bytes;
      for (int k = 0; k < 1 + i % 3; ++k) {
        const size_t at = kHeader + random() % (mutant.size() - kHeader);
        mutant[at] = static_cast<char>(i % 2 ? 0xff : random());
      }
      const uint64_t checksum = XXH3_64bits(mutant.data() + kHeader, mutant.size() - kHeader);
      std::memcpy(mutant.data() + kChecksum, &checksum, sizeof checksum);
      if (!form.accepts(mutant)) continue;
      if (auto module = CompiledModule::deserialize(mutant)) {
        EXPECT_GE(module->workspaceBytes, 0);
        EXPECT_GE(module->threads, 1);
        for (const TensorType &type : module->operands) EXPECT_TRUE(type.verify());
      }
    }
}

TEST(Wire, OneKindIsNotAnother) {
  const std::vector<Form> all = forms();
  for (const Form &a : all)
    for (const Form &b : all) EXPECT_EQ(a.accepts(b.bytes), &a == &b) << a.name << " reads " << b.name;
}

TEST(CompileRequest, KeyText) {
  CompileRequest request = sampleRequest();
  request.text = "ik,kj,->ij";
  EXPECT_EQ(request.keyText(),
            "ik,kj,->ij; f32[2,3], f64[3,4]{1,-3}, f32[]; x86-64-v3; path greedy 12.5 ms; "
            "threads 7; memory 1048576; result strides [1,2]; result strides []; plan v1 step=0 kind=nest; plan ; "
            "names; scatter; result bf16; compute f64; accumulate c128; conjugate [1,0]; semiring max-plus; alpha 2, "
            "beta -0.5; step [0,1]; step [1,0]; "
            "function f in libf.so");
}

} // namespace
