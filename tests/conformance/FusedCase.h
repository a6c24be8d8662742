// A Program that must run as one pass, against the interpreter.
#pragma once

#include "tests/conformance/Support.h"

namespace ein::test {

/// Compiles and runs `text` and compares; fails also where its plan is no fused cascade of that kind.
inline ::testing::AssertionResult fusedAsInterpreted(const std::string &text, const std::string &operands,
                                                     int threads = 1, const std::string &target = "host",
                                                     const std::string &plan = "kind = \"cascade\"") {
  Case c;
  c.text = text;
  c.types = types(operands);
  c.options.threads = threads;
  auto parsed = Target::parse(target);
  if (parsed) c.options.target = *parsed;
  c.stages = {"plan"};
  auto execution = Execution::prepare(c);
  if (!execution) return failure(c, execution.error().render());
  if (auto ok = execution->run(); !ok) return failure(c, ok.error().render());
  bool isFused = false;
  for (const auto &[stage, dump] : execution->stages) isFused |= dump.find(plan) != std::string::npos;
  if (!isFused) return failure(c, "is no fused cascade with " + plan);
  return agreesWithInterpreter(*execution);
}

} // namespace ein::test
