// What `einc compile` made, described for people and for programs.
#pragma once

#include "ein/Compile.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace einc {

/// A compiled expression with the names its C interface gives to things.
struct Artefact {
  std::string name; ///< of the C function, or of the kernel in its bundle
  std::string text; ///< the expression
  ein::Target target;
  ein::CompileResult result;
  std::vector<std::string> operands, results; ///< parameters: in_Q, out_O
};

/// Compiles. With a `soname` the code is a library with the C function `name`, else a kernel for a bundle.
ein::Expected<Artefact> makeArtefact(const std::string &name, const std::string &soname, const std::string &text,
                                     const std::vector<ein::TensorType> &operands, const ein::CompileOptions &options);

/// The C header of a library: C and C++, needs nothing.
std::string headerOf(const Artefact &artefact);

/// Field names are a contract: name, expression, operands, results (each name, dtype, shape, strides), target, cpu,
/// features, threads, workspace_bytes, workspace_alignment, libraries.
nlohmann::ordered_json describe(const Artefact &artefact);

} // namespace einc
