// The instruments of the conformance tests notice what they are there for.
#include "tests/conformance/Support.h"
#include "tests/conformance/Direct.h"
#include "tests/conformance/GuardedMemory.h"
#include "tests/conformance/Oracles.h"

using namespace ein;
using namespace ein::test;

namespace {

Execution executed(const Case &c) {
  auto execution = Execution::prepare(c);
  EXPECT_TRUE(execution);
  EXPECT_TRUE(execution->run());
  return std::move(*execution);
}

void spoil(const Execution &execution) { static_cast<float *>(execution.results[0].view.data)[3] += 0.01f; }

} // namespace

TEST(Support, OraclesSeeAWrongElement) {
  for (Data data : {Data::Fractions, Data::Integers}) {
    Case c{"ik,kj->ij", types("f32[3,5] f32[5,4]"), {}, 1, data, {}};
    const Execution execution = executed(c);
    EXPECT_TRUE(agreesWithInterpreter(execution));
    EXPECT_TRUE(agreesAtSamples(execution, 1e6));
    spoil(execution);
    EXPECT_FALSE(agreesWithInterpreter(execution));
    EXPECT_FALSE(agreesAtSamples(execution, 1e6));
  }
}

TEST(Support, PairwiseOracleSeesAWrongElement) {
  const Execution execution = executed({"ab,bc,cd->ad", types("f32[3,5] f32[5,4] f32[4,2]"), {}, 1, {}, {}});
  EXPECT_TRUE(agreesWithPairwise(execution));
  spoil(execution);
  EXPECT_FALSE(agreesWithPairwise(execution));
}

TEST(Support, DirectComparisonSeesAWrongElement) {
  EXPECT_TRUE(gives("i,i->", {vector({1, 2}), vector({3, 4})}, scalar(11)));
  EXPECT_FALSE(gives("i,i->", {vector({1, 2}), vector({3, 4})}, scalar(12)));
  EXPECT_FALSE(gives("i,i->", {vector({0.5, 2}), vector({3, 4})}, scalar(9.5001)));
  EXPECT_FALSE(gives("i,i->i", {vector({1, 2}), vector({3, 4})}, scalar(11))) << "another shape";
}

TEST(Support, FailureNamesSeedAndReproducer) {
  const Case c{"in a: f32[i]\nb = a\nout b", types("f32[3]{-1}"), {}, 7, {}, {}};
  EXPECT_EQ(std::string(failure(c, "why").message()),
            "why\n  seed 7\n  einc run $'in a: f32[i]\\nb = a\\nout b' --type 'f32[3]{-1}' --target host --path auto "
            "--threads 0 --seed 7 --check");
}

TEST(GuardedMemory, NoticesATouchOnEitherSide) {
  const TensorType type(DType::F32, {5});
  for (Guard guard : {Guard::Below, Guard::Above}) {
    const einc::HostTensor first = guardedTensor(type, guard), second = guardedTensor(type, guard);
    const einc::HostTensor *const tensors[] = {&first, &second};
    watch(tensors, "SupportTest");
    auto *data = static_cast<volatile float *>(second.view.data);
    data[0] = data[4];
    EXPECT_FALSE(touched());
    const int64_t outside = guard == Guard::Below ? -1 : 5;
    data[0] = data[outside];
    ASSERT_TRUE(touched());
    EXPECT_EQ(touched()->tensor, 1u);
    EXPECT_EQ(touched()->offset, outside * 4);
    watch({}, "");
  }
}

TEST(GuardedMemory, NoticesAWriteBetweenElements) {
  for (Guard guard : {Guard::Below, Guard::Above}) {
    const einc::HostTensor tensor = guardedTensor({DType::F64, {3, 2}, {-5, 2}}, guard);
    poison(tensor);
    auto *data = static_cast<double *>(tensor.view.data);
    for (int64_t i = 0; i < 3; ++i)
      for (int64_t j = 0; j < 2; ++j) data[-5 * i + 2 * j] = 1;
    EXPECT_FALSE(writtenOutside(tensor));
    data[-4] = 1;
    EXPECT_EQ(writtenOutside(tensor), 6) << "counted from the lowest element";
  }
}
