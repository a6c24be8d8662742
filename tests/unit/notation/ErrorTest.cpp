// Mistakes: each is refused with its code, its values, and a caret at the right place.
#include "tests/unit/notation/Refusals.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <map>

namespace ein {
namespace {

using test::caret;
using test::expectRefused;
using test::Row;
using test::types;

TEST(ErrorTest, EinsumStrings) {
  const Row rows[] = {
      // The text.
      {"ij,jk- >ik", "f32[2,3] f32[3,4]", ErrorCode::Syntax, "an arrow is '->'", "1:6"},
      {"i-", "f32[2]", ErrorCode::Syntax, "an arrow is '->'", "1:2"},
      {"i>i", "f32[2]", ErrorCode::Syntax, "an arrow is '->'", "1:2"},
      {"i->i->", "f32[2]", ErrorCode::Syntax, "a second '->'", "1:5"},
      {". . .i", "f32[2]", ErrorCode::Syntax, "an ellipsis is three dots", "1:1"},
      {"i..", "f32[2]", ErrorCode::Syntax, "an ellipsis is three dots", "1:2"},
      {"....i", "f32[2]", ErrorCode::Syntax, "an ellipsis is three dots", "1:4"},
      {"α...β...", "f32[2,2]", ErrorCode::Syntax, "a second ellipsis", "1:6"},
      {"i->i,", "f32[2]", ErrorCode::Syntax, "cannot contain ','", "1:5"},
      {"a0->a", "f32[2,2]", ErrorCode::Syntax, "'0' is not a label", "1:2"},
      {"a_b", "f32[2,2]", ErrorCode::Syntax, "'_' is not a label", "1:2"},
      {"α×β", "f32[2,2]", ErrorCode::Syntax, "'×' is not a label", "1:2"},
      {"i\x01j", "f32[2,2]", ErrorCode::Syntax, "a control character", "1:2"},
      {"i\xC3(", "f32[2,2]", ErrorCode::Syntax, "not valid UTF-8", "1:2"},
      {"a+b->c", "f32[2] f32[2]", ErrorCode::Syntax, "'+' is not a label", "1:2"},
      // Operands.
      {"ij,jk,k->ik", "f32[2,2] f32[2,2]", ErrorCode::OperandCount, "names 3 operands but 2 were given", "1:7"},
      {"", "", ErrorCode::OperandCount, "names 1 operand but 0 were given", "1:1"},
      {"ij", "f32[2,2] f32[2]", ErrorCode::OperandCount, "names 1 operand but 2 were given", "1:1"},
      {"ij,jk", "f32[2,3,4] f32[3,4]", ErrorCode::Rank, "operand 0 has rank 3 but its term has 2 subscripts", "1:1"},
      {"ij,i...j", "f32[2,3] f32[3]", ErrorCode::Rank, "at least 2 dimensions, but operand 1 has shape [3]", "1:4"},
      {"i", "f32[]", ErrorCode::Rank, "operand 0 has rank 0 but its term has 1 subscript", "1:1"},
      // Extents.
      {"ijk,kl->ijl", "f32[2,4,3] f32[7,3]", ErrorCode::Extent,
       "index 'k' has extent 3 in operand 0 but 7 in operand 1", "1:3"},
      {"ijk,kl->ijl", "f32[2,4,3] f32[7,3]", ErrorCode::Extent, "it fits: ijk,lk->ijl", "1:3"},
      {"bix,iox->box", "f32[12,8192,2] f32[12,8192,2]", ErrorCode::Extent, "permuted it fits: bix,oix->box", "1:2"},
      {"i,i,i", "f32[2] f32[1] f32[3]", ErrorCode::Extent, "extent 3: dimension 0 of operand 2, shape [3]", "1:1"},
      {"i,i", "f32[0] f32[3]", ErrorCode::Extent, "only extent 1 broadcasts", "1:1"},
      {"ii->i", "f32[1,3]", ErrorCode::Extent, "has extents 1 and 3 in operand 0", "1:1"},
      {"aab,b->a", "f32[1,3,2] f32[2]", ErrorCode::Extent, "takes the diagonal", "1:1"},
      {"a...,...a->", "f32[4,2,3] f32[2,5,4]", ErrorCode::Extent,
       "dimension 1 of the ellipsis has extent 3 in operand 0 but 5", "1:2"},
      // Output.
      {"ij->ik", "f32[2,3]", ErrorCode::UnknownName, "output index 'k' is in no operand", "1:6"},
      {"ij->ik", "f32[2,3]", ErrorCode::UnknownName, "the operands have: i, j", "1:6"},
      {"ij->jij", "f32[2,3]", ErrorCode::DuplicateName, "index 'j' is twice in the output", "1:7"},
      {"i,j->ij", "f32[9000000000] f32[9000000000]", ErrorCode::Limit, "the result", "1:6"},
  };
  for (const Row &row : rows) expectRefused(row);
}

TEST(ErrorTest, NamesInBraces) {
  const Row rows[] = {
      {"{", "f32[2]", ErrorCode::Syntax, "this '{' is never closed", "1:1"},
      {"i{batch", "f32[2]", ErrorCode::Syntax, "this '{' is never closed", "1:2"},
      {"i}", "f32[2]", ErrorCode::Syntax, "a '}' without its '{'", "1:2"},
      {"i{}", "f32[2]", ErrorCode::Syntax, "'}' cannot start a name in braces", "1:3"},
      {"{1a}", "f32[2]", ErrorCode::Syntax, "'1' cannot start a name in braces", "1:2"},
      {"{a b}", "f32[2]", ErrorCode::Syntax, "'b' cannot stand in a name in braces", "1:4"},
      {"{a,b}", "f32[2]", ErrorCode::Syntax, "',' cannot stand in a name in braces", "1:3"},
      {"{a{b}}", "f32[2]", ErrorCode::Syntax, "'{' cannot stand in a name in braces", "1:3"},
      {"{...}", "f32[2]", ErrorCode::Syntax, "'.' cannot start a name in braces", "1:2"},
      {"{a->b}", "f32[2]", ErrorCode::Syntax, "'-' cannot stand in a name in braces", "1:3"},
      {"{a\x01}", "f32[2]", ErrorCode::Syntax, "a control character cannot stand", "1:3"},
      {"{a\xff}", "f32[2]", ErrorCode::Syntax, "not valid UTF-8", "1:3"},
      {"{ab}->{ac}", "f32[2]", ErrorCode::UnknownName, "output index 'ac' is in no operand", "1:7"},
      {"{ab}->{ab}{ab}", "f32[2]", ErrorCode::DuplicateName, "index 'ab' is twice in the output", "1:11"},
      {"{ab},{ab}c", "f32[2] f32[3,2]", ErrorCode::Extent, "index 'ab' has extent 2 in operand 0 but 3", "1:1"},
      {"{ab},{ab}c", "f32[2] f32[3,2]", ErrorCode::Extent, "it fits: {ab},c{ab}", "1:1"},
      {"{a b},c", "f32[2] f32[2]", ErrorCode::Syntax, "a name is a letter or '_', then letters, digits and '_'", "1:4"},
      {"bat_ch", "f32[2]", ErrorCode::Syntax, "labels are letters, or names in braces", "1:4"},
  };
  for (const Row &row : rows) expectRefused(row);
}

TEST(ErrorTest, Limits) {
  std::string outer;
  for (int i = 0; i < 65; ++i) outer += (i ? ",{x" : "{x") + std::to_string(i) + "}";
  std::string scalars;
  for (int i = 0; i < 65; ++i) scalars += i ? " f32[1]" : "f32[1]";
  const Row rows[] = {
      {outer.c_str(), scalars.c_str(), ErrorCode::Limit, "the result has rank 65; the limit is 64", "1:1"},
      {"ij,jk->ik", "f64[3000000000,1] f64[1,3000000000]", ErrorCode::Limit, "do not fit 63 bits", "1:8"},
  };
  for (const Row &row : rows) expectRefused(row);

  const TensorType huge(DType::F32, {int64_t(1) << 62}, {0});
  auto p = parseAndBind("i,i->i", std::vector{huge, huge});
  ASSERT_FALSE(p);
  EXPECT_EQ(p.error().code, ErrorCode::Limit);
  EXPECT_EQ(caret(p.error()), "1:1");
}

TEST(ErrorTest, ProgramSyntax) {
  const Row rows[] = {
      {"Y == 2", "", ErrorCode::Syntax, "expected '=' after the left-hand side", "1:3"},
      {"in X f32[i] =", "", ErrorCode::Syntax, "expected ':'", "1:6"},
      {"in X: f32[i", "", ErrorCode::Syntax, "expected ']' after the list of indices, found the end of the text",
       "1:12"},
      {"in max: f32", "", ErrorCode::Syntax, "'max' is a word of the language", "1:4"},
      {"index i = (4)", "", ErrorCode::Syntax, "expected an extent or an index", "1:11"},
      {"index i = 2.5", "", ErrorCode::Syntax, "not '2.5'", "1:11"},
      {"index i = 4 5", "", ErrorCode::Syntax, "expected the end of the line, found '5'", "1:13"},
      {"Y = 1\nrequire fast(Y)", "", ErrorCode::Syntax, "expected onepass, nostore, stored or exact", "2:9"},
      {"Y = 1\nstore", "", ErrorCode::Syntax, "expected a tensor", "2:6"},
      {"in X: f32[(g r]", "", ErrorCode::Syntax, "expected an index, found ']'", "1:15"},
      {"in X: i32[i] below(i) below(i)", "", ErrorCode::DuplicateName, "'below' stands twice", "1:23"},
      {"Y = 2 ^ ", "", ErrorCode::Syntax, "expected an expression", "1:9"},
      {"Y = cast(2)", "", ErrorCode::Syntax, "'cast' takes an expression and a dtype", "1:5"},
      {"Y = (1 + 2", "", ErrorCode::Syntax, "expected ')' after the expression, found the end of the text", "1:11"},
      {"Y = 1 +\n2", "", ErrorCode::Syntax, "a trailing '\\' joins", "1:8"},
      {"Y = 1 \\ 2", "", ErrorCode::Syntax, "not at the end of its line", "1:7"},
      {"Y = 1 2", "", ErrorCode::Syntax, "expected the end of the line, found '2'", "1:7"},
      {"Y = 1 ! 2", "", ErrorCode::Syntax, "'!' has no meaning", "1:7"},
      {"Y = 1 < 2 < 3", "", ErrorCode::Syntax, "comparisons do not chain", "1:11"},
      {"Y = --1", "", ErrorCode::Syntax, "expected an expression, found '-'", "1:6"},
      {"Y = 1e999", "", ErrorCode::Limit, "does not fit a double", "1:5"},
      {"Y = if 1 < 2 then 3", "", ErrorCode::Syntax, "expected 'else'", "1:20"},
      {"Y = clamp(1, 2)", "", ErrorCode::Syntax, "'clamp' takes 3 arguments, got 2", "1:5"},
      {"Y = relu()", "", ErrorCode::Syntax, "expected an expression", "1:10"},
      {"abs = 1", "", ErrorCode::Syntax, "'abs' is a word of the language", "1:1"},
      {"relu = 1", "", ErrorCode::Syntax, "'relu' is a word of the language", "1:1"},
      {"Y = foo(1)", "", ErrorCode::UnknownName, "unknown function 'foo'", "1:5"},
      {"Y = exp(1, 2)", "", ErrorCode::Syntax, "'exp' takes 1 argument, got 2", "1:5"},
      {"Y = max(1)", "", ErrorCode::Syntax, "as a reduction it is written max[k]", "1:5"},
      {"Y = sum(1)", "", ErrorCode::UnknownName, "sum[k](...)", "1:5"},
      {"Y = softmax[](1)", "", ErrorCode::Syntax, "expected an index to reduce over", "1:13"},
      {"Y = sum[k](1, 2)", "", ErrorCode::Syntax, "others by name", "1:15"},
      {"Y = einsum(X)", "", ErrorCode::Syntax, "expected the subscripts in quotes", "1:12"},
      {"Y = einsum(\"i", "", ErrorCode::Syntax, "does not end on its line", "1:12"},
  };
  for (const Row &row : rows) expectRefused(row);
}

/// Each text continues after "in A: f32[i,j], B: f64[j], C: f32[j,k]".
TEST(ErrorTest, ProgramTyping) {
  const Row rows[] = {
      {"Y = Aa\nout Y", "", ErrorCode::UnknownName, "did you mean 'A'?", "2:5"},
      {"Y = sum[q](A)\nout Y", "", ErrorCode::UnknownName, "unknown name 'q'", "2:9"},
      {"Y = Z; Z = A\nout Y", "", ErrorCode::UnknownName, "'Z' is used before it is defined", "2:5"},
      {"Y = Y + A\nout Y", "", ErrorCode::UnknownName, "'Y' is defined by itself", "2:5"},
      {"Y = A; Y = A\nout Y", "", ErrorCode::DuplicateName, "'Y' is declared twice", "2:8"},
      {"i = A\nout A", "", ErrorCode::DuplicateName, "an index since here", "2:1"},
      {"index A = 3\nout A", "", ErrorCode::DuplicateName, "'A' is declared twice", "1:4"},
      {"index i = 5\nout A", "", ErrorCode::Extent, "index 'i' has extent 5 in its declaration but 2 in 'A'", "2:7"},
      {"index n = i * 7, m = n, i2 = 4\nY = A[n,j]\nout Y", "", ErrorCode::Extent, "declared 14", "2:7"},
      {"index z\nout A", "", ErrorCode::Extent, "the extent of index 'z' is unknown", "2:7"},
      {"index z\nY = z\nout Y", "", ErrorCode::Extent, "the extent of index 'z' is not known here", "3:5"},
      {"index z = 9223372036854775807 * 2\nout A", "", ErrorCode::Limit, "does not fit 63 bits", "2:33"},
      {"Y[i] = A\nout Y", "", ErrorCode::Typing, "index 'j' is left over: not in the result 'Y[i]'", "2:8"},
      {"Y[i] = A\nout Y", "", ErrorCode::Typing, "sum it: sum[j](...)", "2:8"},
      {"Y[i,j,k] = A\nout Y", "", ErrorCode::Typing, "the result lists 'k' but the expression does not depend on it",
       "2:7"},
      {"Y[i,j] = sum[j](A)\nout Y", "", ErrorCode::Typing, "reduced here", "2:5"},
      {"Y[i,i] = A\nout Y", "", ErrorCode::DuplicateName, "index 'i' is twice in the result", "2:5"},
      {"Y = sum[k](A)\nout Y", "", ErrorCode::Typing, "reduction over 'k', but its argument does not depend on it",
       "2:9"},
      {"Y = sum[j,j](A)\nout Y", "", ErrorCode::DuplicateName, "index 'j' is reduced twice", "2:11"},
      {"Y = sum[A](A)\nout Y", "", ErrorCode::Typing, "'A' is a tensor, not an index", "2:9"},
      {"Y = sum[j](sum[j](A))\nout Y", "", ErrorCode::Typing, "depends on i", "2:9"},
      {"Y = i[j]\nout Y", "", ErrorCode::Typing, "'i' is an index, not a tensor", "2:5"},
      {"Y = A[i]\nout Y", "", ErrorCode::Rank, "'A' takes 2 subscripts, got 1", "2:5"},
      {"Y = A[j,i]\nout Y", "", ErrorCode::Extent, "index 'j' has extent 3 in 'A' but 2 in 'A'", "1:13"},
      {"Y: i32 = A\nout Y", "", ErrorCode::DTypeMismatch, "'Y' is declared i32 but its value is f32", "2:4"},
      {"Y: bool = A\nout Y", "", ErrorCode::DTypeMismatch, "'Y' is declared bool but its value is f32", "2:4"},
      {"Y: f8 = A\nout Y", "", ErrorCode::DTypeMismatch, "dtype 'f8' is not accepted", "2:4"},
      {"Y = (i < j) + 1\nout Y", "", ErrorCode::Typing, "'+' needs a number", "2:6"},
      {"Y = if i then 1 else 2\nout Y", "", ErrorCode::Typing, "a condition must be bool", "2:8"},
      {"Y = where(i < j and i, 1, 2)\nout Y", "", ErrorCode::Typing, "'and' needs bool", "2:21"},
      {"Y = sum[j | j](A)\nout Y", "", ErrorCode::Typing, "a guard must be bool", "2:13"},
      {"Y = sum[j](i < j)\nout Y", "", ErrorCode::Typing, "'sum' needs a number", "2:12"},
      {"Y = einsum(\"ij,j->i\", A)\nout Y", "", ErrorCode::OperandCount, "names 2 operands but 1 was given", "2:13"},
      {"Y = einsum(\"ijk\", A)\nout Y", "", ErrorCode::Rank, "'A' has rank 2 but its term has 3 subscripts", "2:13"},
      {"Y = einsum(\"i-j\", A)\nout Y", "", ErrorCode::Syntax, "an arrow is '->'", "2:14"},
      {"Y = einsum(\"ij->ijq\", A)\nout Y", "", ErrorCode::UnknownName, "output index 'q' is in no operand", "2:19"},
      {"Y = einsum(\"ij->ii\", A)\nout Y", "", ErrorCode::DuplicateName, "twice in the output", "2:18"},
      {"Y = einsum(\"ij,jk->ik\", C, A)\nout Y", "", ErrorCode::Extent, "index 'i' has extent 2 in 'A' but 3 in 'C'",
       "1:11"},
      {"Y = einsum(\"{i}{k}->{q}\", A)\nout Y", "", ErrorCode::Extent, "index 'k' has extent 4", "1:37"},
      {"Y = einsum(\"i j -> {sum}\", A)\nout Y", "", ErrorCode::UnknownName, "output index 'sum' is in no", "2:20"},
      {"Y = einsum(\"in j\", A)\nout Y", "", ErrorCode::Syntax, "'in' is a word of the language", "2:13"},
      {"Y = einsum(\"{i\", A)\nout Y", "", ErrorCode::Syntax, "this '{' is never closed", "2:13"},
      {"Y = einsum(\"xx\", A)\nout Y", "", ErrorCode::Extent, "index 'x' has extent 2 in 'A' but 3 in 'A'", "2:13"},
      {"Y = einsum(\"A x\", A)\nout Y", "", ErrorCode::Typing, "'A' is a tensor, not an index", "2:13"},
      {"Y = einsum(\"...,...\", A, C)\nout Y", "", ErrorCode::Typing, "the ellipsis stands for [j,k] here", "2:26"},
      {"Y = einsum(\"j...\", C)\nout Y; Z = einsum(\"k...\", C)\n", "", ErrorCode::Extent, "index 'k'", "1:37"},
      {"Y = A\n", "", ErrorCode::Typing, "the Program has no output", ""},
      {"Y = A\nout Z", "", ErrorCode::UnknownName, "unknown name 'Z'", "3:5"},
      {"Y = A\nout Y, Y", "", ErrorCode::DuplicateName, "'Y' is an output twice", "3:8"},
      {"Y = A\nout Y[i]", "", ErrorCode::Typing, "leaves out index 'j'", "3:5"},
      {"Y = A\nout Y[i,k]", "", ErrorCode::Typing, "'Y' has no index 'k'", "3:9"},
      {"Y = A\nout Y: i32", "", ErrorCode::DTypeMismatch, "'Y' is f32, not i32", "3:8"},
      {"out i", "", ErrorCode::Typing, "'i' is an index, not a tensor", "2:5"},
  };
  for (const Row &row : rows) {
    std::string text = std::string("in A: f32[i,j], B: f64[j], C: f32[j,k]\n") + row.text;
    expectRefused({text.c_str(), "f32[2,3] f64[3] f32[3,4]", row.code, row.message, row.caret});
  }
}

TEST(ErrorTest, ProgramDTypes) {
  const Row rows[] = {
      {"Y = A / 2\nout Y", "", ErrorCode::DTypeMismatch, "'/' is not defined for i32", "2:5"},
      {"Y = exp(A)\nout Y", "", ErrorCode::DTypeMismatch, "'exp' is not defined for i32", "2:5"},
      {"Y = A * 0.5\nout Y", "", ErrorCode::DTypeMismatch, "this number is no i32", "2:9"},
      {"Y = softmax[i](A)\nout Y", "", ErrorCode::DTypeMismatch, "'softmax' is not defined for i32", "2:16"},
      {"Y = max(Z, Z)\nout Y", "", ErrorCode::DTypeMismatch, "'max' is not defined for c64", "2:5"},
      {"Y = Z / 2\nout Y", "", ErrorCode::DTypeMismatch, "'/' is not defined for c64", "2:5"},
      {"Y = max[i](Z)\nout Y", "", ErrorCode::DTypeMismatch, "'max' is not defined for c64", "2:12"},
      {"Y: f64 = Z\nout Y", "", ErrorCode::DTypeMismatch, "'Y' is declared f64 but its value is c64", "2:4"},
      {"Y = B + 1\nout Y", "", ErrorCode::Typing, "'+' needs a number", "2:5"},
      {"Y = sum[i](B)\nout Y", "", ErrorCode::Typing, "'sum' needs a number", "2:12"},
  };
  for (const Row &row : rows) {
    std::string text = std::string("in A: i32[i], Z: c64[i], B: bool[i]\n") + row.text;
    expectRefused({text.c_str(), "i32[2] c64[2] bool[2]", row.code, row.message, row.caret});
  }
}

TEST(ErrorTest, ProgramOperands) {
  const Row rows[] = {
      {"in A: f32[i], B: f32[i]\nout A", "f32[3]", ErrorCode::OperandCount, "declares 2 operands but 1 was given",
       "1:15"},
      {"in A: f32[i]\nout A", "f32[3] f32[3]", ErrorCode::OperandCount, "declares 1 operand but 2 were given", ""},
      {"in A: f32[i]\nout A", "f64[3]", ErrorCode::DTypeMismatch, "operand 0 'A' is declared f32 but is f64", "1:7"},
      {"in A: f8[i]\nout A", "f64[3]", ErrorCode::DTypeMismatch, "dtype 'f8' is not accepted", "1:7"},
      {"in A: f32[i]\nout A", "f32[3,3]", ErrorCode::Rank, "operand 0 'A' has rank 2 but is declared with 1 index",
       "1:4"},
      {"in A: f32[i], B: f32[i]\nout A", "f32[3] f32[4]", ErrorCode::Extent,
       "index 'i' has extent 3 in 'A' but 4 in 'B'", "1:11"},
      {"in A: f32[i], B: f32[i]\nout A", "f32[3] f32[1]", ErrorCode::Extent, "extent 1 does not stretch", "1:11"},
      {"in A: f32[i], A: f32[i]\nout A", "f32[3] f32[3]", ErrorCode::DuplicateName, "'A' is declared twice", "1:15"},
      {"in A: f32[A]\nout A", "f32[3]", ErrorCode::DuplicateName, "'A' is declared twice", "1:4"},
      {"index k = q * 2\nin A: f32[i]\nout A", "f32[3]", ErrorCode::UnknownName, "unknown name 'q'", "1:11"},
      {"in A: f32[i], B: f32[j]\nY = A * B\nout Y", "f32[9000000000] f32[9000000000]", ErrorCode::Limit, "'Y'", "2:1"},
  };
  for (const Row &row : rows) expectRefused(row);
}

TEST(ErrorTest, BothPlacesAreLabelled) {
  auto p = parseAndBind("ijk,kl->ijl", types("f32[2,4,3] f32[7,3]"));
  ASSERT_FALSE(p);
  ASSERT_EQ(p.error().labels.size(), 2u);
  EXPECT_EQ(p.error().labels[1].span.begin, 4u);
  EXPECT_EQ(p.error().labels[0].text, "extent 3: dimension 2 of operand 0, shape [2,4,3]");
  EXPECT_EQ(p.error().labels[1].text, "extent 7: dimension 0 of operand 1, shape [7,3]");
}

/// Every case of the conformance list that our API can express.
TEST(ErrorTest, ConformanceInvalid) {
  const std::map<std::string, ErrorCode> codes = {
      {"operand-count", ErrorCode::OperandCount},
      {"rank", ErrorCode::Rank},
      {"bad-character", ErrorCode::Syntax},
      {"ellipsis-syntax", ErrorCode::Syntax},
      {"arrow", ErrorCode::Syntax},
      {"output-unknown-label", ErrorCode::UnknownName},
      {"output-repeated-label", ErrorCode::DuplicateName},
      {"output-comma", ErrorCode::Syntax},
      {"size-mismatch", ErrorCode::Extent},
  };
  std::ifstream file(EIN_TEST_DATA "/conformance_invalid.json");
  size_t checked = 0;
  for (const auto &row : nlohmann::json::parse(file)) {
    auto code = codes.find(row["category"].get<std::string>());
    if (code == codes.end() || !row["expr"].is_string()) continue;
    std::vector<TensorType> operands;
    for (const auto &shape : row["shapes"]) operands.emplace_back(DType::F64, shape.get<std::vector<int64_t>>());
    auto p = parseAndBind(row["expr"].get<std::string>(), operands);
    ASSERT_FALSE(p) << row["id"];
    EXPECT_EQ(errorCodeName(p.error().code), std::string(errorCodeName(code->second))) << row["id"] << "\n"
                                                                                       << p.error().render();
    EXPECT_FALSE(p.error().render().empty());
    ++checked;
  }
  EXPECT_GE(checked, 60u);
}

} // namespace
} // namespace ein
