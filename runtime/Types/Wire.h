// The binary form of values: little-endian fields in an envelope with magic, version, length and checksum.
#pragma once

#include "ein/Compile.h"

#include <bit>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ein::wire {

static_assert(std::endian::native == std::endian::little, "fields are copied as they lie in memory");

/// What an envelope holds; part of its magic.
enum class Kind : uint32_t {
  Request = 1,
  Result = 2,
  Module = 3,
  Error = 4,
  TunedPlans = 5,
  CacheEntry = 6,
  Bundle = 7
};

/// Raised whenever the meaning of any field changes.
inline constexpr uint32_t kFormatVersion = 8;

/// Appends fields.
class Writer {
public:
  template <class T>
    requires std::is_arithmetic_v<T>
  void number(T value) {
    bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
  }
  void string(std::string_view s) {
    number<uint64_t>(s.size());
    bytes.append(s);
  }
  /// A count, then the elements, each written by `write`.
  template <class Range, class Write> void list(const Range &values, Write write) {
    number<uint64_t>(values.size());
    for (const auto &value : values) write(value);
  }
  void numbers(const std::vector<int64_t> &values) {
    list(values, [this](int64_t v) { number(v); });
  }

  /// The fields so far in their envelope.
  std::string seal(Kind kind) const;

private:
  std::string bytes;
};

/// Reads what `Writer` wrote, in the same order. The first bad field makes the reader `failed`; from then
/// on every read gives zero or nothing. Never reads or allocates beyond what the input holds.
class Reader {
public:
  explicit Reader(std::string_view bytes) : rest(bytes) {}

  template <class T>
    requires std::is_arithmetic_v<T>
  T number() {
    T value{};
    if (rest.size() < sizeof value) return fail(), value;
    std::memcpy(&value, rest.data(), sizeof value);
    rest.remove_prefix(sizeof value);
    return value;
  }
  std::string string() {
    const auto size = number<uint64_t>();
    if (size > rest.size()) return fail(), std::string();
    std::string s(rest.substr(0, size));
    rest.remove_prefix(size);
    return s;
  }
  /// The elements of a list, each read by `read`, which consumes at least one byte or fails.
  template <class T, class Read> std::vector<T> list(Read read) {
    const auto count = number<uint64_t>();
    if (count > rest.size()) return fail(), std::vector<T>();
    std::vector<T> values;
    for (uint64_t i = 0; i < count && ok; ++i) values.push_back(read());
    return values;
  }
  std::vector<int64_t> numbers() {
    return list<int64_t>([this] { return number<int64_t>(); });
  }
  bool flag() {
    const auto value = number<uint8_t>();
    if (value > 1) fail();
    return value == 1;
  }
  /// A number that must be at most `last`.
  template <class Enum> Enum enumerator(Enum last) {
    const auto value = number<uint8_t>();
    if (value > static_cast<uint8_t>(last)) return fail(), Enum{};
    return static_cast<Enum>(value);
  }

  void fail() {
    ok = false;
    rest = {};
  }
  /// Whether every field was good and nothing is left over.
  bool finished() const { return ok && rest.empty(); }

private:
  std::string_view rest;
  bool ok = true;
};

/// The fields inside an envelope of this kind, or an IO error that says what is wrong with it.
Expected<std::string_view> open(Kind kind, std::string_view bytes);

/// The error for fields that do not make a value.
Error malformed(const char *what);

void write(Writer &w, const TensorType &type);
TensorType readTensorType(Reader &r);
void write(Writer &w, const CompiledModule &module);
CompiledModule readModule(Reader &r);
void write(Writer &w, const GpuLaunch &launch);
GpuLaunch readGpuLaunch(Reader &r);
void write(Writer &w, const Explanation &explanation);
Explanation readExplanation(Reader &r);

} // namespace ein::wire
