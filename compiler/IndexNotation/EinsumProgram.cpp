// From a bound einsum to a Program.
#include "compiler/IndexNotation/BoundEinsum.h"
#include "compiler/IndexNotation/Words.h"

#include <algorithm>
#include <set>

namespace ein {

EinsumOperations operationsOf(Semiring semiring) {
  switch (semiring) {
  case Semiring::PlusTimes: return {Monoid::Sum, Fn::Mul};
  case Semiring::MinPlus: return {Monoid::Min, Fn::Add};
  case Semiring::MaxPlus: return {Monoid::Max, Fn::Add};
  case Semiring::MaxTimes: return {Monoid::Max, Fn::Mul};
  case Semiring::OrAnd: return {Monoid::Max, Fn::Mul, true};
  case Semiring::LogAddExpPlus: return {Monoid::LogSumExp, Fn::Add};
  }
  return {Monoid::Sum, Fn::Mul};
}

namespace {

class ProgramBuilder {
public:
  explicit ProgramBuilder(const BoundEinsum &einsum)
      : einsum(einsum), isBool(std::all_of(einsum.operands.begin(), einsum.operands.end(),
                                           [](const auto &operand) { return operand.dtype == DType::Bool; })),
        operations(isBool ? EinsumOperations{Monoid::Max, Fn::And, true} : operationsOf(einsum.semiring)) {
    program.text = einsum.text;
    program.indices = einsum.indices;
    for (const Index &i : einsum.indices) names.insert(i.name);
    for (const BoundEinsum::Operand &operand : einsum.operands) names.insert(operand.name);
    names.insert(einsum.resultName);
  }

  Program run() {
    for (size_t o = 0; o < einsum.operands.size(); ++o) addOperand(o);
    ExprId value = product();
    std::vector<IndexId> summed = summedIndices();
    const bool isEmpty =
        std::any_of(summed.begin(), summed.end(), [&](IndexId i) { return einsum.indices[i].extent == 0; });
    if (!summed.empty()) value = program.reduce(operations.add, std::move(summed), value);
    value = accumulated(value);
    // "or" is the maximum of 0 and 1, but over nothing false.
    if (isEmpty && !isBool && einsum.semiring == Semiring::OrAnd)
      value = program.map(Fn::Max, {value, program.literal(0)});
    std::vector<IndexId> axes;
    value = scatter(value, axes);
    auto result = static_cast<TensorId>(program.tensors.size());
    program.tensors.push_back({einsum.resultName, einsum.dtypes.result, std::move(axes)});
    program.assignments.push_back({result, value});
    program.outputs = {result};
    return std::move(program);
  }

private:
  /// A dimension of extent 1 under an index of another extent gets an index of its own.
  void addOperand(size_t o) {
    const BoundEinsum::Operand &operand = einsum.operands[o];
    Tensor t{operand.name, operand.dtype, operand.dims};
    for (size_t d = 0; d < t.axes.size(); ++d) {
      if (!einsum.stretches(o, d)) continue;
      if (!one) one = newIndex("one", 1);
      t.axes[d] = *one;
    }
    program.inputs.push_back(static_cast<TensorId>(program.tensors.size()));
    program.tensors.push_back(std::move(t));
  }

  std::string newName(const std::string &base) {
    std::string name = base;
    for (size_t n = 0; !names.insert(name).second; ++n) name = base + std::to_string(n);
    return name;
  }

  IndexId newIndex(const std::string &base, int64_t extent) {
    program.indices.push_back({newName(base), extent});
    return static_cast<IndexId>(program.indices.size() - 1);
  }

  ExprId product() {
    ExprId value = 0;
    for (size_t o = 0; o < einsum.operands.size(); ++o) {
      const BoundEinsum::Operand &operand = einsum.operands[o];
      std::vector<AccessSubscript> at(operand.dims.begin(), operand.dims.end());
      for (size_t d = 0; d < at.size(); ++d)
        if (einsum.stretches(o, d)) at[d] = std::nullopt;
      ExprId factor = program.access(static_cast<TensorId>(o), std::move(at));
      program.exprs[factor].span = operand.span;
      if (const auto to = einsum.dtypes.roundingOf(operand.dtype)) factor = stored(factor, operand.name + "r", *to, operand.dims);
      if (operand.conjugated) factor = program.map(Fn::Conj, {factor});
      // Bool times a number is a number.
      if (!isBool && (einsum.semiring == Semiring::OrAnd || operand.dtype == DType::Bool))
        factor = truthOf(factor, operand.dtype);
      value = o == 0 ? factor : program.map(operations.multiply, {value, factor});
      for (size_t d = 0; d < operand.dims.size(); ++d)
        if (!einsum.stretches(o, d)) inProduct.insert(operand.dims[d]);
    }
    return value;
  }

