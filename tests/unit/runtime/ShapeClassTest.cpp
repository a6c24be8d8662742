// Labels of operands read off a text, shape classes, and what EIN_LOG=recompiles says.
#include "runtime/ShapeClass.h"
#include "runtime/OperandLabels.h"
#include "runtime/RecompileLog.h"

#include <gtest/gtest.h>

using namespace ein;

namespace {

/// The labels as "i k|k j"; "." for a dimension that has none.
std::string labels(std::string_view text, std::vector<size_t> ranks, LabelStyle style = LabelStyle::Letters) {
  std::string all;
  for (const auto &operand : operandLabels(text, style, ranks)) {
    if (!all.empty()) all += "|";
    for (size_t d = 0; d < operand.size(); ++d)
      all += (d > 0 ? " " : "") + (operand[d].empty() ? "." : std::string(operand[d]));
  }
  return all;
}

TEST(OperandLabels, OfEinsumStrings) {
  EXPECT_EQ(labels("ik,kj->ij", {2, 2}), "i k|k j");
  EXPECT_EQ(labels(" i k , kj -> ij", {2, 2}), "i k|k j");
  EXPECT_EQ(labels("ik,kj", {2, 2}), "i k|k j");
  EXPECT_EQ(labels("i...k,...j", {4, 1}), "i . . k|j");
  EXPECT_EQ(labels("{head}i,λ->i", {2, 1}), "head i|λ");
  EXPECT_EQ(labels("batch q d, batch k d -> batch q k", {3, 3}, LabelStyle::Names), "batch q d|batch k d");
  EXPECT_EQ(labels("ij->", {3}), ". . ."); // does not fit
  EXPECT_EQ(labels("ij", {2, 1}), "i j|.");
}

TEST(OperandLabels, OfPrograms) {
  EXPECT_EQ(labels("in A: f32[i,k], B: f32[k,j]\nC = sum[k](A * B)\nout C", {2, 2}), "i k|k j");
  EXPECT_EQ(
      labels("# in X: f32[z]\nindex r = 4\nin A: f32[(g r),k] , \\\n  n: i32 below(k)\nin B:f32[k]; C = A[0,1]\nout C",
             {2, 0, 1}),
      ". k||k");
}

std::string classOf(std::string_view text, std::vector<TensorType> types, std::vector<std::string> dynamic) {
  CompileOptions options;
  options.dynamic = std::move(dynamic);
  std::string all;
  const auto standard = shapeClass(text, types, options);
  EXPECT_EQ(shapeClass(text, standard, options), standard); // idempotent
  for (const TensorType &type : standard) all += (all.empty() ? "" : " ") + type.str();
  return all;
}

TEST(ShapeClass, TellsLongFromShortAndStandsForAllOthers) {
  const auto f32 = [](std::vector<int64_t> shape) { return TensorType(DType::F32, std::move(shape)); };
  const std::string isLong = classOf("ik,kj->ij", {f32({3, 64}), f32({64, 5})}, {"k"});
  EXPECT_EQ(isLong, "f32[3,509] f32[509,5]");
  EXPECT_EQ(classOf("ik,kj->ij", {f32({3, 1000}), f32({1000, 5})}, {"k"}), isLong);
  EXPECT_EQ(classOf("ik,kj->ij", {f32({3, 63}), f32({63, 5})}, {"k"}), "f32[3,13] f32[13,5]");
  EXPECT_EQ(classOf("ik,kj->ij", {f32({3, 1}), f32({1, 5})}, {"k"}), "f32[3,13] f32[13,5]");
  EXPECT_EQ(classOf("ik,kj->ij", {f32({3, 1}), f32({70, 5})}, {"k"}), "f32[3,1] f32[509,5]"); // broadcasts
  EXPECT_EQ(classOf("ik->i", {f32({3, 70})}, {"i", "k"}), "f32[13,521]");
}

TEST(ShapeClass, KeepsStridesThatCountOnly) {
  const TensorType rows(DType::F32, {70, 8}, {100, 1}), others(DType::F32, {90, 8}, {333, 1});
  EXPECT_EQ(classOf("kd->k", {rows}, {"k"}), classOf("kd->k", {others}, {"k"}));
  EXPECT_NE(classOf("kd->k", {rows}, {"k"}), classOf("kd->k", {TensorType(DType::F32, {70, 8})}, {"k"}));
  EXPECT_NE(classOf("kd->k", {rows}, {"k"}), classOf("kd->k", {TensorType(DType::F32, {70, 8}, {0, 1})}, {"k"}));
  // Without a dynamic index a type stays what it is.
  EXPECT_TRUE(classOf("kd,e->k", {rows, TensorType(DType::F32, {5}, {7})}, {"k"}).ends_with(" f32[5]{7}"));
}

std::string whyAgain(std::vector<TensorType> was, std::vector<TensorType> is, std::vector<std::string> dynamic) {
  auto compilation = [&](const std::vector<TensorType> &types) {
    RecompileLog::Compilation c;
    c.request.text = "ik,kj->ij";
    c.request.options.dynamic = dynamic;
    c.operands = types;
    c.request.operands = dynamic.empty() ? types : shapeClass(c.request.text, types, c.request.options);
    return c;
  };
  return RecompileLog::whyAgain(compilation(was), compilation(is));
}

TEST(RecompileLog, NamesTheGuardThatFailed) {
  const TensorType a(DType::F32, {4, 70}), b(DType::F32, {70, 6});
  EXPECT_EQ(whyAgain({a, b}, {TensorType(DType::F32, {5, 70}), b}, {}),
            "extent of i was 4, is 5; --dynamic i would share one kernel");
  EXPECT_EQ(whyAgain({a, b}, {TensorType(DType::F32, {4, 1}), TensorType(DType::F32, {1, 6})}, {"k"}),
            "k: 1 is none of the extents >= 64 it was compiled for");
  EXPECT_EQ(whyAgain({a, b}, {a, TensorType(DType::F32, {70, 6}, {7, 1})}, {}),
            "stride of k in operand 1 was 6, is 7 (was row-major)");
  EXPECT_EQ(
      whyAgain({a, TensorType(DType::F32, {70, 6}, {1, 70})}, {a, TensorType(DType::F32, {70, 6}, {7, 2})}, {"k"}),
      "stride of k in operand 1 was 1, is 7; stride of j in operand 1 was 70, is 2");
  EXPECT_EQ(whyAgain({a, b}, {TensorType(DType::F64, {4, 70}), b}, {}), "operand 0 was f32, is f64");
  EXPECT_EQ(whyAgain({a, b}, {a, b}, {}), "its kernel has left the cache");
}

} // namespace
