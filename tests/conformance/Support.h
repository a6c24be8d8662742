// What the conformance tests share: a case, its run on guarded memory, and the verdict of the reference interpreter.
#pragma once

#include "compiler/IndexNotation/Program.h"
#include "ein/CompileOptions.h"
#include "tools/einc/HostTensor.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace ein::test {

/// What operands hold. Fractions are what `einc run --seed` draws; integers are -2 to 2, so that sums of
/// products have one exact value in any order.
enum class Data { Fractions, Integers };

/// An expression, its operands and how it is to be compiled.
struct Case {
  std::string text;
  std::vector<TensorType> types;
  CompileOptions options;
  uint64_t seed = 1;
  Data data = Data::Fractions;
  std::vector<std::string> stages; ///< to be printed into Execution::stages
};

/// The `einc run ... --check` line that repeats a case.
std::string reproducer(const Case &c);

/// A case in memory. Each tensor lies against a page that must not be touched, above it or for an odd seed below; so
/// a kernel that leaves its tensors is found out. `prepare` fills operands from the seed.
struct Execution {
  Case source;
  Program program;
  std::vector<einc::HostTensor> operands, results;
  std::vector<einc::HostTensor> priors; ///< with beta, copies of what the results held before the run
  std::vector<std::pair<std::string, std::string>> stages;

  static Expected<Execution> prepare(const Case &c);
  /// What the program takes: operands, then priors.
  std::vector<TensorView> inputs() const;
  /// Compiles, fills the results with signalling NaNs (with beta: random values) and runs. An error Run says what was
  /// touched beside the tensors.
  Expected<void> run();

private:
  Expected<void> checkSurroundings() const;
};

/// Whether an execution that has run agrees with the reference interpreter: exactly where its data is integers, else
/// within the bound of `einc run --check`, and sums of products within 4 sqrt(K) + 8 units (einc::Roundings).
::testing::AssertionResult agreesWithInterpreter(const Execution &execution);

/// Prepares, runs and compares with the interpreter.
::testing::AssertionResult computesAsInterpreted(const Case &c);

/// gamma(n) of Higham, Accuracy and Stability of Numerical Algorithms, section 3.1, for a dtype and its reference in
/// double; infinite where n u reaches 1.
double roundingBound(double roundings, DType dtype);

/// A failure with the case's seed and reproducer.
::testing::AssertionResult failure(const Case &c, const std::string &why);

/// Product of the extents of all indices: what the interpreter visits for an einsum.
double points(const Program &program);

/// "f32[2,3] f64[]" as types.
std::vector<TensorType> types(std::string_view text);

} // namespace ein::test