  /// `value` by way of a tensor of its own with a dtype that rounds it, or in which it is computed.
  ExprId stored(ExprId value, const std::string &base, DType dtype, const std::vector<IndexId> &order) {
    const std::vector<IndexId> free = program.freeIndices(value);
    std::vector<IndexId> axes;
    for (IndexId i : order)
      if (std::binary_search(free.begin(), free.end(), i) && std::find(axes.begin(), axes.end(), i) == axes.end())
        axes.push_back(i);
    const auto tensor = static_cast<TensorId>(program.tensors.size());
    program.tensors.push_back({newName(base), dtype, std::move(axes)});
    program.assignments.push_back({tensor, value});
    return program.access(tensor);
  }

  /// A sum is taken in the dtype of its tensor, or of its operands where that is wider.
  ExprId accumulated(ExprId value) {
    const DType dtype = einsum.dtypes.accumulate;
    const DType operands = program.dtypes()[value].value_or(dtype);
    if (accumulateType(promote(operands, einsum.dtypes.result)) == dtype) return value;
    return stored(value, "accumulated", dtype, einsum.output);
  }

  /// 1 where `x` is not 0, also where it is NaN.
  ExprId truthOf(ExprId x, DType dtype) {
    const ExprId test = dtype == DType::Bool ? x : program.map(Fn::NotEqual, {x, program.literal(0)});
    const ExprId one = program.literal(1), zero = program.literal(0);
    return program.map(Fn::Select, {test, one, zero});
  }

  /// What the output does not keep, in the order of the operands.
  std::vector<IndexId> summedIndices() const {
    std::set<IndexId> seen(einsum.output.begin(), einsum.output.end());
    std::vector<IndexId> summed;
    for (const BoundEinsum::Operand &operand : einsum.operands)
      for (IndexId i : operand.dims)
        if (seen.insert(i).second) summed.push_back(i);
    return summed;
  }

  /// The value at each point of the output. Where an index repeats, its other places get indices of their own and
  /// all but the diagonal is the semiring's zero. An index that no operand has is brought in by a condition that always
  /// holds.
  ExprId scatter(ExprId value, std::vector<IndexId> &axes) {
    std::optional<ExprId> condition;
    auto require = [&](Fn fn, IndexId i, ExprId right) {
      ExprId test = program.map(fn, {program.indexValue(i), right});
      condition = condition ? program.map(Fn::And, {*condition, test}) : test;
    };
    for (IndexId i : einsum.output) {
      bool repeats = std::find(axes.begin(), axes.end(), i) != axes.end();
      if (!repeats && !inProduct.count(i)) require(Fn::GreaterEqual, i, program.literal(0));
      if (!repeats) {
        axes.push_back(i);
        continue;
      }
      IndexId copy = newIndex(einsum.indices[i].name, *einsum.indices[i].extent);
      require(Fn::Equal, copy, program.indexValue(i));
      axes.push_back(copy);
    }
    if (!condition) return value;
    if (isBool) return program.map(Fn::And, {*condition, value});
    const double zero = einsum.semiring == Semiring::OrAnd ? 0 : identityOf(operations.add);
    return program.map(Fn::Select, {*condition, value, program.literal(zero)});
  }

  const BoundEinsum &einsum;
  const bool isBool; ///< the product is "and", the sum "or"
  const EinsumOperations operations;
  Program program;
  std::set<std::string> names;
  std::set<IndexId> inProduct;
  std::optional<IndexId> one;
};

} // namespace

void nameForProgram(BoundEinsum &einsum) {
  std::set<std::string> taken = {einsum.resultName};
  for (const BoundEinsum::Operand &operand : einsum.operands) taken.insert(operand.name);
  for (Index &index : einsum.indices) {
    std::string name = index.name;
    for (size_t n = 0; words::isReserved(name) || !taken.insert(name).second; ++n)
      name = index.name + std::to_string(n);
    index.name = std::move(name);
  }
}

Program buildProgram(const BoundEinsum &einsum) { return ProgramBuilder(einsum).run(); }

Expected<Program> programFromEinsum(std::string_view text, std::span<const TensorType> operands,
                                    const CompileOptions &options) {
  auto parsed = parseSubscripts(text, options.labels);
  if (!parsed) return parsed.error();
  auto bound = bindEinsumString(*parsed, operands, options);
  if (!bound) return bound.error();
  nameForProgram(*bound);
  bound->semiring = options.semiring;
  return buildProgram(*bound);
}

} // namespace ein
