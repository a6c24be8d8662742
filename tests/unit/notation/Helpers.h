// What the tests of the notation share.
#pragma once

#include "tests/unit/notation/Values.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ein::test {

/// "f32[2,3] f64[]" as types.
inline std::vector<TensorType> types(std::string_view text) {
  std::vector<TensorType> result;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find(' ', at), text.size());
    auto type = TensorType::parse(text.substr(at, end - at));
    EXPECT_TRUE(type) << text;
    if (type) result.push_back(*type);
    at = end + 1;
  }
  return result;
}

/// The printed Program, or the rendered error.
inline std::string printed(std::string_view text, std::string_view operands) {
  auto p = parseAndBind(text, types(operands));
  if (!p) return p.error().render();
  if (auto ok = verify(*p); !ok) return ok.error().render();
  return print(*p);
}

/// The k-th line of the printed Program that assigns, or the rendered error.
inline std::string assignment(std::string_view text, std::string_view operands, size_t k = 0) {
  std::string all = printed(text, operands);
  for (size_t at = 0; at < all.size();) {
    std::string line = all.substr(at, all.find('\n', at) - at);
    at += line.size() + 1;
    bool assigns = line.find(" = ") != std::string::npos && line.rfind("index ", 0) != 0;
    if (assigns && k-- == 0) return line;
  }
  return all;
}

} // namespace ein::test
