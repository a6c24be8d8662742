// Adjoints as texts: that of an einsum string to one operand is an einsum of the others and the cotangent.
#include "compiler/Adjoints/Adjoint.h"

#include "compiler/Adjoints/ProgramAdjoint.h"
#include "compiler/IndexNotation/BoundEinsum.h"
#include "compiler/IndexNotation/Syntax.h"

#include <algorithm>
#include <set>

namespace ein {
namespace {

/// An einsum is linear in each operand, so its gradient is the product of the others, conjugated, and the cotangent,
/// summed over what the operand does not have. Where the operand itself is conjugated, all that is conjugated again.
/// Its dimensions are the operand's: a repeated index scatters to the diagonal, one that only the operand has stretches
/// the gradient, and a dimension that was stretched is summed back to extent 1.
BoundEinsum transpose(const BoundEinsum &einsum, size_t which) {
  BoundEinsum adjoint{{}, einsum.indices, einsum.operands, "gradient", einsum.dtypes, {}};
  BoundEinsum::Operand cotangent{"cotangent", einsum.dtypes.result, {}, einsum.output, {}};
  const bool again = einsum.operands[which].conjugated;
  cotangent.conjugated = again && isComplex(cotangent.dtype);
  for (IndexId i : einsum.output) cotangent.shape.push_back(*einsum.indices[i].extent);
  adjoint.operands.erase(adjoint.operands.begin() + which);
  for (BoundEinsum::Operand &other : adjoint.operands)
    other.conjugated = isComplex(other.dtype) && other.conjugated == again;
  adjoint.operands.push_back(std::move(cotangent));
  const std::vector<IndexId> &dims = einsum.operands[which].dims;
  for (size_t d = 0; d < dims.size(); ++d) {
    adjoint.output.push_back(dims[d]);
    if (!einsum.stretches(which, d)) continue;
    adjoint.output.back() = static_cast<IndexId>(adjoint.indices.size());
    adjoint.indices.push_back({"one", 1});
  }
  return adjoint;
}

/// Whether an einsum string can say it: no conjugate, no diagonal to scatter to, every output index in some operand.
bool isEinsumString(const BoundEinsum &einsum) {
  for (const BoundEinsum::Operand &operand : einsum.operands)
    if (operand.conjugated) return false;
  std::set<IndexId> owned;
  for (size_t o = 0; o < einsum.operands.size(); ++o)
    for (size_t d = 0; d < einsum.operands[o].dims.size(); ++d)
      if (!einsum.stretches(o, d)) owned.insert(einsum.operands[o].dims[d]);
  std::set<IndexId> seen;
  return std::all_of(einsum.output.begin(), einsum.output.end(),
                     [&](IndexId i) { return owned.count(i) && seen.insert(i).second; });
}

std::string einsumString(const BoundEinsum &einsum) {
  auto termOf = [&](const std::vector<IndexId> &dims) {
    Term term;
    for (IndexId i : dims) term.subscripts.push_back({einsum.indices[i].name, {}});
    return term;
  };
  Subscripts subscripts;
  for (const BoundEinsum::Operand &operand : einsum.operands) subscripts.inputs.push_back(termOf(operand.dims));
  subscripts.output = termOf(einsum.output);
  return subscripts.str();
}

Expected<std::string> adjointOfEinsum(std::string_view text, std::span<const TensorType> operands, size_t which,
                                      const CompileOptions &options) {
  auto parsed = parseSubscripts(text, options.labels);
  if (!parsed) return parsed.error();
  auto bound = bindEinsumString(*parsed, operands, options);
  if (!bound) return bound.error();
  if (which >= operands.size())
    return makeError(ErrorCode::OperandCount, "the expression has no operand " + std::to_string(which),
                     "operands count from 0 to " + std::to_string(operands.size() - 1));
  BoundEinsum adjoint = transpose(*bound, which);
  nameForProgram(adjoint);
  return isEinsumString(adjoint) ? einsumString(adjoint) : print(buildProgram(adjoint));
}

/// Characters that the text of a Program has at least: shared expressions are written out each time.
double leastLength(const Program &p) {
  std::vector<double> length;
  double all = 0;
  for (const Expr &e : p.exprs) {
    double own = 1;
    for (ExprId arg : e.args) own += length[arg];
    if (e.guard) own += length[*e.guard];
    length.push_back(own);
  }
  for (const Assignment &assignment : p.assignments) all += length[assignment.value];
  return all;
}

Expected<std::string> adjointOfProgram(const Program &source, std::span<const size_t> which) {
  auto adjoint = adjointProgram(source, which);
  if (!adjoint) return adjoint.error();
  if (leastLength(*adjoint) > double(kMaxTextBytes)) return adjointTooLong();
  std::string text = print(*adjoint);
  if (!parseSyntax(text)) return adjointTooLong();
  return text;
}

} // namespace

Expected<std::string> adjointText(std::string_view text, std::span<const TensorType> operands,
                                  std::span<const size_t> which, const CompileOptions &options) {
  if (which.empty()) return makeError(ErrorCode::OperandCount, "an adjoint needs the number of an operand", "give 0");
  if (options.semiring == Semiring::OrAnd || options.alpha != 1 || options.beta != 0) {
    Error e = makeError(ErrorCode::Unsupported, "or-and has no adjoint, and what alpha and beta scale has none here",
                        "scale the cotangent");
    e.rule = "E20";
    return e;
  }
  const bool isSumOfProducts = !isProgramText(text) && options.semiring == Semiring::PlusTimes;
  if (which.size() == 1 && isSumOfProducts) return adjointOfEinsum(text, operands, which[0], options);
  auto program = parseAndBind(text, operands, options);
  if (!program) return program.error();
  return adjointOfProgram(*program, which);
}

} // namespace ein
