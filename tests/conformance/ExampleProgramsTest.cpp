// The example programs of tests/data/programs: compiled against the interpreter, at the corners of their guards.
#include "compiler/IndexNotation/Element.h"
#include "compiler/IndexNotation/ProgramHash.h"
#include "tests/conformance/Generators.h"

#include <fstream>
#include <sstream>

using namespace ein;
using namespace ein::test;

namespace {

struct Example {
  const char *file;
  std::vector<const char *> shapes; ///< of the operands; odd sizes, and one key or one of everything
  const char *refused = "";         ///< the rule that its `require` lines break as things are built
};

const Example kExamples[] = {
    {"01-causal-gqa",
     {"bf16[2,5,8,16] bf16[2,7,2,16] bf16[2,7,2,16] i32[]", "bf16[1,3,4,5] bf16[1,1,1,5] bf16[1,1,1,3] i32[]"},
     "E17"},
    {"02-sliding-window",
     {"bf16[2,3,9,8] bf16[2,3,11,8] bf16[2,3,11,5] f32[3] f32[3] i32[]",
      "bf16[1,1,1,3] bf16[1,1,1,3] bf16[1,1,1,3] f32[1] f32[1] i32[]"},
     "E17"},
    {"03-packed-documents",
     {"bf16[2,13,8] bf16[2,13,8] bf16[2,13,6] i32[13] i32[13] i32[13]",
      "bf16[1,1,2] bf16[1,1,2] bf16[1,1,2] i32[1] i32[1] i32[1]"},
     "E17"},
    {"04-paged-decode",
     {"bf16[2,16,8] bf16[5,64,2,8] bf16[5,64,2,6] i32[2,3] i32[2]",
      "bf16[1,8,3] bf16[1,64,1,3] bf16[1,64,1,3] i32[1,1] i32[1]"}},
    {"05-pair-bias",
     {"bf16[2,3,7,8] bf16[2,3,9,8] bf16[2,3,9,5] f32[3,7,9] bf16[2,3,7,5]",
      "bf16[1,1,1,2] bf16[1,1,1,2] bf16[1,1,1,2] f32[1,1,1] bf16[1,1,1,2]"},
     "E17"},
    {"06-linear-attention", {"f32[2,3,7,5] f32[2,3,9,5] f32[2,3,9,4]", "f32[1,1,1,1] f32[1,1,1,1] f32[1,1,1,1]"}},
    {"07-gpt2-mlp", {"bf16[5,8] bf16[8,17] f32[17] bf16[17,8] f32[8]", "bf16[1,1] bf16[1,1] f32[1] bf16[1,1] f32[1]"}},
    {"08-rmsnorm-swiglu",
     {"bf16[5,8] f32[8] bf16[8,17] bf16[8,17] bf16[17,9]", "bf16[1,1] f32[1] bf16[1,1] bf16[1,1] bf16[1,1]"}},
    {"09-layernorm-projection", {"f32[7,33] f32[33] f32[33] f32[33,9]", "f32[1,2] f32[2] f32[2] f32[2,1]"}},
    {"10-lora", {"bf16[5,16] bf16[16,9] bf16[16,2] bf16[2,9] f32[]", "bf16[1,1] bf16[1,1] bf16[1,1] bf16[1,1] f32[]"}},
    {"11-bilinear", {"f64[7,5] f64[3,5,5]", "f64[1,1] f64[1,1,1]"}},
    {"12-cross-entropy", {"bf16[5,8] bf16[8,37] i32[5]", "bf16[1,1] bf16[1,1] i32[1]"}, "E18"},
    {"13-moe", {"bf16[7,16] bf16[16,6] bf16[6,16,9]", "bf16[1,1] bf16[1,2] bf16[2,1,1]"}},
    {"14-shortest-paths", {"f32[9,9]", "f32[1,1]"}},
    {"15-hmm-forward", {"f32[5,7] f32[7,7] f32[5,7]", "f32[1,1] f32[1,1] f32[1,1]"}},
    {"16-k-means", {"f32[40,5] f32[7,5]", "f32[1,1] f32[1,1]"}},
    {"17-kalman",
     {"f64[6,6] f64[3,6] f64[3,6,6] f64[6,6] f64[2,6] f64[3,2] f64[3,2,2]",
      "f64[1,1] f64[1,1] f64[1,1,1] f64[1,1] f64[1,1] f64[1,1] f64[1,1,1]"}},
    {"18-mps-overlap", {"f64[2,3,4] f64[4,5,2]", "f64[1,1,1] f64[1,1,1]"}},
};
constexpr int kCorners = 4;

std::string textOf(const Example &example) {
  std::ifstream file(EIN_TEST_DATA "/programs/" + std::string(example.file) + ".ein");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string withoutRequirements(const std::string &text) {
  std::istringstream lines(text);
  std::string line, result;
  while (std::getline(lines, line))
    if (!line.starts_with("require")) result += line + "\n";
  return result;
}

/// Element `i` of an integer operand: offsets, windows and lengths that mask everything, one key, a part and nothing.
int64_t integerFor(const Program &p, const Tensor &t, int corner, int64_t i) {
  constexpr int64_t offsets[kCorners] = {2, -1000, 0, 1000}, windows[kCorners] = {3, 0, 1, 1000},
                    lengths[kCorners] = {100, 0, 1, 1000}, prefixes[kCorners] = {2, 0, 1, 1000};
  if (t.below) return (i * 7 + corner * 3 + 1) % *p.indices[*t.below].extent;
  if (t.name == "off") return offsets[corner];
  if (t.name == "w") return windows[corner];
  if (t.name == "len") return lengths[corner] + i;
  if (t.name == "doc") return i / (corner + 1);
  if (t.name == "start") return i / (corner + 1) * (corner + 1);
  return prefixes[corner];
}

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
      for (size_t o = 0; o < c.types.size(); ++o) {
        const Tensor &t = execution->program.tensors[execution->program.inputs[o]];
        for (int64_t i = 0; isInteger(t.dtype) && i < c.types[o].numElements(); ++i)
          setElement(t.dtype, execution->operands[o].view.data, i,
                     double(integerFor(execution->program, t, corner, i)));
      }
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
  EXPECT_EQ(ok ? "" : ok.error().rule, GetParam().refused) << (ok ? "" : ok.error().render());
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
