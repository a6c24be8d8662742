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
    for (const Word &axis : input.axes) shape.push_back(fuzz::extentOf(axis.text));
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
