// A whole einsum as permutes and GEMMs, in ein's own contraction order.
#include "bench/PermuteGemm.h"
#include "compiler/Paths/Flatten.h"

#include <algorithm>

using namespace ein;

namespace bench {

/// The accesses whose product `value` is (a sum of), if it is one of two.
static std::optional<std::pair<const Expr *, const Expr *>> factorsOf(const Program &p, const Expr &value) {
  const Expr *e = &value;
  if (e->kind == Expr::Kind::Reduce) {
    if (e->monoid != Monoid::Sum || e->guard) return std::nullopt;
    e = &p.exprs[e->args[0]];
  }
  if (e->kind != Expr::Kind::Map || e->fn != Fn::Mul) return std::nullopt;
  const Expr *left = &p.exprs[e->args[0]], *right = &p.exprs[e->args[1]];
  if (left->kind != Expr::Kind::Access || right->kind != Expr::Kind::Access) return std::nullopt;
  return std::pair(left, right);
}

static Layout layoutOf(const Program &p, TensorId tensor, const std::vector<AccessSubscript> &subscripts) {
  const std::vector<int64_t> strides = p.typeOf(tensor).strides;
  Layout layout;
  for (size_t d = 0; d < subscripts.size(); ++d)
    if (subscripts[d]) layout[*subscripts[d]] += strides[d];
  return layout;
}

std::optional<PermuteGemmProgram> PermuteGemmProgram::plan(const std::string &text,
                                                           std::span<const TensorType> operands) {
  auto bound = parseAndBind(text, operands);
  if (!bound) return std::nullopt;
  auto flat = flatten(*bound, {});
  if (!flat) return std::nullopt;
  const Program &p = flat->program;
  std::vector<int64_t> extents;
  for (const Index &index : p.indices) extents.push_back(index.extent.value_or(1));

  PermuteGemmProgram program;
  program.inputs = p.inputs;
  program.output = p.outputs.front();
  program.intermediates.resize(p.tensors.size());
  for (const Assignment &assignment : p.assignments) {
    const auto factors = factorsOf(p, p.exprs[assignment.value]);
    if (!factors) return std::nullopt;
    const auto [left, right] = *factors;
    const Tensor &result = p.tensors[assignment.result];
    auto gemm = PermuteGemm::plan(result.dtype, layoutOf(p, left->tensor, left->subscripts),
                                  layoutOf(p, right->tensor, right->subscripts),
                                  layoutOf(p, assignment.result, {result.axes.begin(), result.axes.end()}), extents);
    if (!gemm) return std::nullopt;
    program.steps.push_back({std::move(*gemm), left->tensor, right->tensor, assignment.result});
    if (assignment.result != program.output)
      program.intermediates[assignment.result] =
          allocateBytes(p.typeOf(assignment.result).numElements() * byteSize(result.dtype));
  }
  if (program.steps.empty()) return std::nullopt;
  return program;
}

void PermuteGemmProgram::run(const Blas &blas, std::span<void *const> operands, void *result, int threads) const {
  const auto addressOf = [&](uint32_t tensor) -> void * {
    const auto input = std::find(inputs.begin(), inputs.end(), tensor);
    if (input != inputs.end()) return operands[input - inputs.begin()];
    return tensor == output ? result : intermediates[tensor].get();
  };
  for (const Step &step : steps)
    step.gemm.run(blas, addressOf(step.left), addressOf(step.right), addressOf(step.result), threads);
}

} // namespace bench
