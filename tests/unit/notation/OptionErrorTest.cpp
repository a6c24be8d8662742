// Mistakes in options: each is refused with its code, its values, and a caret at the right place.
#include "tests/unit/notation/Refusals.h"

namespace ein {
namespace {

using test::expectRefused;
using test::Row;

TEST(OptionErrorTest, SpacedNames) {
  CompileOptions names;
  names.labels = LabelStyle::Names;
  const Row rows[] = {
      {"row 1 -> row", "f32[2,2]", ErrorCode::Syntax, "'1' is not a label", "1:5"},
      {"row col -> rows", "f32[2,2]", ErrorCode::UnknownName, "the operands have: row, col", "1:12"},
      {"row.col", "f32[2,2]", ErrorCode::Syntax, "an ellipsis is three dots", "1:4"},
      {"row col", "f32[2,2,2]", ErrorCode::Rank, "operand 0 has rank 3 but its term has 2 subscripts", "1:1"},
      {"row col, col out", "f32[2,3] f32[4,2]", ErrorCode::Extent, "index 'col' has extent 3", "1:5"},
  };
  for (const Row &row : rows) expectRefused(row, names);
}

TEST(OptionErrorTest, Scatter) {
  CompileOptions scatter;
  scatter.scatter = true;
  const std::string deep = "i->" + std::string(65, 'i');
  const Row rows[] = {
      {"->ii", "f32[]", ErrorCode::UnknownName, "output index 'i' is in no operand", "1:3"},
      {deep.c_str(), "f32[1]", ErrorCode::Limit, "the result has rank 65; the limit is 64", "1:4"},
      {"i->iiiii", "f32[100000]", ErrorCode::Limit, "do not fit 63 bits", "1:4"},
  };
  for (const Row &row : rows) expectRefused(row, scatter);
  expectRefused({"a->aa", "f32[2]", ErrorCode::DuplicateName, "the option 'scatter' allows it", "1:5"});
  expectRefused({"in A: f32[i]\nY[i,i] = A\nout Y", "f32[2]", ErrorCode::DuplicateName, "Y[i,j] = if i == j", "2:5"},
                scatter);
  expectRefused({"in A: f32[i]\nY = einsum(\"i->ii\", A)\nout Y", "f32[2]", ErrorCode::DuplicateName,
                 "Y[i,j] = if i == j", "2:17"},
                scatter);
}

TEST(OptionErrorTest, Conjugates) {
  struct Case {
    std::vector<int64_t> conjugate;
    ErrorCode code;
    const char *message, *caret;
  };
  const Case cases[] = {
      {{2}, ErrorCode::OperandCount, "the conjugate of operand 2, which the expression does not have", "1:1"},
      {{-1}, ErrorCode::OperandCount, "operands count from 0 to 1", "1:1"},
      {{1, 0, 1}, ErrorCode::DuplicateName, "the conjugate of operand 1 is taken twice", "1:3"},
  };
  for (const Case &c : cases) {
    CompileOptions options;
    options.conjugate = c.conjugate;
    expectRefused({"i,i->i", "c64[2] c64[2]", c.code, c.message, c.caret}, options);
  }
  CompileOptions options;
  options.conjugate = {0};
  expectRefused({"in A: c64[i]\nY = A\nout Y", "c64[2]", ErrorCode::Unsupported, "write conj(X)", ""}, options);
}

TEST(OptionErrorTest, ComputeAndAccumulateTypes) {
  struct Case {
    const char *operands;
    std::optional<DType> result, compute, accumulate;
    const char *message;
  };
  constexpr auto none = std::nullopt;
  const Case cases[] = {
      {"f64[2] f64[2]", none, DType::BF16, none, "operands that make f64 cannot be computed with as bf16"},
      {"f64[2] f64[2]", none, DType::BF16, none, "accepted here: f32, f64"},
      {"bf16[2] bf16[2]", none, DType::F16, none, "accepted here: f32, f64, bf16"},
      {"f32[2] f32[2]", none, DType::C64, none, "accepted here: f32, f64"},
      {"c64[2] c64[2]", none, DType::F32, none, "accepted here: c64, c128"},
      {"i64[2] i64[2]", none, DType::I32, none, "accepted here: f32, f64, i64"},
      {"u32[2] u32[2]", none, DType::I32, none, "accepted here: f32, f64, i64, u32, u64"},
      {"bool[2] bool[2]", none, DType::I32, none, "accepted here: bool"},
      {"f64[2] f64[2]", none, none, DType::F32, "sums of f64 stored as f64 cannot be taken in f32"},
      {"f32[2] f32[2]", none, none, DType::F16, "accepted here: f32, f64"},
      {"bf16[2] bf16[2]", none, none, DType::BF16, "accepted here: f32, f64"},
      {"i8[2] i8[2]", none, none, DType::I8, "accepted here: i32, i64"},
      {"i8[2] i8[2]", none, none, DType::F32, "sums of i8 stored as i8 cannot be taken in f32"},
      {"i8[2] i8[2]", DType::F32, none, DType::U32, "accepted here: f32, f64, i32, i64"},
      {"c64[2] c64[2]", none, none, DType::F64, "accepted here: c64, c128"},
      {"f32[2] f32[2]", DType::I32, none, none, "the operands make f32, which cannot be stored as i32"},
      {"i32[2] i32[2]", DType::I32, DType::F32, none, "the operands make f32, which cannot be stored as i32"},
  };
  for (const Case &c : cases) {
    CompileOptions options;
    options.resultDType = c.result, options.computeDType = c.compute, options.accumulateDType = c.accumulate;
    expectRefused({"i,i->", c.operands, ErrorCode::DTypeMismatch, c.message, "1:6"}, options);
    expectRefused({"in A: f32[i]\nY = A\nout Y", "f32[2]", ErrorCode::Unsupported, "a Program says them itself", ""},
                  options);
  }
}

TEST(OptionErrorTest, ContractionOrder) {
  struct Case {
    std::vector<std::vector<int64_t>> order;
    const char *message;
  };
  const Case cases[] = {
      {{{0, 1}}, "the order leaves 2 operands uncontracted"},
      {{{1}, {0, 1}}, "the order leaves 2 operands uncontracted"},
      {{{0, 3}, {0, 1}}, "step 0 of the order takes operand 3 of 3"},
      {{{0, 1}, {0, -1}}, "step 1 of the order takes operand -1 of 2"},
      {{{0, 0}, {0, 1}}, "step 0 of the order takes an operand twice"},
      {{{}, {0, 1, 2}}, "step 0 of the order takes no operand"},
      {{{0, 1, 2}, {0, 1}}, "step 1 of the order takes operand 1 of 1"},
  };
  for (const Case &c : cases) {
    CompileOptions options;
    options.order = c.order;
    expectRefused({"a,a,a->a", "f32[2] f32[2] f32[2]", ErrorCode::OperandCount, c.message, "1:1"}, options);
  }
  CompileOptions options;
  options.order = {{0, 1}};
  expectRefused({"in A: f32[i], B: f32[i]\nY = A * B\nout Y", "f32[2] f32[2]", ErrorCode::Unsupported,
                 "for einsum strings, not for Programs", ""},
                options);
}

} // namespace
} // namespace ein
