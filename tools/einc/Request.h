// What every subcommand starts from: the expression, the operands' types and the options, checked.
#pragma once

#include "ein/CompileOptions.h"
#include "ein/TensorType.h"

#include <string>
#include <vector>

namespace einc {

/// The arguments that all subcommands share, as the user typed them.
struct Arguments {
  std::string text;               ///< an einsum string, a Program, "@file" or "-"
  std::vector<std::string> types; ///< --type, once per operand
  std::vector<std::string> files; ///< .npy, one per operand; instead of `types`
  std::string target = "host";
  std::string path = "auto";
  int threads = 0;
  int64_t memoryLimit = 0;
  bool names = false, scatter = false, noFuse = false;
  std::string outDType, computeDType, accumulateDType; ///< empty: the defaults of CompileOptions
  std::vector<int64_t> conjugate;
  std::string semiring = "plus-times";
  double alpha = 1, beta = 0;
  std::vector<std::string> resultStrides; ///< "64,1", once per result
  std::vector<std::string> dynamic;       ///< names of indices
  bool integers = false;                  ///< what random operands hold
};

/// The same, read and checked.
struct Request {
  std::string text;
  std::vector<ein::TensorType> operands;
  ein::CompileOptions options;
};

/// Reads the text and the types (of files only their headers).
ein::Expected<Request> resolve(const Arguments &arguments);

} // namespace einc
