// What every stage of a compilation reports to: dumps, times, diagnostics.
#pragma once

#include "ein/Compile.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Operation.h"

#include <algorithm>
#include <chrono>

namespace ein {

/// Collects the stages somebody asked for and how long each took.
class Recorder {
public:
  Recorder(const CompileRequest &request, CompileResult &result) : request(request), result(result) {}

  bool wants(std::string_view stage) const {
    return std::find(request.dumpStages.begin(), request.dumpStages.end(), stage) != request.dumpStages.end();
  }
  /// Ends a stage: its time, and its text if it is wanted.
  template <class Print> void end(const char *stage, Print print) {
    const auto now = std::chrono::steady_clock::now();
    result.timings.emplace_back(stage, std::chrono::duration<double, std::milli>(now - last).count());
    if (wants(stage)) result.stages.emplace_back(stage, print());
    last = std::chrono::steady_clock::now();
  }

  /// Another text for a stage that has ended.
  template <class Print> void replace(std::string_view stage, Print print) {
    for (auto &[name, text] : result.stages)
      if (name == stage) text = print();
  }

private:
  const CompileRequest &request;
  CompileResult &result;
  std::chrono::steady_clock::time_point last = std::chrono::steady_clock::now();
};

inline std::string printed(mlir::Operation *module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream);
  return text + "\n";
}

/// What MLIR reports while a compilation runs, as one Error.
class DiagnosticText {
public:
  explicit DiagnosticText(mlir::MLIRContext &context)
      : handler(&context, [this](mlir::Diagnostic &d) { text += (text.empty() ? "" : "; ") + d.str(); }) {}
  Error error(const std::string &stage) const {
    return makeError(ErrorCode::Compile, "stage " + stage + " failed: " + (text.empty() ? "no diagnostic" : text));
  }

private:
  std::string text;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace ein
