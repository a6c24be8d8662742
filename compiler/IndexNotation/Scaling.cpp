// alpha * value + beta * what the result held: the scaling that a caller adds to a Program.
#include "compiler/IndexNotation/Scaling.h"

#include <set>

namespace ein {
namespace {

class Scaler {
public:
  explicit Scaler(Program &p) : p(p) {
    for (const Index &i : p.indices) names.insert(i.name);
    for (const Tensor &t : p.tensors) names.insert(t.name);
  }

  void scale(TensorId &output, double alpha, double beta) {
    ExprId value = p.access(output);
    if (alpha != 1) value = p.map(Fn::Mul, {p.literal(alpha), value});
    if (beta != 0) value = p.map(Fn::Add, {value, p.access(scaledPrior(output, beta))});
    const TensorId scaled = tensorLike(output, "unscaled");
    std::swap(p.tensors[scaled].name, p.tensors[output].name);
    p.assignments.push_back({scaled, value});
    output = scaled;
  }

private:
  /// A nest may write an element before it reads the one beside it twice, so what was there is moved away first.
  TensorId scaledPrior(TensorId output, double beta) {
    const TensorId prior = tensorLike(output, "prior"), kept = tensorLike(output, "kept");
    p.inputs.push_back(prior);
    ++p.priors;
    ExprId value = p.access(prior);
    if (beta != 1) value = p.map(Fn::Mul, {p.literal(beta), value});
    p.assignments.push_back({kept, value});
    return kept;
  }

  TensorId tensorLike(TensorId t, const std::string &base) {
    Tensor copy = p.tensors[t];
    copy.name = base;
    for (size_t n = 0; !names.insert(copy.name).second; ++n) copy.name = base + std::to_string(n);
    p.tensors.push_back(std::move(copy));
    return static_cast<TensorId>(p.tensors.size() - 1);
  }

  Program &p;
  std::set<std::string> names;
};

} // namespace

void scaleOutputs(Program &p, double alpha, double beta) {
  Scaler scaler(p);
  for (TensorId &output : p.outputs) scaler.scale(output, alpha, beta);
}

} // namespace ein
