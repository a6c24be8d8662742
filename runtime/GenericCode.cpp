// Loading of libein-generic and the calls into it.
#include "runtime/GenericCode.h"
#include "runtime/CompilerLibrary.h"

#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include <memory>

namespace ein {
namespace {

/// What libein-generic exports (compiler/Generic/GenericLibrary.cpp).
using MakeFunction = int(const char *request, uint64_t requestSize, void **kernel, char **response,
                         uint64_t *responseSize);
using RunFunction = int(const void *kernel, void *const *operands, void *const *results);
using FreeFunction = void(void *kernel);

struct GenericLibrary {
  MakeFunction *make = nullptr;
  RunFunction *run = nullptr;
  FreeFunction *free = nullptr;
};

GenericLibrary openGenericLibrary() {
  // A program may be linked with it, such as the static einc.
  void *library = RTLD_DEFAULT;
  if (!dlsym(library, "ein_generic_make")) {
    library = nullptr;
    for (const std::string &path : besideThisLibrary("libein-generic.so"))
      if ((library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL))) break;
    if (!library) return {};
  }
  return {reinterpret_cast<MakeFunction *>(dlsym(library, "ein_generic_make")),
          reinterpret_cast<RunFunction *>(dlsym(library, "ein_generic_run")),
          reinterpret_cast<FreeFunction *>(dlsym(library, "ein_generic_free"))};
}

/// Opened by the first who asks, within a ForkGate, and never closed; all null where it is not there.
const GenericLibrary &genericLibrary() {
  static const GenericLibrary library = openGenericLibrary();
  return library;
}

} // namespace

GenericCode::~GenericCode() {
  if (kernel) genericLibrary().free(kernel);
}

Expected<std::optional<GenericCode>> GenericCode::make(const CompileRequest &request, CompiledModule &types) {
  std::optional<GenericCode> code;
  const GenericLibrary &library = genericLibrary();
  if (!library.make || !library.run || !library.free) return code;
  const std::string bytes = request.serialize();
  GenericCode made;
  char *data = nullptr;
  uint64_t size = 0;
  const int status = library.make(bytes.data(), bytes.size(), &made.kernel, &data, &size);
  const std::unique_ptr<char, decltype(&std::free)> owner(data, std::free);
  const std::string_view response(data ? data : "", data ? size : 0);
  if (status == 0) {
    auto module = CompiledModule::deserialize(response);
    if (!module) return module.error();
    types = std::move(*module);
    types.key = request.keyText();
    code.emplace(std::move(made));
  } else if (status == 1) {
    Error error;
    if (auto read = deserializeError(response, error); !read) return read.error();
    return error;
  }
  return code;
}

bool GenericCode::run(void *const *operands, void *const *results) const {
  return genericLibrary().run(kernel, operands, results) == 0;
}

} // namespace ein
