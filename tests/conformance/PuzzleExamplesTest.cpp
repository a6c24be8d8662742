// The worked examples and the closing cheatsheet of shared/seeds/einsum-puzzles.txt, each against its numpy line.
#include "tests/conformance/Direct.h"

#include <functional>
#include <numeric>

using namespace ein::test;

namespace {

/// An expression, its operands, and what its numpy line computes.
struct Line {
  const char *name;
  const char *expression;
  std::vector<Array> operands;
  std::function<Array(const Array &, const Array &)> direct; ///< the second argument is empty for one operand
};

void PrintTo(const Line &line, std::ostream *out) { *out << line.expression; }

class PuzzleLines : public ::testing::TestWithParam<Line> {};

TEST_P(PuzzleLines, AsNumpy) {
  const Line &line = GetParam();
  const Array none;
  const Array &second = line.operands.size() > 1 ? line.operands[1] : none;
  EXPECT_TRUE(gives(line.expression, line.operands, line.direct(line.operands[0], second)));
}

std::string nameOf(const ::testing::TestParamInfo<Line> &info) { return info.param.name; }

#define EIN_DIRECT(...) [](const Array &a, [[maybe_unused]] const Array &b) { return __VA_ARGS__; }

// One operand.

auto same = EIN_DIRECT(a);
auto total = EIN_DIRECT(scalar(std::accumulate(a.values.begin(), a.values.end(), 0.0)));
auto transposed = EIN_DIRECT(tabulate({a.shape[1], a.shape[0]}, [&](auto i, auto j) { return a(j, i); }));
auto diagonal = EIN_DIRECT(tabulate({a.shape[0]}, [&](auto i) { return a(i, i); }));
auto trace = EIN_DIRECT(scalar(sum({a.shape[0]}, [&](auto i) { return a(i, i); })));
auto sumAxis0 =
    EIN_DIRECT(tabulate({a.shape[1]}, [&](auto j) { return sum({a.shape[0]}, [&](auto i) { return a(i, j); }); }));
auto sumAxis1 =
    EIN_DIRECT(tabulate({a.shape[0]}, [&](auto i) { return sum({a.shape[1]}, [&](auto j) { return a(i, j); }); }));
auto swapLast = EIN_DIRECT(tabulate({a.shape[0], a.shape[1], a.shape[3], a.shape[2]},
                                    [&](auto p, auto q, auto j, auto i) { return a(p, q, i, j); }));

// Two operands: 2-d, 3-d.

auto product1 = EIN_DIRECT(tabulate({a.shape[0]}, [&](auto i) { return a(i) * b(i); }));
auto product2 = EIN_DIRECT(tabulate({a.shape[0], a.shape[1]}, [&](auto i, auto j) { return a(i, j) * b(i, j); }));
auto product3 = EIN_DIRECT(
    tabulate({a.shape[0], a.shape[1], a.shape[2]}, [&](auto i, auto j, auto k) { return a(i, j, k) * b(i, j, k); }));
auto dot = EIN_DIRECT(scalar(std::inner_product(a.values.begin(), a.values.end(), b.values.begin(), 0.0)));
auto outer = EIN_DIRECT(tabulate({a.shape[0], b.shape[0]}, [&](auto i, auto j) { return a(i) * b(j); }));
auto outerTransposed = EIN_DIRECT(tabulate({b.shape[0], a.shape[0]}, [&](auto j, auto i) { return a(i) * b(j); }));
auto sumOfProduct = EIN_DIRECT(tabulate({a.shape[0], a.shape[1]}, [&](auto i, auto j) {
  return sum({a.shape[2]}, [&](auto k) { return a(i, j, k) * b(i, j, k); });
}));
auto sumOfProductKeepLast = EIN_DIRECT(tabulate({a.shape[2]}, [&](auto k) {
  return sum({a.shape[0], a.shape[1]}, [&](auto i, auto j) { return a(i, j, k) * b(i, j, k); });
}));
auto timesVector = EIN_DIRECT(tabulate({a.shape[0], a.shape[1]}, [&](auto i, auto j) { return a(i, j) * b(j); }));
auto matrixProduct = EIN_DIRECT(tabulate({a.shape[0], b.shape[1]}, [&](auto i, auto k) {
  return sum({b.shape[0]}, [&](auto j) { return a(i, j) * b(j, k); });
}));
auto productWithTransposed = EIN_DIRECT(tabulate({a.shape[0], b.shape[0]}, [&](auto i, auto j) {
  return sum({a.shape[1]}, [&](auto k) { return a(i, k) * b(j, k); });
}));
auto columnProductSums = EIN_DIRECT(
    tabulate({a.shape[1]}, [&](auto j) { return sum({a.shape[0]}, [&](auto i) { return a(i, j) * b(i, j); }); }));
auto rowProductSums = EIN_DIRECT(
    tabulate({a.shape[0]}, [&](auto i) { return sum({a.shape[1]}, [&](auto j) { return a(i, j) * b(i, j); }); }));
auto fourAxes =
    EIN_DIRECT(tabulate({a.shape[0], a.shape[1], b.shape[1], b.shape[0]}, [&](auto i, auto j, auto k, auto l) {
      return sum({a.shape[2]}, [&](auto m) { return a(i, j, m) * b(l, k, m); });
    }));

const Line kExamples[] = {
    {"Welcome", "ijm,lkm->ijkl", {noise({2, 3, 4}), noise({2, 3, 4})}, fourAxes},
    {"Introduction_Vector", "i->i", {vector({1, 2, 3})}, same},
    {"Introduction_Matrix", "ij->ij", {Array{{{2, 3}, {1, 2, 3, 4, 5, 6}}}}, same},
    {"Introduction_Tensor", "ijk->ijk", {arange({2, 3, 4})}, same},
    {"Introduction_AnyLetter", "abc->abc", {arange({2, 3, 4})}, same},
    {"Introduction_Arrowless", "ijk", {arange({2, 3, 4})}, same},
    {"Multiplication", "i,i->i", {vector({1, 2, 3}), vector({4, 5, 6})}, product1},
    {"Summation_Vector", "i->", {vector({1, 2, 3})}, total},
    {"Summation_Tensor", "ijk->", {arange({4, 3, 2})}, total},
    {"SumOverAxis_Last", "ij->i", {arange({2, 3})}, sumAxis1},
    {"SumOverAxis_First", "ij->j", {arange({2, 3})}, sumAxis0},
    {"Diagonal", "ii->i", {arange({3, 3})}, diagonal},
    {"Trace", "ii->", {arange({3, 3})}, trace},
    {"Broadcasting_Matrix", "ij,j->ij", {arange({2, 3}), arange({3})}, timesVector},
    {"Broadcasting_Tensor",
     "ijk,j->ijk",
     {arange({2, 3, 4}), arange({3})},
     EIN_DIRECT(tabulate({2, 3, 4}, [&](auto i, auto j, auto k) { return a(i, j, k) * b(j); }))},
    {"OuterProduct_Vectors", "i,j->ij", {vector({1, 2, 3}), vector({4, 5, 6, 7})}, outer},
    {"OuterProduct_Matrices",
     "ij,kl->ijkl",
     {arange({2, 3}), arange({2, 4})},
     EIN_DIRECT(tabulate({2, 3, 2, 4}, [&](auto i, auto j, auto k, auto l) { return a(i, j) * b(k, l); }))},
    {"Transposition", "ij->ji", {arange({2, 3})}, transposed},
    {"Permutation_Reverse",
     "ijk->kji",
     {arange({2, 3, 4})},
     EIN_DIRECT(tabulate({4, 3, 2}, [&](auto k, auto j, auto i) { return a(i, j, k); }))},
    {"Permutation_Pairs",
     "ijkl->jilk",
     {arange({2, 3, 4, 5})},
     EIN_DIRECT(tabulate({3, 2, 5, 4}, [&](auto j, auto i, auto l, auto k) { return a(i, j, k, l); }))},
    {"MultiplyThenTranspose",
     "ij,ij->ji",
     {arange({2, 3}), arange({2, 3})},
     EIN_DIRECT(tabulate({3, 2}, [&](auto j, auto i) { return a(i, j) * b(i, j); }))},
    {"MultiplyThenPermute",
     "ijk,ijk->kji",
     {arange({2, 3, 4}), arange({2, 3, 4})},
     EIN_DIRECT(tabulate({4, 3, 2}, [&](auto k, auto j, auto i) { return a(i, j, k) * b(i, j, k); }))},
    {"MatrixMultiplication", "ij,jk->ik", {arange({3, 2}), arange({2, 3})}, matrixProduct},
    {"Q5_ProductWithTransposed", "ij,kj->ik", {arange({3, 2}), arange({3, 2})}, productWithTransposed},
    {"Arrowless_Identity", "ij", {arange({2, 3})}, same},
    {"Arrowless_Dot", "i,i", {vector({1, 2, 3}), vector({4, 5, 6})}, dot},
    {"Arrowless_DotOfTensors", "ijk,ijk", {arange({2, 3, 4}), arange({2, 3, 4})}, dot},
    {"Arrowless_MatrixMultiplication", "ij,jk", {arange({2, 3}), arange({3, 2})}, matrixProduct},
    {"Arrowless_OuterProduct", "i,j", {vector({1, 2}), vector({3, 4, 5})}, outer},
    {"Ellipsis_Transpose", "...ij->...ji", {noise({2, 3, 4, 5})}, swapLast},
    {"Ellipsis_HeadAndTail",
     "i...k->k...i",
     {noise({2, 3, 4, 5})},
     EIN_DIRECT(tabulate({5, 3, 4, 2}, [&](auto k, auto p, auto q, auto i) { return a(i, p, q, k); }))},
    {"Ellipsis_BatchedMatmul",
     "...j,jk->...k",
     {noise({2, 3, 4, 5}), noise({5, 6})},
     EIN_DIRECT(
         tabulate({2, 3, 4, 6}, [&](auto p, auto q, auto r,
                                    auto k) { return sum({5}, [&](auto j) { return a(p, q, r, j) * b(j, k); }); }))},
};

const Line kCheatsheet[] = {
    {"Vector_Identity", "i", {noise({3})}, same},
    {"Vector_Sum", "i->", {noise({3})}, total},
    {"Matrix_Transpose", "ij->ji", {noise({3, 3})}, transposed},
    {"Matrix_Sum", "ij->", {noise({3, 3})}, total},
    {"Matrix_Diagonal", "ii->i", {noise({3, 3})}, diagonal},
    {"Matrix_Trace", "ii->", {noise({3, 3})}, trace},
    {"Matrix_SumAxis0", "ij->j", {noise({3, 3})}, sumAxis0},
    {"Matrix_SumAxis1", "ij->i", {noise({3, 3})}, sumAxis1},
    {"TwoVectors_Product", "i,i->i", {noise({3}), noise({3})}, product1},
    {"TwoVectors_Dot", "i,i->", {noise({3}), noise({3})}, dot},
    {"TwoVectors_Outer", "i,j->ij", {noise({3}), noise({3})}, outer},
    {"TwoVectors_OuterTransposed", "i,j->ji", {noise({3}), noise({3})}, outerTransposed},
    {"TwoTensors_Product", "ijk,ijk->ijk", {noise({2, 3, 4}), noise({2, 3, 4})}, product3},
    {"TwoTensors_Dot", "ijk,ijk->", {noise({2, 3, 4}), noise({2, 3, 4})}, dot},
    {"TwoTensors_SumLast", "ijk,ijk->ij", {noise({2, 3, 4}), noise({2, 3, 4})}, sumOfProduct},
    {"TwoTensors_KeepLast", "ijk,ijk->k", {noise({2, 3, 4}), noise({2, 3, 4})}, sumOfProductKeepLast},
    {"VectorToMatrix_Product", "ij,j->ij", {noise({3, 4}), noise({4})}, timesVector},
    {"VectorToMatrix_Sum",
     "ij,j->i",
     {noise({3, 4}), noise({4})},
     EIN_DIRECT(tabulate({3}, [&](auto i) { return sum({4}, [&](auto j) { return a(i, j) * b(j); }); }))},
    {"MatrixToTensor_Product",
     "ijk,jk->ijk",
     {noise({2, 3, 4}), noise({3, 4})},
     EIN_DIRECT(tabulate({2, 3, 4}, [&](auto i, auto j, auto k) { return a(i, j, k) * b(j, k); }))},
    {"MatrixToTensor_Sum",
     "ijk,jk->ik",
     {noise({2, 3, 4}), noise({3, 4})},
     EIN_DIRECT(
         tabulate({2, 4}, [&](auto i, auto k) { return sum({3}, [&](auto j) { return a(i, j, k) * b(j, k); }); }))},
    {"Ellipsis_SwapLast", "...ij->...ji", {noise({2, 3, 4, 5})}, swapLast},
    {"Ellipsis_SumFirst",
     "i...->...",
     {noise({2, 3, 4, 5})},
     EIN_DIRECT(
         tabulate({3, 4, 5}, [&](auto p, auto q, auto r) { return sum({2}, [&](auto i) { return a(i, p, q, r); }); }))},
    {"Ellipsis_MoveToEnd",
     "ij...->...ij",
     {noise({2, 3, 4, 5})},
     EIN_DIRECT(tabulate({4, 5, 2, 3}, [&](auto p, auto q, auto i, auto j) { return a(i, j, p, q); }))},
    {"Ellipsis_Broadcast",
     "...ij,ij->...i",
     {noise({2, 3, 4, 5}), noise({4, 5})},
     EIN_DIRECT(
         tabulate({2, 3, 4},
                  [&](auto p, auto q, auto i) { return sum({5}, [&](auto j) { return a(p, q, i, j) * b(i, j); }); }))},
    {"Elementwise_Product", "ij,ij->ij", {noise({3, 2}), noise({3, 2})}, product2},
    {"Elementwise_Dot", "ij,ij->", {noise({3, 2}), noise({3, 2})}, dot},
    {"Elementwise_SumAxis0", "ij,ij->j", {noise({3, 2}), noise({3, 2})}, columnProductSums},
    {"Elementwise_SumAxis1", "ij,ij->i", {noise({3, 2}), noise({3, 2})}, rowProductSums},
    {"Matmul_TransposedFirst",
     "ki,kj->ij",
     {noise({3, 2}), noise({3, 2})},
     EIN_DIRECT(tabulate({2, 2}, [&](auto i, auto j) { return sum({3}, [&](auto k) { return a(k, i) * b(k, j); }); }))},
    {"Matmul_TransposedSecond", "ik,jk->ij", {noise({3, 2}), noise({3, 2})}, productWithTransposed},
    {"Matmul_Sum",
     "ik,jk->",
     {noise({3, 2}), noise({3, 2})},
     EIN_DIRECT(scalar(sum({3, 3, 2}, [&](auto i, auto j, auto k) { return a(i, k) * b(j, k); })))},
    {"Matmul_SumAxis0",
     "ik,jk->j",
     {noise({3, 2}), noise({3, 2})},
     EIN_DIRECT(tabulate({3}, [&](auto j) { return sum({3, 2}, [&](auto i, auto k) { return a(i, k) * b(j, k); }); }))},
    {"Matmul_SumAxis1",
     "ik,jk->i",
     {noise({3, 2}), noise({3, 2})},
     EIN_DIRECT(tabulate({3}, [&](auto i) { return sum({3, 2}, [&](auto j, auto k) { return a(i, k) * b(j, k); }); }))},
    {"Combined_Tensordot",
     "ikl,jkl->ij",
     {noise({2, 3, 4}), noise({2, 3, 4})},
     EIN_DIRECT(tabulate(
         {2, 2},
         [&](auto i, auto j) { return sum({3, 4}, [&](auto k, auto l) { return a(i, k, l) * b(j, k, l); }); }))},
    {"Combined_TensordotSum",
     "ijm,lkm->",
     {noise({2, 3, 4}), noise({2, 3, 4})},
     EIN_DIRECT(scalar(
         sum({2, 3, 2, 3, 4}, [&](auto i, auto j, auto l, auto k, auto m) { return a(i, j, m) * b(l, k, m); })))},
    {"Combined_TensordotSumAxis0",
     "ikl,jkl->j",
     {noise({2, 3, 4}), noise({2, 3, 4})},
     EIN_DIRECT(tabulate(
         {2},
         [&](auto j) { return sum({2, 3, 4}, [&](auto i, auto k, auto l) { return a(i, k, l) * b(j, k, l); }); }))},
    {"Combined_FourAxes", "ijm,lkm->ijkl", {noise({2, 3, 4}), noise({2, 3, 4})}, fourAxes},
    {"Combined_OuterAxes",
     "ijm,lkm->il",
     {noise({2, 3, 4}), noise({2, 3, 4})},
     EIN_DIRECT(tabulate({2, 2},
                         [&](auto i, auto l) {
                           return sum({3, 3, 4}, [&](auto j, auto k, auto m) { return a(i, j, m) * b(l, k, m); });
                         }))},
};

INSTANTIATE_TEST_SUITE_P(Examples, PuzzleLines, ::testing::ValuesIn(kExamples), nameOf);
INSTANTIATE_TEST_SUITE_P(Cheatsheet, PuzzleLines, ::testing::ValuesIn(kCheatsheet), nameOf);

} // namespace
