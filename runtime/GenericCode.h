// A kernel of libein-generic: what a call runs on while its kernel is being compiled.
#pragma once

#include "ein/Compile.h"

#include <optional>
#include <utility>

namespace ein {

/// Owns a generic kernel; any number of threads may run it at once.
class GenericCode {
public:
  GenericCode() = default;
  GenericCode(GenericCode &&other) noexcept : kernel(std::exchange(other.kernel, nullptr)) {}
  GenericCode &operator=(GenericCode &&) = delete;
  ~GenericCode();

  /// The kernel of a request, whose types go to `types`. Nothing where there is none, or no libein-generic beside
  /// libein. Refuses what the compiler would refuse about text, types and options, with the same error.
  static Expected<std::optional<GenericCode>> make(const CompileRequest &request, CompiledModule &types);

  explicit operator bool() const { return kernel != nullptr; }
  /// As an EntryFunction; false if there is no memory.
  bool run(void *const *operands, void *const *results) const;

private:
  void *kernel = nullptr;
};

} // namespace ein
