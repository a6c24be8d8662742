// Einsum strings that differ in their indices' names have one canonical text; others keep theirs.
#include "runtime/CanonicalText.h"

#include <gtest/gtest.h>

using ein::canonicalText;

namespace {

TEST(CanonicalText, RenamesInOrderOfAppearance) {
  EXPECT_EQ(canonicalText("ik,kj->ij"), "ab,bc->ac");
  EXPECT_EQ(canonicalText("zA,Ab->zb"), "ab,bc->ac");
  EXPECT_EQ(canonicalText(" ik ,\tkj\n-> ij "), "ab,bc->ac");
  EXPECT_EQ(canonicalText("ii->i"), "aa->a");
  EXPECT_EQ(canonicalText("x...y,y->...x"), "a...b,b->...a");
  EXPECT_EQ(canonicalText("->"), "->");
  EXPECT_EQ(canonicalText(",->"), ",->");
}

TEST(CanonicalText, WritesTheOutputOut) {
  EXPECT_EQ(canonicalText("ab,bc"), "ab,bc->ac");
  EXPECT_EQ(canonicalText("ba"), "ab->ba"); // the output is sorted by the names that were given
  EXPECT_EQ(canonicalText("ki,ij"), "ab,bc->ca");
  EXPECT_EQ(canonicalText("aB"), "ab->ba"); // capitals come first
  EXPECT_EQ(canonicalText("ii"), "aa->");
  EXPECT_EQ(canonicalText("b...a"), "a...b->...ba");
  EXPECT_EQ(canonicalText(""), "->");
}

TEST(CanonicalText, DistinguishesWhatMeansSomethingElse) {
  EXPECT_NE(canonicalText("ik,kj->ij"), canonicalText("ik,kj->ji"));
  EXPECT_NE(canonicalText("ik,jk->ij"), canonicalText("ik,kj->ij"));
  EXPECT_NE(canonicalText("ij->i"), canonicalText("ij->j"));
  EXPECT_NE(canonicalText("ii->i"), canonicalText("ij->i"));
}

TEST(CanonicalText, AllLettersAreEnough) {
  std::string all;
  for (char c = 'a'; c <= 'z'; ++c) all += std::string{static_cast<char>(c - 32), c};
  const std::string canonical = canonicalText(all + "->");
  EXPECT_EQ(canonical, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ->");
}

TEST(CanonicalText, LeavesEverythingElse) {
  for (const char *text : {"i j,jk->ik", "\xc3\xa9k->k", "i->i->i", "ij->i,j", "i..j", "i - > i", "i1->i", "{a}->a",
                           "in A: f32[i,j]\nB[j] = sum[i](A)\nout B", "i->", "i,-", "->>"})
    EXPECT_EQ(canonicalText(text), std::string_view(text) == "i->" ? "a->" : text);
}

} // namespace
