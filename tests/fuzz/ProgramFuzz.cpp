// Program texts. Operands are made to fit the declarations where that is possible.
#include "compiler/Adjoints/Adjoint.h"
#include "compiler/IndexNotation/Syntax.h"
#include "tests/fuzz/Bounded.h"
#include "tests/fuzz/Programs.h"

#include <algorithm>

using namespace ein;

/// The adjoint with respect to the first operand of floats binds, prints as it is, and has the operand's size.
static void checkAdjoint(const Program &program, std::string_view text, std::vector<TensorType> operands) {
  auto first = std::ranges::find_if(operands, [](const TensorType &t) { return isFloat(t.dtype); });
  if (first == operands.end()) return;
  const std::vector<size_t> which{size_t(first - operands.begin())};
  const int64_t elements = first->numElements();
  auto adjoint = adjointText(text, operands, which, {});
  if (!adjoint) return fuzz::requireWellFormed(adjoint.error());
  for (TensorId t : program.outputs)
    if (const TensorType type = program.typeOf(t); isFloat(type.dtype) || isComplex(type.dtype))
      operands.push_back(type);
  auto backward = programFromText(*adjoint, operands);
  if (!backward && backward.error().code == ErrorCode::Limit) return;
  fuzz::require(bool(backward), "an adjoint binds", backward ? "" : *adjoint + backward.error().render());
  fuzz::require(print(*backward) == *adjoint, "an adjoint is a fixed point", *adjoint);
  fuzz::require(backward->typeOf(backward->outputs[0]).numElements() == elements, "a gradient has its operand's size",
                *adjoint);
}

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
  if (!program) return fuzz::requireWellFormed(program.error());
  fuzz::checkProgram(*program, operands);
  checkAdjoint(*program, text, operands);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::bounded([&] { check(data, size); });
  return 0;
}
