// How much stack a compilation takes.
#include "ein/Compile.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <string>
#include <vector>

using namespace ein;

namespace {

constexpr size_t kStackBytes = size_t(1) << 20;

/// Compiles on a thread with a stack of this size.
void compileWithin(size_t stackBytes, const CompileRequest &request) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, stackBytes), 0);
  pthread_t thread;
  const auto run = [](void *argument) -> void * {
    const auto result = compile(*static_cast<const CompileRequest *>(argument));
    EXPECT_TRUE(result) << result.error().render();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, const_cast<CompileRequest *>(&request)), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

// An overflow would end this process.
TEST(Stack, OneMebibyteIsEnough) {
  CompileRequest request;
  request.options.threads = 2;
  const auto f32 = [](std::vector<int64_t> shape) { return TensorType(DType::F32, std::move(shape)); };
  request.text = "ik,kj->ij";
  request.operands = {f32({512, 512}), f32({512, 512})};
  compileWithin(kStackBytes, request);
  request.text = "in Q: f32[b,q,d], K: f32[b,k,d], V: f32[b,k,e]\n"
                 "S = sum[d](Q * K)\nP = softmax[k | k <= q](S)\nO[b,q,e] = sum[k](P * V)\nout O";
  request.operands = {f32({8, 128, 64}), f32({8, 128, 64}), f32({8, 128, 64})};
  compileWithin(kStackBytes, request);
  // A chain as long as a Program may have (docs/notation.md).
  request.text = "in A: f32[i]; B[i] = A";
  for (int i = 0; i < 4990; ++i) request.text += " + A";
  request.text += "; out B";
  request.operands = {f32({64})};
  compileWithin(kStackBytes, request);
}

} // namespace
