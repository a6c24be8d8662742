// What errors print: carets, stacked labels, several lines, long lines, odd characters.
#include "ein/Error.h"

#include <gtest/gtest.h>

using namespace ein;

namespace {

Error labelled(std::string text, std::vector<Label> labels) {
  Error e = makeError(ErrorCode::Extent, "message");
  e.text = std::move(text);
  e.labels = std::move(labels);
  return e;
}

TEST(ErrorRender, Model) {
  Error e = labelled("ijk,kl->ijl", {{{2, 3}, "extent 3: dimension 2 of operand 0, shape [2,4,3]"},
                                     {{4, 5}, "extent 7: dimension 0 of operand 1, shape [7,3]"}});
  e.message = "index 'k' has extent 3 in operand 0 but 7 in operand 1";
  e.notes = {"only extent 1 broadcasts"};
  EXPECT_EQ(e.render(), "error: index 'k' has extent 3 in operand 0 but 7 in operand 1\n"
                        "  ijk,kl->ijl\n"
                        "    ^ ^\n"
                        "    | extent 7: dimension 0 of operand 1, shape [7,3]\n"
                        "    extent 3: dimension 2 of operand 0, shape [2,4,3]\n"
                        "note: only extent 1 broadcasts\n");
}

TEST(ErrorRender, WithoutTextOrLabels) {
  EXPECT_EQ(makeError(ErrorCode::IO, "no file", "name one").render(), "error: no file\nhelp: name one\n");
  EXPECT_EQ(labelled("ij", {}).render(), "error: message\n  ij\n");
  EXPECT_EQ(labelled("ij\njk\n", {}).render(), "error: message\n");
}

TEST(ErrorRender, ThreeLabelsAndWideSpans) {
  EXPECT_EQ(labelled("abc,def->x", {{{9, 10}, "three"}, {{0, 3}, "one"}, {{4, 7}, "two"}}).render(),
            "error: message\n"
            "  abc,def->x\n"
            "  ^^^ ^^^  ^\n"
            "  |   |    three\n"
            "  |   two\n"
            "  one\n");
}

TEST(ErrorRender, LabelsOfOnePlaceAndLabelsWithoutText) {
  EXPECT_EQ(labelled("abc", {{{1, 2}, "first"}, {{1, 2}, "second"}, {{0, 1}, ""}}).render(), "error: message\n"
                                                                                             "  abc\n"
                                                                                             "  ^^\n"
                                                                                             "   second\n"
                                                                                             "   first\n");
}

TEST(ErrorRender, EndOfTextAndBeyond) {
  EXPECT_EQ(labelled("ij->", {{{4, 4}, "expected an index"}}).render(), "error: message\n"
                                                                        "  ij->\n"
                                                                        "      ^\n"
                                                                        "      expected an index\n");
  EXPECT_EQ(labelled("ij", {{{7, 90}, ""}}).render(), "error: message\n  ij\n    ^\n");
  EXPECT_EQ(labelled("ij\n", {{{3, 3}, ""}}).render(), "error: message\n  ij\n    ^\n");
}

TEST(ErrorRender, CodePointColumns) {
  // Two bytes for each Greek letter, one column each.
  EXPECT_EQ(labelled("αβ,γ->", {{{5, 7}, "here"}}).render(), "error: message\n"
                                                             "  αβ,γ->\n"
                                                             "     ^\n"
                                                             "     here\n");
  EXPECT_EQ(labelled("a\xff\t\x1b[31mb", {{{8, 9}, ""}}).render(), "error: message\n"
                                                                   "  a\uFFFD \uFFFD[31mb\n"
                                                                   "          ^\n");
}

TEST(ErrorRender, SeveralLines) {
  std::string text = "in Q\n";
  for (int i = 0; i < 8; ++i) text += "\n";
  const uint32_t begin = static_cast<uint32_t>(text.size());
  text += "S = Q + R\nout S\n";
  EXPECT_EQ(labelled(text, {{{begin + 8, begin + 9}, "not declared"}, {{3, 4}, "declared here"}}).render(),
            "error: message\n"
            "   1 | in Q\n"
            "     |    ^\n"
            "     |    declared here\n"
            "  10 | S = Q + R\n"
            "     |         ^\n"
            "     |         not declared\n");
}

TEST(ErrorRender, LongLineIsWindowed) {
  const std::string text(1000, 'a');
  const std::string out = labelled(text, {{{500, 503}, "middle"}, {{999, 1000}, "end"}}).render();
  for (size_t at = 0, end = 0; at < out.size(); at = end + 1) {
    end = out.find('\n', at);
    EXPECT_LE(end - at, 200u);
  }
  EXPECT_NE(out.find("  ..." + std::string(160, 'a') + "...\n  " + std::string(43, ' ') + "^^^\n"), std::string::npos)
      << out;
  EXPECT_NE(out.find("  ..." + std::string(41, 'a') + "\n  " + std::string(43, ' ') + "^\n"), std::string::npos) << out;
}

TEST(ErrorRender, EveryCodeHasItsName) {
  EXPECT_STREQ(errorCodeName(ErrorCode::Syntax), "syntax");
  EXPECT_STREQ(errorCodeName(ErrorCode::DuplicateName), "duplicate-name");
  EXPECT_STREQ(errorCodeName(ErrorCode::DeviceMissing), "device-missing");
}

} // namespace
