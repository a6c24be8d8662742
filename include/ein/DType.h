// Element types.
#pragma once

#include <array>
#include <complex>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ein {

/// Element type of a tensor: IEEE floats, bfloat16, complex numbers (real part first), two's complement integers, and
/// bool, a byte that holds 0 or 1.
enum class DType : uint8_t { F32, F64, F16, BF16, C64, C128, I8, I16, I32, I64, U8, U16, U32, U64, Bool };

/// What there is to know about a dtype.
struct DTypeInfo {
  enum class Kind : uint8_t { Bool, Unsigned, Signed, Float, Complex };
  std::string_view name;
  int64_t bytes;
  Kind kind;
  DType accumulate; ///< computed and summed in; what a result stores is converted from it
};

inline constexpr std::array<DTypeInfo, 15> kDTypes = {{
    {"f32", 4, DTypeInfo::Kind::Float, DType::F32},
    {"f64", 8, DTypeInfo::Kind::Float, DType::F64},
    {"f16", 2, DTypeInfo::Kind::Float, DType::F32},
    {"bf16", 2, DTypeInfo::Kind::Float, DType::F32},
    {"c64", 8, DTypeInfo::Kind::Complex, DType::C64},
    {"c128", 16, DTypeInfo::Kind::Complex, DType::C128},
    {"i8", 1, DTypeInfo::Kind::Signed, DType::I32},
    {"i16", 2, DTypeInfo::Kind::Signed, DType::I32},
    {"i32", 4, DTypeInfo::Kind::Signed, DType::I32},
    {"i64", 8, DTypeInfo::Kind::Signed, DType::I64},
    {"u8", 1, DTypeInfo::Kind::Unsigned, DType::U32},
    {"u16", 2, DTypeInfo::Kind::Unsigned, DType::U32},
    {"u32", 4, DTypeInfo::Kind::Unsigned, DType::U32},
    {"u64", 8, DTypeInfo::Kind::Unsigned, DType::U64},
    {"bool", 1, DTypeInfo::Kind::Bool, DType::Bool},
}};

constexpr const DTypeInfo &infoOf(DType t) { return kDTypes[static_cast<size_t>(t)]; }

/// Bytes of one element.
constexpr int64_t byteSize(DType t) { return infoOf(t).bytes; }
/// "f32", "bf16", "bool", ...
constexpr std::string_view name(DType t) { return infoOf(t).name; }
/// Bytes to which the address of an element must be aligned.
constexpr int64_t alignmentOf(DType t) {
  return infoOf(t).kind == DTypeInfo::Kind::Complex ? byteSize(t) / 2 : byteSize(t);
}

constexpr bool isInteger(DType t) {
  return infoOf(t).kind == DTypeInfo::Kind::Signed || infoOf(t).kind == DTypeInfo::Kind::Unsigned;
}
constexpr bool isFloat(DType t) { return infoOf(t).kind == DTypeInfo::Kind::Float; }
constexpr bool isComplex(DType t) { return infoOf(t).kind == DTypeInfo::Kind::Complex; }
constexpr bool isUnsigned(DType t) { return infoOf(t).kind <= DTypeInfo::Kind::Unsigned; }
/// f16 and bf16 are computed in f32, integers of 8 and 16 bits in 32.
constexpr DType accumulateType(DType t) { return infoOf(t).accumulate; }
/// The real type of a complex one's parts; every other type itself.
constexpr DType partType(DType t) { return t == DType::C64 ? DType::F32 : t == DType::C128 ? DType::F64 : t; }

/// Inverse of `name`; nothing for any other word.
constexpr std::optional<DType> parseDType(std::string_view word) {
  for (size_t i = 0; i < kDTypes.size(); ++i)
    if (kDTypes[i].name == word) return static_cast<DType>(i);
  return std::nullopt;
}

/// The names of all dtypes, for messages.
inline constexpr const char *kDTypeNames =
    "f16, bf16, f32, f64, c64, c128, i8, i16, i32, i64, u8, u16, u32, u64 and bool";

/// The dtype in which values of both meet. bool, integers, floats, complex numbers in this order: the later kind wins
/// with its own width. Of one kind the wider; f16 with bf16 is f32; an unsigned integer with a signed one that is not
/// wider is the next wider signed one (of u64: i64); a complex number with f64 is c128.
constexpr DType promote(DType a, DType b) {
  using Kind = DTypeInfo::Kind;
  if (a == b) return a;
  Kind ka = infoOf(a).kind, kb = infoOf(b).kind;
  if (ka == kb && byteSize(a) == byteSize(b)) return DType::F32;
  if (ka == kb) return byteSize(a) > byteSize(b) ? a : b;
  const DType low = ka < kb ? a : b, high = ka < kb ? b : a;
  const Kind kl = infoOf(low).kind, kh = infoOf(high).kind;
  if (kh == Kind::Complex) return low == DType::F64 ? DType::C128 : high;
  if (kh == Kind::Signed && kl == Kind::Unsigned && byteSize(high) <= byteSize(low))
    return byteSize(low) == 1 ? DType::I16 : byteSize(low) == 2 ? DType::I32 : DType::I64;
  return high;
}

/// Whether values of `from` may be stored as `to`: within a kind, or from bool, integers, floats to a later kind.
/// Integers wrap, floats are rounded to nearest.
constexpr bool convertible(DType from, DType to) {
  auto rank = [](DType t) { return isInteger(t) ? 1 : isFloat(t) ? 2 : isComplex(t) ? 3 : 0; };
  return rank(from) <= rank(to);
}

/// The dtype of a C++ element type.
template <class T> struct DTypeOf;
template <DType Value> struct DTypeConstant {
  static constexpr DType value = Value;
};
template <> struct DTypeOf<float> : DTypeConstant<DType::F32> {};
template <> struct DTypeOf<double> : DTypeConstant<DType::F64> {};
template <> struct DTypeOf<std::complex<float>> : DTypeConstant<DType::C64> {};
template <> struct DTypeOf<std::complex<double>> : DTypeConstant<DType::C128> {};
template <> struct DTypeOf<int8_t> : DTypeConstant<DType::I8> {};
template <> struct DTypeOf<int16_t> : DTypeConstant<DType::I16> {};
template <> struct DTypeOf<int32_t> : DTypeConstant<DType::I32> {};
template <> struct DTypeOf<int64_t> : DTypeConstant<DType::I64> {};
template <> struct DTypeOf<uint8_t> : DTypeConstant<DType::U8> {};
template <> struct DTypeOf<uint16_t> : DTypeConstant<DType::U16> {};
template <> struct DTypeOf<uint32_t> : DTypeConstant<DType::U32> {};
template <> struct DTypeOf<uint64_t> : DTypeConstant<DType::U64> {};
template <> struct DTypeOf<bool> : DTypeConstant<DType::Bool> {};
#ifdef __FLT16_MANT_DIG__
template <> struct DTypeOf<_Float16> : DTypeConstant<DType::F16> {};
#endif
#ifdef __BFLT16_MANT_DIG__
template <> struct DTypeOf<__bf16> : DTypeConstant<DType::BF16> {};
#endif

} // namespace ein
