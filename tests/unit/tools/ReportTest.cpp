// What einc prints and which exit code an error gets.
#include "tools/einc/Report.h"

#include <gtest/gtest.h>
#include <limits>

using namespace ein;
using namespace einc;

namespace {

template <class T> std::string print(std::vector<T> values, std::vector<int64_t> shape) {
  return printTensor(TensorView(values.data(), std::move(shape)));
}

TEST(ReportTest, PrintsLikeNumpy) {
  EXPECT_EQ(print<float>({1, 2, 3, 4, 5, 6}, {2, 3}), "f32[2,3]\n[[1. 2. 3.]\n [4. 5. 6.]]\n");
  EXPECT_EQ(print<double>({0.1, -20}, {2}), "f64[2]\n[ 0.1 -20.]\n");
  EXPECT_EQ(print<float>({0.1f}, {}), "f32[]\n0.1\n");
  EXPECT_EQ(print<float>({}, {2, 0}), "f32[2,0]\n[]\n");
  EXPECT_EQ(print<float>({1, 2, 3, 4}, {2, 1, 2}), "f32[2,1,2]\n[[[1. 2.]]\n [[3. 4.]]]\n");
  EXPECT_EQ(print<double>({std::numeric_limits<double>::infinity(), 1e300}, {2}), "f64[2]\n[   inf 1e+300]\n");
}

TEST(ReportTest, ElidesAboveAThousandElements) {
  EXPECT_EQ(print(std::vector<float>(1001, 2), {7, 143}),
            "f32[7,143]\n[2. 2. 2. ... 2. 2. 2.] (flattened, 1001 elements; -o FILE.npy writes them all)\n");
  EXPECT_EQ(print(std::vector<float>(1000, 2), {1000}).find("..."), std::string::npos);
}

/// The table of the issue: 2 the user's, 3 compile, 4 run, 5 device.
TEST(ReportTest, ExitCodes) {
  for (ErrorCode code : {ErrorCode::Syntax, ErrorCode::UnknownName, ErrorCode::DuplicateName, ErrorCode::OperandCount,
                         ErrorCode::Rank, ErrorCode::Extent, ErrorCode::DTypeMismatch, ErrorCode::Typing,
                         ErrorCode::Layout, ErrorCode::Limit, ErrorCode::IO})
    EXPECT_EQ(exitCode(code), 2) << errorCodeName(code);
  EXPECT_EQ(exitCode(ErrorCode::Compile), 3);
  EXPECT_EQ(exitCode(ErrorCode::Unsupported), 3);
  EXPECT_EQ(exitCode(ErrorCode::Run), 4);
  EXPECT_EQ(exitCode(ErrorCode::IO, While::Writing), 4);
  EXPECT_EQ(exitCode(ErrorCode::DeviceMissing), 5);
}

} // namespace
