// What the fuzz targets share.
#pragma once

#include "ein/Error.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace ein::fuzz {

/// Ends the process with a message, for libFuzzer to keep the input.
inline void require(bool condition, const char *what, std::string_view detail = {}) {
  if (condition) return;
  std::fprintf(stderr, "violated: %s\n%.*s\n", what, static_cast<int>(detail.size()), detail.data());
  __builtin_trap();
}

/// An error has a message, labels inside its text, and prints.
inline void requireWellFormed(const Error &e) {
  require(!e.message.empty(), "an error says something");
  require(e.code != ErrorCode::Compile, "the mistake is the user's", e.message);
  for (const Label &label : e.labels)
    require(label.span.begin <= label.span.end && label.span.end <= e.text.size(), "labels lie in the text", e.message);
  require(e.render().starts_with("error"), "errors print");
}

/// A small extent that depends on a name only, so that all uses of an index agree.
inline int64_t extentOf(std::string_view name) {
  uint32_t hash = 7;
  for (char c : name) hash = hash * 31 + static_cast<unsigned char>(c);
  return hash % 4;
}

} // namespace ein::fuzz
