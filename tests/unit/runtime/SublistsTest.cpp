// Integer labels: the text they mean.
#include "ein/Sublists.h"

#include <gtest/gtest.h>

using namespace ein;

namespace {

std::string text(std::vector<Sublist> operands, std::optional<Sublist> output = {}) {
  auto result = sublistText(operands, output);
  return result ? *result : result.error().render();
}

TEST(Sublists, Explicit) {
  EXPECT_EQ(text({{0, 1}, {1, 2}}, Sublist{0, 2}), "{i0}{i1},{i1}{i2}->{i0}{i2}");
  EXPECT_EQ(text({{kEllipsis, 0, 0}}, Sublist{0, kEllipsis}), "...{i0}{i0}->{i0}...");
  EXPECT_EQ(text({{}}, Sublist{}), "->");
  EXPECT_EQ(text({{52, 1000000000000}}, Sublist{}), "{i52}{i1000000000000}->");
}

TEST(Sublists, ImplicitOutputIsByNumber) {
  EXPECT_EQ(text({{27, 0}}), "{i27}{i0}->{i0}{i27}");
  EXPECT_EQ(text({{10, 9}, {9, 2}}), "{i10}{i9},{i9}{i2}->{i2}{i10}");
  EXPECT_EQ(text({{3, kEllipsis, 1}, {kEllipsis, 1}}), "{i3}...{i1},...{i1}->...{i3}");
  EXPECT_EQ(text({{0, 0}}), "{i0}{i0}->");
}

TEST(Sublists, NegativeLabelsAreRefused) {
  EXPECT_EQ(text({{-1, 5}, {5, 2}}, Sublist{-1, 2}), "error: label -1 is negative\n"
                                                     "  [-1,5],[5,2]->[-1,2]\n"
                                                     "   ^^\n"
                                                     "   here\n"
                                                     "help: labels are integers from 0 on, or kEllipsis\n");
  EXPECT_EQ(text({{0}, {0, kEllipsis}}, Sublist{kEllipsis, -7}), "error: label -7 is negative\n"
                                                                 "  [0],[0,...]->[...,-7]\n"
                                                                 "                    ^^\n"
                                                                 "                    here\n"
                                                                 "help: labels are integers from 0 on, or kEllipsis\n");
}

} // namespace
