// The example programs of tests/data/programs: compiled against the interpreter, at the corners of their guards.
#include "tests/conformance/ExamplePrograms.h"
#include "compiler/IndexNotation/ProgramHash.h"

using namespace ein;
using namespace ein::test;

namespace {

class ExamplePrograms : public ::testing::TestWithParam<Example> {};

TEST_P(ExamplePrograms, ComputeAsInterpreted) {
  const std::string text = withoutRequirements(textOf(GetParam()));
  for (const char *shapes : GetParam().shapes)
    for (int corner = 0; corner < kCorners; ++corner) {
      Case c;
      c.text = text;
      c.types = types(shapes);
      c.seed = uint64_t(corner + 1);
      c.options.threads = corner % 2 + 1;
      auto execution = Execution::prepare(c);
      ASSERT_TRUE(execution) << execution.error().render();
      setCorner(*execution, corner);
      auto ok = execution->run();
      ASSERT_TRUE(ok) << ok.error().render();
      EXPECT_TRUE(closeToInterpreter(*execution)) << GetParam().file << ", corner " << corner << ", " << shapes;
    }
}

TEST_P(ExamplePrograms, MeetTheirRequirements) {
  Case c;
  c.text = textOf(GetParam());
  c.types = types(GetParam().shapes[0]);
  auto execution = Execution::prepare(c);
  ASSERT_TRUE(execution) << execution.error().render();
  auto ok = execution->run();
  EXPECT_TRUE(ok) << ok.error().render();
}

TEST_P(ExamplePrograms, PrintAndHash) {
  const std::vector<TensorType> operands = types(GetParam().shapes[0]);
  auto p = parseAndBind(textOf(GetParam()), operands);
  ASSERT_TRUE(p) << p.error().render();
  auto again = parseAndBind(print(*p), operands);
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(print(*again), print(*p));
  EXPECT_EQ(programHash(*again), programHash(*p)) << print(*p);
}

INSTANTIATE_TEST_SUITE_P(, ExamplePrograms, ::testing::ValuesIn(kExamples), [](const auto &info) {
  std::string name = info.param.file;
  for (char &c : name)
    if (c == '-') c = '_';
  return name;
});

} // namespace
