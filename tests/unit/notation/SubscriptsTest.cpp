// The parser of einsum strings.
#include "compiler/Subscripts/Subscripts.h"
#include "compiler/Subscripts/Unicode.h"

#include <gtest/gtest.h>

namespace ein {
namespace {

std::string canonical(std::string_view text, LabelStyle style = LabelStyle::Letters) {
  auto s = parseSubscripts(text, style);
  return s ? s->str() : "error: " + s.error().message;
}

TEST(SubscriptsTest, AcceptsTheGrammar) {
  struct Row {
    const char *text, *canonical;
  };
  const Row rows[] = {
      {"ij,jk->ik", "ij,jk->ik"},
      {" i j , j k -> i k ", "ij,jk->ik"},
      {"ij,\tjk\n->ik", "ij,jk->ik"},
      {"", ""},
      {"->", "->"},
      {",->", ",->"},
      {",,", ",,"},
      {"...", "..."},
      {"a...b,...b->...a", "a...b,...b->...a"},
      {"... i->...", "...i->..."},
      {"iij", "iij"},
      {"aA,AZ->aZ", "aA,AZ->aZ"},
      {"αβ,βγ->αγ", "αβ,βγ->αγ"},
      {"жй,й日->ж日", "жй,й日->ж日"},
      {"Ö,ø->Öø", "Ö,ø->Öø"},
      {"{batch}{head_1},{head_1}k->{batch}k", "{batch}{head_1},{head_1}k->{batch}k"},
      {"i{j}{ k }...{_1}", "ijk...{_1}"},
      {"{größe}{α},{α}->{größe}", "{größe}α,α->{größe}"},
  };
  for (const Row &row : rows) {
    EXPECT_EQ(canonical(row.text), row.canonical) << row.text;
    EXPECT_EQ(canonical(row.canonical), row.canonical) << row.text;
  }
}

TEST(SubscriptsTest, NamesAreSeparatedByWhiteSpace) {
  EXPECT_EQ(canonical("row col, col out -> row out", LabelStyle::Names), "{row}{col},{col}{out}->{row}{out}");
  EXPECT_EQ(canonical("... i1,_x ... -> i1 _x", LabelStyle::Names), "...{i1},{_x}...->{i1}{_x}");
  EXPECT_EQ(canonical("{row}{col} out", LabelStyle::Names), "{row}{col}{out}");
  EXPECT_EQ(canonical("ab, bc", LabelStyle::Letters), "ab,bc");
}

TEST(SubscriptsTest, StyleIsNamesWhenATermHasTwoTokens) {
  EXPECT_EQ(labelStyleOf("b q d, b k d -> b q k"), LabelStyle::Names);
  EXPECT_EQ(labelStyleOf("bqd, bkd -> bqk"), LabelStyle::Letters);
  EXPECT_EQ(labelStyleOf(" ij , jk -> ik "), LabelStyle::Letters);
  EXPECT_EQ(labelStyleOf("i, j -> i j"), LabelStyle::Names);
  EXPECT_EQ(labelStyleOf("... i, i"), LabelStyle::Names);
  EXPECT_EQ(labelStyleOf("{b}{ q },{b}k->{b}"), LabelStyle::Letters);
  EXPECT_EQ(labelStyleOf("{b} {q}"), LabelStyle::Names);
  EXPECT_EQ(labelStyleOf(""), LabelStyle::Letters);
}

TEST(SubscriptsTest, SpansAreBytesOfTheText) {
  auto s = parseSubscripts(" α i , β->αβ");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->inputs[0].span.begin, 1u);
  EXPECT_EQ(s->inputs[0].span.end, 5u);
  EXPECT_EQ(s->inputs[0].subscripts[1].span.begin, 4u);
  EXPECT_EQ(s->inputs[1].subscripts[0].name, "β");
  EXPECT_EQ(s->inputs[1].subscripts[0].span.begin, 8u);
  EXPECT_EQ(s->inputs[1].subscripts[0].span.end, 10u);
}

TEST(SubscriptsTest, KnowsWhereTheEllipsisIs) {
  auto s = parseSubscripts("ab...c,d");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->inputs[0].ellipsis(), 2u);
  EXPECT_FALSE(s->inputs[1].ellipsis());
  EXPECT_FALSE(s->output);
}

TEST(SubscriptsTest, RefusesTooMuch) {
  EXPECT_EQ(parseSubscripts(std::string(kMaxTextBytes + 1, 'a')).error().code, ErrorCode::Limit);
  EXPECT_TRUE(parseSubscripts(std::string(kMaxTextBytes, 'a')));
  auto many = parseSubscripts(std::string(kMaxOperands, ','));
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code, ErrorCode::Limit);
  EXPECT_EQ(many.error().labels[0].span.begin, kMaxOperands - 1);
  EXPECT_TRUE(parseSubscripts(std::string(kMaxOperands - 1, ',')));
}

TEST(UnicodeTest, TellsLettersFromTheRest) {
  for (char32_t letter : {U'a', U'Z', U'ª', U'µ', U'ß', U'Ω', U'я', U'א', U'ا', U'あ', U'漢', U'한', U'ℓ'})
    EXPECT_TRUE(isLetter(letter)) << uint32_t(letter);
  for (char32_t other : {U'0', U'_', U' ', U'×', U'÷', U'«', U'\u00A0', U'\u2003', U'–', U'→', U'∑', U'€', U'。', U'！',
                         U'\u0301', U'٣', U'😀', U'\uFEFF'})
    EXPECT_FALSE(isLetter(other)) << uint32_t(other);
}

TEST(UnicodeTest, DecodesOnlyUtf8) {
  EXPECT_EQ(decodeUtf8("é", 0).value, U'é');
  EXPECT_EQ(decodeUtf8("😀", 0).length, 4u);
  for (const char *bad : {"\x80", "\xC0\x80", "\xE2\x82", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xF4\x90\x80\x80",
                          "\xE0\x80\x80", "\xC3("})
    EXPECT_EQ(decodeUtf8(bad, 0).length, 0u);
  EXPECT_EQ(decodeUtf8("", 0).length, 0u);
}

} // namespace
} // namespace ein
