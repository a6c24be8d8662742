// einc adjoint: gradients as text.
#include "compiler/Adjoints/Adjoint.h"
#include "tools/einc/Commands.h"

using namespace ein;

namespace einc {

ExitCode adjointOf(const AdjointArguments &arguments) {
  auto request = resolve(arguments);
  if (!request) return fail(request.error());
  std::vector<size_t> which = arguments.operands;
  for (size_t o = 0; arguments.operands.empty() && o < request->operands.size(); ++o)
    if (isFloat(request->operands[o].dtype) || isComplex(request->operands[o].dtype)) which.push_back(o);
  auto text = adjointText(request->text, request->operands, which, request->options);
  if (!text) return fail(text.error());
  if (!text->ends_with('\n')) *text += '\n';
  auto printed = printResult(*text);
  return printed ? kFine : fail(printed.error(), While::Writing);
}

} // namespace einc
