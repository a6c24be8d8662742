// Program texts. Operands are made to fit the declarations where that is possible.
#include "compiler/IndexNotation/Syntax.h"
#include "tests/fuzz/Bounded.h"
#include "tests/fuzz/Programs.h"

using namespace ein;

static void check(const uint8_t *data, size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  auto syntax = parseSyntax(text);
  if (!syntax) return fuzz::requireWellFormed(syntax.error());
  std::vector<TensorType> operands;
  for (const Syntax::Input &input : syntax->inputs) {
    std::vector<int64_t> shape;
    auto axis = input.axes.begin();
    for (uint32_t grouped : input.groups) {
      int64_t extent = 1;
      for (uint32_t n = 0; n < grouped; ++n) extent *= fuzz::extentOf((axis++)->text);
      shape.push_back(extent);
    }
    operands.emplace_back(parseDType(input.dtype.text).value_or(DType::F32), std::move(shape));
  }
  auto program = programFromText(text, operands);
  if (program)
    fuzz::checkProgram(*program, operands);
  else
    fuzz::requireWellFormed(program.error());
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::bounded([&] { check(data, size); });
  return 0;
}
