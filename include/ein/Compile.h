// One compilation: text, types and options in, a CompiledModule out, with every stage on request.
#pragma once

#include "ein/CompileOptions.h"
#include "ein/CompiledModule.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ein {

/// The stages that can be printed, in order, of a compilation for a CPU.
inline constexpr const char *kStages[] = {"notation", "path", "linalg", "plan", "nest", "llvm-dialect", "llvm", "asm"};
/// The same for a GPU.
inline constexpr const char *kGpuStages[] = {"notation", "path", "linalg", "gpu-plan", "nvvm", "llvm", "ptx"};

/// What to compile.
struct CompileRequest {
  std::string text;
  std::vector<TensorType> operands;
  CompileOptions options;              ///< `threads` is resolved: at least 1
  std::vector<std::string> dumpStages; ///< names from kStages or kGpuStages; what is asked for comes back as text
  int32_t candidates = 0;              ///< how many other plans of each contraction to name in the result
  /// Makes `code` a library that stands alone: besides the entry, which is then called NAME_kernel, it exports the
  /// plain C functions NAME and NAME_ws (docs/aot.md) and names the libraries it needs. Empty: none.
  std::string cFunction = {};
  std::string soname = {}; ///< of that library

  /// The cache key as text, one line for an einsum string; `dumpStages` and `candidates` are no part of it.
  std::string keyText() const;

  std::string serialize() const;
  static Expected<CompileRequest> deserialize(std::string_view bytes);
};

/// A plan that one step of a kernel could have.
struct PlanCandidate {
  int32_t step = 0;           ///< as the functions of the kernel are numbered: step0, step1, ...
  std::string plan;           ///< for CompileOptions::plans
  double predictedCycles = 0; ///< of one core; 0 where nothing predicts it
};

/// What came out.
struct CompileResult {
  CompiledModule module;
  std::vector<std::pair<std::string, std::string>> stages; ///< (stage, text), in stage order
  std::vector<std::pair<std::string, double>> timings;     ///< (stage, milliseconds)
  std::vector<PlanCandidate> candidates;                   ///< by step; of each step first the plan it has
  std::string compiler;                                    ///< what compiled it: "LLVM 22.1.8"
  std::string cpu;                                         ///< what it was compiled for, as LLVM calls it: "znver4"
  std::vector<Error> warnings = {};                        ///< about the text of a Program, in its order

  std::string serialize() const;
  static Expected<CompileResult> deserialize(std::string_view bytes);
};

/// Binary form of an error, as libein-compiler hands it to libein.
std::string serializeError(const Error &error);
/// Reads into `error` what `serializeError` wrote; its own error if the bytes are anything else.
Expected<void> deserializeError(std::string_view bytes, Error &error);

/// Compiles through libein-compiler, which the first call of a process loads (from beside libein, or from
/// EIN_COMPILER). No cache. Thread-safe; compilations in one process run one at a time.
Expected<CompileResult> compile(const CompileRequest &request);

} // namespace ein
