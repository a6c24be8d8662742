// Plans in one line of text, "word key=value key=[a:b,c/d e:f,g/h]": a writer, and a reader that says what is wrong.
#pragma once

#include "ein/DType.h"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ein {

/// Appends fields to a line.
struct PlanWriter {
  std::string line;

  void field(const char *key, std::string_view word) { (((line += ' ') += key) += '=') += word; }
  void field(const char *key, int64_t value) { field(key, std::string_view(std::to_string(value))); }
  void field(const char *key, double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.17g", value);
    field(key, std::string_view(text));
  }
  void field(const char *key, DType type) { field(key, name(type)); }
  void field(const char *key, const std::optional<int64_t> &value) {
    field(key, value ? std::string_view(std::to_string(*value)) : "none");
  }
  /// Dimensions with extent, strides and tile.
  template <class Dim> void field(const char *key, const std::vector<Dim> &dims) {
    std::string text = "[";
    for (const Dim &d : dims) {
      if (text.size() > 1) text += ' ';
      text += std::to_string(d.extent);
      for (size_t i = 0; i < d.strides.size(); ++i) (text += i ? ',' : ':') += std::to_string(d.strides[i]);
      text += '/' + std::to_string(d.tile);
    }
    field(key, std::string_view(text + ']'));
  }
};

/// Reads fields in the order in which they were written. After the first that does not fit all fail, and `wrong` says
/// why it does not.
struct PlanReader {
  std::string_view rest;
  std::string wrong;

  bool fail(std::string what) {
    if (wrong.empty()) wrong = std::move(what);
    return false;
  }
  bool take(std::string_view word) {
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
  }
  bool key(std::string_view word) {
    if (!wrong.empty()) return false;
    return (take(" ") && take(word) && take("=")) || fail("no '" + std::string(word) + "='");
  }
  template <class T> bool number(T &value) {
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc()) return fail("no number at '" + std::string(rest.substr(0, 16)) + "'");
    rest.remove_prefix(size_t(end - rest.data()));
    return true;
  }
  bool field(std::string_view word, int64_t &value) { return key(word) && number(value); }
  bool field(std::string_view word, double &value) { return key(word) && number(value); }
  bool field(std::string_view word, unsigned &value) { return key(word) && number(value); }
  bool field(std::string_view word, bool &value) {
    if (!key(word)) return false;
    value = take("1");
    return value || take("0") || fail("neither 0 nor 1");
  }
  bool field(std::string_view word, std::optional<int64_t> &value) {
    if (!key(word)) return false;
    if (take("none")) return true;
    return number(value.emplace());
  }
  bool field(std::string_view word, DType &value) {
    if (!key(word)) return false;
    const std::string_view type = rest.substr(0, rest.find(' '));
    const auto parsed = parseDType(type);
    if (!parsed) return fail("no dtype '" + std::string(type) + "'");
    value = *parsed;
    return take(type);
  }
  bool field(std::string_view word, std::optional<DType> &value) {
    if (!rest.starts_with(" " + std::string(word) + "=none")) return field(word, value.emplace());
    return key(word) && take("none");
  }
  /// One of two words.
  template <class Choice>
  bool field(std::string_view word, Choice &value, std::string_view first, Choice a, std::string_view second,
             Choice b) {
    if (!key(word)) return false;
    const std::string_view text = rest.substr(0, rest.find(' '));
    value = text == first ? a : b;
    return text == first || text == second ? take(text)
                                           : fail("neither " + std::string(first) + " nor " + std::string(second));
  }
  template <class Dim> bool field(std::string_view word, std::vector<Dim> &dims) {
    if (!key(word) || !(take("[") || fail("no '['"))) return false;
    while (!take("]")) {
      Dim &d = dims.emplace_back();
      take(" ");
      if (!number(d.extent)) return false;
      for (int64_t &stride : d.strides)
        if (!(take(&stride == &d.strides.front() ? ":" : ",") || fail("no stride")) || !number(stride)) return false;
      if (!(take("/") || fail("no tile")) || !number(d.tile)) return false;
    }
    return true;
  }
  /// Whether everything was read.
  bool end() {
    return wrong.empty() && (rest.empty() || fail("more after it: '" + std::string(rest.substr(0, 16)) + "'"));
  }
};

inline uint64_t hashOfPlan(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

} // namespace ein
