// Bits of tensor-core elements as numbers.
#include "tests/gpu-model/WgmmaOperands.h"

#include <bit>
#include <cmath>
#include <limits>

namespace ein::gpumodel {
namespace {

double halfValue(uint32_t bits) {
  uint32_t exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double magnitude = exponent == 0    ? std::ldexp(double(mantissa), -24)
                     : exponent == 31 ? (mantissa ? std::numeric_limits<double>::quiet_NaN() : INFINITY)
                                      : std::ldexp(double(1024 + mantissa), int(exponent) - 25);
  return bits >> 15 & 1 ? -magnitude : magnitude;
}

} // namespace

double decode(MatrixType type, uint64_t bits) {
  switch (type) {
  case MatrixType::F16: return halfValue(uint32_t(bits) & 0xffff);
  case MatrixType::BF16: return std::bit_cast<float>(uint32_t(bits) << 16);
  case MatrixType::TF32: return std::bit_cast<float>(uint32_t(bits) & 0xffffe000);
  case MatrixType::S8: return int8_t(bits);
  case MatrixType::U8: return uint8_t(bits);
  case MatrixType::F64: return std::bit_cast<double>(bits);
  }
  return 0;
}

uint32_t swizzled(uint32_t address, uint32_t swizzleBytes) {
  uint32_t pieces = swizzleBytes ? swizzleBytes / 16 : 1; // of a row
  return address ^ ((address >> 7 & (pieces - 1)) << 4);
}

} // namespace ein::gpumodel
