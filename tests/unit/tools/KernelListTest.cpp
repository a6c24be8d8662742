// Lists of kernels: what lines mean, and where mistakes are.
#include "tools/einc/KernelList.h"

#include <gtest/gtest.h>

using namespace ein;
using namespace einc;

namespace {

TEST(KernelList, Reads) {
  auto list = parseKernelList("# all\n\n a\tij->ji  f32[2,3]{1,2} # b ii f32[1]\r\n"
                              "b 'i k, k j -> i j' f64[2,3]\"\"\n");
  EXPECT_FALSE(list); // the "" is no type
  list = parseKernelList("# all\n\n a\tij->ji  f32[2,3]{1,2} # b ii f32[1]\r\n"
                         "b 'i k, k j -> i j' f64[2,3] 'f64[3, 4]'\nc ->");
  ASSERT_TRUE(list) << list.error().render();
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ((*list)[0].name, "a");
  EXPECT_EQ((*list)[0].text, "ij->ji");
  ASSERT_EQ((*list)[0].operands.size(), 1u);
  EXPECT_EQ((*list)[0].operands[0].str(), "f32[2,3]{1,2}");
  EXPECT_EQ((*list)[1].text, "i k, k j -> i j");
  EXPECT_EQ((*list)[1].operands[1].str(), "f64[3,4]");
  EXPECT_EQ((*list)[2].text, "->");
}

TEST(KernelList, MistakesHaveAPlace) {
  const struct {
    const char *text;
    ErrorCode code;
    uint32_t begin, end;
  } cases[] = {
      {"a\n", ErrorCode::Syntax, 0, 1},
      {"a i f32[2]\n'' i f32[2]", ErrorCode::Syntax, 12, 12},
      {"a i f32[2]\na j f32[3]", ErrorCode::DuplicateName, 11, 12},
      {"a i f31[2]", ErrorCode::Syntax, 4, 10},
      {"a 'i f32[2]\n' j", ErrorCode::Syntax, 2, 3},
  };
  for (const auto &c : cases) {
    auto list = parseKernelList(c.text);
    ASSERT_FALSE(list) << c.text;
    EXPECT_EQ(list.error().code, c.code) << c.text;
    ASSERT_EQ(list.error().labels.size(), 1u) << c.text;
    EXPECT_EQ(list.error().labels[0].span.begin, c.begin) << c.text;
    EXPECT_EQ(list.error().labels[0].span.end, c.end) << c.text;
  }
  EXPECT_FALSE(parseKernelList(""));
  EXPECT_FALSE(parseKernelList(" # only words about it"));
}

} // namespace
