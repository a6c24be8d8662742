// Tiles in shared memory as wgmma's matrix descriptors describe them.
#pragma once

#include <cstdint>

namespace ein::gpumodel {

/// Element types of tensor-core operands.
enum class MatrixType : uint8_t { F16, BF16, TF32, S8, U8, F64 };
constexpr uint32_t bytesOf(MatrixType type) {
  return type == MatrixType::F64 ? 8 : type == MatrixType::TF32 ? 4 : type >= MatrixType::S8 ? 1 : 2;
}
/// The value of the element at `bits`: integers as integers, tf32 with the mantissa that the hardware reads.
double decode(MatrixType type, uint64_t bits);

/// Properties of a form, as bits of an argument.
enum WgmmaFlag : uint32_t {
  kAccumulate = 1,
  kMnMajorA = 2,
  kMnMajorB = 4,
  kNegateA = 8,
  kNegateB = 16,
  kRegistersA = 32,
};

/// An instruction's form. Each m is 64; a row of k is 32 bytes.
struct WgmmaForm {
  uint32_t n = 0;
  MatrixType a = MatrixType::BF16, b = MatrixType::BF16;
  bool accumulate = true; ///< false: what the accumulators hold is ignored
  bool mnMajorA = false, mnMajorB = false;
  bool negateA = false, negateB = false;
  bool registersA = false;

  bool operator==(const WgmmaForm &) const = default;
  uint32_t k() const { return 32 / bytesOf(b); }
  /// 32-bit accumulators of each thread.
  uint32_t accumulators() const { return n / 2; }
  bool integer() const { return a == MatrixType::S8 || a == MatrixType::U8; }
};

/// One 16-byte piece of an operand: where it lies and which elements it holds. They follow k if the operand is
/// K-major, else its rows or columns.
struct OperandPiece {
  uint32_t address; ///< in the shared window, swizzled
  uint32_t mn, k;   ///< of the first element
};

/// The address of an element's piece under the swizzle of 128, 64 or 32 bytes, or none.
uint32_t swizzled(uint32_t address, uint32_t swizzleBytes);

/// Calls `visit` with each piece of an operand of `extent` rows (A) or columns (B).
template <class Visit>
void forEachPiece(uint64_t descriptor, uint32_t extent, MatrixType type, bool mnMajor, Visit visit) {
  uint32_t start = uint32_t(descriptor & 0x3fff) << 4;
  uint32_t leading = uint32_t(descriptor >> 16 & 0x3fff) << 4, stride = uint32_t(descriptor >> 32 & 0x3fff) << 4;
  uint32_t width = (descriptor >> 62) == 0 ? 0 : 256u >> (descriptor >> 62); // bytes of a swizzled row
  uint32_t perPiece = 16 / bytesOf(type), k = 32 / bytesOf(type);
  if (!mnMajor) { // rows of 16-byte pieces along k, in groups of eight rows
    for (uint32_t mn = 0; mn < extent; ++mn)
      for (uint32_t piece = 0; piece < 2; ++piece) {
        uint32_t at = width ? start + mn / 8 * stride + mn % 8 * width + piece * 16
                            : start + mn / 8 * stride + piece * leading + mn % 8 * 16;
        visit(OperandPiece{swizzled(at, width), mn, piece * perPiece});
      }
    return;
  }
  uint32_t across = width ? width / 16 : 1; // pieces of a row along m or n
  for (uint32_t kk = 0; kk < k; ++kk)
    for (uint32_t piece = 0; piece < extent / perPiece; ++piece) {
      uint32_t at = width ? start + piece / across * leading + kk / 8 * stride + kk % 8 * width + piece % across * 16
                          : start + piece * stride + kk / 8 * leading + kk % 8 * 16;
      visit(OperandPiece{swizzled(at, width), piece * perPiece, kk});
    }
}

} // namespace ein::gpumodel
