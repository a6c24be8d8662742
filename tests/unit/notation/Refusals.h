// What tests of mistakes share: a text that must be refused, with its code, its message and the place of its caret.
#pragma once

#include "tests/unit/notation/Helpers.h"

namespace ein::test {

/// Line and column (from 1, in code points) of the first label; "" if there is none.
inline std::string caret(const Error &e) {
  if (e.labels.empty()) return "";
  int line = 1, column = 1;
  for (uint32_t i = 0; i < e.labels[0].span.begin; ++i) {
    bool newline = e.text[i] == '\n';
    line += newline;
    column = newline ? 1 : column + ((e.text[i] & 0xC0) != 0x80);
  }
  return std::to_string(line) + ":" + std::to_string(column);
}

struct Row {
  const char *text, *operands;
  ErrorCode code;
  const char *message, *caret;
};

inline void expectRefused(const Row &row, const CompileOptions &options = {}) {
  auto p = parseAndBind(row.text, types(row.operands), options);
  ASSERT_FALSE(p) << row.text << "\n" << print(*p);
  const Error &e = p.error();
  EXPECT_EQ(errorCodeName(e.code), std::string(errorCodeName(row.code))) << row.text << "\n" << e.render();
  EXPECT_NE(e.render().find(row.message), std::string::npos) << row.text << "\n" << e.render();
  EXPECT_EQ(caret(e), row.caret) << row.text << "\n" << e.render();
  for (const Label &label : e.labels) {
    EXPECT_LE(label.span.begin, label.span.end);
    EXPECT_LE(label.span.end, e.text.size());
  }
}

} // namespace ein::test
