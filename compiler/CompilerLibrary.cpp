// The C interface of libein-compiler: the one symbol it exports.
#include "compiler/Compile.h"
#include "compiler/FatalErrors.h"

#include <cstdlib>
#include <cstring>

/// Compiles a serialised request. Returns 0 with a serialised result, 1 with a serialised error, 2 when
/// there is no memory for either. The response is the caller's to free().
extern "C" __attribute__((visibility("default"))) int ein_compile(const char *request, uint64_t requestSize,
                                                                  char **response, uint64_t *responseSize) {
  std::string bytes;
  int status = 1;
  if (auto parsed = ein::CompileRequest::deserialize({request, requestSize}); !parsed) {
    bytes = ein::serializeError(parsed.error());
  } else if (auto result = ein::catchFatalErrors([&] { return ein::compileModule(*parsed); }); !result) {
    bytes = ein::serializeError(result.error());
  } else {
    bytes = result->serialize();
    status = 0;
  }
  *responseSize = bytes.size();
  *response = static_cast<char *>(std::malloc(bytes.size()));
  if (!*response) return 2;
  std::memcpy(*response, bytes.data(), bytes.size());
  return status;
}
