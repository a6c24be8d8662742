// Tensors of doubles to compute with by hand, and the comparison of an expression with what was computed.
#pragma once

#include "compiler/IndexNotation/Interpreter.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

namespace ein::test {

/// A row-major tensor of doubles with subscripts. `strides`: the layout in which an expression is given it, in
/// elements; empty: row-major.
struct Array : ReferenceTensor {
  std::vector<int64_t> strides = {};

  template <class... I> double operator()(I... subscripts) const {
    int64_t offset = 0;
    [[maybe_unused]] size_t d = 0;
    ((offset = offset * shape[d++] + subscripts), ...);
    return values[offset];
  }
};

inline Array scalar(double value) { return {{{}, {value}}}; }
inline Array vector(std::vector<double> values) {
  const auto size = static_cast<int64_t>(values.size());
  return {{{size}, std::move(values)}};
}

namespace detail {

template <class F, size_t... D>
double apply(F &f, const std::array<int64_t, sizeof...(D)> &at, std::index_sequence<D...>) {
  return f(at[D]...);
}

template <class F, size_t R, class Use> void forEach(const std::array<int64_t, R> &shape, F &f, Use use) {
  for (int64_t extent : shape)
    if (extent == 0) return;
  std::array<int64_t, R> at{};
  while (true) {
    use(apply(f, at, std::make_index_sequence<R>()));
    size_t d = R;
    while (d > 0 && ++at[d - 1] == shape[d - 1]) at[--d] = 0;
    if (d == 0) return;
  }
}

} // namespace detail

/// The tensor of f(i, j, ...): `tabulate({2, 3}, [&](auto i, auto j) { return a(j, i); })`.
template <size_t R, class F> Array tabulate(const int64_t (&shape)[R], F f) {
  Array result{{{shape, shape + R}, {}}};
  detail::forEach(std::to_array(shape), f, [&](double value) { result.values.push_back(value); });
  return result;
}

/// The sum of f(i, j, ...) over all of a shape.
template <size_t R, class F> double sum(const int64_t (&shape)[R], F f) {
  double total = 0;
  detail::forEach(std::to_array(shape), f, [&](double value) { total += value; });
  return total;
}

/// np.arange(n).reshape(shape).
Array arange(std::vector<int64_t> shape);
/// Values in [-1, 1) that f32 holds exactly, different at every call.
Array noise(std::vector<int64_t> shape);
/// softmax along the last dimension.
Array softmax(Array scores);
/// The same tensor, given to expressions in column-major layout.
Array columnMajor(Array array);

/// Whether the expression, run in f32 and in f64, with 1 and 2 threads, gives `expected`: exactly where operands and
/// result are integers, else within the rounding bound. In a Program "f32" stands for the dtype of the run.
::testing::AssertionResult gives(const std::string &text, const std::vector<Array> &operands, const Array &expected);

} // namespace ein::test
