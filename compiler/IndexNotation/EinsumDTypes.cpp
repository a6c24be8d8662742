// Rules of storage, compute and accumulate types.
#include "compiler/IndexNotation/EinsumDTypes.h"

#include <algorithm>
#include <string>
#include <vector>

namespace ein {
namespace {

/// Whether kernels compute in a dtype: 8 and 16 bits are only stored.
bool isArithmetic(DType t) { return accumulateType(t) == t; }

/// Whether values of `from` may be taken as `to` inside a kernel: within a kind, or integers as floats. Integers must
/// not wrap on the way; floats may be rounded.
bool isReadableAs(DType from, DType to) {
  using Kind = DTypeInfo::Kind;
  const Kind kf = infoOf(from).kind, kt = infoOf(to).kind;
  if (kt == Kind::Float && isInteger(from)) return true;
  if (kf == Kind::Unsigned && kt == Kind::Signed) return byteSize(to) > byteSize(from);
  return kf == kt && (!isInteger(from) || byteSize(to) >= byteSize(from));
}

template <class Accepts> Error refused(std::string message, Accepts accepts) {
  std::string names;
  for (size_t i = 0; i < kDTypes.size(); ++i)
    if (const auto t = static_cast<DType>(i); accepts(t)) names += (names.empty() ? "" : ", ") + std::string(name(t));
  return makeError(ErrorCode::DTypeMismatch, std::move(message), "accepted here: " + names);
}

} // namespace

std::optional<DType> EinsumDTypes::roundingOf(DType operand) const {
  if (!compute) return std::nullopt;
  const DType to = isComplex(operand) ? *compute : partType(*compute);
  const DType from = partType(operand);
  if (isFloat(from)) return byteSize(partType(to)) < byteSize(from) ? std::optional(to) : std::nullopt;
  // A sum in the same type converts integers as it reads them.
  const int64_t digits = to == DType::F32 ? 24 : 53;
  const bool loses = isInteger(from) && isFloat(to) && 8 * byteSize(from) > digits && accumulate != *compute;
  return loses ? std::optional(to) : std::nullopt;
}

Expected<EinsumDTypes> dtypesOfEinsum(std::span<const TensorType> operands, const CompileOptions &options) {
  DType promoted = operands[0].dtype;
  for (const TensorType &operand : operands) promoted = promote(promoted, operand.dtype);
  auto computes = [&](DType t) { return t == promoted || (isArithmetic(t) && isReadableAs(promoted, t)); };
  if (options.computeDType && !computes(*options.computeDType))
    return refused("operands that make " + std::string(name(promoted)) + " cannot be computed with as " +
                       std::string(name(*options.computeDType)),
                   computes);
  const DType computed = options.computeDType.value_or(promoted);
  EinsumDTypes dtypes;
  dtypes.compute = options.computeDType;
  // What is computed as floats is stored as floats.
  dtypes.result = options.resultDType.value_or(convertible(computed, promoted) ? promoted : computed);
  if (!convertible(computed, dtypes.result))
    return makeError(ErrorCode::DTypeMismatch, "the operands make " + std::string(name(computed)) +
                                                   ", which cannot be stored as " + std::string(name(dtypes.result)));
  auto accumulates = [&](DType t) {
    return isArithmetic(t) && isReadableAs(computed, t) && byteSize(t) >= byteSize(accumulateType(computed)) &&
           convertible(t, dtypes.result);
  };
  dtypes.accumulate = options.accumulateDType.value_or(accumulateType(promote(computed, dtypes.result)));
  if (options.accumulateDType && !accumulates(dtypes.accumulate))
    return refused("sums of " + std::string(name(computed)) + " stored as " + std::string(name(dtypes.result)) +
                       " cannot be taken in " + std::string(name(dtypes.accumulate)),
                   accumulates);
  return dtypes;
}

} // namespace ein
