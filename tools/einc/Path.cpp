// einc path and einc hash: what is known of an expression before it is compiled.
#include "compiler/Cascades/NormalForm.h"
#include "compiler/IndexNotation/ProgramHash.h"
#include "compiler/Paths/Requirements.h"
#include "tools/einc/Commands.h"

#include <algorithm>
#include <iterator>

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
  warn(warningsAbout(*request));
  auto printed = printResult(flat->str());
  return printed ? kFine : fail(printed.error(), While::Writing);
}

std::vector<Error> warningsAbout(const Request &request) {
  auto program = parseAndBind(request.text, request.operands, request.options);
  if (!program) return {};
  auto flat = flatten(*program, request.options);
  std::vector<Error> warnings = std::move(program->warnings);
  if (flat) std::ranges::move(storageWarnings(*program, *flat), std::back_inserter(warnings));
  return warnings;
}

ExitCode hash(const Arguments &arguments) {
  auto request = resolve(arguments);
  if (!request) return fail(request.error());
  auto program = parseAndBind(request->text, request->operands, request->options);
  if (!program) return fail(program.error());
  Program same = std::move(*program);
  if (request->options.fuse) {
    const FusedProgram fused = fuse(same, /*burden=*/0);
    same = fused.cascades.empty() ? normalForm(same) : withExplicitMasks(fused);
  }
  auto printed = printResult(programHash(same) + "\n");
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
