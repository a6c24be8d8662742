// EIN_LOG=recompiles: says why a text is compiled again.
#pragma once

#include "ein/Compile.h"

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace ein {

/// Remembers the last compilation of each text. Thread-safe.
class RecompileLog {
public:
  /// Whether EIN_LOG asks for it.
  static bool isWanted();

  /// A text is about to be compiled for operands of these types; `request` has those of their shape class. Prints one
  /// line on stderr unless it is the first time.
  void compiling(const CompileRequest &request, const std::vector<TensorType> &operands);

  struct Compilation {
    CompileRequest request;
    std::vector<TensorType> operands;
  };
  /// What keeps the kernel of one compilation from serving another of the same text: the guards that fail, with "; "
  /// between them.
  static std::string whyAgain(const Compilation &before, const Compilation &now);

private:
  std::mutex mutex;
  std::map<std::string, Compilation> last; ///< by text
};

} // namespace ein
