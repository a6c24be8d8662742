// What every bound Program must satisfy.
#pragma once

#include "compiler/IndexNotation/Program.h"
#include "compiler/Paths/Flatten.h"
#include "tests/fuzz/Fuzz.h"

#include <span>

namespace ein::fuzz {

/// Its invariants hold, it prints and parses back, and it flattens.
inline void checkProgram(const Program &p, std::span<const TensorType> operands) {
  auto fine = verify(p);
  require(bool(fine), "a bound Program is well-formed", fine ? "" : fine.error().message);
  const std::string text = print(p);
  if (text.size() <= 64 * 1024) {
    auto again = parseAndBind(text, operands);
    require(bool(again), "a printed Program parses", again ? text : text + again.error().render());
    require(print(*again) == text, "a printed Program is a fixed point", text);
  }
  CompileOptions options;
  options.path = p.inputs.size() > 4 ? PathStrategy::Greedy : PathStrategy::Auto;
  auto flat = flatten(p, options);
  if (!flat) return requireWellFormed(flat.error());
  auto flatFine = verify(flat->program);
  require(bool(flatFine), "a flat Program is well-formed", flatFine ? "" : flatFine.error().message);
}

} // namespace ein::fuzz
