// The C interface of libein-generic: the symbols it exports.
#include "compiler/Generic/GenericKernel.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace {

/// Hands `bytes` to the caller. Returns `status`, or 2 without memory.
int respondGeneric(int status, const std::string &bytes, char **response, uint64_t *responseSize) {
  *responseSize = bytes.size();
  *response = static_cast<char *>(std::malloc(bytes.size()));
  if (!*response) return 2;
  std::memcpy(*response, bytes.data(), bytes.size());
  return status;
}

int makeGeneric(std::string_view bytes, void **kernel, char **response, uint64_t *responseSize) {
  auto request = ein::CompileRequest::deserialize(bytes);
  if (!request) return respondGeneric(1, ein::serializeError(request.error()), response, responseSize);
  auto made = ein::GenericKernel::make(*request);
  if (!made) return respondGeneric(1, ein::serializeError(made.error()), response, responseSize);
  if (!*made) return 3;
  ein::CompiledModule types;
  types.operands = (*made)->operands();
  types.results = (*made)->results();
  const int status = respondGeneric(0, types.serialize(), response, responseSize);
  if (status == 0) *kernel = const_cast<ein::GenericKernel *>(made->release());
  return status;
}

} // namespace

/// Makes the generic kernel of a serialised request. Returns 0 with the kernel, for ein_generic_free, and a serialised
/// CompiledModule that has its types and no code; 1 with a serialised error, 2 when there is no memory; 3 where
/// there is no generic kernel. The response is the caller's to free().
extern "C" __attribute__((visibility("default"))) int
ein_generic_make(const char *request, uint64_t requestSize, void **kernel, char **response, uint64_t *responseSize) {
  try {
    return makeGeneric({request, requestSize}, kernel, response, responseSize);
  } catch (const std::bad_alloc &) {
    return 2;
  }
}

/// Runs a kernel on pointers to elements at index zero: 0, or 2 when there is no memory. Any number of threads may.
extern "C" __attribute__((visibility("default"))) int ein_generic_run(const void *kernel, void *const *operands,
                                                                      void *const *results) {
  try {
    static_cast<const ein::GenericKernel *>(kernel)->run(operands, results);
    return 0;
  } catch (const std::bad_alloc &) {
    return 2;
  }
}

extern "C" __attribute__((visibility("default"))) void ein_generic_free(void *kernel) {
  delete static_cast<const ein::GenericKernel *>(kernel);
}
