// The call into libein-compiler for the text of an adjoint.
#include "ein/Adjoint.h"
#include "ein/Compile.h"
#include "runtime/CompilerLibrary.h"

#include <cstdlib>
#include <dlfcn.h>
#include <memory>

namespace ein {
namespace {

/// `ein_adjoint` of libein-compiler; as a CompileFunction, but a success gives the plain text.
using AdjointFunction = int(const char *request, uint64_t requestSize, const uint64_t *operands, uint64_t operandCount,
                            char **response, uint64_t *responseSize);

Expected<AdjointFunction *> loadAdjoint() {
  auto compile = loadCompiler();
  if (!compile) return compile.error();
  Dl_info info;
  void *library = dladdr(reinterpret_cast<void *>(*compile), &info) ? dlopen(info.dli_fname, RTLD_NOW) : nullptr;
  // A program that is linked with the compiler is no library that can be opened.
  void *symbol = dlsym(library ? library : RTLD_DEFAULT, "ein_adjoint");
  if (!symbol) return makeError(ErrorCode::Compile, "the compiler library has no ein_adjoint");
  return reinterpret_cast<AdjointFunction *>(symbol);
}

} // namespace

Expected<std::string> adjoint(std::string_view text, std::span<const TensorType> operands, size_t which,
                              const CompileOptions &options) {
  return adjoint(text, operands, std::vector<size_t>{which}, options);
}

Expected<std::string> adjoint(std::string_view text, std::span<const TensorType> operands,
                              const std::vector<size_t> &which, const CompileOptions &options) {
  auto function = loadAdjoint();
  if (!function) return function.error();
  CompileRequest request{std::string(text), {operands.begin(), operands.end()}, options, {}};
  const std::string bytes = request.serialize();
  char *data = nullptr;
  uint64_t size = 0;
  const std::vector<uint64_t> numbers(which.begin(), which.end());
  const int status = (*function)(bytes.data(), bytes.size(), numbers.data(), numbers.size(), &data, &size);
  const std::unique_ptr<char, decltype(&std::free)> owner(data, std::free);
  const std::string_view response(data ? data : "", data ? size : 0);
  if (status == 0) return std::string(response);
  Error error;
  if (auto read = deserializeError(response, error); !read) return read.error();
  return error;
}

} // namespace ein
