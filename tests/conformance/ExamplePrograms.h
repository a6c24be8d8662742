// The example programs of tests/data/programs, with shapes for them and integers at the corners of their guards.
#pragma once

#include "compiler/IndexNotation/Element.h"
#include "tests/conformance/Generators.h"

#include <fstream>
#include <sstream>

namespace ein::test {

struct Example {
  const char *file;
  std::vector<const char *> shapes; ///< of the operands; odd sizes, and one key or one of everything
};

inline const Example kExamples[] = {
    {"01-causal-gqa",
     {"bf16[2,5,8,16] bf16[2,7,2,16] bf16[2,7,2,16] i32[]", "bf16[1,3,4,5] bf16[1,1,1,5] bf16[1,1,1,3] i32[]"}},
    {"02-sliding-window",
     {"bf16[2,3,9,8] bf16[2,3,11,8] bf16[2,3,11,5] f32[3] f32[3] i32[]",
      "bf16[1,1,1,3] bf16[1,1,1,3] bf16[1,1,1,3] f32[1] f32[1] i32[]"}},
    {"03-packed-documents",
     {"bf16[2,13,8] bf16[2,13,8] bf16[2,13,6] i32[13] i32[13] i32[13]",
      "bf16[1,1,2] bf16[1,1,2] bf16[1,1,2] i32[1] i32[1] i32[1]"}},
    {"04-paged-decode",
     {"bf16[2,16,8] bf16[5,64,2,8] bf16[5,64,2,6] i32[2,3] i32[2]",
      "bf16[1,8,3] bf16[1,64,1,3] bf16[1,64,1,3] i32[1,1] i32[1]"}},
    {"05-pair-bias",
     {"bf16[2,3,7,8] bf16[2,3,9,8] bf16[2,3,9,5] f32[3,7,9] bf16[2,3,7,5]",
      "bf16[1,1,1,2] bf16[1,1,1,2] bf16[1,1,1,2] f32[1,1,1] bf16[1,1,1,2]"}},
    {"06-linear-attention", {"f32[2,3,7,5] f32[2,3,9,5] f32[2,3,9,4]", "f32[1,1,1,1] f32[1,1,1,1] f32[1,1,1,1]"}},
    {"07-gpt2-mlp", {"bf16[5,8] bf16[8,17] f32[17] bf16[17,8] f32[8]", "bf16[1,1] bf16[1,1] f32[1] bf16[1,1] f32[1]"}},
    {"08-rmsnorm-swiglu",
     {"bf16[5,8] f32[8] bf16[8,17] bf16[8,17] bf16[17,9]", "bf16[1,1] f32[1] bf16[1,1] bf16[1,1] bf16[1,1]"}},
    {"09-layernorm-projection", {"f32[7,33] f32[33] f32[33] f32[33,9]", "f32[1,2] f32[2] f32[2] f32[2,1]"}},
    {"10-lora", {"bf16[5,16] bf16[16,9] bf16[16,2] bf16[2,9] f32[]", "bf16[1,1] bf16[1,1] bf16[1,1] bf16[1,1] f32[]"}},
    {"11-bilinear", {"f64[7,5] f64[3,5,5]", "f64[1,1] f64[1,1,1]"}},
    {"12-cross-entropy", {"bf16[5,8] bf16[8,37] i32[5]", "bf16[1,1] bf16[1,1] i32[1]"}},
    {"13-moe", {"bf16[7,16] bf16[16,6] bf16[6,16,9]", "bf16[1,1] bf16[1,2] bf16[2,1,1]"}},
    {"14-shortest-paths", {"f32[9,9]", "f32[1,1]"}},
    {"15-hmm-forward", {"f32[5,7] f32[7,7] f32[5,7]", "f32[1,1] f32[1,1] f32[1,1]"}},
    {"16-k-means", {"f32[40,5] f32[7,5]", "f32[1,1] f32[1,1]"}},
    {"17-kalman",
     {"f64[6,6] f64[3,6] f64[3,6,6] f64[6,6] f64[2,6] f64[3,2] f64[3,2,2]",
      "f64[1,1] f64[1,1] f64[1,1,1] f64[1,1] f64[1,1] f64[1,1] f64[1,1,1]"}},
    {"18-mps-overlap", {"f64[2,3,4] f64[4,5,2]", "f64[1,1,1] f64[1,1,1]"}},
};
inline constexpr int kCorners = 4;

inline std::string textOf(const Example &example) {
  std::ifstream file(EIN_TEST_DATA "/programs/" + std::string(example.file) + ".ein");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::string withoutRequirements(const std::string &text) {
  std::istringstream lines(text);
  std::string line, result;
  while (std::getline(lines, line))
    if (!line.starts_with("require")) result += line + "\n";
  return result;
}

/// Element `i` of an integer operand: offsets, windows and lengths that mask everything, one key, a part and nothing.
inline int64_t integerFor(const Program &p, const Tensor &t, int corner, int64_t i) {
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

/// Puts the integers of a corner into the operands.
inline void setCorner(Execution &execution, int corner) {
  for (size_t o = 0; o < execution.operands.size(); ++o) {
    const Tensor &t = execution.program.tensors[execution.program.inputs[o]];
    const TensorView &view = execution.operands[o].view;
    for (int64_t i = 0; isInteger(t.dtype) && i < view.type.numElements(); ++i)
      setElement(t.dtype, view.data, i, double(integerFor(execution.program, t, corner, i)));
  }
}

} // namespace ein::test
