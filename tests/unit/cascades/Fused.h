// Fusing Programs in tests, and what the result means.
#pragma once

#include "compiler/Cascades/Cascade.h"
#include "tests/unit/paths/Programs.h"

namespace ein::test {

inline std::string roles(const FusedProgram &f) {
  std::string text;
  for (const Cascade &c : f.cascades) {
    text += text.empty() ? "" : "; ";
    for (Role role : c.roles) text += (text.empty() || text.back() == ' ' ? "" : " ") + std::string(name(role));
  }
  return text;
}

} // namespace ein::test
