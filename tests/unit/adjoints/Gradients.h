// Gradients of Programs in tests: the adjoint through the interpreter against central differences.
#pragma once

#include "compiler/Adjoints/Adjoint.h"
#include "tests/unit/notation/Values.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace ein::test {

/// Values in [-1, 1); of integers small ones from 0 on, below what the Program promises.
inline ReferenceTensor valuesFor(const Program &p, size_t operand, uint32_t seed) {
  const Tensor &t = p.tensors[p.inputs[operand]];
  ReferenceTensor values = noise(p.typeOf(p.inputs[operand]), seed);
  if (!isInteger(t.dtype) && t.dtype != DType::Bool) return values;
  const int64_t most = t.dtype == DType::Bool ? 2 : t.below ? *p.indices[*t.below].extent : 4;
  for (double &x : values.values) {
    x = double(int64_t((x + 1) * 1000) % most);
    values.integers.push_back(int64_t(x));
  }
  return values;
}

/// sum of results * cotangents, over the results that hold floats.
inline double paired(const Program &p, const std::vector<ReferenceTensor> &operands,
                     const std::vector<ReferenceTensor> &cotangents) {
  const std::vector<ReferenceTensor> results = interpret(p, operands);
  double total = 0;
  size_t next = 0;
  for (size_t r = 0; r < results.size(); ++r) {
    const DType dtype = p.tensors[p.outputs[r]].dtype;
    if (!isFloat(dtype) && !isComplex(dtype)) continue;
    const ReferenceTensor &cotangent = cotangents[next++];
    for (size_t i = 0; i < results[r].values.size(); ++i) total += results[r].values[i] * cotangent.values[i];
  }
  return total;
}

/// The adjoint with respect to every operand of floats: it prints and parses to itself, its shapes are right, and along
/// random directions it is what central differences are. `scale` is that of the operands.
inline ::testing::AssertionResult gradientsMatch(const std::string &text, const std::vector<TensorType> &operands,
                                                 double tolerance = 1e-6, uint32_t seed = 1, double scale = 1) {
  auto fail = [&](const std::string &why) { return ::testing::AssertionFailure() << text << "\n" << why; };
  auto forward = parseAndBind(text, operands);
  if (!forward) return fail(forward.error().render());
  std::vector<size_t> which;
  std::vector<ReferenceTensor> values, cotangents;
  std::vector<TensorType> all = operands;
  for (size_t o = 0; o < operands.size(); ++o) {
    values.push_back(valuesFor(*forward, o, seed * 100 + uint32_t(o)));
    if (!isFloat(operands[o].dtype) && !isComplex(operands[o].dtype)) continue;
    for (double &x : values.back().values) x *= scale;
    which.push_back(o);
  }
  auto adjoint = adjointText(text, operands, which, {});
  if (!adjoint) return fail(adjoint.error().render());
  for (TensorId t : forward->outputs) {
    const TensorType type = forward->typeOf(t);
    if (!isFloat(type.dtype) && !isComplex(type.dtype)) continue;
    all.push_back(type);
    cotangents.push_back(noise(type, seed * 1000 + uint32_t(cotangents.size())));
  }
  auto backward = parseAndBind(*adjoint, all);
  if (!backward) return fail(*adjoint + backward.error().render());
  if (auto ok = verify(*backward); !ok) return fail(*adjoint + ok.error().render());
  if (print(*backward) != *adjoint) return fail(*adjoint + "prints as\n" + print(*backward));
  std::vector<ReferenceTensor> inputs = values;
  inputs.insert(inputs.end(), cotangents.begin(), cotangents.end());
  const std::vector<ReferenceTensor> gradients = interpret(*backward, inputs);
  for (size_t g = 0; g < which.size(); ++g) {
    ReferenceTensor &x = values[which[g]];
    if (gradients[g].values.size() != x.values.size()) return fail(*adjoint + "a gradient has another size");
    const std::vector<double> middle = x.values;
    for (uint32_t direction = 0; direction < 2; ++direction) {
      const TensorType type = forward->typeOf(forward->inputs[which[g]]);
      const std::vector<double> v = noise(type, seed * 7919 + direction * 31 + uint32_t(g)).values;
      double expected = 0, slope[2];
      for (size_t i = 0; i < v.size(); ++i) expected += v[i] * gradients[g].values[i];
      for (int halving = 0; halving < 2; ++halving) { // Richardson's extrapolation of two differences
        const double h = (halving ? 0.5e-4 : 1e-4) * scale;
        auto at = [&](double step) {
          for (size_t i = 0; i < v.size(); ++i) x.values[i] = middle[i] + step * v[i];
          return paired(*forward, values, cotangents);
        };
        slope[halving] = (at(h) - at(-h)) / (2 * h);
      }
      x.values = middle;
      const double difference = (4 * slope[1] - slope[0]) / 3;
      if (!(std::fabs(difference - expected) <= tolerance * (1 + std::fabs(expected))))
        return fail(*adjoint + "operand " + std::to_string(which[g]) + ": gradient " + std::to_string(expected) +
                    ", difference " + std::to_string(difference));
    }
  }
  return ::testing::AssertionSuccess();
}

} // namespace ein::test
