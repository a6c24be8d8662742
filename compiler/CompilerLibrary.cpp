// The C interface of libein-compiler: the symbols it exports.
#include "compiler/Adjoints/Adjoint.h"
#include "compiler/Compile.h"
#include "compiler/FatalErrors.h"

#include <cstdlib>
#include <cstring>

namespace {

/// Hands `bytes` to the caller. Returns `status`, or 2 without memory.
int respond(int status, const std::string &bytes, char **response, uint64_t *responseSize) {
  *responseSize = bytes.size();
  *response = static_cast<char *>(std::malloc(bytes.size()));
  if (!*response) return 2;
  std::memcpy(*response, bytes.data(), bytes.size());
  return status;
}

} // namespace

/// Compiles a serialised request. Returns 0 with a serialised result, 1 with a serialised error, 2 when
/// there is no memory for either. The response is the caller's to free().
extern "C" __attribute__((visibility("default"))) int ein_compile(const char *request, uint64_t requestSize,
                                                                  char **response, uint64_t *responseSize) {
  auto parsed = ein::CompileRequest::deserialize({request, requestSize});
  if (!parsed) return respond(1, ein::serializeError(parsed.error()), response, responseSize);
  ein::Expected<ein::CompileResult> result = ein::CompileResult();
  if (auto fatal = ein::catchFatalErrors([&] { result = ein::compileModule(*parsed); })) result = *fatal;
  if (!result) return respond(1, ein::serializeError(result.error()), response, responseSize);
  return respond(0, result->serialize(), response, responseSize);
}

/// The text of the adjoint of a serialised request's expression with respect to some operands. Returns as
/// `ein_compile` does, but 0 with the plain text.
extern "C" __attribute__((visibility("default"))) int ein_adjoint(const char *request, uint64_t requestSize,
                                                                  const uint64_t *operands, uint64_t operandCount,
                                                                  char **response, uint64_t *responseSize) {
  auto parsed = ein::CompileRequest::deserialize({request, requestSize});
  if (!parsed) return respond(1, ein::serializeError(parsed.error()), response, responseSize);
  const std::vector<size_t> which(operands, operands + operandCount);
  auto text = ein::adjointText(parsed->text, parsed->operands, which, parsed->options);
  if (!text) return respond(1, ein::serializeError(text.error()), response, responseSize);
  return respond(0, *text, response, responseSize);
}
