// Element types.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ein {

/// Element type of a tensor.
enum class DType : uint8_t { F32, F64 };

/// Bytes of one element.
constexpr int64_t byteSize(DType t) { return t == DType::F32 ? 4 : 8; }

/// "f32", "f64".
constexpr std::string_view name(DType t) { return t == DType::F32 ? "f32" : "f64"; }

/// Inverse of `name`; nothing for any other word.
constexpr std::optional<DType> parseDType(std::string_view word) {
  if (word == "f32") return DType::F32;
  if (word == "f64") return DType::F64;
  return std::nullopt;
}

/// The dtype of a C++ element type.
template <class T> struct DTypeOf;
template <> struct DTypeOf<float> {
  static constexpr DType value = DType::F32;
};
template <> struct DTypeOf<double> {
  static constexpr DType value = DType::F64;
};

} // namespace ein
