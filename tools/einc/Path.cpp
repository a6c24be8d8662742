// einc path: the contraction order and what it costs.
#include "compiler/Paths/Flatten.h"
#include "tools/einc/Commands.h"

using namespace ein;

namespace einc {

static Expected<FlatProgram> flattenRequest(const Request &request) {
  auto program = parseAndBind(request.text, request.operands, request.options);
  if (!program) return program.error();
  return flatten(*program, request.options);
}

ExitCode path(const Arguments &arguments) {
  auto request = resolve(arguments);
  if (!request) return fail(request.error());
  auto flat = flattenRequest(*request);
  if (!flat) return fail(flat.error());
  auto printed = printResult(flat->str());
  return printed ? kFine : fail(printed.error(), While::Writing);
}

Expected<double> countFlops(const Request &request) {
  auto flat = flattenRequest(request);
  if (!flat) return flat.error();
  double flops = 0;
  for (const FlatProgram::OrderedContraction &contraction : flat->contractions)
    flops += contraction.path.optimisedFlops;
  return flops;
}

} // namespace einc
