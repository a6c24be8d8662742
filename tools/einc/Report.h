// What einc tells its user: errors on stderr, exit codes, tensors as text.
#pragma once

#include "ein/Error.h"
#include "ein/TensorView.h"

#include <string>
#include <vector>

namespace einc {

/// einc's exit codes; a contract.
enum ExitCode : int {
  kFine = 0,
  kWrong = 1,     ///< --check found a wrong result
  kUserError = 2, ///< the expression, the operands, the command line
  kCompileFailure = 3,
  kRunFailure = 4, ///< the kernel did not run, or its result could not be written
  kDeviceMissing = 5,
};

/// Whether a file was being read or written when it failed.
enum class While { Reading, Writing };

/// The exit code of an error.
ExitCode exitCode(ein::ErrorCode code, While doing = While::Reading);

/// Prints the error to stderr, "error:" in red where stderr is a terminal and NO_COLOR is not set, and gives its
/// exit code.
ExitCode fail(const ein::Error &error, While doing = While::Reading);

/// Prints warnings to stderr, in the same form.
void warn(const std::vector<ein::Error> &warnings);

/// The type on one line, then the values the way numpy prints them, each with the digits that identify it. Above
/// 1000 elements only the first and last few of the flattened array. Requires a row-major view.
std::string printTensor(const ein::TensorView &view);

/// Writes to stdout and flushes. A failure is an error to report with While::Writing.
ein::Expected<void> printResult(const std::string &text);

} // namespace einc
