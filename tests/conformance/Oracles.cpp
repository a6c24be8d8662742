// Verdicts on executions that are too large for the interpreter as they stand.
#include "tests/conformance/Oracles.h"

#include "compiler/IndexNotation/Element.h"
#include "compiler/Paths/Flatten.h"
#include "tools/einc/Check.h"
#include "tools/einc/Operands.h"

#include <algorithm>
#include <cmath>

namespace ein::test {
namespace {

/// A tensor of the einsum with its stride along each of two lists of indices.
struct Walk {
  TensorView view;
  std::vector<int64_t> kept, summed;

  std::complex<double> at(int64_t offset) const {
    const DType dtype = view.type.dtype, part = partType(dtype);
    if (!isComplex(dtype)) return elementAt(dtype, view.data, offset);
    return {elementAt(part, view.data, 2 * offset), elementAt(part, view.data, 2 * offset + 1)};
  }
};

/// Integers wrap, of bools any is as good as many, and 16-bit floats hold few integers.
bool congruent(std::complex<double> value, std::complex<double> expected, DType dtype) {
  if (dtype == DType::F16 || dtype == DType::BF16) return value.real() == stored(dtype, expected.real());
  if (dtype == DType::Bool) return (value != 0.0) == (expected != 0.0);
  return isInteger(dtype) && std::fmod(value.real() - expected.real(), std::ldexp(1, 8 * int(byteSize(dtype)))) == 0;
}

std::vector<int64_t> extentsOf(const Program &p, const std::vector<IndexId> &indices) {
  std::vector<int64_t> extents;
  for (IndexId i : indices) extents.push_back(*p.indices[i].extent);
  return extents;
}

int64_t product(const std::vector<int64_t> &extents) {
  int64_t result = 1;
  for (int64_t extent : extents) result *= extent;
  return result;
}

/// Offset of the `flat`-th point.
int64_t offsetAt(int64_t flat, const std::vector<int64_t> &extents, const std::vector<int64_t> &strides) {
  int64_t offset = 0;
  for (size_t d = extents.size(); d-- > 0; flat /= extents[d]) offset += flat % extents[d] * strides[d];
  return offset;
}

/// Element by element, an einsum as its text says: the product of the accesses, summed over what the result lacks.
class Samples {
public:
  explicit Samples(const Execution &execution) : execution(execution), p(execution.program) {
    kept = p.tensors[p.outputs[0]].axes;
    for (IndexId i = 0; i < p.indices.size(); ++i)
      if (std::find(kept.begin(), kept.end(), i) == kept.end()) summed.push_back(i);
    for (const Expr &e : p.exprs)
      if (e.kind == Expr::Kind::Access) walks.push_back(walk(e));
    keptExtents = extentsOf(p, kept);
    summedExtents = extentsOf(p, summed);
    terms = product(summedExtents);
  }

  ::testing::AssertionResult check(double products) const {
    const TensorView &result = execution.results[0].view;
    const Walk written{result, result.type.strides, {}};
    const int64_t elements = product(keptExtents);
    const double perElement = static_cast<double>(std::max<int64_t>(terms, 1));
    const auto step = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(elements) * perElement / products));
    const std::vector<std::vector<int64_t>> offsets = summedOffsets();
    const double roundings = perElement + static_cast<double>(walks.size());
    const double relative =
        roundingBound(isComplex(result.type.dtype) ? 3 * roundings + 2 : roundings, result.type.dtype);
    for (int64_t element = 0; element < elements; element += step) {
      const auto [expected, magnitude] = evaluate(element, offsets);
      const std::complex<double> value = written.at(offsetAt(element, keptExtents, written.kept));
      const double bound = execution.source.data == Data::Integers ? 0 : relative * magnitude;
      const bool exact = execution.source.data == Data::Integers || unitRoundoff(result.type.dtype) == 0;
      if (!(std::abs(value - expected) <= bound) && !(exact && congruent(value, expected, result.type.dtype)))
        return failure(execution.source, "element " + std::to_string(element) + " is " + std::to_string(value.real()) +
                                             ", the reference " + std::to_string(expected.real()) + ", bound " +
                                             std::to_string(bound));
    }
    return ::testing::AssertionSuccess();
  }

private:
  const Execution &execution;
  const Program &p;
  std::vector<IndexId> kept, summed;
  std::vector<int64_t> keptExtents, summedExtents;
  std::vector<Walk> walks;
  int64_t terms = 1;

  Walk walk(const Expr &access) const {
    const auto operand = std::find(p.inputs.begin(), p.inputs.end(), access.tensor) - p.inputs.begin();
    Walk w{execution.operands[operand].view, {}, {}};
    auto strideOf = [&](IndexId index) {
      int64_t stride = 0;
      for (size_t d = 0; d < access.subscripts.size(); ++d)
        if (access.subscripts[d] == index) stride += w.view.type.strides[d];
      return stride;
    };
    for (IndexId index : kept) w.kept.push_back(strideOf(index));
    for (IndexId index : summed) w.summed.push_back(strideOf(index));
    return w;
  }

  /// By operand, the offset of each summed point.
  std::vector<std::vector<int64_t>> summedOffsets() const {
    std::vector<std::vector<int64_t>> offsets(walks.size());
    for (size_t o = 0; o < walks.size(); ++o)
      for (int64_t t = 0; t < terms; ++t) offsets[o].push_back(offsetAt(t, summedExtents, walks[o].summed));
    return offsets;
  }

  std::pair<std::complex<double>, double> evaluate(int64_t element,
                                                   const std::vector<std::vector<int64_t>> &offsets) const {
    std::vector<int64_t> base;
    for (const Walk &w : walks) base.push_back(offsetAt(element, keptExtents, w.kept));
    std::complex<double> total = 0;
    double magnitude = 0;
    for (int64_t t = 0; t < terms; ++t) {
      std::complex<double> factor = 1;
      for (size_t o = 0; o < walks.size(); ++o) factor *= walks[o].at(base[o] + offsets[o][t]);
      total += factor;
      magnitude += std::abs(factor);
    }
    return {total, magnitude};
  }
};

} // namespace

::testing::AssertionResult agreesAtSamples(const Execution &execution, double products) {
  return Samples(execution).check(products);
}

::testing::AssertionResult agreesWithPairwise(const Execution &execution) {
  CompileOptions options;
  options.path = PathStrategy::Greedy;
  auto flat = flatten(execution.program, options);
  if (!flat) return failure(execution.source, flat.error().render());
  const einc::CheckReport report =
      einc::check(flat->program, einc::viewsOf(execution.operands), einc::viewsOf(execution.results));
  return report.fine ? ::testing::AssertionSuccess() : failure(execution.source, report.place);
}

} // namespace ein::test
