// Single elements of any dtype, as numbers.
#pragma once

#include "ein/DType.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace ein {

/// The value of the 16 bits of an f16; exact.
inline double halfToDouble(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double size = exponent == 31 ? (mantissa ? std::nan("") : HUGE_VAL)
                      : exponent     ? std::ldexp(1024 + mantissa, exponent - 25)
                                     : std::ldexp(mantissa, -24);
  return bits >> 15 ? -size : size;
}

/// The value of the 16 bits of a bf16; exact.
inline double bfloatToDouble(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

/// The 16-bit float with `mantissa` stored bits and exponents from 2^`smallest` on that is nearest, ties to even.
inline uint16_t shortFloat(double value, int mantissa, int smallest) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0, infinity = uint16_t((0x7fff >> mantissa) << mantissa);
  if (std::isnan(value)) return uint16_t(sign | infinity | 1 << (mantissa - 1));
  const double size = std::fabs(value);
  if (std::isinf(size)) return sign | infinity;
  if (size == 0) return sign;
  const int exponent = std::max(std::ilogb(size), smallest);
  // In units of the last place; a carry out of the mantissa moves into the exponent.
  const double units = std::nearbyint(std::ldexp(size, mantissa - exponent));
  const double bits = std::ldexp(exponent - smallest, mantissa) + units;
  return uint16_t(sign | uint16_t(std::min<double>(bits, infinity)));
}
inline uint16_t doubleToHalf(double value) { return shortFloat(value, 10, -14); }
inline uint16_t doubleToBFloat(double value) { return shortFloat(value, 7, -126); }

/// Calls `visit` with a pointer to elements of the C++ type that holds a dtype; f16 and bf16 are uint16_t, bool is
/// uint8_t.
template <class Visit> decltype(auto) visitElements(DType dtype, void *data, Visit visit) {
  switch (dtype) {
  case DType::F32: return visit(static_cast<float *>(data));
  case DType::F64: return visit(static_cast<double *>(data));
  case DType::C64: return visit(static_cast<std::complex<float> *>(data));
  case DType::C128: return visit(static_cast<std::complex<double> *>(data));
  case DType::I8: return visit(static_cast<int8_t *>(data));
  case DType::I16: return visit(static_cast<int16_t *>(data));
  case DType::I32: return visit(static_cast<int32_t *>(data));
  case DType::I64: return visit(static_cast<int64_t *>(data));
  case DType::U32: return visit(static_cast<uint32_t *>(data));
  case DType::U64: return visit(static_cast<uint64_t *>(data));
  case DType::F16:
  case DType::BF16:
  case DType::U16: return visit(static_cast<uint16_t *>(data));
  case DType::U8:
  case DType::Bool: break;
  }
  return visit(static_cast<uint8_t *>(data));
}

/// Converts `count` elements from number `first` on, `stride` apart, to doubles; of complex ones the real parts.
/// Integers above 2^53 are rounded. Where to go on.
inline double *readElements(DType dtype, const void *data, int64_t first, int64_t stride, int64_t count,
                            double *values) {
  visitElements(dtype, const_cast<void *>(data), [&](auto *p) {
    const auto convert = [&](auto number) {
      for (int64_t i = 0; i < count; ++i) values[i] = number(p[first + i * stride]);
    };
    using Stored = std::remove_reference_t<decltype(*p)>;
    if constexpr (requires { p->imag(); })
      convert([](const Stored &x) { return static_cast<double>(x.real()); });
    else if (std::is_same_v<Stored, uint16_t> && dtype == DType::F16)
      convert([](Stored x) { return halfToDouble(static_cast<uint16_t>(x)); });
    else if (std::is_same_v<Stored, uint16_t> && dtype == DType::BF16)
      convert([](Stored x) { return bfloatToDouble(static_cast<uint16_t>(x)); });
    else
      convert([](Stored x) { return static_cast<double>(x); });
  });
  return values + count;
}

/// Element number `i` of `data`; of a complex one the real part. Integers above 2^53 are rounded.
inline double elementAt(DType dtype, const void *data, int64_t i) {
  double value;
  readElements(dtype, data, i, 1, 1, &value);
  return value;
}

/// Element number `i` of an integer type or bool, exact.
inline int64_t integerAt(DType dtype, const void *data, int64_t i) {
  return visitElements(dtype, const_cast<void *>(data), [&](auto *p) -> int64_t {
    if constexpr (requires { p->imag(); })
      return int64_t(p[i].real());
    else
      return int64_t(p[i]);
  });
}

/// Stores `count` numbers from element `first` on, `stride` apart, rounded to nearest; integers and bool take whole
/// numbers in their range. Where to go on.
inline const double *writeElements(DType dtype, void *data, int64_t first, int64_t stride, int64_t count,
                                   const double *values) {
  visitElements(dtype, data, [&](auto *p) {
    using Stored = std::remove_reference_t<decltype(*p)>;
    const auto convert = [&](auto element) {
      for (int64_t i = 0; i < count; ++i) p[first + i * stride] = static_cast<Stored>(element(values[i]));
    };
    if (std::is_same_v<Stored, uint16_t> && dtype == DType::F16)
      convert([](double x) { return doubleToHalf(x); });
    else if (std::is_same_v<Stored, uint16_t> && dtype == DType::BF16)
      convert([](double x) { return doubleToBFloat(x); });
    else if constexpr (std::is_integral_v<Stored>)
      convert([](double x) { return static_cast<int64_t>(x); });
    else
      convert([](double x) { return x; });
  });
  return values + count;
}

/// Stores one of them.
inline void setElement(DType dtype, void *data, int64_t i, double value) {
  writeElements(dtype, data, i, 1, 1, &value);
}

/// Stores a whole number in an integer type or bool, modulo 2^bits.
inline void setInteger(DType dtype, void *data, int64_t i, int64_t value) {
  visitElements(dtype, data, [&](auto *p) { p[i] = std::remove_reference_t<decltype(*p)>(value); });
}

/// What is left of a number that is stored in a dtype.
inline double stored(DType dtype, double value) {
  alignas(16) char element[16];
  setElement(dtype, element, 0, value);
  return elementAt(dtype, element, 0);
}

/// Half a unit in the last place of 1: the largest relative error of rounding to a dtype's parts. 0 for integers.
inline double unitRoundoff(DType dtype) {
  switch (partType(dtype)) {
  case DType::F16: return 0x1p-11;
  case DType::BF16: return 0x1p-8;
  case DType::F32: return 0x1p-24;
  case DType::F64: return 0x1p-53;
  default: return 0;
  }
}
/// The smallest positive number of a dtype's parts; 0 for integers.
inline double smallestNumber(DType dtype) {
  switch (partType(dtype)) {
  case DType::F16: return 0x1p-24;
  case DType::BF16: return 0x1p-133;
  case DType::F32: return 0x1p-149;
  case DType::F64: return 0x1p-1074;
  default: return 0;
  }
}
/// The largest finite number of a dtype's parts; infinite for integers, which wrap.
inline double largestNumber(DType dtype) {
  switch (partType(dtype)) {
  case DType::F16: return 65504;
  case DType::BF16: return 0x1.fep127;
  case DType::F32: return 0x1.fffffep127;
  case DType::F64: return 0x1.fffffffffffffp1023;
  default: return HUGE_VAL;
  }
}

} // namespace ein
