// Tensors of doubles to compute with by hand, and the comparison of an expression with what was computed.
#include "tests/conformance/Direct.h"

#include "tests/conformance/Support.h"
#include "tools/einc/Check.h"

#include <algorithm>

namespace ein::test {
namespace {

std::vector<int64_t> rowMajor(const std::vector<int64_t> &shape) { return TensorType(DType::F64, shape).strides; }

/// Calls `use(element, value)` for each element of a view.
template <class T, class Use> void forEachElement(const TensorView &view, Use use) {
  const std::vector<int64_t> dense = rowMajor(view.type.shape);
  for (int64_t i = 0; i < view.type.numElements(); ++i) {
    int64_t offset = 0, rest = i;
    for (int64_t d = 0; d < view.type.rank(); rest %= dense[d++]) offset += rest / dense[d] * view.type.strides[d];
    use(static_cast<T *>(view.data)[offset], i);
  }
}

void write(const TensorView &view, const Array &array) {
  auto set = [&](auto &element, int64_t i) { element = static_cast<std::decay_t<decltype(element)>>(array.values[i]); };
  if (view.type.dtype == DType::F32)
    forEachElement<float>(view, set);
  else
    forEachElement<double>(view, set);
}

bool isInteger(const Array &array) {
  return std::all_of(array.values.begin(), array.values.end(),
                     [](double x) { return x == std::floor(x) && std::fabs(x) < 1 << 24; });
}

double largest(const ReferenceTensor &tensor) {
  double result = 0;
  for (double x : tensor.values)
    if (std::isfinite(x)) result = std::max(result, std::fabs(x));
  return result;
}

std::string forDType(std::string text, DType dtype) {
  if (dtype == DType::F64)
    for (size_t at = 0; (at = text.find("f32", at)) != std::string::npos;) text.replace(at, 3, "f64");
  return text;
}

/// What an element may be off by. A sum of n products of k factors is no larger than n times the largest factors;
/// where other functions occur, eight times the largest result stands for the magnitude, as in `einc run --check`.
double tolerance(const Execution &execution, const std::vector<Array> &operands, const Array &expected, DType dtype) {
  if (isInteger(expected) && std::all_of(operands.begin(), operands.end(), isInteger)) return 0;
  const einc::Roundings roundings = einc::countRoundings(execution.program);
  double magnitude = 8 * largest(expected);
  if (roundings.sumsOfProducts) {
    magnitude = points(execution.program) / std::max<double>(1, static_cast<double>(expected.values.size()));
    for (const Array &operand : operands) magnitude *= largest(operand);
  }
  return roundingBound(roundings.most, dtype) * magnitude;
}

::testing::AssertionResult compare(const Execution &execution, const Array &expected, double tolerance) {
  const ReferenceTensor result = readReference(execution.results[0].view);
  if (result.shape != expected.shape)
    return failure(execution.source, "shape " + shapeString(result.shape) + ", not " + shapeString(expected.shape));
  for (size_t i = 0; i < result.values.size(); ++i)
    if (!(std::fabs(result.values[i] - expected.values[i]) <= tolerance))
      return failure(execution.source, "element " + std::to_string(i) + " is " + std::to_string(result.values[i]) +
                                           ", computed directly " + std::to_string(expected.values[i]) +
                                           ", tolerance " + std::to_string(tolerance));
  return ::testing::AssertionSuccess();
}

} // namespace

Array arange(std::vector<int64_t> shape) {
  Array result{{std::move(shape), {}}};
  const int64_t count = TensorType(DType::F64, result.shape).numElements();
  for (int64_t i = 0; i < count; ++i) result.values.push_back(static_cast<double>(i));
  return result;
}

Array noise(std::vector<int64_t> shape) {
  static uint64_t state = 1;
  Array result = arange(std::move(shape));
  for (double &x : result.values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    x = static_cast<double>(state >> 41) * 0x1p-22 - 1;
  }
  return result;
}

Array softmax(Array scores) {
  const int64_t row = scores.shape.back();
  for (auto at = scores.values.begin(); at != scores.values.end(); at += row) {
    const double top = *std::max_element(at, at + row);
    double total = 0;
    for (auto x = at; x != at + row; ++x) total += *x = std::exp(*x - top);
    for (auto x = at; x != at + row; ++x) *x /= total;
  }
  return scores;
}

Array columnMajor(Array array) {
  array.strides.clear();
  int64_t stride = 1;
  for (int64_t extent : array.shape) {
    array.strides.push_back(stride);
    stride *= extent;
  }
  return array;
}

::testing::AssertionResult gives(const std::string &text, const std::vector<Array> &operands, const Array &expected) {
  for (DType dtype : {DType::F32, DType::F64})
    for (int threads : {1, 2}) {
      Case c;
      c.text = forDType(text, dtype);
      c.seed = threads;
      c.options.threads = threads;
      for (const Array &operand : operands)
        c.types.emplace_back(dtype, operand.shape, operand.strides.empty() ? rowMajor(operand.shape) : operand.strides);
      auto execution = Execution::prepare(c);
      if (!execution) return failure(c, execution.error().render());
      for (size_t o = 0; o < operands.size(); ++o) write(execution->operands[o].view, operands[o]);
      if (auto ok = execution->run(); !ok) return failure(c, ok.error().render());
      const double allowed = tolerance(*execution, operands, expected, dtype);
      if (auto verdict = compare(*execution, expected, allowed); !verdict) return verdict;
    }
  return ::testing::AssertionSuccess();
}

} // namespace ein::test
